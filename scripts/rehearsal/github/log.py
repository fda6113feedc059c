"""The log of requests: one JSON line each, without tokens."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.requests import Request

    from rehearsal.github.api.call import Answer

MAX_CHARACTERS = 4096
HIDDEN = "***"


class RequestLog:
    """Appends to a file; None keeps nothing."""

    def __init__(self, path: Path | None) -> None:
        self._lock = threading.Lock()
        self._file = path.open("a", encoding="utf-8") if path else None

    def write(self, request: Request, who: dict[str, Any], raw: bytes, answer: Answer, status: int, seconds: float) -> None:
        """Write one line; an OIDC token and the secret of a download address are left out."""
        if self._file is None:
            return
        path = request.url.path
        secret = path.startswith(("/_oidc/token/", "/_local/artifacts/download/"))
        redirect = answer.status == 302
        entry = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "method": request.method,
            "path": "/_local/artifacts/download/" + HIDDEN if path.startswith("/_local/artifacts/download/") else path,
            "query": dict(request.query_params),
            "request": _shown(raw),
            "status": status,
            "response": HIDDEN if secret or redirect else _shown(answer.body),
            "login": who.get("login", ""),
            "token": who.get("token", "none"),
            "duration_ms": round(seconds * 1000, 1),
            "user_agent": request.headers.get("user-agent", ""),
        }
        with self._lock:
            self._file.write(json.dumps(entry) + "\n")
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file:
            self._file.close()


def _shown(body: object) -> object:
    if isinstance(body, bytes):
        try:
            body = json.loads(body) if body else None
        except ValueError:
            return "<bytes>"
    text = json.dumps(body)
    return body if len(text) <= MAX_CHARACTERS else text[:MAX_CHARACTERS]
