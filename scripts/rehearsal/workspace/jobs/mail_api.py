"""Shows the mails of the workspace's own mailbox, as no real workspace does: `GET /_local/mail`."""

from __future__ import annotations

import asyncio
from email import message_from_bytes, policy
from email.message import MIMEPart
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from rehearsal.workspace.http import ok
from rehearsal.workspace.jobs.mailbox import Mailbox


def routes(mailbox: Mailbox) -> list[Route]:
    """Return the route that lists the mails."""

    async def listed(_: Request) -> JSONResponse:
        return ok({"mails": await asyncio.to_thread(read, mailbox.folder)})

    return [Route("/_local/mail", listed, methods=["GET"])]


def read(folder: Path) -> list[dict[str, Any]]:
    """Open every mail of a folder, in the order of arrival.

    Returns:
        For each: `from`, `to`, `subject`, `text`, and `attachments` with `name`, `type` and `text` (empty where it is no text).
    """
    return [_opened(file.read_bytes()) for file in sorted(folder.glob("*.eml"))]


def _opened(content: bytes) -> dict[str, Any]:
    mail = message_from_bytes(content, policy=policy.default)
    body = mail.get_body(("plain",))
    attachments = [
        {"name": part.get_filename() or "", "type": part.get_content_type(), "text": _text(part)} for part in mail.iter_attachments()
    ]
    heads = {name: str(mail[name] or "") for name in ("from", "to", "subject")}
    return {**heads, "text": _text(body) if body else "", "attachments": attachments}


def _text(part: MIMEPart) -> str:
    return str(part.get_content()) if part.get_content_maintype() == "text" else ""
