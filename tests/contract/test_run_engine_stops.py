"""`bundleflow run` when things go wrong: signals, lost answers, troubles of the workspace, tokens that end, and a terminal's bar."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from jobs_support import Jobs, life, result
from run_engine_support import LONG, Kit

PLAIN = "print(1)\n"


def runs_of(jobs: Jobs, job_id: int) -> list[int]:
    return [run.run_id or 0 for run in jobs.client.jobs.list_runs(job_id=job_id)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_start_cancels_its_run(kit: Kit, jobs: Jobs, number: signal.Signals) -> None:
    process = kit.spawn("start", str(jobs.create(jobs.python("long", LONG))))
    run_id = kit.started(process)
    jobs.until(run_id, lambda run: life(run) == "RUNNING")
    stopped = time.monotonic()
    process.send_signal(number)
    done = kit.end(process)
    assert time.monotonic() - stopped < 7.5, "GitHub gives so long before it ends a stopped job more roughly"
    assert done.code == 130
    assert (done.outputs["result-state"], done.outputs["failure-reason"]) == ("CANCELED", "run-canceled")
    assert result(jobs.end(run_id)) == "CANCELED"
    assert "CANCELED" in kit.summary()


def test_two_signals_as_github_sends_them_cancel_once(kit: Kit, jobs: Jobs) -> None:
    process = kit.spawn("start", str(jobs.create(jobs.python("long", LONG))))
    run_id = kit.started(process)
    kit.order({"path": "*/runs/cancel", "delay_s": 1.0})
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    done = kit.end(process)
    assert done.code == 130
    assert result(jobs.end(run_id)) == "CANCELED"


def test_a_step_of_a_cancelled_workflow_cancels_its_run(kit: Kit, jobs: Jobs) -> None:
    """The runner tells only the shell of a step; the step gives its place to the program, so that the program is told."""
    action = (Path(__file__).parents[2] / "actions" / "run-job" / "action.yml").read_text()
    script = next(line.partition("run: ")[2] for line in action.splitlines() if "bundleflow run start" in line)
    step = kit.folder / "step.sh"
    step.write_text(script + "\n")
    job_id = jobs.create(jobs.python("long", LONG))
    given = {"BUNDLEFLOW_JOB": str(job_id), "BUNDLEFLOW_TARGET": "", "PATH": f"{Path(kit.program).parent}:{os.environ['PATH']}"}
    for name in ("output", "summary"):
        (kit.folder / name).write_text("")
    process = subprocess.Popen(
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(step)],
        env=kit.environment(**given),
        cwd=kit.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    run_id = kit.started(process)
    os.kill(process.pid, signal.SIGINT)
    done = kit.end(process)
    assert done.outputs["result-state"] == "CANCELED", done.stderr
    assert result(jobs.end(run_id)) == "CANCELED"


def test_a_signal_while_the_start_is_being_answered_leaves_no_run(kit: Kit, jobs: Jobs) -> None:
    ended = kit.folder / "ended"
    job_id = jobs.create(jobs.python("long", f"{LONG}open({str(ended)!r}, 'w').close()\n"))
    before = len(kit.server.log())
    kit.order({"path": "*/run-now", "delay_s": 2.0})
    process = kit.spawn("start", str(job_id))
    limit = time.monotonic() + 30
    while "/.well-known" not in str(kit.server.log()[before:]) and time.monotonic() < limit:
        time.sleep(0.05)
    time.sleep(1.0)
    process.send_signal(signal.SIGTERM)
    done = kit.end(process)
    assert done.code == 130
    # The command waits some seconds for the end that it asked for, no longer.
    assert done.outputs.get("result-state") in {"CANCELED", "TERMINATING"}, done.stderr
    assert [result(jobs.end(each)) for each in runs_of(jobs, job_id)] == ["CANCELED"]
    assert not ended.exists(), "the task is killed, and not waited for"


def test_a_stopped_watch_leaves_the_run_alone_unless_told(kit: Kit, jobs: Jobs) -> None:
    run_id = jobs.start(jobs.create(jobs.python("long", LONG)))
    for argv, state in (((), "RUNNING"), (("--cancel-on-stop",), "CANCELED")):
        before = len(kit.server.log())
        process = kit.spawn("watch", str(run_id), *argv)
        limit = time.monotonic() + 30
        while not kit.asked(before, "runs/get") and time.monotonic() < limit:
            time.sleep(0.05)
        jobs.until(run_id, lambda run: life(run) == "RUNNING")
        process.send_signal(signal.SIGINT)
        done = kit.end(process)
        assert done.code == 130
        run = jobs.client.jobs.get_run(run_id) if state == "RUNNING" else jobs.end(run_id)
        assert (result(run) or life(run)) == state
        if state == "RUNNING":
            assert f"bundleflow run watch {run_id}" in done.stderr


def test_the_same_token_starts_one_run(kit: Kit, jobs: Jobs) -> None:
    job_id = jobs.create(jobs.python("one", PLAIN), max_concurrent_runs=5)
    first, second = (kit.call("start", str(job_id), "--token", "release 7") for _ in range(2))
    assert first.code == second.code == 0, first.stderr
    assert first.outputs["run-id"] == second.outputs["run-id"]
    assert len(runs_of(jobs, job_id)) == 1
    assert kit.call("start", str(job_id)).outputs["run-id"] != first.outputs["run-id"]


@pytest.mark.parametrize("fault", [{"drop": True}, {"status": 503}, {"status": 500}, {"status": 502}])
def test_a_start_whose_answer_is_lost_makes_one_run(kit: Kit, jobs: Jobs, fault: dict[str, object]) -> None:
    job_id = jobs.create(jobs.python("one", PLAIN), max_concurrent_runs=5)
    before = len(kit.server.log())
    kit.order({"path": "*/run-now", "when": "after", **fault})
    done = kit.call("start", str(job_id))
    assert done.code == 0, done.stderr
    assert len(kit.asked(before, "run-now")) >= 1
    assert len(runs_of(jobs, job_id)) == 1


def test_troubles_of_the_workspace_are_waited_out(kit: Kit, jobs: Jobs) -> None:
    job_id = jobs.create(jobs.python("one", "import time\ntime.sleep(1)\n"))
    kit.order(
        {"path": "*/run-now", "status": 429, "headers": {"Retry-After": "1"}},
        {"path": "*/runs/get", "nth": 1, "status": 503},
        {"path": "*/runs/get", "nth": 2, "drop": True},
        {"path": "*/runs/get", "nth": 3, "times": 2, "status": 500},
        {"path": "*/runs/get-output", "status": 429, "headers": {"Retry-After": "1"}},
    )
    done = kit.call("start", str(job_id))
    assert done.code == 0, done.stderr
    assert "Trying again" in done.stderr
    assert "the workspace answers again" in done.stderr


def test_a_refusal_is_told_at_once(kit: Kit, jobs: Jobs) -> None:
    job_id = jobs.create(jobs.python("one", PLAIN))
    before = len(kit.server.log())
    kit.order({"path": "*/run-now", "times": 0, "status": 403})
    done = kit.call("start", str(job_id))
    assert (done.code, done.outputs["failure-reason"]) == (1, "auth-failed")
    assert "CAN_MANAGE_RUN" in done.stderr
    assert runs_of(jobs, job_id) == []
    assert len([line for line in kit.server.log()[before:] if line["path"].endswith("run-now")]) <= 1


def test_a_repair_whose_answer_is_lost_is_made_once(kit: Kit, jobs: Jobs) -> None:
    run = jobs.run(jobs.python("bad", "raise SystemExit(3)"))
    kit.order({"path": "*/runs/repair", "when": "after", "drop": True})
    done = kit.call("repair", str(run.run_id))
    assert done.outputs["result-state"] == "FAILED", done.stderr
    history = jobs.client.jobs.get_run(run.run_id or 0, include_history=True).repair_history or []
    assert len([each for each in history if each.type and each.type.value == "REPAIR"]) == 1


def test_a_person_at_a_terminal_sees_a_bar(kit: Kit, jobs: Jobs) -> None:
    job_id = jobs.create(jobs.python("one", PLAIN), jobs.python("two", PLAIN, "one"))
    master, slave = pty.openpty()
    process = kit.spawn("start", str(job_id), stderr=slave, TERM="xterm", GITHUB_ACTIONS="")
    os.close(slave)
    shown = b""
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        if not select.select([master], [], [], 1.0)[0]:
            continue
        try:
            shown += os.read(master, 65536)
        except OSError:  # the other end is closed
            break
    os.close(master)
    assert kit.end(process).code == 0
    text = shown.decode()
    assert "\r\x1b[K[" in text
    assert "2/2 tasks" in text
    assert json.loads(kit.outputs()["failed-tasks"]) == []


@pytest.fixture
def github() -> Iterator[tuple[str, list[str]]]:
    """What a job asks for its ID token: the address, and the requests that came."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            content = json.dumps({"value": f"id-token-{len(asked)}"}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/token?api=1", asked
    server.shutdown()
    server.server_close()


def test_a_token_that_ends_during_a_run_is_renewed_and_not_more_often(kit: Kit, jobs: Jobs, github: tuple[str, list[str]]) -> None:
    url, asked = github
    # The SDK takes a token for expired 40 s before its end, so this one serves for two seconds.
    answer = {"access_token": "short-lived", "token_type": "Bearer", "expires_in": 42}
    kit.order({"path": "/oidc/v1/token", "times": 0, "status": 200, "body": answer})
    job_id = jobs.create(jobs.python("one", "import time\ntime.sleep(6)\n"))
    before = len(kit.server.log())
    login = {"DATABRICKS_AUTH_TYPE": "github-oidc", "DATABRICKS_CLIENT_ID": "11111111-2222-4333-8444-555555555555", "DATABRICKS_TOKEN": ""}
    oidc = {"ACTIONS_ID_TOKEN_REQUEST_URL": url, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "request-token"}
    done = kit.call("start", str(job_id), **login, **oidc)
    assert done.code == 0, done.stderr
    calls = kit.asked(before, "runs/get")
    assert len(calls) > 8
    assert 3 <= len(asked) < len(calls)
