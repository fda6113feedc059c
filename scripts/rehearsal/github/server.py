"""Runs the server in a thread of this process, on a free port of the loopback address."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from rehearsal.github.world import GitHub

if TYPE_CHECKING:
    import uvicorn

HOST = "127.0.0.1"
START_SECONDS = 10.0


def _listening_socket(port: int) -> socket.socket:
    # The protocol has to be named: asyncio switches off Nagle's algorithm only where it is, and without that every answer takes 40 ms.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((HOST, port))
        listening.listen()
    except BaseException:
        listening.close()
        raise
    return listening


class Server:
    """A running server; `url` is its address. Use it as a context manager, or call `stop`.

    Args:
        github: The world that it shows; gets the server's address as its `base_url`.
        port: 0 for a free one.
        log: A file for a JSON line per request.

    Raises:
        OSError: The port is taken.
    """

    def __init__(self, github: GitHub, port: int = 0, log: Path | None = None) -> None:
        import uvicorn

        from rehearsal.github.app import create_app
        from rehearsal.github.log import RequestLog

        self._socket = _listening_socket(port)
        self.url = f"http://{HOST}:{self._socket.getsockname()[1]}"
        github.base_url = self.url
        self._log = RequestLog(log)
        config = uvicorn.Config(create_app(github, self._log), log_level="error", lifespan="off", timeout_graceful_shutdown=1)
        self._uvicorn: uvicorn.Server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._uvicorn.run, kwargs={"sockets": [self._socket]}, daemon=True, name="github")

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Serve from a thread of its own (the listening socket takes connections already)."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, and wait until it has."""
        self._uvicorn.should_exit = True
        self._thread.join(START_SECONDS)
        self._socket.close()
        self._log.close()
