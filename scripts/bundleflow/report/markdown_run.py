"""A job run as Markdown: result, task graph (mermaid), table of tasks, errors with the end of their trace."""

from __future__ import annotations

from datetime import UTC, datetime

from bundleflow.records.run import RunRecord, TaskRecord
from bundleflow.report.markdown import block, code, duration, escape, fit, fold, html_text, link, table

GRAPH_TASKS = 80
"""Larger graphs cannot be read in a summary; the table shows the tasks."""
TABLE_TASKS = 300

_MARKS = {"SUCCESS": "✅", "FAILED": "❌", "TIMEDOUT": "⏱️", "CANCELED": "🚫", "RUNNING": "🔵", "PENDING": "⚪"}
_CLASSES = {"SUCCESS": "ok", "FAILED": "bad", "TIMEDOUT": "bad", "INTERNAL_ERROR": "bad", "UPSTREAM_FAILED": "bad", "CANCELED": "off"}


def run_markdown(run: RunRecord, *, limit: int) -> str:
    """Render one run.

    Args:
        run: The run.
        limit: Characters the text may have.
    """
    title = run.key or run.name or f"run {run.run_id}"
    head = [f"### {_mark(run.state)} Job {escape(title, 200)}: {escape(run.state)}", _facts(run)]
    if run.message and not run.succeeded:
        head.append(f"> {escape(run.message, 1000)}")
    blocks = [_table(run)] if run.tasks else []
    blocks += [_error(task) for task in run.tasks if task.error or task.trace]
    blocks += [_output(task) for task in run.tasks if task.output and not task.error]
    if 1 < len(run.tasks) <= GRAPH_TASKS:
        blocks.insert(0, graph(run))
    return fit("\n\n".join(head), blocks, "", limit=limit, left_out="_{count} more parts of the run did not fit here._")


def graph(run: RunRecord) -> str:
    """The tasks as a mermaid graph; names are quoted, so that they cannot be markup."""
    ids = {task.key: f"t{number}" for number, task in enumerate(run.tasks)}
    lines = ["flowchart LR"]
    lines += [f'  {ids[task.key]}["{_label(task)}"]:::{_CLASSES.get(task.state, "run")}' for task in run.tasks]
    for task in run.tasks:
        lines += [f"  {ids[before]} --> {ids[task.key]}" for before in task.depends_on if before in ids]
    lines += [
        "  classDef ok fill:#dafbe1,stroke:#1a7f37,color:#1f2328",
        "  classDef bad fill:#ffebe9,stroke:#cf222e,color:#1f2328",
        "  classDef off fill:#eaeef2,stroke:#656d76,color:#1f2328",
        "  classDef run fill:#ddf4ff,stroke:#0969da,color:#1f2328",
    ]
    return "```mermaid\n" + "\n".join(lines) + "\n```"


def _label(task: TaskRecord) -> str:
    """Task name, state and time; every character that mermaid or HTML could take for markup as a number."""
    text = f"{task.key[:60]} {task.state} {duration(task.duration_ms)}"
    return "".join(char if char.isalnum() or char in " _-." else f"#{ord(char)};" for char in text)


def _facts(run: RunRecord) -> str:
    facts = [link(f"run {run.run_id}", run.url) if run.url else f"run {run.run_id}"]
    if run.job_id:
        facts.append(f"job {run.job_id}")
    if run.start_ms:
        facts.append(f"started {_time(run.start_ms)}")
    if run.duration_ms:
        facts.append(f"took {duration(run.duration_ms)}")
    if run.run_as:
        facts.append(f"as {code(run.run_as, 100)}")
    if run.trigger:
        facts.append(f"trigger {code(run.trigger, 40)}")
    text = " · ".join(facts)
    if run.parameters:
        text += "\n\nParameters: " + ", ".join(f"{code(name, 80)} = {code(value, 120)}" for name, value in run.parameters)
    return text


def _table(run: RunRecord) -> str:
    rows = [
        [
            f"{_mark(task.state)} {code(task.key, 100)}",
            escape(task.state),
            duration(task.duration_ms),
            duration(task.setup_ms) if task.setup_ms else "",
            escape(task.compute.words, 80),
            link(f"run {task.run_id}", task.url) if task.run_id else "",
        ]
        for task in run.tasks[:TABLE_TASKS]
    ]
    lines = table(["task", "state", "time", "set-up", "compute", "details"], rows)
    if len(run.tasks) > TABLE_TASKS:
        lines.append(f"\n_… and {len(run.tasks) - TABLE_TASKS} more tasks._")
    return "\n".join(lines)


def _error(task: TaskRecord) -> str:
    body = block(task.trace or task.error, limit=4000, keep_end=True)
    return f"**{code(task.key, 100)} failed:** {escape(task.error or task.message, 600)}\n\n{body}"


def _output(task: TaskRecord) -> str:
    return fold(f"output of <code>{html_text(task.key, 200)}</code>", block(task.output, limit=2000))


def _mark(state: str) -> str:
    return _MARKS.get(state, "❌" if state in ("INTERNAL_ERROR", "UPSTREAM_FAILED", "SUCCESS_WITH_FAILURES") else "⚪")


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
