"""The program that tasks and services are forked from: it loads libraries once, then forks a child per request.

Run as `python -m rehearsal.executor.forkserver FD light|full` with an inherited socket. Requests and answers are JSON
lines: `{"op": "fork", "id", "role", "payload", "stdout", "stderr", "env", "cwd"}`, `{"op": "kill", "id", "signal"}`;
answers are events `loaded`, `forked`, `report`, `exit`. It has one thread, opens no network connection itself, and ends
with all its children when the socket closes, so nothing outlives the workspace.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import selectors
import signal
import socket
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rehearsal.executor import preload
from rehearsal.executor.processes import die_with_parent

READ_SIZE = 1 << 16


@dataclass
class Child:
    """A forked process: its id, process id, the pipe on which it reports, and the file that is made when it has ended (or none).

    A child whose id is another's with `-` and more was started by that one and does not outlive it.
    """

    id: str
    pid: int
    pipe: int
    ended: str = ""
    rest: bytes = b""


class ForkServer:
    """Serves fork requests from one socket until it closes."""

    def __init__(self, control: socket.socket, libraries: str) -> None:
        self.control = control
        self.libraries = libraries
        self.children: dict[str, Child] = {}
        self.selector = selectors.DefaultSelector()
        self.rest = b""
        self.waiting: list[dict[str, Any]] = []
        self.stages: set[str] = set()
        self.open = True

    def serve(self) -> None:
        """Load the libraries stage by stage, answering requests in between, then answer until the socket closes."""
        wake_read, wake_write = os.pipe()
        for end in (wake_read, wake_write):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wake_write)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.selector.register(self.control, selectors.EVENT_READ, "control")
        self.selector.register(wake_read, selectors.EVENT_READ, "wake")
        gc.disable()  # saves a sixth of the loading; what is loaded stays for good anyway
        for stage, modules in preload.stages(self.libraries):
            for module in modules:
                preload.load(module)
                self._turn(0)
            preload.prime(stage)
            self.stages.add(stage)
            self._start_waiting()
        gc.freeze()
        gc.enable()
        self._send({"event": "loaded", "seconds": time.monotonic() - START})
        while self.open:
            self._turn(5)
        self._end_children()

    def _turn(self, timeout: float) -> None:
        for key, _ in self.selector.select(timeout):
            if key.data == "control":
                self._read_control()
            elif key.data == "wake":
                with contextlib.suppress(BlockingIOError):
                    os.read(key.fd, READ_SIZE)
            else:
                self._read_report(key.data)
        self._reap()

    def _read_control(self) -> None:
        data = self.control.recv(READ_SIZE)
        if not data:
            self.selector.unregister(self.control)
            self.open = False
            return
        lines = (self.rest + data).split(b"\n")
        self.rest = lines.pop()
        for line in lines:
            self._handle(json.loads(line))

    def _handle(self, request: dict[str, Any]) -> None:
        if request["op"] == "kill":
            self._kill(request["id"], int(request["signal"]))
        elif preload.needed_stage(request["role"], self.libraries) <= self.stages:
            self._fork(request)
        else:
            self.waiting.append(request)

    def _start_waiting(self) -> None:
        waiting, self.waiting = self.waiting, []
        for request in waiting:
            self._handle(request)

    def _kill(self, child_id: str, number: int) -> None:
        before = len(self.waiting)
        self.waiting = [request for request in self.waiting if request["id"] != child_id]
        if len(self.waiting) < before:
            self._send({"event": "exit", "id": child_id, "status": -number})
        for child in self.children.values():
            if child.id == child_id or child.id.startswith(f"{child_id}-"):
                kill_group(child.pid, number)

    def _fork(self, request: dict[str, Any]) -> None:
        read_end, write_end = os.pipe()
        parent = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            self._become_child(request, write_end, read_end, parent)
        os.close(write_end)
        child = Child(request["id"], pid, read_end, request.get("ended", ""))
        self.children[child.id] = child
        self.selector.register(read_end, selectors.EVENT_READ, child)
        self._send({"event": "forked", "id": child.id, "pid": pid})

    def _become_child(self, request: dict[str, Any], write_end: int, read_end: int, parent: int) -> None:
        code = 1
        try:
            os.setsid()
            die_with_parent(parent)
            gc.enable()
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self.selector.close()
            self.control.close()
            os.close(read_end)
            for child in self.children.values():
                os.close(child.pipe)
            redirect(request["stdout"], request["stderr"])
            os.environ.clear()
            os.environ.update(request["env"])
            os.chdir(request["cwd"])
            from rehearsal.executor import child as child_process

            code = child_process.run(request["role"], request["payload"], write_end)
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def _read_report(self, child: Child) -> None:
        data = os.read(child.pipe, READ_SIZE)
        if not data:
            self.selector.unregister(child.pipe)
            return
        lines = (child.rest + data).split(b"\n")
        child.rest = lines.pop()
        for line in lines:
            message = json.loads(line)
            if message.get("op") in ("fork", "kill"):
                self._handle(message)
            else:
                self._send({"event": "report", "id": child.id, "data": message})

    def _reap(self) -> None:
        for child in list(self.children.values()):
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if pid == 0:
                continue
            while child.pipe in self.selector.get_map():
                self._read_report(child)
                if not self._readable(child.pipe):
                    break
            if child.pipe in self.selector.get_map():
                self.selector.unregister(child.pipe)
            os.close(child.pipe)
            del self.children[child.id]
            kill_group(child.pid, signal.SIGKILL)
            self._kill(child.id, signal.SIGKILL)
            if child.ended:
                Path(child.ended).touch()
            self._send({"event": "exit", "id": child.id, "status": os.waitstatus_to_exitcode(status)})

    def _readable(self, fd: int) -> bool:
        with selectors.DefaultSelector() as one:
            one.register(fd, selectors.EVENT_READ)
            return bool(one.select(0))

    def _send(self, message: dict[str, Any]) -> None:
        try:
            self.control.sendall(json.dumps(message).encode() + b"\n")
        except (BrokenPipeError, ConnectionResetError):
            self.open = False

    def _end_children(self) -> None:
        for number, wait in ((signal.SIGTERM, 2.0), (signal.SIGKILL, 2.0)):
            for child in self.children.values():
                kill_group(child.pid, number)
            end = time.monotonic() + wait
            while self.children and time.monotonic() < end:
                self._reap()
                time.sleep(0.01)


def kill_group(pid: int, number: int) -> None:
    """Send a signal to a child and to everything in its session's process group; a group that is gone is no error."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        try:
            os.killpg(pid, number)
        except ProcessLookupError:
            if number != signal.SIGKILL:  # another signal would meet the handlers that a child has of its parent at first
                raise
            os.kill(pid, number)  # it was just forked and leads no group yet


def redirect(stdout: str, stderr: str) -> None:
    """Point file descriptors 0, 1 and 2 to nothing, and to the two files; both are appended to."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    for number, path, mode in ((0, os.devnull, os.O_RDONLY), (1, stdout, flags), (2, stderr, flags)):
        fd = os.open(path, mode, 0o600)
        os.dup2(fd, number)
        os.close(fd)
    sys.stdout = open(1, "w", encoding="utf-8", buffering=1, closefd=False)  # noqa: SIM115 - lives as long as the process
    sys.stderr = open(2, "w", encoding="utf-8", buffering=1, closefd=False)  # noqa: SIM115 - lives as long as the process


START = time.monotonic()

if __name__ == "__main__":
    die_with_parent(os.getppid())
    ForkServer(socket.socket(fileno=int(sys.argv[1])), sys.argv[2]).serve()
