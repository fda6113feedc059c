"""Remembers which versions of registered models a task loaded and registered, from what its MLflow client asks the workspace."""

from __future__ import annotations

import functools
import json
import re
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, urlsplit

SCHEME = "models:/"
_REGISTERED = "/api/2.0/mlflow/unity-catalog/model-versions/finalize"
_FILES = re.compile(r"/api/2\.0/fs/(?:files|directories)/Models/([^/]+)/([^/]+)/([^/]+)/(\d+)(?:/|$)")
"""A version is registered once its files are there, and loaded when its files are read."""


class ModelAccess:
    """Model versions by their address (`models:/catalog.schema.model/3`), each once."""

    def __init__(self) -> None:
        self._reads: dict[str, None] = {}
        self._writes: dict[str, None] = {}

    def install(self) -> None:
        """Listen to this process' calls from now on; where `requests` is not loaded, nothing can use a model."""
        if "requests.sessions" in sys.modules:
            session = sys.modules["requests.sessions"].Session
            session.send = self._listening(session.send)

    def asked(self, method: str, url: str, sent: bytes | str | None) -> None:
        """Take note of a call that went well.

        Args:
            method: `GET`, `POST`, ...
            url: Its address.
            sent: Its body.
        """
        path = unquote(urlsplit(url).path)
        if path == _REGISTERED and sent:
            values = json.loads(sent)
            self._writes.setdefault(f"{SCHEME}{values.get('name')}/{values.get('version')}")
        elif method == "GET" and (found := _FILES.match(path)):
            self._reads.setdefault(f"{SCHEME}{found[1]}.{found[2]}.{found[3]}/{found[4]}")

    def reads(self) -> list[str]:
        """Versions that were loaded and not registered by the same task."""
        return [name for name in self._reads if name not in self._writes]

    def writes(self) -> list[str]:
        """Versions that were registered."""
        return list(self._writes)

    def _listening(self, send: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(send)
        def wrapper(session: Any, request: Any, **options: Any) -> Any:
            answer = send(session, request, **options)
            if answer.ok:
                self.asked(request.method, request.url, request.body)
            return answer

        return wrapper
