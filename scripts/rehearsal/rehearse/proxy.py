"""A proxy that refuses everything and remembers what was asked for: how a rehearsal shows that nothing leaves the machine."""

from __future__ import annotations

import socketserver
import threading
from urllib.parse import urlsplit


class RefusingProxy:
    """Listens on a free port of the loopback address until closed."""

    def __init__(self) -> None:
        self.refused: list[str] = []
        self._lock = threading.Lock()
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="proxy", daemon=True).start()

    def _handler(self) -> type[socketserver.StreamRequestHandler]:
        proxy = self

        class Handler(socketserver.StreamRequestHandler):
            timeout = 10

            def handle(self) -> None:
                parts = self.rfile.readline(8192).decode("latin-1").split()
                if len(parts) < 2:
                    return
                target = parts[1] if parts[0] == "CONNECT" else urlsplit(parts[1]).netloc
                with proxy._lock:
                    proxy.refused.append(target)
                self.wfile.write(b"HTTP/1.1 403 Refused: this is a rehearsal\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

        return Handler

    def environment(self, also_direct: str = "") -> dict[str, str]:
        """Give the variables by which programs find it.

        Args:
            also_direct: A host that is reached directly besides loopback (the Spark cluster that the user named).
        """
        out = {}
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            out[name] = out[name.lower()] = self.url
        out["NO_PROXY"] = out["no_proxy"] = ",".join(filter(None, ["127.0.0.1", "localhost", "::1", also_direct]))
        return out

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
