"""The timeline of a job run: when each task waited, was set up and worked, and when its earlier attempts did."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from bundleflow.records.run import Attempt, RunRecord, TaskRecord
from bundleflow.report.html_format import seconds
from bundleflow.report.html_svg import Axis, Part, axis, bars_svg
from bundleflow.report.run_graph import stage_name, stages_of
from bundleflow.report.run_times import ATTEMPTS_SHOWN, spans
from bundleflow.report.run_words import tone, tone_of, words

_WORST_FIRST = ("bad", "wait", "ok", "skip", "plan")


@dataclass(frozen=True)
class TimeRow:
    """One line: what it is, how long it took, its bars, and what a screen reader says of it."""

    label: str
    href: str
    detail: str
    spoken: str
    bar: Markup


def time_axis(run: RunRecord) -> tuple[Axis, int]:
    """The axis from the run's start to its end, and where it begins in milliseconds since 1970.

    The start is that of the first attempt, because a repaired run keeps its start, and the end that of the last task.
    """
    attempts = [attempt for task in run.tasks for attempt in (task.as_attempt(), *task.earlier)]
    starts = [attempt.start_ms for attempt in attempts if attempt.start_ms]
    ends = [attempt.end_ms for attempt in attempts if attempt.end_ms]
    begin = min([run.start_ms, *starts] if run.start_ms else starts, default=0)
    end = max([run.end_ms, *ends, *starts], default=begin)
    return axis((max(end, begin) - begin) / 1000), begin


def task_rows(run: RunRecord, scale: Axis, begin: int) -> list[TimeRow]:
    """A line for each task."""
    rows = []
    for number, task in enumerate(run.tasks, 1):
        parts = [part for attempt in task.earlier[-ATTEMPTS_SHOWN:] for part in _earlier(attempt, begin)] + _parts(task, begin, scale)
        rows.append(TimeRow(task.key, f"#t{number}", _detail(task), words(task.state), bars_svg(scale, parts) if parts else Markup()))
    return rows


def stage_rows(run: RunRecord, scale: Axis, begin: int) -> list[TimeRow]:
    """A line for each stage, from its first task's start to its last one's end."""
    rows = []
    for number, tasks in enumerate(stages_of(run)):
        timed = [task for task in tasks if task.start_ms]
        tones = {tone_of(task) for task in tasks}
        worst = next((each for each in _WORST_FIRST if each in tones), "skip")
        failed = sum(task.failed for task in tasks)
        spoken = f"{failed} failed" if failed else worst
        if not timed:
            rows.append(TimeRow(stage_name(number, tasks), "", "not run", spoken, Markup()))
            continue
        start = min(task.start_ms for task in timed)
        end = max(max(task.end_ms, task.start_ms) for task in timed)
        bar = bars_svg(scale, [Part((start - begin) / 1000, (end - start) / 1000, f"bar {worst}")])
        rows.append(TimeRow(stage_name(number, tasks), "", seconds((end - start) / 1000), spoken, bar))
    return rows


def _detail(task: TaskRecord) -> str:
    if not task.start_ms or (task.final and not task.duration_ms and tone_of(task) == "skip"):
        return "not run"
    return seconds(task.duration_ms / 1000) if task.end_ms else "…"


def _parts(task: TaskRecord, begin: int, scale: Axis) -> list[Part]:
    """Queue, set-up and work of the last attempt; one that goes on lasts to the end of the axis."""
    if _detail(task) == "not run":
        return []
    looks = {"queue": "waiting", "setup": f"setup {tone_of(task)}", "work": f"bar {tone_of(task)}"}
    found = spans(task, begin + round(1000 * scale.length))
    parts = [Part((span.start_ms - begin) / 1000, (span.end_ms - span.start_ms) / 1000, looks[span.kind]) for span in found]
    return [part for part in parts if "bar" in part.looks or scale.percent(part.start + part.length) > scale.percent(part.start)]


def _earlier(attempt: Attempt, begin: int) -> list[Part]:
    if not attempt.start_ms or not attempt.end_ms:
        return []
    looks = tone(attempt.state, attempt.final)
    return [Part((attempt.start_ms - begin) / 1000, attempt.duration_ms / 1000, f"bar before {looks}")]
