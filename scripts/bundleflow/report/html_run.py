"""What the page of a job run shows, worked out from its record; the template only lays it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from bundleflow.records.run import Comparison, DeploymentRecord, RunRecord, TaskChange, TaskRecord
from bundleflow.report.graph_svg import Node, fits, graph_svg
from bundleflow.report.html_format import day, plural, seconds, web
from bundleflow.report.html_run_timeline import TimeRow, stage_rows, task_rows, time_axis
from bundleflow.report.html_svg import axis_svg, lines_svg
from bundleflow.report.run_graph import lineage_nodes, stage_nodes, task_nodes
from bundleflow.report.run_room import LineageRow, lineage_rows, shortened, text_limit
from bundleflow.report.run_times import ATTEMPTS_SHOWN
from bundleflow.report.run_words import kind_of, tone, tone_of, words

ROOM = 1040
"""Width of the page's content in pixels; a wider graph is drawn from the top down."""
NARROW = 330
"""Width of a phone's screen within the margins."""
NARROW_NODES = 40
"""Graphs of more boxes are not drawn a second time for phones: there they are scrolled."""
CARDS_AT_MOST = 60
"""Tasks with a part of their own; beyond that only those that failed, were tried again or left an output have one."""
ROWS_IN_SIGHT = 120
"""Longer timelines are shown by stages, the single tasks on a click."""
LINEAGE_NODES = 90
TOLD_AT_MOST = 10
"""How many tasks stand under "What failed"."""
CHANGES_AT_MOST = 200
TURNS_AT_MOST, TURNS_OF_A_LARGE_RUN = 200, 20
"""How many iterations of one task are listed."""
TILES = {
    "newly failing": "bad", "still failing": "bad", "cancelled": "skip", "not run": "skip", "slower": "wait", "faster": "ok",
    "fixed": "ok", "new": "skip", "gone": "skip",
}  # fmt: skip


NOTHING = Markup()
MINUS = "\u2212"


@dataclass(frozen=True)
class TaskView:
    """One task.

    Args:
        repair: Number of the repair that ran it; 0 for none.
        carded: Whether it has a part of its own.
        told: Whether its trace stands under "What failed", so that it is not printed again.
    """

    task: TaskRecord
    number: int
    tone: str
    kind: str
    link: str
    repair: int
    carded: bool = True
    told: bool = False

    @property
    def anchor(self) -> str:
        """Its place on the page."""
        return f"t{self.number}"


@dataclass(frozen=True)
class Drawing:
    """A graph, once for a wide screen and, where that helps, once for a narrow one."""

    wide: Markup
    narrow: Markup = NOTHING


@dataclass(frozen=True)
class ComputeRow:
    """One cluster, warehouse or serverless environment with what ran on it."""

    words: str
    node_type: str
    nodes: str
    runtime: str
    tasks: Sequence[TaskView]
    busy_s: float
    setup_s: float


@dataclass(frozen=True)
class ChangeRow:
    """A task that differs from the previous run; `tone` as of a state."""

    change: TaskChange
    tone: str
    difference: str


@dataclass(frozen=True)
class RunPageView:
    """All that the page shows.

    Args:
        facts: Pairs of a name and a value.
        tiles: Tone, number and what it counts.
        lineage_more: How many tasks are left out of `lineage_rows`.
        untold: How many tasks failed, were tried again or left an output and have no part of their own all the same.
        cut_to: To how many characters errors, traces and outputs were cut; 0 when they were not.
        turns_shown: How many iterations of a task are listed.
    """

    run: RunRecord
    tone: str
    word: str
    facts: Sequence[tuple[str, str]]
    tiles: Sequence[tuple[str, str, str]]
    graph: Drawing
    collapsed: bool
    axis: Markup
    lines: Markup
    stages: Sequence[TimeRow]
    rows: Sequence[TimeRow]
    tasks: Sequence[TaskView]
    cards: Sequence[TaskView]
    failed: Sequence[TaskView]
    computes: Sequence[ComputeRow]
    changes: Sequence[ChangeRow]
    lineage: Drawing
    lineage_rows: Sequence[LineageRow]
    lineage_more: int
    duration_s: float
    link: str
    commit_link: str
    untold: int
    cut_to: int
    turns_shown: int
    attempts_shown: int = ATTEMPTS_SHOWN
    told_at_most: int = TOLD_AT_MOST
    changes_at_most: int = CHANGES_AT_MOST


