"""A real mailbox on this machine: an SMTP server on a loopback port that keeps every mail as a file."""

from __future__ import annotations

import smtplib
import threading
from email.message import EmailMessage
from pathlib import Path
from typing import Any

SENDER = "noreply@workspace.invalid"
SMTP_SECONDS = 10


class Mailbox:
    """Receives mail by SMTP and stores it as `NNNN.eml`; starts at the first mail.

    Args:
        folder: Where the mails are kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._controller: Any = None
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def send(self, recipients: list[str], subject: str, text: str) -> None:
        """Send one mail in the background, from the workspace to people whose mailbox this is."""
        message = EmailMessage()
        message["From"] = SENDER
        message["To"] = ", ".join(" ".join(address.split()) for address in recipients)
        message["Subject"] = " ".join(subject.split())
        message.set_content(text)
        thread = threading.Thread(target=self._deliver, args=(message,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _deliver(self, message: EmailMessage) -> None:
        host, port = self._start()
        with smtplib.SMTP(host, port, timeout=SMTP_SECONDS) as client:
            client.send_message(message)

    def _start(self) -> tuple[str, int]:
        with self._lock:
            if self._controller is None:
                self._controller = _controller(self.folder)
            return str(self._controller.hostname), int(self._controller.server.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Wait for mails on their way, then end the server."""
        for thread in self._threads:
            thread.join(SMTP_SECONDS)
        with self._lock:
            if self._controller is not None:
                self._controller.stop()
                self._controller = None


def _controller(folder: Path) -> Any:
    from aiosmtpd.controller import Controller
    from aiosmtpd.smtp import SMTP, Envelope, Session

    class Handler:
        """Keeps each mail as a file, numbered in the order of arrival."""

        async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
            folder.mkdir(parents=True, exist_ok=True)
            content = envelope.content or b""
            number = len(list(folder.glob("*.eml"))) + 1
            (folder / f"{number:04d}.eml").write_bytes(content if isinstance(content, bytes) else content.encode())
            return "250 Message accepted for delivery"

    class FreePort(Controller):  # type: ignore[misc]  # the library has no types
        """Binds a free port; the plain controller would try to reach port 0 to see that it runs."""

        def _trigger_server(self) -> None:
            """Nothing to trigger: the port is known once the server listens."""

    controller = FreePort(Handler(), hostname="127.0.0.1", port=0)
    controller.start()
    return controller
