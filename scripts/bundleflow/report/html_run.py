"""What the page of a job run shows, worked out from its record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from markupsafe import Markup

from bundleflow.records.run import RunRecord, TaskRecord
from bundleflow.report.graph_svg import Node, graph_svg
from bundleflow.report.html_format import seconds
from bundleflow.report.html_svg import axis, axis_svg, bar_svg, lines_svg

_TONES = {
    "SUCCESS": "ok",
    "CANCELED": "skip",
    "EXCLUDED": "skip",
    "UPSTREAM_CANCELED": "skip",
    "UPSTREAM_FAILED": "skip",
    "SKIPPED": "skip",
}


@dataclass(frozen=True)
class TaskView:
    """One task with its bar on the time axis."""

    task: TaskRecord
    tone: str
    bar: Markup
    duration_s: float
    link: str


@dataclass(frozen=True)
class RunPageView:
    """All that the page shows; `facts` are pairs of a name and a value."""

    run: RunRecord
    title: str
    tone: str
    facts: Sequence[tuple[str, str]]
    graph: Markup
    axis: Markup
    lines: Markup
    tasks: Sequence[TaskView]
    duration_s: float
    link: str


def run_view(run: RunRecord) -> RunPageView:
    """Work out the page of one job run."""
    starts = [task.start_ms for task in run.tasks if task.start_ms]
    ends = [task.end_ms for task in run.tasks if task.end_ms]
    begin = run.start_ms or min(starts, default=0)
    end = run.end_ms or max(ends, default=begin)
    scale = axis((end - begin) / 1000)
    tasks = []
    for task in run.tasks:
        tone = _tone(task.state, task.final)
        waited = (task.setup_ms + task.queue_ms) / 1000
        duration = task.duration_ms / 1000
        bar = bar_svg(scale, (task.start_ms - begin) / 1000, duration, tone, waited) if task.start_ms else Markup()
        tasks.append(TaskView(task, tone, bar, duration, _link(task.url)))
    title = run.key or run.name or f"run {run.run_id}"
    nodes = [
        Node(view.task.key, f"{_words(view.task.state)} · {seconds(view.duration_s)}", view.tone, view.task.depends_on) for view in tasks
    ]
    spoken = ", ".join(f"{node.key} {node.state}" for node in nodes)
    return RunPageView(
        run=run,
        title=title,
        tone=_tone(run.state, run.final),
        facts=_facts(run),
        graph=graph_svg(nodes, f"Tasks of {title}: {spoken}"),
        axis=axis_svg(scale),
        lines=lines_svg(scale),
        tasks=tasks,
        duration_s=(end - begin) / 1000,
        link=_link(run.url),
    )


def _tone(state: str, final: bool) -> str:
    return _TONES.get(state, "bad" if final else "wait")


def _words(state: str) -> str:
    return state.lower().replace("_", " ")


def _link(url: str) -> str:
    """The address if it is one of the web; anything else (`javascript:`, a file) gives no link."""
    return url if url.startswith(("https://", "http://")) else ""


def _facts(run: RunRecord) -> list[tuple[str, str]]:
    facts = [
        ("Run", str(run.run_id)),
        ("Job", str(run.job_id) if run.job_id else ""),
        ("Trigger", _words(run.trigger)),
        ("Runs as", run.run_as),
    ]
    facts += [
        ("Started", _time(run.start_ms)),
        ("Ended", _time(run.end_ms)),
        ("Waited in the queue", seconds(run.queue_ms / 1000) if run.queue_ms else ""),
    ]
    return [(name, value) for name, value in facts if value]


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if milliseconds else ""
