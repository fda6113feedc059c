"""An error as text: for a terminal (colour only there) and for a job summary."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from bundleflow.records.errors import BundleflowError
from bundleflow.report.markdown import block, escape, fold, visible


def report_error(error: BundleflowError, stream: TextIO | None = None) -> None:
    """Print an error for people: cause, fix, reason, details.

    Args:
        error: The error.
        stream: Where to; standard error by default.
    """
    stream = stream or sys.stderr
    red, bold, plain = ("\033[31m", "\033[1m", "\033[0m") if _colour(stream) else ("", "", "")
    print(f"{red}{bold}error:{plain} {visible(error.cause)}", file=stream)
    if error.details and error.details not in error.cause:
        for line in visible(error.details).splitlines()[:60]:
            print(f"  | {line}", file=stream)
    if error.fix:
        print(f"{bold}fix:{plain} {visible(error.fix)}", file=stream)
    print(f"({error.reason})", file=stream)


def error_markdown(error: BundleflowError) -> str:
    """An error for a job summary."""
    parts = [f"### ❌ {escape(error.cause, 1000)}"]
    if error.fix:
        parts.append(f"**Fix:** {escape(error.fix, 2000)}")
    parts.append(f"Failure reason: `{error.reason}`")
    if error.details:
        parts.append(fold("Details", block(error.details, limit=8000, keep_end=True)))
    return "\n\n".join(parts)


def _colour(stream: TextIO) -> bool:
    return stream.isatty() and "NO_COLOR" not in os.environ
