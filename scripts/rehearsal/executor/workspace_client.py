"""Calls of a task to the workspace's API that need no SDK."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Collection
from typing import Any

from rehearsal.executor.protocol import TaskSpec

SECONDS = 60


class WorkspaceError(RuntimeError):
    """The workspace refused a call; the message is the workspace's own."""


class WorkspaceClient:
    """The workspace as the task's identity sees it.

    Args:
        spec: The task.
    """

    def __init__(self, spec: TaskSpec) -> None:
        self._host, self._token = spec.host, spec.token

    def get(self, path: str) -> dict[str, Any]:
        """Send GET and return the answer.

        Raises:
            WorkspaceError: it was refused.
        """
        return self._send("GET", path, None, ())

    def post(self, path: str, body: dict[str, Any], ignore: Collection[int] = ()) -> dict[str, Any]:
        """Send POST; the statuses in `ignore` are no errors.

        Raises:
            WorkspaceError: it was refused.
        """
        return self._send("POST", path, body, ignore)

    def patch(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send PATCH.

        Raises:
            WorkspaceError: it was refused.
        """
        return self._send("PATCH", path, body, ())

    def delete(self, path: str, ignore: Collection[int] = ()) -> dict[str, Any]:
        """Send DELETE; the statuses in `ignore` are no errors.

        Raises:
            WorkspaceError: it was refused.
        """
        return self._send("DELETE", path, None, ignore)

    def _send(self, method: str, path: str, body: dict[str, Any] | None, ignore: Collection[int]) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        request = urllib.request.Request(self._host + path, data, headers, method=method)  # noqa: S310 - the workspace's own URL
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=SECONDS) as response:
                answer: dict[str, Any] = json.loads(response.read() or b"{}")
                return answer
        except urllib.error.HTTPError as error:
            text = error.read().decode("utf-8", "replace")
            if error.code in ignore:
                return {}
            raise WorkspaceError(_message(text)) from None


def _message(text: str) -> str:
    try:
        content = json.loads(text)
        return f"{content['error_code']}: {content['message']}"
    except (ValueError, KeyError, TypeError):
        return text[:500]
