"""The graphs of a run as boxes: its tasks with their states, by stages where there are too many, and its tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import ceil

from bundleflow.records.run import PLANNED, Lineage, RunRecord, TaskRecord
from bundleflow.report.graph_layout import Edge, columns_of, without_circles
from bundleflow.report.graph_svg import Node
from bundleflow.report.html_format import plural, seconds
from bundleflow.report.run_words import kind_of, short_source, tone_of, words

STAGES_AT_MOST = 12
"""Stages of a collapsed graph; a longer chain of tasks is cut into this many pieces."""

_WORST_FIRST = ("bad", "wait", "ok", "skip", "plan")


def task_nodes(run: RunRecord, links: Mapping[str, str] | None = None) -> list[Node]:
    """A box for each task.

    Args:
        run: The run.
        links: Places on the page by task key.
    """
    outcomes = {task.key: task.outcome for task in run.tasks}
    return [
        Node(
            task.key,
            _second_line(task),
            tone_of(task),
            task.depends_on,
            badge=_badge(task),
            href=(links or {}).get(task.key, ""),
            folded=task.kind == "for_each",
            labels=dict(task.branches),
            faint=frozenset(key for key, wanted in task.branches if outcomes.get(key) not in ("", wanted)),
        )
        for task in run.tasks
    ]


def stage_nodes(run: RunRecord) -> list[Node]:
    """A box for each stage: the tasks that are equally many steps from a start; its look is that of its worst task."""
    stages = stages_of(run)
    nodes = []
    for number, tasks in enumerate(stages):
        tones = Counter(tone_of(task) for task in tasks)
        worst = next((tone for tone in _WORST_FIRST if tones[tone]), "skip")
        counts = Counter(words(task.state) for task in tasks)
        text = ", ".join(f"{count} {word}" for word, count in counts.most_common(3)) if run.life_cycle_state != PLANNED else ""
        before = (stage_name(number - 1, stages[number - 1]),) if number else ()
        nodes.append(Node(stage_name(number, tasks), text, worst, before, folded=len(tasks) > 1))
    return nodes


def stage_name(number: int, tasks: Sequence[TaskRecord]) -> str:
    """`stage 3: 120 tasks`."""
    return f"stage {number + 1}: {plural(len(tasks), 'task')}"


def stages_of(run: RunRecord) -> list[list[TaskRecord]]:
    """The tasks by how many steps they are from a start, at most `STAGES_AT_MOST` groups."""
    keys = [task.key for task in run.tasks]
    known = set(keys)
    edges: list[Edge] = [(before, task.key) for task in run.tasks for before in task.depends_on if before in known and before != task.key]
    column = columns_of(keys, without_circles(keys, edges))
    together = ceil((max(column.values(), default=0) + 1) / STAGES_AT_MOST)
    stages: dict[int, list[TaskRecord]] = {}
    for task in run.tasks:
        stages.setdefault(column[task.key] // together, []).append(task)
    return [stages[number] for number in sorted(stages)]


def lineage_nodes(run: RunRecord, lineage: Lineage, links: Mapping[str, str] | None = None) -> list[Node]:
    """Tables and the tasks between them: an arrow into a task for each table it read, out of it for each that it wrote.

    A table that a task both read and wrote stands right of it. Where the task of a use is not known, the run stands for it, under a name
    that no task has.
    """
    tasks = {task.key: task for task in run.tasks}
    whole = next(name for name in (run.title, f"run {run.run_id}", f"the whole run {run.run_id}") if name not in tasks)
    kinds: dict[str, str] = {}
    readers: dict[str, dict[str, None]] = {}
    writers: dict[str, dict[str, None]] = {}
    for use in lineage.uses:
        kinds.setdefault(use.name, use.kind)
        task = use.task or whole
        if use.write:
            writers.setdefault(use.name, {}).setdefault(task)
        else:
            readers.setdefault(task, {}).setdefault(use.name)
    used = set(readers).union(*writers.values())
    users = [key for key in [*tasks, whole] if key in used]
    names = {name: _apart(name, users) for name in kinds}
    nodes = []
    for key in dict.fromkeys(users):
        read = tuple(names[name] for name in readers.get(key, {}) if key not in writers.get(name, {}))
        known = tasks.get(key)
        second = f"{kind_of(known)} · {words(known.state)}" if known else "run"
        nodes.append(Node(key, second, tone_of(known) if known else "plan", read, href=(links or {}).get(key, "")))
    tables = [_data_node(name, names[name], kinds[name], tuple(writers.get(name, {}))) for name in kinds]
    # What is only read stands first, so that a circle is cut where data comes back, not where it comes in.
    return [*(node for node in tables if not node.depends_on), *nodes, *(node for node in tables if node.depends_on)]


def _data_node(name: str, key: str, kind: str, writers: tuple[str, ...]) -> Node:
    """The box of a table, file or model: its own name, and under it where it is."""
    place, _, own = name.rstrip("/").rpartition("/" if name.startswith("/") or "://" in name else ".")
    known = () if place and kind in ("TABLE", "PATH") else (kind.lower(),)  # the place tells a table from a file
    return Node(key, " · ".join(part for part in (*known, place) if part), "data", writers, short=own)


def _apart(name: str, users: Sequence[str]) -> str:
    """The name of a table's box; a task may be called as a table is."""
    return f"{name} (data)" if name in users else name


def _second_line(task: TaskRecord) -> str:
    if task.life_cycle_state == PLANNED:
        return " · ".join(part for part in (kind_of(task), short_source(task)) if part)
    parts = [words(task.state)]
    if task.kind == "condition" and task.outcome:
        parts = [f"{short_source(task)}: {task.outcome}"]
    elif task.iterations.total:
        parts = [f"{task.iterations.succeeded} of {task.iterations.total} ok"]
    if task.duration_ms:
        parts.append(seconds(task.duration_ms / 1000))
    return " · ".join(parts)


def _badge(task: TaskRecord) -> str:
    return f"try {task.attempt + 1}" if task.attempt else ""
