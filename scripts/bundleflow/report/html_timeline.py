"""The timeline of a rehearsal: under each step of the story its jobs, and the Databricks job runs that they started."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from bundleflow.report.html_format import clock, ref, seconds
from bundleflow.report.html_svg import Axis, bar_svg

Data = Mapping[str, Any]
NO_BAR = Markup()

TONES = {
    "success": "ok",
    "failure": "bad",
    "timed_out": "bad",
    "rejected": "bad",
    "missing": "bad",
    "cancelled": "skip",
    "skipped": "skip",
    "SUCCESS": "ok",
    "FAILED": "bad",
    "TIMEDOUT": "bad",
    "INTERNAL_ERROR": "bad",
    "UPSTREAM_FAILED": "skip",
    "CANCELED": "skip",
    "EXCLUDED": "skip",
    "RUNNING": "wait",
    "PENDING": "wait",
}
"""How a conclusion or a task's state looks: ok, bad, skip, wait; `stop` is given to what the story wanted to be stopped."""


@dataclass(frozen=True)
class Row:
    """A row of a timeline: a heading (no bar) or a bar with its label; `spoken` is what a screen reader says of the bar."""

    label: str
    detail: str = ""
    href: str = ""
    tone: str = ""
    bar: Markup = NO_BAR
    spoken: str = ""
    inner: bool = False


def timeline(steps: Sequence[Data], runs: Sequence[Data], job_runs: Sequence[Data], stopped: set[int], scale: Axis) -> list[Row]:
    """Make the rows.

    Args:
        steps: The steps of all stories, in order.
        runs: The workflow runs.
        job_runs: The Databricks job runs; they stand under the step in whose time they began.
        stopped: Ids of the workflow runs that were to be stopped, and were.
        scale: The time axis.
    """
    rows: list[Row] = []
    left_runs = {run["id"]: run for run in runs}
    left_jobs = list(job_runs)
    for step in steps:
        mine = [left_runs.pop(run) for run in step["workflow_runs"] if run in left_runs]
        within = [run for run in left_jobs if step["started"] <= run["started"] <= step["started"] + step["duration_s"]]
        left_jobs = [run for run in left_jobs if run not in within]
        if mine or within:
            rows.append(Row(step["title"], seconds(step["duration_s"])))
            rows += _rows(mine, within, stopped, scale)
    if left_runs or left_jobs:
        rows.append(Row("Besides"))
        rows += _rows(list(left_runs.values()), left_jobs, stopped, scale)
    return rows


def _rows(runs: Iterable[Data], job_runs: Iterable[Data], stopped: set[int], scale: Axis) -> Iterable[Row]:
    for run in runs:
        for number, job in enumerate(run["jobs"]):
            name = run["name"] if len(run["jobs"]) == 1 else f"{run['name']} · {job['name'].rpartition(' / ')[2]}"
            yield _job_row(job, name, f"{anchor(run)}-{number}", job_tone(job["conclusion"], run["id"] in stopped), scale)
    for run in job_runs:
        tone = TONES.get(run["result"], "bad")
        bar = bar_svg(scale, run["started"], run["duration_s"], f"{tone} inner")
        spoken = f"job run, {_span(run)}, {run['result'].lower()}"
        yield Row(run["job_name"], seconds(run["duration_s"]), f"job-run-{run['run_id']}", tone, bar, spoken, inner=True)


def _job_row(job: Data, name: str, href: str, tone: str, scale: Axis) -> Row:
    if tone == "skip":
        return Row(name, "not run", href, tone, bar_svg(scale, job["started"], 0, tone), "not run")
    waited = f", waited {seconds(job['waited_s'])}" if job["waited_s"] >= 0.1 else ""
    bar = bar_svg(scale, job["started"], job["duration_s"], tone, job["waited_s"])
    state = "stopped as expected" if tone == "stop" else job["conclusion"]
    return Row(name, seconds(job["duration_s"]) + waited, href, tone, bar, f"{_span(job)}, {state}")


def job_tone(conclusion: str, expected_stop: bool) -> str:
    """How a job or run looks; what the story wanted to fail is not red."""
    tone = TONES.get(conclusion, "wait")
    return "stop" if expected_stop and tone == "bad" else tone


def anchor(run: Data) -> str:
    """The place of a workflow run on the page."""
    return f"run-{run['id']}"


def trigger(run: Data) -> str:
    """What started a workflow run, in words."""
    return f"{run['event']} on {ref(run['ref'])} by {run['actor']}"


def _span(timed: Data) -> str:
    return f"from {clock(timed['started'])} to {clock(timed['started'] + timed['duration_s'])}"
