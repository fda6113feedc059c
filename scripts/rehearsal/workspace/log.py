"""The request log: one JSON line per request and answer, without tokens and secrets."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rehearsal.workspace.identities import Identity

LIMIT_BYTES = 4096
SECRET_FIELDS = {
    "access_token", "bytes_value", "client_secret", "id_token", "password", "refresh_token", "secret", "string_value", "subject_token",
    "token", "token_value", "value_base64",
}  # fmt: skip
SECRET_PATHS = ("/oidc/", "/api/2.0/secrets/get", "/api/2.0/mlflow/artifacts/credentials-for-")
"""Requests and answers below these paths are credentials as a whole."""
LOCAL_PATHS = "/_local/"


class RequestLog:
    """ASGI middleware, the outermost: sees every request, also those that fail by order.

    Args:
        app: What answers.
        path: The log file, appended to; None writes nothing.
    """

    def __init__(self, app: ASGIApp, path: Path | None) -> None:
        self.app = app
        self.file = path.open("a", encoding="utf-8") if path else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and write its line when it has ended."""
        if self.file is None or scope["type"] != "http" or scope["path"].startswith(LOCAL_PATHS):
            await self.app(scope, receive, send)
            return
        asked, answered = _Excerpt(), _Excerpt()
        status: int | None = None
        written = False
        scope.setdefault("state", {})
        started = time.monotonic()

        def write() -> None:
            # Before the answer's last byte leaves: whoever has an answer finds its line in the log.
            nonlocal written
            if not written:
                written = True
                self._write(scope, asked, answered, status, time.monotonic() - started)

        async def receive_noting() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                asked.add(message.get("body", b""))
            return message

        async def send_noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
            elif message["type"] == "http.response.body":
                answered.add(message.get("body", b""))
                if not message.get("more_body"):
                    write()
            await send(message)

        try:
            await self.app(scope, receive_noting, send_noting)
        finally:
            write()

    def _write(self, scope: Scope, asked: _Excerpt, answered: _Excerpt, status: int | None, seconds: float) -> None:
        assert self.file is not None
        path = scope["path"]
        hidden = path.startswith(SECRET_PATHS)
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        identity = scope["state"].get("identity")
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "method": scope["method"],
            "path": path,
            "query": scope["query_string"].decode("latin-1"),
            "request": "[hidden]" if hidden else asked.shown(),
            "status": status,
            "response": "[hidden]" if hidden else answered.shown(),
            "identity": identity.name if isinstance(identity, Identity) else None,
            "duration_ms": round(seconds * 1000, 1),
            "user_agent": headers.get("user-agent", ""),
        }
        if isinstance(identity, Identity) and identity.github:
            line["github"] = {"run_id": identity.github.run_id, "job": identity.github.job}
        self.file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self.file.flush()


class _Excerpt:
    """The beginning of a body, and how long it was."""

    def __init__(self) -> None:
        self.start = b""
        self.size = 0

    def add(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if len(self.start) < 4 * LIMIT_BYTES:
            self.start += chunk[: 4 * LIMIT_BYTES - len(self.start)]

    def shown(self) -> Any:
        """JSON as JSON while it is short; else its beginning as text; binary as a count of bytes."""
        if not self.size:
            return None
        if self.size <= len(self.start):
            try:
                content = _without_secrets(json.loads(self.start))
            except (ValueError, UnicodeDecodeError):
                pass
            else:
                text = json.dumps(content, ensure_ascii=False)
                return content if len(text) <= LIMIT_BYTES else text[:LIMIT_BYTES]
        # A cut or foreign document could hold a secret that cannot be found in it any more: only its size is told.
        return f"[{self.size} bytes]"


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: "[hidden]" if key in SECRET_FIELDS and isinstance(item, str) else _without_secrets(item) for key, item in value.items()
        }
    return [_without_secrets(item) for item in value] if isinstance(value, list) else value
