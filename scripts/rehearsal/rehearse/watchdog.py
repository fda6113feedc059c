"""Ends every process of a rehearsal and removes its folder once the rehearsal is over, however it ended.

Started as a process of its own: `python -I watchdog.py MARK FOLDER`. It waits until its standard input closes, which also happens when the
rehearsal is killed; then it ends all processes whose environment holds MARK, and removes FOLDER (an empty name: nothing is removed).
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

GRACE_S = 2.0
"""Seconds between the request to end and the end."""


def marked(*marks: str) -> list[int]:
    """Give the ids of the processes whose environment holds all the marks (each `NAME=value`)."""
    wanted = {mark.encode() for mark in marks}
    if not Path("/proc/self/environ").exists():
        return _marked_by_ps(set(marks))
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if wanted <= set((entry / "environ").read_bytes().split(b"\0")):
                    found.append(int(entry.name))
            except OSError:
                continue  # ended in the meantime, or another user's
    return found


def _marked_by_ps(marks: set[str]) -> list[int]:
    """Look where there is no /proc (macOS)."""
    listing = subprocess.run(["ps", "-axeww", "-o", "pid=,command="], capture_output=True, text=True, timeout=30, check=False).stdout
    lines = [line.split(None, 1) for line in listing.splitlines()]
    return [int(parts[0]) for parts in lines if len(parts) == 2 and marks <= set(parts[1].split()) and int(parts[0]) != os.getpid()]


def end_all(*marks: str, grace_s: float = GRACE_S) -> int:
    """End all processes that hold all the marks, also those that are started meanwhile; gives how many there were.

    Args:
        marks: The marks, see `marked`.
        grace_s: Seconds between the request to end and the end; 0: they are not asked.
    """
    ended: set[int] = set()
    begun = time.monotonic()
    while alive := [pid for pid in marked(*marks) if not _is_zombie(pid)]:
        ended.update(alive)
        for pid in alive:
            late = time.monotonic() - begun >= grace_s
            try:
                os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)
            except ProcessLookupError:
                continue
        if time.monotonic() - begun > 30:
            break
        time.sleep(0.05)
    return len(ended)


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[-1].split()[0] == "Z"
    except OSError:
        return False


def main(argv: list[str]) -> int:
    """Wait, then clean up."""
    mark, folder = argv
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it ends when the rehearsal does, not before
    sys.stdin.buffer.read()
    end_all(mark)
    if folder:
        for _ in range(5):
            shutil.rmtree(folder, ignore_errors=True)
            if not Path(folder).exists():
                break
            time.sleep(0.1)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
