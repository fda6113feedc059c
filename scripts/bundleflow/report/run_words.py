"""How states of runs and tasks read and look, the same in Markdown, HTML, SVG and on a terminal."""

from __future__ import annotations

import re

from bundleflow.records.run import PLANNED, TaskRecord

TONES = {
    "SUCCESS": "ok",
    "SUCCESS_WITH_FAILURES": "bad",
    "CANCELED": "skip",
    "EXCLUDED": "skip",
    "DISABLED": "skip",
    "UPSTREAM_CANCELED": "skip",
    "UPSTREAM_FAILED": "skip",
    "SKIPPED": "skip",
    PLANNED: "plan",
}
"""What is neither here nor running has failed."""

KINDS = {
    "notebook": "notebook",
    "spark_python": "Python file",
    "python_wheel": "Python wheel",
    "sql": "SQL",
    "spark_jar": "Spark JAR",
    "condition": "condition",
    "for_each": "for each",
    "run_job": "run job",
    "pipeline": "pipeline",
    "dbt": "dbt",
}
"""Kinds of tasks as people call them."""

MARKS = {"ok": "✅", "bad": "❌", "skip": "⚪", "wait": "🔵", "plan": "▫️"}
_OWN_MARKS = {"TIMEDOUT": "⏱️", "CANCELED": "🚫"}


def tone(state: str, final: bool) -> str:
    """How a state looks: `ok`, `bad`, `skip` (not run), `wait` (not ended), `plan` (only defined)."""
    return TONES.get(state, "bad" if final else "wait")


def tone_of(task: TaskRecord) -> str:
    """How a task looks."""
    return tone(task.state, task.final)


def mark(state: str, final: bool = True) -> str:
    """A state as one sign for Markdown."""
    return _OWN_MARKS.get(state) or MARKS[tone(state, final)]


def words(state: str) -> str:
    """`UPSTREAM_FAILED` as `upstream failed`."""
    return state.lower().replace("_", " ")


def kind_of(task: TaskRecord) -> str:
    """The kind of a task as people call it."""
    return KINDS.get(task.kind, task.kind.replace("_", " "))


def short_source(task: TaskRecord) -> str:
    """What a task runs, without the folders or packages before it; for a condition what it compares."""
    if task.kind == "condition":
        return re.sub(r"\{\{\s*(?:[\w-]+\.)*([\w-]+)\s*\}\}", r"\1", task.condition)
    if task.kind == "run_job":
        return f"job {task.source}"
    return task.source.rstrip("/").rpartition("." if task.kind == "spark_jar" else "/")[2]
