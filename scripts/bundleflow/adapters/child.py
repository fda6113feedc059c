"""A child process in a group of its own that never outlives this process, however that ends."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from types import FrameType

PR_SET_PDEATHSIG = 1


def run_child(argv: Sequence[str], *, env: Mapping[str, str], limit_s: float) -> int:
    """Run a program whose output all goes to standard error; when it ends, whatever it started ends too.

    Args:
        argv: Program and arguments.
        env: Its complete environment.
        limit_s: Seconds it may take.

    Returns:
        Its exit code.

    Raises:
        subprocess.TimeoutExpired: When it took longer; it is gone then.
    """
    with _terminated_politely():
        process = subprocess.Popen(
            argv,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            start_new_session=True,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
        try:
            return process.wait(timeout=limit_s)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=30)


@contextlib.contextmanager
def _terminated_politely() -> Iterator[None]:
    """SIGTERM unwinds the stack meanwhile, so that `finally` is reached."""

    def leave(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _die_with_parent() -> None:
    """Runs in the child before the program: Linux kills it when this process dies, by SIGKILL too."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
