"""What the report of a rehearsal shows, worked out from its result: the page's template only lays it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from markupsafe import Markup

from bundleflow.report.graph_svg import Node, graph_svg
from bundleflow.report.html_calls import READS, in_words
from bundleflow.report.html_format import seconds
from bundleflow.report.html_markdown import LinkMap, markdown_html, page_links
from bundleflow.report.html_svg import axis, axis_svg, bar_svg, lines_svg
from bundleflow.report.html_timeline import TONES, Row, anchor, job_tone, timeline, trigger

Data = Mapping[str, Any]

CALLS_SHOWN = 150
LOG_SHOWN = 20_000
GRAPH_ROOM = 1000
"""Width in pixels within the card of a job run."""


@dataclass(frozen=True)
class Calls:
    """Requests of a job: what they changed in words, and those that changed something (as many as are shown).

    `identity` is the one that sent them all; empty when there were several.
    """

    total: int
    changing: int
    changes: Sequence[str]
    shown: Sequence[Data]
    identity: str


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
    trigger: str
    jobs: Sequence[JobView]


@dataclass(frozen=True)
class JobRunView:
    """One run of a Databricks job; `touched` are its tasks that read or wrote something."""

    data: Data
    anchor: str
    tone: str
    graph: Markup
    rows: Sequence[Row]
    axis: Markup
    lines: Markup
    touched: Sequence[Data]


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
    lines: Markup
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
        lines=lines_svg(scale),
        timeline=timeline(steps, data["workflow_runs"], job_runs, stopped, scale),
        shares=_shares(data["timings"]),
        differences=_by_file(data["differences"]),
        wrong=[view for _, views in scenarios for view in views if not view.data["ok"]],
    )


def _run(data: Data, expected_stop: bool, link: LinkMap) -> RunView:
    place = anchor(data)
    jobs = [
        JobView(
            data=job,
            anchor=f"{place}-{number}",
            tone=job_tone(job["conclusion"], expected_stop),
            summary=markdown_html(job["summary_markdown"], link),
            calls=_calls(job["workspace_calls"]),
            log=_tail(job["log_tail"]),
        )
        for number, job in enumerate(data["jobs"])
    ]
    tone = job_tone(data["conclusion"], expected_stop)
    return RunView(data=data, anchor=place, tone=tone, expected_stop=tone == "stop", trigger=trigger(data), jobs=jobs)


def _calls(calls: Sequence[Data]) -> Calls:
    identities = {call["identity"] for call in calls}
    changing = [call for call in calls if call["method"] not in READS]
    return Calls(
        total=len(calls),
        changing=len(changing),
        changes=in_words((call["method"], call["path"], call["status"]) for call in calls),
        shown=changing[:CALLS_SHOWN],
        identity=identities.pop() if len(identities) == 1 else "",
    )


def _tail(text: str) -> str:
    return text if len(text) <= LOG_SHOWN else "…\n" + text[-LOG_SHOWN:].partition("\n")[2]


def _step(data: Data, runs: Mapping[int, RunView]) -> StepView:
    tone = "bad" if not data["ok"] else "stop" if data["stopped"] else "ok"
    held = sum(1 for check in data["checks"] if check["ok"])
    return StepView(data=data, tone=tone, runs=[runs[run] for run in data["workflow_runs"] if run in runs], held=held)


def _job_run(data: Data) -> JobRunView:
    tasks = sorted(data["tasks"], key=lambda task: task["started"] or inf)  # what did not start comes last
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
        graph=graph_svg(nodes, f"Tasks of {data['job_name']}: " + ", ".join(f"{node.key} {node.state}" for node in nodes), room=GRAPH_ROOM),
        rows=rows,
        axis=axis_svg(scale),
        lines=lines_svg(scale),
        touched=[task for task in tasks if task.get("reads") or task.get("writes")],
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
    ordered = sorted(((label, value) for label, value in timings.items() if value >= 0.05), key=lambda item: -item[1])
    return [Share(label, value, round(100 * value / longest, 2)) for label, value in ordered]


def _by_file(differences: Sequence[Data]) -> list[tuple[str, Sequence[Data]]]:
    files: dict[str, list[Data]] = {}
    for difference in differences:
        files.setdefault(difference["file"], []).append(difference)
    return sorted(files.items())
