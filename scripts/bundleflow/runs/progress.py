"""A bar in the last line of a terminal that shows how far the followed runs are; nothing of it where there is no terminal."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TextIO

from bundleflow.records.run import RunRecord
from bundleflow.runs.follow import Tell

BAR_WIDTH = 24
CLEAR = "\r\033[K"


@dataclass(frozen=True)
class Counts:
    """How far one run is.

    Args:
        tasks: Number of its tasks known.
        ended: How many of them have ended.
        failed: How many of those failed.
        final: Whether the run itself has ended.
    """

    tasks: int
    ended: int
    failed: int
    final: bool


def bar_line(runs: Mapping[int, Counts], elapsed_s: float, width: int) -> str:
    """The bar as one line of text.

    Args:
        runs: The runs by id.
        elapsed_s: Seconds since the following began.
        width: Columns of the terminal.
    """
    tasks, ended = sum(each.tasks for each in runs.values()), sum(each.ended for each in runs.values())
    failed = sum(each.failed for each in runs.values())
    filled = BAR_WIDTH * ended // tasks if tasks else 0
    minutes, seconds = divmod(int(elapsed_s), 60)
    parts = [f"[{'#' * filled}{'.' * (BAR_WIDTH - filled)}]", f"{ended}/{tasks} tasks"]
    if len(runs) > 1:
        parts.append(f"{sum(each.final for each in runs.values())}/{len(runs)} runs")
    if failed:
        parts.append(f"{failed} failed")
    parts.append(f"{minutes // 60}:{minutes % 60:02}:{seconds:02}")
    return "  ".join(parts)[: max(1, width - 1)]


@dataclass
class Progress:
    """Lines and, on a terminal, a bar below them.

    Args:
        tell: Writes one line for people.
        stream: Where `tell` writes to.
        shown: Whether the bar is drawn.
    """

    tell: Tell
    stream: TextIO
    shown: bool
    runs: dict[int, Counts] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    @classmethod
    def on(cls, stream: TextIO, tell: Tell, env: Mapping[str, str] = os.environ) -> Progress:
        """A bar where a person looks at a terminal that can move its cursor."""
        return cls(tell, stream, stream.isatty() and env.get("TERM", "dumb") != "dumb" and env.get("GITHUB_ACTIONS") != "true")

    def line(self, text: str) -> None:
        """Write a line above the bar."""
        self._write(CLEAR)
        self.tell(text)
        self._draw()

    def show(self, run: RunRecord) -> None:
        """Take in how far a run is now."""
        ended = sum(task.final for task in run.tasks)
        self.runs[run.run_id] = Counts(len(run.tasks), ended, len(run.failed_tasks), run.final)
        self._draw()

    def close(self) -> None:
        """Take the bar away."""
        self._write(CLEAR)

    def _draw(self) -> None:
        if self.shown and self.runs:
            width = shutil.get_terminal_size().columns
            self._write(CLEAR + bar_line(self.runs, time.monotonic() - self.started, width))

    def _write(self, text: str) -> None:
        if self.shown:
            self.stream.write(text)
            self.stream.flush()
