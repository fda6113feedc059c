"""Graphs and the timeline of a run as mermaid, within what GitHub draws."""

from __future__ import annotations

from collections.abc import Sequence

from bundleflow.records.run import RunRecord, TaskRecord
from bundleflow.report.graph_svg import Node
from bundleflow.report.markdown import duration
from bundleflow.report.run_graph import lineage_nodes, stage_nodes, task_nodes
from bundleflow.report.run_times import spans
from bundleflow.report.run_words import tone_of

EDGES_AT_MOST = 500
CHARACTERS_AT_MOST = 50_000
"""GitHub draws no mermaid of more edges or characters (mermaid's `maxEdges` and `maxTextSize`)."""
GRAPH_TASKS = 80
"""Larger graphs cannot be read in a summary and are drawn by stages."""
TIMELINE_TASKS = 40
SHOWN_MS = 1000
"""A queue or set-up that took less is not drawn in the summary."""
LINEAGE_NODES = 60

_CLASSES = {
    "ok": "fill:#dafbe1,stroke:#1a7f37,color:#1f2328",
    "bad": "fill:#ffebe9,stroke:#cf222e,color:#1f2328",
    "skip": "fill:#eaeef2,stroke:#656d76,color:#1f2328,stroke-dasharray:4 3",
    "wait": "fill:#ddf4ff,stroke:#0969da,color:#1f2328",
    "plan": "fill:#f6f8fa,stroke:#656d76,color:#1f2328",
    "data": "fill:#fff8c5,stroke:#9a6700,color:#1f2328",
}


def graph(run: RunRecord) -> str:
    """The tasks as a mermaid graph, by stages where there are too many; empty for a run of a single task."""
    if len(run.tasks) < 2:
        return ""
    whole = mermaid(task_nodes(run)) if len(run.tasks) <= GRAPH_TASKS else ""
    return whole or mermaid(stage_nodes(run))


def lineage_graph(run: RunRecord) -> str:
    """Tables and the tasks between them as a mermaid graph; empty where there are none, or too many."""
    if run.lineage is None or not run.lineage.uses:
        return ""
    nodes = lineage_nodes(run, run.lineage)
    return mermaid(nodes) if len(nodes) <= LINEAGE_NODES else ""


def mermaid(nodes: Sequence[Node]) -> str:
    """Boxes as a mermaid graph; empty for a single box, and when it is more than GitHub draws.

    Names are quoted, so that they cannot be markup.
    """
    ids = {node.key: f"t{number}" for number, node in enumerate(nodes)}
    lines = ["flowchart LR"]
    lines += [f"  {ids[node.key]}{_box(node)}:::{node.tone}" for node in nodes]
    edges = [(before, node) for node in nodes for before in node.depends_on if before in ids]
    lines += [f"  {ids[before]} {_arrow(node, before)} {ids[node.key]}" for before, node in edges]
    if len(nodes) < 2:
        return ""
    used = {node.tone for node in nodes}
    lines += [f"  classDef {tone} {style}" for tone, style in _CLASSES.items() if tone in used]
    text = "```mermaid\n" + "\n".join(lines) + "\n```"
    return text if len(edges) <= EDGES_AT_MOST and len(text) <= CHARACTERS_AT_MOST else ""


def timeline(run: RunRecord) -> str:
    """Queue, set-up and work of the tasks as a mermaid chart; empty where nothing is timed or it would be too long."""
    timed = [task for task in run.tasks if task.start_ms and task.duration_ms]
    if not 1 < len(timed) <= TIMELINE_TASKS:
        return ""
    lines = ["gantt", "  dateFormat x", "  axisFormat %H:%M:%S"]
    for task in timed:
        # A section's and a bar's name end at a colon; plain words are all that is let through.
        lines.append(f"  section {_plain(task.key)}")
        lines += _bars(task)
    text = "```mermaid\n" + "\n".join(lines) + "\n```"
    return text if len(text) <= CHARACTERS_AT_MOST else ""


def _bars(task: TaskRecord) -> list[str]:
    earlier = [
        f"  attempt {attempt.number + 1} :crit, {attempt.start_ms}, {attempt.end_ms}"
        for attempt in task.earlier
        if attempt.start_ms and attempt.end_ms > attempt.start_ms
    ]
    tag = {"bad": "crit, ", "ok": "active, "}.get(tone_of(task), "")
    *before, work = spans(task, task.end_ms)
    names = {"queue": "queue :", "setup": "set-up :done, "}
    shown = [f"  {names[span.kind]}{span.start_ms}, {span.end_ms}" for span in before if span.end_ms - span.start_ms >= SHOWN_MS]
    return [*earlier, *shown, f"  {duration(task.duration_ms)} :{tag}{work.start_ms}, {max(work.end_ms, work.start_ms + 1)}"]


def _box(node: Node) -> str:
    label = f'"{_inert(node.name[:60])}<br>{_inert(node.state[:60])}"'
    return f"[({label})]" if node.tone == "data" else f"[[{label}]]" if node.folded else f"[{label}]"


def _arrow(node: Node, before: str) -> str:
    line = "-.->" if before in node.faint else "-->"
    return f'{line}|"{_inert(node.labels[before])}"|' if node.labels.get(before) else line


def _inert(text: str) -> str:
    """Every character that mermaid or HTML could take for markup as a number."""
    return "".join(char if char.isalnum() or char in " _-." else f"#{ord(char)};" for char in text.replace("\u00a0", " "))


def _plain(text: str) -> str:
    return "".join(char if char.isalnum() or char in "_-." else " " for char in text[:40]).strip() or "task"
