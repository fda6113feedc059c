"""The fork server as the workspace sees it: starts the program, sends requests, hands out what children report."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

READ_LIMIT = 64 * 1024 * 1024


@dataclass
class Fork:
    """One forked child: its reports as they come, and its exit status (negative: the signal that ended it)."""

    id: str
    reports: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    exit: asyncio.Future[int] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    pid: int = 0


class ForkServerProcess:
    """One running fork server.

    Args:
        libraries: `light` (Python only) or `full` (mlflow, pandas, scikit-learn, Spark client loaded).
        folder: Folder for its own log.
        environment: Environment of the server process itself.
    """

    def __init__(self, libraries: str, folder: Path, environment: Mapping[str, str]) -> None:
        self.libraries = libraries
        self.folder = folder
        self.environment = dict(environment)
        self.loaded = asyncio.Event()
        self.seconds = 0.0
        self.forks: dict[str, Fork] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()

    async def start(self) -> None:
        """Start the program when it does not run yet (also again, when it was killed)."""
        async with self._starting:
            if self._process is not None and self._process.poll() is None:
                return
            await self._forget()
            ours, theirs = socket.socketpair()
            self.folder.mkdir(parents=True, exist_ok=True)
            with theirs, (self.folder / f"forkserver-{self.libraries}.log").open("ab") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "rehearsal.executor.forkserver", str(theirs.fileno()), self.libraries],
                    pass_fds=(theirs.fileno(),),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=self.environment,
                    start_new_session=True,
                )
            reader, self._writer = await asyncio.open_connection(sock=ours, limit=READ_LIMIT)
            self._reading = asyncio.create_task(self._read(reader))

    async def fork(self, fork_id: str, role: str, payload: dict[str, Any], folder: Path, environment: Mapping[str, str], cwd: Path) -> Fork:
        """Ask for a child; it starts as soon as the libraries it needs are loaded.

        Args:
            fork_id: Name of the child, unique among the living.
            role: What it does: `task`, `sail`, `mlflow` or `serving`.
            payload: What this role needs, as JSON data.
            folder: Folder for `log.txt` (standard output and error, as they come).
            environment: Its complete environment.
            cwd: Folder it starts in.
        """
        await self.start()
        folder.mkdir(parents=True, exist_ok=True)
        fork = self.forks[fork_id] = Fork(fork_id)
        await self._send(
            {
                "op": "fork",
                "id": fork_id,
                "role": role,
                "payload": payload,
                "stdout": str(folder / "log.txt"),
                "stderr": str(folder / "log.txt"),
                "env": dict(environment),
                "cwd": str(cwd),
            }
        )
        return fork

    async def kill(self, fork_id: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to a child's whole process group; a child that has ended is no error."""
        if fork_id in self.forks:
            await self._send({"op": "kill", "id": fork_id, "signal": int(number)})

    async def close(self) -> None:
        """End the server and all its children; returns when they are gone (at most some seconds)."""
        if self._process is None:
            return
        await self._forget()
        deadline = asyncio.get_running_loop().time() + 6
        while self._process.poll() is None and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.01)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(timeout=5)

    async def _forget(self) -> None:
        if self._writer is not None:
            self._writer.close()
        if self._reading is not None:
            self._reading.cancel()
        self._writer = self._reading = None
        self.loaded.clear()

    async def _send(self, message: dict[str, Any]) -> None:
        if self._writer is None:
            msg = "The fork server is not running."
            raise RuntimeError(msg)
        self._writer.write(json.dumps(message).encode() + b"\n")
        await self._writer.drain()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            self._handle(json.loads(line))
        for fork in list(self.forks.values()):
            self._ended(fork, -signal.SIGKILL)

    def _handle(self, message: dict[str, Any]) -> None:
        event = message["event"]
        if event == "loaded":
            self.seconds = float(message["seconds"])
            self.loaded.set()
            return
        fork = self.forks.get(message["id"])
        if fork is None:
            return
        if event == "forked":
            fork.pid = int(message["pid"])
        elif event == "report":
            fork.reports.put_nowait(message["data"])
        elif event == "exit":
            self._ended(fork, int(message["status"]))

    def _ended(self, fork: Fork, status: int) -> None:
        self.forks.pop(fork.id, None)
        fork.reports.put_nowait({"event": "exit", "status": status})
        if not fork.exit.done():
            fork.exit.set_result(status)
