"""What a rehearsal says on the terminal: lines as things happen, then a table of what came of it."""

from __future__ import annotations

import sys
import threading
import time
from typing import TextIO

from rehearsal.rehearse.result import Rehearsal, Scenario, Step

FIRST_LINE = "Rehearsal: nothing leaves this machine. Stand-ins: GitHub, Databricks workspace, Databricks CLI."
FIRST_LINE_REAL_CLI = "Rehearsal: nothing leaves this machine. Stand-ins: GitHub, Databricks workspace. The CLI is the one you named."
FIRST_LINE_SPARK = "Rehearsal: nothing leaves this machine but what goes to the Spark cluster you named."

_GREEN, _RED, _DIM, _BOLD = "32", "31", "2", "1"


class Terminal:
    """Writes to a stream; colours only where it is a terminal.

    Args:
        stream: Where to write.
        quiet: Write nothing but the first line (for `--json`, whose result goes to standard output).
    """

    def __init__(self, stream: TextIO = sys.stdout, *, quiet: bool = False) -> None:
        self._stream = stream
        self._quiet = quiet
        self._colours = stream.isatty()
        self._begun = time.monotonic()
        self._lock = threading.Lock()

    def _paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colours else text

    def write(self, text: str = "") -> None:
        """Write a line; control characters of others are made visible."""
        safe = "".join(char if char.isprintable() or (char in "\x1b" and self._colours) else "?" for char in text)
        with self._lock:
            print(safe, file=self._stream, flush=True)

    def first_line(self, text: str) -> None:
        """Say what this is."""
        self.write(self._paint(text, _BOLD))

    def tell(self, text: str) -> None:
        """Say what just happened."""
        if not self._quiet:
            clean = "".join(char if char.isprintable() else " " for char in text)
            self.write(self._paint(f"{time.monotonic() - self._begun:6.1f} s  ", _DIM) + clean)

    def scene(self, step: Step) -> None:
        """Say how a scene came out."""
        if not self._quiet:
            mark = self._paint("ok  ", _GREEN) if step.ok else self._paint("FAIL", _RED)
            self.write(f"{mark}  {step.title}: {step.outcome} ({step.duration_s:.1f} s)")
            for check in step.checks:
                if not check.ok:
                    self.write(f"        expected: {check.expected}")
                    self.write(f"        found:    {check.found}")

    def table(self, rehearsal: Rehearsal, report: str, failures: list[str]) -> None:
        """Write the table at the end, where the time went, the report's path and what to do next."""
        self.write()
        for scenario in rehearsal.scenarios:
            self._scenario(scenario)
        for line in failures:
            self.write(f"  {line}")
        self.write()
        slowest = sorted(rehearsal.timings.items(), key=lambda item: -item[1])[:8]
        self.write("Where the time went: " + ", ".join(f"{label} {seconds:.1f} s" for label, seconds in slowest))
        counted = {"jobs": "jobs", "cli_calls": "CLI calls", "workspace_requests": "workspace requests"}
        told = ", ".join(f"{rehearsal.measures.get(key, 0):.0f} {label}" for key, label in counted.items())
        first = rehearsal.measures.get("first_promotion_s", 0)
        promotion = f"first promotion {first:.1f} s; " if first else ""
        self.write(f"In all {rehearsal.duration_s:.1f} s; {promotion}{told}")
        self._promotion(rehearsal)
        self.write(f"Connections to the outside that were tried, and refused: {len(rehearsal.outside_connections)}")
        for target in sorted(set(rehearsal.outside_connections)):
            self.write(f"  {target}")
        if report:
            self.write(f"Report: {report}")
        self.write("Next:")
        for command in rehearsal.next_commands:
            self.write(f"  {command}")

    def _promotion(self, rehearsal: Rehearsal) -> None:
        if not rehearsal.promotion:
            return
        measures = rehearsal.measures
        self.write(
            f"One promotion, pull request to production: {measures['promotion_jobs']:.0f} jobs, "
            f"{measures['promotion_cli_calls']:.0f} CLI calls, {measures['promotion_workspace_requests']:.0f} workspace requests; "
            f"the kit's own share {measures['kit_share_per_cli_call_s']:.2f} s for each CLI call"
        )
        width = max(len(job.job) for job in rehearsal.promotion)
        event = ""
        for job in rehearsal.promotion:
            self.write(f"  {job.event if job.event != event else '':<19}  {job.job:<{width}}  {job.cli_calls:2d} CLI calls  {job.why}")
            event = job.event

    def _scenario(self, scenario: Scenario) -> None:
        self.write(self._paint(f"{scenario.name}: {scenario.title}", _BOLD))
        width = max((len(step.title) for step in scenario.steps), default=0)
        for step in scenario.steps:
            word = ("stopped as expected" if step.stopped else "done") if step.ok else "WENT WRONG"
            shown = self._paint(f"{word:<19}", _GREEN if step.ok else _RED)
            self.write(f"  {step.title:<{width}}  {shown}  {step.duration_s:5.1f} s  {step.expected}")
            if step.stopped_where:
                self.write(f"  {'':<{width}}  by {_one_line(step.stopped_where, 60)}: {_one_line(step.stopped_why, 200)}")
        if scenario.left_out:
            self.write(f"  left out: {_one_line(scenario.left_out, 200)}")


def _one_line(text: str, limit: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
