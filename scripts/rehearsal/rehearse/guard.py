"""Keeps a rehearsal's processes and folder under guard: see `watchdog`."""

from __future__ import annotations

import secrets
import subprocess
import sys
from pathlib import Path

MARK = "BUNDLEFLOW_REHEARSAL"


class Guard:
    """Starts the watchdog.

    Args:
        folder: The rehearsal's folder.
        keep: Leave the folder when all is over.
    """

    def __init__(self, folder: Path, *, keep: bool) -> None:
        self.id = secrets.token_hex(8)
        self.mark = f"{MARK}={self.id}"
        program = Path(__file__).with_name("watchdog.py")
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(program), self.mark, "" if keep else str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def environment(self) -> dict[str, str]:
        """Give what every process of the rehearsal must have in its environment."""
        return {MARK: self.id}

    def close(self) -> None:
        """End what is left, and wait for it."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(60)
