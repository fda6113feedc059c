"""Sends requests to a model's endpoint all the while a scene lasts, and counts what comes back."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any

import httpx

EVERY_S = 0.05
_LIMIT_S = 30.0


@dataclass
class Callers:
    """Requests to an endpoint.

    Args:
        url: Address of the workspace.
        token: Who asks.
        endpoint: The endpoint.
        request: What is sent.
    """

    url: str
    token: str
    endpoint: str
    request: dict[str, Any]
    answered: int = 0
    """How many were answered, and rightly so."""
    failed: list[str] = field(default_factory=list)
    """What came instead of an answer."""
    by: dict[str, int] = field(default_factory=dict)
    """How many each served entity answered."""

    def ask(self, over: threading.Event) -> None:
        """Send a request each `EVERY_S` seconds (one after the other) until the event is set."""
        path = f"/serving-endpoints/{self.endpoint}/invocations"
        headers = {"Authorization": f"Bearer {self.token}"}
        with httpx.Client(base_url=self.url, headers=headers, timeout=_LIMIT_S, trust_env=False) as client:
            due = time.monotonic()
            while not over.is_set():
                try:
                    self._count(client.post(path, json=self.request))
                except httpx.HTTPError as error:
                    self.failed.append(f"{type(error).__name__}: {error}")
                due = max(due + EVERY_S, time.monotonic())
                over.wait(due - time.monotonic())

    def _count(self, answer: httpx.Response) -> None:
        if answer.status_code != 200 or "predictions" not in answer.json():
            self.failed.append(f"{answer.status_code}: {answer.text[:200]}")
            return
        self.answered += 1
        entity = answer.headers.get("served-model-name", "")
        self.by[entity] = self.by.get(entity, 0) + 1
