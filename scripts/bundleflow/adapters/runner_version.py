"""The version of the GitHub runner that this process was started by: the runner's own program says it, no variable does."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

WORKER = "Runner.Worker"
LISTENER = "Runner.Listener"
DEPTH = 40
LIMIT_S = 20


def runner_version(proc: Path = Path("/proc"), pid: int | None = None) -> tuple[int, ...] | None:
    """The runner's version, such as (2, 336, 0); None where its process is not to be seen (a container, a system without /proc).

    Args:
        proc: Where the system tells of its processes.
        pid: The process whose runner it is; this one by default.
    """
    here = pid or os.getpid()
    for _ in range(DEPTH):
        try:
            program = (proc / str(here) / "exe").readlink()
        except OSError:
            program = Path()  # another user's process: go on above it
        if program.name == WORKER:
            return _version(program.with_name(LISTENER))
        parent = _parent(proc / str(here) / "status")
        if parent <= 1:
            return None
        here = parent
    return None


def _parent(status: Path) -> int:
    try:
        found = re.search(r"^PPid:\s*(\d+)$", status.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) if found else 0


def _version(listener: Path) -> tuple[int, ...] | None:
    try:
        done = subprocess.run([str(listener), "--version"], capture_output=True, text=True, timeout=LIMIT_S, check=False)
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"\d+\.\d+\.\d+", done.stdout)
    return tuple(int(part) for part in found[0].split(".")) if found else None
