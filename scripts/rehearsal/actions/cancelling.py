"""Tells the steps of a cancelled run as GitHub's runner does, before act ends them: act itself kills them without a word.

GitHub sends SIGINT to a step's first process, SIGTERM 7.5 s later, and ends what is left after another 2.5 s
(https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-cancellation). A shell passes neither on to the program that
it waits for; so only a step that is one program (`exec program`) is told, and is given that time.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

TERM_AFTER_S, KILL_AFTER_S = 7.5, 10.0
SHELLS = frozenset({"bash", "sh", "dash", "zsh"})
_LOOK_AGAIN_S = 0.05


def stop(act: int) -> None:
    """Tell the steps that are at work, wait for their ends, and interrupt act, which then runs the `always()` and `cancelled()` steps.

    Args:
        act: Process id of act; it stands still meanwhile, so that it begins no further step in between.
    """
    try:
        steps = [pid for pid, name in children(act) if name not in SHELLS]
        if steps:
            os.kill(act, signal.SIGSTOP)
            _tell(steps)
        os.kill(act, signal.SIGINT)
        os.kill(act, signal.SIGCONT)
    except ProcessLookupError:
        return  # the run has ended by itself


def _tell(steps: list[int]) -> None:
    begun = time.monotonic()
    _signal(steps, signal.SIGINT)
    termed = False
    while time.monotonic() - begun < KILL_AFTER_S and any(_runs(pid) for pid in steps):
        if not termed and time.monotonic() - begun >= TERM_AFTER_S:
            _signal(steps, signal.SIGTERM)
            termed = True
        time.sleep(_LOOK_AGAIN_S)


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        if _runs(pid):
            os.kill(pid, number)


def children(parent: int) -> list[tuple[int, str]]:
    """Process ids and names of a process's children that run."""
    return [(pid, name) for pid, above, name, state in _processes() if above == parent and not state.startswith("Z")]


def _runs(pid: int) -> bool:
    """Whether a process has not ended; one that waits to be collected has."""
    return any(found == pid and not state.startswith("Z") for found, _, _, state in _processes())


def _processes() -> list[tuple[int, int, str, str]]:
    """Id, parent, name and state of every process."""
    if not Path("/proc/self/stat").exists():  # macOS
        listing = subprocess.run(["ps", "-axo", "pid=,ppid=,state=,ucomm="], capture_output=True, text=True, timeout=30, check=False).stdout
        rows = [line.split(None, 3) for line in listing.splitlines()]
        return [(int(row[0]), int(row[1]), row[3].strip(), row[2]) for row in rows if len(row) == 4]
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue  # ended in the meantime
            name, _, rest = text.partition("(")[2].rpartition(")")
            state, parent = rest.split()[:2]
            found.append((int(entry.name), int(parent), name, state))
    return found
