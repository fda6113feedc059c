"""`dbutils.secrets`: read from the workspace with the task's own identity, and kept out of its log."""

from __future__ import annotations

import base64
import json
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from rehearsal.executor.environment import TaskEnvironment

SECONDS = 30


@dataclass(frozen=True)
class SecretScope:
    """A scope, as `listScopes` shows it."""

    name: str


@dataclass(frozen=True)
class SecretMetadata:
    """A secret's name, as `list` shows it."""

    key: str


class _Redacting:
    """A stream that writes `[REDACTED]` where a secret's value would stand, as Databricks does."""

    def __init__(self, stream: TextIO, values: list[str]) -> None:
        self._stream, self._values = stream, values

    def write(self, text: str) -> int:
        for value in self._values:
            text = text.replace(value, "[REDACTED]")
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Secrets:
    """Secrets of the workspace.

    Args:
        environment: The task.
    """

    def __init__(self, environment: TaskEnvironment) -> None:
        self._spec = environment.spec
        self._values: list[str] = []

    def get(self, scope: str, key: str) -> str:
        """Return a secret.

        Raises:
            ValueError: there is no such secret, or it may not be read.
        """
        return self.getBytes(scope, key).decode("utf-8")

    def getBytes(self, scope: str, key: str) -> bytes:  # noqa: N802 - Databricks' name
        """Return a secret as bytes."""
        answer = self._ask("get", {"scope": scope, "key": key})
        value = base64.b64decode(answer["value"])
        text = value.decode("utf-8", "replace").strip()
        if text and text not in self._values:
            if not self._values:
                sys.stdout, sys.stderr = _Redacting(sys.stdout, self._values), _Redacting(sys.stderr, self._values)
            self._values.append(text)
        return value

    def list(self, scope: str) -> list[SecretMetadata]:
        """Return the names of a scope's secrets."""
        return [SecretMetadata(entry["key"]) for entry in self._ask("list", {"scope": scope}).get("secrets", [])]

    def listScopes(self) -> Sequence[SecretScope]:  # noqa: N802 - Databricks' name
        """Return all scopes."""
        return [SecretScope(entry["name"]) for entry in self._ask("scopes/list", {}).get("scopes", [])]

    def _ask(self, what: str, query: dict[str, str]) -> dict[str, Any]:
        url = f"{self._spec.host}/api/2.0/secrets/{what}?{urllib.parse.urlencode(query)}"
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {self._spec.token}"})  # noqa: S310 - the workspace's own URL
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=SECONDS) as response:
                answer: dict[str, Any] = json.load(response)
        except urllib.error.HTTPError as error:
            raise ValueError(f"Secret {query or what}: {error.read().decode('utf-8', 'replace')}") from None
        return answer
