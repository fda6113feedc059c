"""Faults on demand: the n-th request that matches fails, waits, loses its connection, or kills client or server."""

from __future__ import annotations

import asyncio
import fnmatch
import json
import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from bundleflow.records.errors import BundleflowError, ExitCode

FIELDS = {"method", "path", "query", "nth", "times", "status", "body", "headers", "delay_s", "drop", "kill", "when"}
LONGEST_DELAY_S = 600.0
SEARCH_LIMIT_S = 5.0
TCP_TABLE = Path("/proc/net/tcp")


class FaultProtocol(H11Protocol):
    """uvicorn's HTTP protocol, which lets a request see its connection so that a fault can cut it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep the connection where the requests on it find it."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


@dataclass
class Fault:
    """One order to fail.

    Attributes:
        method: HTTP method, or `*`.
        path: Glob on the decoded path.
        query: Glob on the decoded query string.
        nth: The first matching request that is met, counted from 1.
        times: How many are met from there on; 0 for all.
        status: The answer's status; 0 leaves the answer to the workspace.
        body: The answer's JSON; by default an error of Databricks' shape.
        headers: The answer's headers, such as `Retry-After`.
        delay_s: Seconds to wait first.
        drop: Cut the connection instead of answering.
        kill: `client` or `server`: end that process by SIGKILL instead of answering.
        when: `before` the workspace does what is asked, or `after` it did (the answer is lost).
    """

    method: str = "*"
    path: str = "*"
    query: str = "*"
    nth: int = 1
    times: int = 1
    status: int = 0
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    drop: bool = False
    kill: str = ""
    when: str = "before"
    seen: int = 0

    def meets(self, method: str, path: str, query: str) -> bool:
        """Whether this request is one to fail; counts it if it matches."""
        if not (self.method in {"*", method} and fnmatch.fnmatchcase(path, self.path) and fnmatch.fnmatchcase(query, self.query)):
            return False
        self.seen += 1
        return self.seen >= self.nth and (self.times == 0 or self.seen < self.nth + self.times)


def parse(content: Any) -> list[Fault]:
    """Faults from JSON: a list of objects, or `{"faults": [...]}`.

    Raises:
        ValueError: An unknown or wrong field, which the message names.
    """
    entries = content.get("faults") if isinstance(content, dict) else content
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError('faults are a list of objects, such as [{"method": "POST", "path": "/api/2.2/jobs/create", "status": 503}]')
    return [_fault(entry) for entry in entries]


def _fault(entry: dict[str, Any]) -> Fault:
    if unknown := set(entry) - FIELDS:
        raise ValueError(f"a fault has no field {', '.join(sorted(unknown))}; it has {', '.join(sorted(FIELDS))}")
    fault = Fault(**entry)
    if fault.kill not in {"", "client", "server"} or fault.when not in {"before", "after"}:
        raise ValueError("`kill` is `client` or `server`, `when` is `before` or `after`")
    if not (fault.status or fault.delay_s or fault.drop or fault.kill):
        raise ValueError("a fault does one of: status, delay_s, drop, kill")
    if not 0 <= float(fault.delay_s) <= LONGEST_DELAY_S or fault.nth < 1 or fault.times < 0:
        raise ValueError(f"`delay_s` is 0 to {LONGEST_DELAY_S:.0f}, `nth` at least 1, `times` at least 0 (0: always)")
    return fault


def load(path: Path) -> list[Fault]:
    """Read a faults file.

    Raises:
        BundleflowError: It cannot be read or says something that is no fault.
    """
    try:
        return parse(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as problem:
        raise BundleflowError(f"The faults file `{path}` is not usable: {problem}", exit_code=ExitCode.USAGE) from problem


class Faults:
    """ASGI middleware that plays the faults.

    Args:
        app: What answers otherwise.
        faults: The orders; the list may be changed while the server runs.
    """

    def __init__(self, app: ASGIApp, faults: list[Fault]) -> None:
        self.app, self.faults = app, faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or fail it as ordered."""
        if scope["type"] != "http" or scope["path"].startswith("/_local/"):
            await self.app(scope, receive, send)
            return
        path, query = scope["path"], unquote(scope["query_string"].decode("latin-1"))
        met = [fault for fault in self.faults if fault.meets(scope["method"], path, query)]
        if not met:
            await self.app(scope, receive, send)
            return
        fault = met[0]
        await asyncio.sleep(float(fault.delay_s))
        if not (fault.status or fault.drop or fault.kill):
            await self.app(scope, receive, send)
            return
        if fault.when == "after":
            await self.app(scope, receive, _swallow)
        await _fail(fault, scope, receive, send)


async def _swallow(_: Message) -> None:
    """The answer that nobody gets to see."""


async def _fail(fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
    if fault.kill == "server":
        os.kill(os.getpid(), signal.SIGKILL)
    if fault.kill == "client":
        os.kill(await asyncio.to_thread(client_process, scope["client"]), signal.SIGKILL)
    if fault.kill or fault.drop:
        scope["state"]["transport"].abort()
        return
    content = fault.body if fault.body is not None else {"error_code": _code(fault.status), "message": "A fault that was ordered."}
    await JSONResponse(content, status_code=fault.status, headers=fault.headers)(scope, receive, send)


def _code(status: int) -> str:
    names = {403: "PERMISSION_DENIED", 404: "RESOURCE_DOES_NOT_EXIST", 429: "REQUEST_LIMIT_EXCEEDED", 503: "TEMPORARILY_UNAVAILABLE"}
    return names.get(status, "INTERNAL_ERROR" if status >= 500 else "BAD_REQUEST")


def client_process(address: tuple[str, int]) -> int:
    """The process at the other end of a loopback connection, found in /proc (Linux).

    Args:
        address: The client's address and port.

    Raises:
        RuntimeError: It cannot be found: not on Linux, or another user's process.
    """
    local = f"{_hexadecimal(address[0])}:{address[1]:04X}"
    until = time.monotonic() + SEARCH_LIMIT_S
    while True:
        # The kernel prints its table in pieces: while other connections come and go, an entry may be missing from one reading.
        if process := _owner(local):
            return process
        if not TCP_TABLE.exists() or time.monotonic() > until:
            raise RuntimeError(f"The process behind {address[0]}:{address[1]} cannot be found, so it cannot be killed.")
        time.sleep(0.02)


def _owner(local: str) -> int | None:
    """The process that has the socket with this local address (as the kernel writes it), if this reading shows it."""
    lines = TCP_TABLE.read_text("ascii").splitlines()[1:] if TCP_TABLE.exists() else []
    inode = next((parts[9] for parts in map(str.split, lines) if parts[1] == local), "0")
    if inode == "0":
        return None
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and _has_open(entry, f"socket:[{inode}]"):
            return int(entry.name)
    return None


def _has_open(process: Path, wanted: str) -> bool:
    try:
        return any(str(descriptor.readlink()) == wanted for descriptor in (process / "fd").iterdir())
    except OSError:  # the process or the descriptor has gone in the meantime, or belongs to somebody else
        return False


def _hexadecimal(address: str) -> str:
    return "".join(f"{int(part):02X}" for part in reversed(address.split(".")))
