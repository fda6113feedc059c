"""Sends the report by SMTP, as an attachment."""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

SECONDS = 60
SECURITIES = ("starttls", "tls", "none")


@dataclass(frozen=True)
class Server:
    """A mail server, and how to log in to it.

    Args:
        host: Its name.
        port: Its port: ordinarily 587 for `starttls`, 465 for `tls`.
        security: `starttls`, `tls`, or `none` for a relay inside the company's network.
        user: Name to log in with; empty: no login.
        password: Its password.
    """

    host: str
    port: int
    security: str = "starttls"
    user: str = ""
    password: str = ""

    def __post_init__(self) -> None:
        """Refuse what would only fail later, or send a password in the clear.

        Raises:
            ValueError: The security is not one of `SECURITIES`, or there is a login without any.
        """
        if self.security not in SECURITIES:
            raise ValueError(f"smtp_security is {self.security!r}; it must be one of {', '.join(SECURITIES)}.")
        if self.security == "none" and self.user:
            raise ValueError("smtp_security is `none`, but there are credentials: they are not sent unencrypted.")


def compose(sender: str, recipients: list[str], subject: str, text: str, attachment: Path) -> EmailMessage:
    """Write the mail.

    Args:
        sender: Address it comes from.
        recipients: Addresses it goes to.
        subject: One line.
        text: Its body.
        attachment: An HTML file, attached under its own name.

    Raises:
        ValueError: There is no recipient, or a line break in an address or the subject.
    """
    if not recipients:
        raise ValueError("The job parameter report_recipients names nobody to send the report to.")
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, ", ".join(recipients), subject
    message.set_content(text)
    # As text, so that the character set is named: mail programs take it for another one otherwise.
    message.add_attachment(attachment.read_text(encoding="utf-8"), subtype="html", filename=attachment.name)
    return message


def send(server: Server, message: EmailMessage) -> dict[str, str]:
    """Send a mail to its recipients.

    An address that the server refuses is no error while it takes another one: the mail is on its way then, and a second attempt would
    deliver it there again.

    Returns:
        The refused addresses, each with the server's answer; empty where all were taken.

    Raises:
        OSError: The server does not answer.
        smtplib.SMTPException: It refuses the login, or every address; nobody got the mail.
    """
    context = ssl.create_default_context()
    with _connect(server, context) as client:
        if server.security == "starttls":
            client.starttls(context=context)
        if server.user:
            client.login(server.user, server.password)
        refused = client.send_message(message)
    return {address: f"{code} {answer.decode(errors='replace')}" for address, (code, answer) in refused.items()}


def _connect(server: Server, context: ssl.SSLContext) -> smtplib.SMTP:
    if server.security == "tls":
        return smtplib.SMTP_SSL(server.host, server.port, timeout=SECONDS, context=context)
    return smtplib.SMTP(server.host, server.port, timeout=SECONDS)
