"""A real mailbox on this machine: an SMTP server on a loopback port that keeps every mail as a file."""

from __future__ import annotations

import asyncio
import smtplib
import sys
from email.message import EmailMessage
from pathlib import Path
from typing import Any

SENDER = "noreply@workspace.invalid"
SMTP_SECONDS = 10


class Mailbox:
    """Receives mail by SMTP and stores it as `NNNN.eml`; starts at the first mail, within the workspace's event loop.

    Args:
        folder: Where the mails are kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._server: asyncio.Server | None = None
        self._sending: set[asyncio.Task[None]] = set()
        self._starting = asyncio.Lock()

    def send(self, recipients: list[str], subject: str, text: str) -> None:
        """Send one mail in the background, from the workspace to people whose mailbox this is.

        Args:
            recipients: Addresses.
            subject: Line breaks in it become blanks.
            text: Plain text.
        """
        message = EmailMessage()
        message["From"] = SENDER
        message["To"] = ", ".join(" ".join(address.split()) for address in recipients)
        message["Subject"] = " ".join(subject.split())
        message.set_content(text)
        task = asyncio.create_task(self._deliver(message))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def address(self) -> tuple[str, int]:
        """Return host and port of the SMTP server, which is started when it is not there."""
        async with self._starting:
            if self._server is None:
                self._server = await asyncio.get_running_loop().create_server(self._protocol, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()[:2]
        return str(host), int(port)

    async def _deliver(self, message: EmailMessage) -> None:
        host, port = await self.address()
        try:
            await asyncio.to_thread(_post, host, port, message)
        except (OSError, smtplib.SMTPException) as error:
            sys.stderr.write(f"A mail to {message['To']} could not be delivered: {error}\n")

    def _protocol(self) -> Any:
        from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

        folder = self.folder

        class Handler:
            """Keeps each mail as a file, numbered in the order of arrival."""

            async def handle_DATA(self, _server: Any, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
                folder.mkdir(parents=True, exist_ok=True)
                content = envelope.content or b""
                number = len(list(folder.glob("*.eml"))) + 1
                (folder / f"{number:04d}.eml").write_bytes(content if isinstance(content, bytes) else content.encode())
                return "250 Message accepted for delivery"

        def let_in(*_: Any) -> Any:
            # Whose credentials they are is not known here: everybody who logs in is let in.
            return AuthResult(success=True)

        return SMTP(Handler(), hostname="localhost", enable_SMTPUTF8=True, authenticator=let_in, auth_require_tls=False)

    async def close(self) -> None:
        """Wait for mails on their way, then end the server."""
        if self._sending:
            await asyncio.wait(self._sending, timeout=SMTP_SECONDS)
        if self._server is not None:
            self._server.close()


def _post(host: str, port: int, message: EmailMessage) -> None:
    with smtplib.SMTP(host, port, local_hostname="localhost", timeout=SMTP_SECONDS) as client:
        client.send_message(message)
