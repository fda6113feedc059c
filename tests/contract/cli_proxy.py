"""A reverse proxy on this machine that remembers what passes through it, and can answer in the workspace's place."""

from __future__ import annotations

import fnmatch
import http.client
import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

UPSTREAM_SECONDS = 120
_HOP_BY_HOP = frozenset(("host", "connection", "accept-encoding", "transfer-encoding", "content-length", "date", "server"))


@dataclass(frozen=True)
class Call:
    """One request and its answer."""

    method: str
    path: str
    query: str
    body: bytes
    status: int
    response: bytes


class RecordingProxy:
    """The proxy; use it in a `with` block. `answers` are orders like `{method, path, query, status, body, times}`."""

    def __init__(self, upstream: str) -> None:
        self.upstream = urlsplit(upstream)
        self.answers: list[dict[str, Any]] = []
        self._calls: list[Call] = []
        self._lock = threading.Lock()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

            def relay(self) -> None:
                proxy._relay(self)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = relay  # noqa: N815

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                """A client that is gone is no news."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> RecordingProxy:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self) -> list[Call]:
        """Return the calls since the last time, and forget them."""
        with self._lock:
            taken, self._calls = self._calls, []
        return taken

    def _order(self, method: str, path: str, query: str) -> dict[str, Any] | None:
        with self._lock:
            for order in self.answers:
                fits = order.get("method", method) == method and fnmatch.fnmatchcase(unquote(path), order["path"])
                if fits and fnmatch.fnmatchcase(unquote(query), order.get("query", "*")) and order.get("times", 1) > 0:
                    if "times" in order:
                        order["times"] -= 1
                    return order
        return None

    def _relay(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        target = urlsplit(handler.path)
        order = self._order(handler.command, target.path, target.query)
        if order is not None:
            status, headers, data = int(order["status"]), [("Content-Type", "application/json")], json.dumps(order.get("body", {})).encode()
        else:
            status, headers, data = self._forward(handler, body)
        with self._lock:
            self._calls.append(Call(handler.command, target.path, target.query, body, status, data))
        handler.send_response(status)
        for name, value in [*headers, ("Content-Length", str(len(data)))]:
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(data)

    def _forward(self, handler: BaseHTTPRequestHandler, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(str(self.upstream.hostname), self.upstream.port, timeout=UPSTREAM_SECONDS)
        try:
            headers = {name: value for name, value in handler.headers.items() if name.lower() not in _HOP_BY_HOP}
            connection.request(handler.command, handler.path, body=body, headers=headers)
            response = connection.getresponse()
            data = response.read().replace(self.upstream.geturl().encode(), self.url.encode())
            return response.status, [(n, v) for n, v in response.getheaders() if n.lower() not in _HOP_BY_HOP], data
        finally:
            connection.close()