def run_view(run: RunRecord) -> RunPageView:
    """Work out the page of one job run."""
    by_run = {number: repair.number for repair in run.repairs for number in repair.task_runs}
    views = [
        TaskView(task, number, tone_of(task), kind_of(task), web(task.url), by_run.get(task.run_id, 0))
        for number, task in enumerate(run.tasks, 1)
    ]
    own = {view.number for view in _cards(views)}
    untold = len([view for view in _telling(views) if view.number not in own])
    told = {view.number for view in [view for view in views if view.tone == "bad"][:TOLD_AT_MOST]}
    views = [replace(view, carded=view.number in own, told=view.number in told) for view in views]
    large = len(views) > CARDS_AT_MOST
    cut_to = text_limit([view.task for view in views if view.carded or view.told]) if large else 0
    if cut_to:
        views = [replace(view, task=shortened(view.task, cut_to)) for view in views]
    anchors = {view.task.key: f"#{view.anchor}" for view in views}
    nodes = task_nodes(run, anchors)
    collapsed = not fits(nodes)
    scale, begin = time_axis(run)
    by_task, more_tasks = lineage_rows(run.lineage)
    stages = stage_rows(run, scale, begin) if len(run.tasks) > ROWS_IN_SIGHT else []
    return RunPageView(
        run=run,
        tone=tone(run.state, run.final),
        word=words(run.state),
        facts=_facts(run),
        tiles=_tiles(run),
        graph=_drawing(stage_nodes(run) if collapsed else nodes, f"Tasks of {run.title}"),
        collapsed=collapsed,
        axis=axis_svg(scale),
        lines=lines_svg(scale),
        stages=stages,
        rows=task_rows(run, scale, begin),
        tasks=views,
        cards=_cards(views),
        failed=[view for view in views if view.tone == "bad"],
        computes=_computes(views),
        changes=_changes(run.comparison),
        lineage=_lineage_drawing(run, anchors),
        lineage_rows=by_task,
        lineage_more=more_tasks,
        duration_s=scale.length if not run.duration_ms else run.duration_ms / 1000,
        link=web(run.url),
        commit_link=_commit_link(run.deployment),
        untold=untold,
        cut_to=cut_to,
        turns_shown=TURNS_OF_A_LARGE_RUN if large else TURNS_AT_MOST,
    )


def _cards(views: Sequence[TaskView]) -> list[TaskView]:
    """The tasks that have a part of their own: all of a small run; of a large one those with something to tell, failed ones first."""
    if len(views) <= CARDS_AT_MOST:
        return list(views)
    return sorted(_telling(views), key=lambda view: (view.tone != "bad", not view.task.failed, view.number))[:CARDS_AT_MOST]


def _telling(views: Sequence[TaskView]) -> list[TaskView]:
    return [view for view in views if view.task.failed or view.task.attempt or view.task.output]


def _drawing(nodes: Sequence[Node], title: str) -> Drawing:
    spoken = f"{title}: " + ", ".join(f"{node.key} {node.state}" for node in nodes[:100])
    wide = graph_svg(nodes, spoken, room=ROOM)
    narrow = graph_svg(nodes, spoken, room=NARROW, slim=True) if len(nodes) <= NARROW_NODES else NOTHING
    return Drawing(wide, narrow if narrow != wide else NOTHING)


def _lineage_drawing(run: RunRecord, anchors: Mapping[str, str]) -> Drawing:
    if run.lineage is None:
        return Drawing(NOTHING)
    nodes = lineage_nodes(run, run.lineage, anchors)
    return _drawing(nodes, f"Tables of {run.title}") if len(nodes) <= LINEAGE_NODES else Drawing(NOTHING)


