"""A server that stands in for the Databricks CLI's releases, and files that look like them."""

from __future__ import annotations

import io
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

KNOWN, IMMUTABLE, OLD = "1.9.0", "1.13.0", "1.10.0"


def program(version: str) -> str:
    return f"#!/bin/sh\n[ \"$1\" = version ] && echo 'Databricks CLI v{version}'\n"


def archive(version: str, entries: dict[str, str] | None = None) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as zipped:
        for name, text in (entries or {"LICENSE": "theirs", "databricks": program(version)}).items():
            zipped.writestr(name, text)
    return data.getvalue()


@dataclass
class Releases:
    """A server that gives scripted answers: a body, a status, or a function on the handler."""

    url: str = ""
    answers: list[bytes | int | Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@contextmanager
def serving() -> Iterator[Releases]:
    """A release server on this machine for as long as it lasts."""
    state = Releases()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(self.path)
            answer = state.answers.pop(0) if len(state.answers) > 1 else state.answers[0]
            if callable(answer):
                answer(self)
            elif isinstance(answer, int):
                self.send_error(answer)
            else:
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}/mirror"
    yield state
    server.shutdown()
    thread.join(5)
    server.server_close()


def write_program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
