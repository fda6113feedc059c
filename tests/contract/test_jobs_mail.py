"""Mail that a task sends to any server ends in the workspace's own mailbox; login and encryption are agreed to."""

from __future__ import annotations

from typing import Any

import pytest
from databricks.sdk.service.jobs import JobParameterDefinition
from jobs_support import Jobs, results

CELL = "\n\n# COMMAND ----------\n\n"
COMPOSE = """
from email.message import EmailMessage
message = EmailMessage()
message["From"], message["To"], message["Subject"] = "robot@example.com", "boss@example.com", "Umsätze"
message.set_content("In €.")
message.add_attachment("<p>1 €</p>", subtype="html", filename="report.html")
"""


@pytest.fixture(scope="module")
def runner(jobs: Jobs) -> Jobs:
    jobs.client.secrets.create_scope("mail")
    jobs.client.secrets.put_secret("mail", "password", string_value="very-secret-value")
    return jobs


def mails(runner: Jobs, to: str) -> list[dict[str, Any]]:
    status, answer = runner.workspace.call("GET", "/_local/mail")
    assert status == 200
    return [mail for mail in answer["mails"] if mail["to"] == to]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("starttls", "with smtplib.SMTP(host, 587, timeout=20) as client:\n    client.starttls()\n    client.login('robot', password)"),
        ("tls", "with smtplib.SMTP_SSL(host, 465, timeout=20) as client:\n    client.login('robot', password)"),
        ("plain", "with smtplib.SMTP(host, timeout=20) as client:\n    client.ehlo()"),
    ],
)
def test_a_mail_arrives_as_it_was_sent(runner: Jobs, name: str, code: str) -> None:
    start = "import smtplib\nhost = dbutils.widgets.get('host')\npassword = dbutils.secrets.get('mail', 'password')\n"
    send = f"{code}\n    print(client.send_message(message, to_addrs=['boss@example.com']))"
    text = CELL.join([start, COMPOSE.replace("boss@example.com", f"{name}@example.com"), send.replace("boss@", f"{name}@")])
    parameters = [JobParameterDefinition(name="host", default="smtp.example.com")]
    run = runner.run(runner.notebook(f"mail_{name}", text), parameters=parameters)
    log = runner.log(run, f"mail_{name}")
    assert results(run) == {f"mail_{name}": "SUCCESS"}, log
    assert "Mail for smtp.example.com:" in log
    assert "delivered to this workspace's own mailbox" in log
    (mail,) = mails(runner, f"{name}@example.com")
    assert (mail["from"], mail["subject"], str(mail["text"]).strip()) == ("robot@example.com", "Umsätze", "In €.")
    (attached,) = mail["attachments"]
    assert (attached["name"], attached["type"], attached["text"].strip()) == ("report.html", "text/html", "<p>1 €</p>")


def test_a_server_on_this_machine_is_spoken_to_as_it_is(runner: Jobs) -> None:
    code = (
        "import smtplib, socket, threading\nserver = socket.create_server(('127.0.0.1', 0))\n"
        "def serve():\n    peer, _ = server.accept()\n    peer.sendall(b'554 not today\\r\\n')\n    peer.close()\n"
        "threading.Thread(target=serve, daemon=True).start()\n"
        "try:\n    smtplib.SMTP('127.0.0.1', server.getsockname()[1], timeout=10)\n"
        "except smtplib.SMTPConnectError as error:\n    print(error.smtp_code)\n"
    )
    run = runner.run(runner.python("own_server", code))
    assert runner.output(run, "own_server").logs == "554\n"
