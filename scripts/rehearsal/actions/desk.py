"""The desk where every job reports before its first step: a small HTTP server of the driver, one thread per waiting job."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from rehearsal.actions.schedule import Group


@dataclass(frozen=True)
class Question:
    """A job that wants to begin.

    Args:
        run: The run's id.
        job: The job's path (see `JobSpec.path`).
        name: Its name, expressions evaluated.
        environment: Its environment's name, or empty.
        matrix: Its matrix as JSON, or empty.
        groups: The concurrency groups with whoever holds them: the run, a call, or the job itself.
    """

    run: int
    job: str
    name: str
    environment: str
    matrix: str
    groups: tuple[tuple[str, Group], ...] = ()


@dataclass(frozen=True)
class Answer:
    """What a job is told: it may begin with these variables, or it may not and why."""

    job_id: int
    refused: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    masks: tuple[str, ...] = ()


class Desk:
    """Serves `decide` on a free port of the loopback address, at a path that cannot be guessed.

    Args:
        decide: Called in a thread of its own for each job; may take as long as the job has to wait.
    """

    def __init__(self, decide: Callable[[Question], Answer]) -> None:
        path = f"/{secrets.token_urlsafe(16)}"
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(decide, path))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}{path}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="desk", daemon=True).start()

    def close(self) -> None:
        """Stop serving; jobs that still wait get no answer."""
        self._server.shutdown()
        self._server.server_close()


def _question(data: dict[str, Any]) -> Question:
    groups = tuple((str(item["holder"]), Group(str(item["name"]), bool(item["cancel"]), bool(item["queue"]))) for item in data["groups"])
    return Question(int(data["run"]), data["job"], data["name"], data["environment"], data["matrix"], groups)


def _handler(decide: Callable[[Question], Answer], path: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            if self.path != path:
                self.send_error(404)
                return
            data = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = decide(_question(data))
            body = json.dumps(
                {"job_id": answer.job_id, "refused": answer.refused, "environment": answer.environment, "masks": answer.masks}
            ).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's signature
            """Say nothing: the driver tells what happens."""

    return Handler