def _computes(views: Sequence[TaskView]) -> list[ComputeRow]:
    grouped: dict[object, list[TaskView]] = {}
    for view in views:
        if view.task.compute.kind and view.tone != "skip":
            grouped.setdefault(view.task.compute, []).append(view)
    rows = []
    for tasks in grouped.values():
        compute = tasks[0].task.compute
        node = compute.node_type + (f", driver {compute.driver_type}" if compute.driver_type else "")
        name = f"{compute.kind} {compute.name}".strip()
        if compute.cluster_id and compute.cluster_id != compute.name:
            name += f" ({compute.cluster_id})"
        busy = sum(view.task.execution_ms or view.task.duration_ms for view in tasks) / 1000
        rows.append(ComputeRow(name, node, compute.nodes, compute.runtime, tasks, busy, sum(view.task.setup_ms for view in tasks) / 1000))
    return rows


def _changes(comparison: Comparison | None) -> list[ChangeRow]:
    if comparison is None:
        return []
    return [ChangeRow(change, TILES[change.change], signed(change)) for change in comparison.changes]


def signed(change: TaskChange) -> str:
    """The difference in time: `+12 s`; empty where there is none to tell."""
    if not change.before_ms or not change.now_ms:
        return ""
    return ("+" if change.now_ms >= change.before_ms else MINUS) + seconds(abs(change.now_ms - change.before_ms) / 1000)


def _tiles(run: RunRecord) -> list[tuple[str, str, str]]:
    """Numbers at the top: tone, number, what it counts."""
    good = sum(task.result_state == "SUCCESS" for task in run.tasks)
    failed = len([task for task in run.tasks if tone_of(task) == "bad"])
    aside = [task for task in run.tasks if tone_of(task) == "skip"]
    again = sum(task.attempt for task in run.tasks)
    before = run.comparison
    tiles = [("", seconds(run.duration_ms / 1000) if run.duration_ms else "…", "from start to end")]
    tiles.append(("ok" if good == len(run.tasks) else "", f"{good} of {len(run.tasks)}", "tasks succeeded"))
    tiles += [("bad", str(failed), "failed")] if failed else []
    tiles += [("", str(len(aside)), "not run")] if aside else []
    tiles += [("", str(again), "further attempts" if again > 1 else "further attempt")] if again else []
    waited = sum(task.setup_ms + task.queue_ms for task in run.tasks) / 1000
    tiles += [("", seconds(waited), "set-up and queue of all tasks")] if waited >= 0.1 else []
    if before is not None and before.duration_ms and run.duration_ms:
        change = 100 * (run.duration_ms - before.duration_ms) / before.duration_ms
        tiles.append(("", f"{change:+.0f} %".replace("-", MINUS), "time, against the run before"))
    return tiles


def _facts(run: RunRecord) -> list[tuple[str, str]]:
    made = run.deployment or DeploymentRecord()
    facts = [
        ("Run", str(run.run_id)),
        ("Job", str(run.job_id) if run.job_id else ""),
        ("Name", run.name if run.name != run.title else ""),
        ("Trigger", words(run.trigger)),
        ("Schedule", run.schedule),
        ("Started by", run.creator),
        ("Runs as", run.run_as),
        ("Started", day(run.start_ms)),
        ("Ended", day(run.end_ms)),
        ("Waited in the queue", seconds(run.queue_ms / 1000) if run.queue_ms else ""),
        ("Repairs", plural(len(run.repairs), "repair") if run.repairs else ""),
        ("Bundle", made.bundle),
        ("Target", made.target),
        ("Branch", made.branch),
        ("Deployed files", made.path),
    ]
    return [(name, value) for name, value in facts if value]


def _commit_link(made: DeploymentRecord | None) -> str:
    """The page of the commit, where the repository's address is one of the web."""
    if made is None or not made.commit or not made.origin.startswith(("https://", "http://")):
        return ""
    return f"{made.origin.removesuffix('.git').rstrip('/')}/commit/{made.commit}"
