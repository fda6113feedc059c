"""What the report of a rehearsal shows, worked out from its result: the page's template only lays it out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from bundleflow.report.html_calls import in_words
from bundleflow.report.html_format import clock, plural, seconds
from bundleflow.report.html_markdown import LinkMap, markdown_html, page_links
from bundleflow.report.html_svg import Axis, Node, axis, axis_svg, bar_svg, graph_svg

Data = Mapping[str, Any]

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

CALLS_SHOWN = 150
NO_BAR = Markup()
LOG_SHOWN = 20_000


@dataclass(frozen=True)
class Row:
    """A row of the timeline: a heading (no bar) or a bar with its label."""

    label: str
    detail: str
    href: str = ""
    tone: str = ""
    bar: Markup = NO_BAR
    spoken: str = ""


@dataclass(frozen=True)
class Calls:
    """Requests of a job: what they changed in words, and the requests themselves (as many as are shown)."""

    total: int
    changes: Sequence[str]
    shown: Sequence[Data]


@dataclass(frozen=True)
class JobView:
    """One job of a workflow run."""

    data: Data
    anchor: str
    tone: str
    summary: Markup
    calls: Calls
    log: str


@dataclass(frozen=True)
class RunView:
    """One workflow run with its jobs; `expected_stop` when the story wanted it to fail."""

    data: Data
    anchor: str
    tone: str
    expected_stop: bool
    jobs: Sequence[JobView]


@dataclass(frozen=True)
class JobRunView:
    """One run of a Databricks job."""

    data: Data
    anchor: str
    tone: str
    graph: Markup
    rows: Sequence[Row]
    axis: Markup


@dataclass(frozen=True)
class StepView:
    """One step of the story with the workflow runs that it caused."""

    data: Data
    tone: str
    runs: Sequence[RunView]
    held: int


@dataclass(frozen=True)
class Share:
    """One line of “where the time went”: `percent` of the longest line."""

    label: str
    seconds: float
    percent: float


@dataclass(frozen=True)
class RehearsalView:
    """All that the page shows."""

    data: Data
    scenarios: Sequence[tuple[Data, Sequence[StepView]]]
    runs: Sequence[RunView]
    job_runs: Sequence[JobRunView]
    tiles: Sequence[tuple[str, str, str]]
    axis: Markup
    timeline: Sequence[Row]
    shares: Sequence[Share]
    differences: Sequence[tuple[str, Sequence[Data]]]
    wrong: Sequence[StepView]


def rehearsal_view(data: Data) -> RehearsalView:
    """Work out the page of a rehearsal from its result as plain data."""
    job_runs = data["job_runs"]
    link = page_links({str(run["id"]) for run in data["workflow_runs"]}, {str(run["run_id"]) for run in job_runs})
    steps = [step for scenario in data["scenarios"] for step in scenario["steps"]]
    stopped = {run for step in steps if step["stopped"] and step["ok"] for run in step["workflow_runs"]}
    runs = [_run(run, run["id"] in stopped, link) for run in data["workflow_runs"]]
    by_id = {view.data["id"]: view for view in runs}
    scenarios = [(scenario, [_step(step, by_id) for step in scenario["steps"]]) for scenario in data["scenarios"]]
    scale = axis(data["duration_s"])
    return RehearsalView(
        data=data,
        scenarios=scenarios,
        runs=runs,
        job_runs=[_job_run(run) for run in job_runs],
        tiles=_tiles(data),
        axis=axis_svg(scale),
        timeline=[row for run in runs for row in _run_rows(run, scale)] + _job_run_rows(job_runs, scale),
        shares=_shares(data["timings"]),
        differences=_by_file(data["differences"]),
        wrong=[view for _, views in scenarios for view in views if not view.data["ok"]],
    )


def _run(data: Data, expected_stop: bool, link: LinkMap) -> RunView:
    def tone(conclusion: str) -> str:
        plain = TONES.get(conclusion, "wait")
        return "stop" if expected_stop and plain == "bad" else plain

    anchor = f"run-{data['id']}"
    jobs = [
        JobView(
            data=job,
            anchor=f"{anchor}-{number}",
            tone=tone(job["conclusion"]),
            summary=markdown_html(job["summary_markdown"], link),
            calls=_calls(job["workspace_calls"]),
            log=_tail(job["log_tail"]),
        )
        for number, job in enumerate(data["jobs"])
    ]
    run_tone = tone(data["conclusion"])
    return RunView(data=data, anchor=anchor, tone=run_tone, expected_stop=run_tone == "stop", jobs=jobs)


def _calls(calls: Sequence[Data]) -> Calls:
    changes = in_words((call["method"], call["path"], call["status"]) for call in calls)
    return Calls(total=len(calls), changes=changes, shown=calls[:CALLS_SHOWN])


def _tail(text: str) -> str:
    return text if len(text) <= LOG_SHOWN else "…\n" + text[-LOG_SHOWN:].partition("\n")[2]


def _step(data: Data, runs: Mapping[int, RunView]) -> StepView:
    tone = "bad" if not data["ok"] else "stop" if data["stopped"] else "ok"
    held = sum(1 for check in data["checks"] if check["ok"])
    return StepView(data=data, tone=tone, runs=[runs[run] for run in data["workflow_runs"] if run in runs], held=held)


def _run_rows(run: RunView, scale: Axis) -> Iterable[Row]:
    yield Row(run.data["name"], f"{run.data['event']} · {run.data['ref']}", href=run.anchor)
    for job in run.jobs:
        data = job.data
        state = "stopped as expected" if job.tone == "stop" else data["conclusion"]
        waited = f", waited {seconds(data['waited_s'])}" if data["waited_s"] >= 0.1 else ""
        yield Row(
            data["name"],
            "not run" if job.tone == "skip" else seconds(data["duration_s"]) + waited,
            href=job.anchor,
            tone=job.tone,
            bar=bar_svg(scale, data["started"], data["duration_s"], job.tone, data["waited_s"] if job.tone != "skip" else 0.0),
            spoken=f"from {clock(data['started'])} to {clock(data['started'] + data['duration_s'])}, {state}",
        )


def _job_run_rows(job_runs: Sequence[Data], scale: Axis) -> list[Row]:
    rows = [Row("Job runs in the workspace", plural(len(job_runs), "run"), href="job-runs")] if job_runs else []
    for run in job_runs:
        tone = TONES.get(run["result"], "bad")
        bar = bar_svg(scale, run["started"], run["duration_s"], tone)
        spoken = f"from {clock(run['started'])} to {clock(run['started'] + run['duration_s'])}, {run['result']}"
        rows.append(Row(run["job_name"], seconds(run["duration_s"]), f"job-run-{run['run_id']}", tone, bar, spoken))
    return rows


def _job_run(data: Data) -> JobRunView:
    tasks = data["tasks"]
    scale = axis(data["duration_s"], wanted=4)
    nodes = [
        Node(
            task["task_key"],
            f"{str(task['result']).lower()} · {seconds(task['duration_s'])}",
            TONES.get(task["result"], "bad"),
            tuple(task.get("depends_on", ())),
        )
        for task in tasks
    ]
    rows = [
        Row(
            task["task_key"],
            seconds(task["duration_s"]),
            tone=TONES.get(task["result"], "bad"),
            bar=bar_svg(scale, task["started"] - data["started"], task["duration_s"], TONES.get(task["result"], "bad")),
            spoken=str(task["result"]).lower(),
        )
        for task in tasks
    ]
    return JobRunView(
        data=data,
        anchor=f"job-run-{data['run_id']}",
        tone=TONES.get(data["result"], "bad"),
        graph=graph_svg(nodes, f"Tasks of {data['job_name']}: " + ", ".join(f"{node.key} {node.state}" for node in nodes)),
        rows=rows,
        axis=axis_svg(scale),
    )


def _tiles(data: Data) -> list[tuple[str, str, str]]:
    """Figures at the top: value, what it is, tone."""
    steps = [step for scenario in data["scenarios"] for step in scenario["steps"]]
    held = sum(1 for step in steps if step["ok"])
    tiles = [(f"{held} / {len(steps)}", "steps went as expected", "ok" if held == len(steps) else "bad")]
    measures = data["measures"]
    if "first_promotion_s" in measures:
        tiles.append((seconds(measures["first_promotion_s"]), "first promotion, branch to production", ""))
    tiles.append((str(len(data["workflow_runs"])), f"workflow runs, {sum(len(run['jobs']) for run in data['workflow_runs'])} jobs", ""))
    if data["job_runs"]:
        tiles.append((str(len(data["job_runs"])), "Databricks job runs", ""))
    if "workspace_requests" in measures:
        tiles.append((f"{int(measures['workspace_requests']):,}", "requests to the workspace", ""))
    outside = len(data["outside_connections"])
    tiles.append((str(outside), "connections to the outside tried", "bad" if outside else "ok"))
    return tiles


def _shares(timings: Mapping[str, float]) -> list[Share]:
    longest = max(timings.values(), default=0.0) or 1.0
    ordered = sorted(timings.items(), key=lambda item: -item[1])
    return [Share(label, value, round(100 * value / longest, 2)) for label, value in ordered]


def _by_file(differences: Sequence[Data]) -> list[tuple[str, Sequence[Data]]]:
    files: dict[str, list[Data]] = {}
    for difference in differences:
        files.setdefault(difference["file"], []).append(difference)
    return sorted(files.items())
