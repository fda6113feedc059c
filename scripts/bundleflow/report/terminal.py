"""Plans and runs for a terminal: plain text, colour only where it is asked for."""

from __future__ import annotations

import json
from typing import Any

from bundleflow.records.plan import ABSENT, Action, FieldChange, Plan
from bundleflow.records.run import RunRecord
from bundleflow.records.volatile import shown_changes
from bundleflow.report.markdown import duration, visible
from bundleflow.report.markdown_plan import Hide, ordered

_SIGNS = {Action.DELETE: "-", Action.RECREATE: "-/+", Action.CREATE: "+"}
_COLOURS = {Action.DELETE: "31", Action.RECREATE: "31", Action.CREATE: "32"}
VALUE_LIMIT = 100


def inert(text: str) -> str:
    """Text for a log in which a GitHub runner finds no command: neither `::name::` at a line's start nor `##[name]` anywhere in it."""
    lines = (f": {line.lstrip()[1:]}" if line.lstrip().startswith("::") else line for line in text.split("\n"))
    return "\n".join(lines).replace("##[", "# #[")


def plan_text(plan: Plan, title: str, *, hide: Hide, colour: bool) -> str:
    """A plan as lines of text.

    Args:
        plan: The plan.
        title: What it is the plan of.
        hide: Masks secrets: (path, value) -> value to show.
        colour: Whether a terminal shows it.
    """
    lines = [f"Plan of {visible(title)}: {plan.summary}"]
    for entry in ordered(plan.changed):
        sign = _SIGNS.get(entry.action, "~")
        text = f"{sign:>3} {visible(entry.short_key)} ({entry.action})"
        lines.append(f"\033[{_COLOURS.get(entry.action, '33')}m{text}\033[0m" if colour else text)
        lines += [f"      {visible(change.path)}: {_change(change, hide)}" for change in shown_changes(entry)]
    if plan.summary.drifted:
        lines.append(f"{plan.summary.drifted} resources were changed in the workspace behind the bundle's back (marked `drift`).")
    return inert("\n".join(lines))


def _change(change: FieldChange, hide: Hide) -> str:
    before = change.remote if change.drift else change.old
    mark = "  (drift)" if change.drift else ""
    return f"{_value(change.path, before, hide)} -> {_value(change.path, change.new, hide)}{mark}"


def _value(path: str, value: Any, hide: Hide) -> str:
    if value is ABSENT:
        return "(nothing)"
    return visible(json.dumps(hide(path, value), ensure_ascii=False, sort_keys=True), VALUE_LIMIT)


def run_text(run: RunRecord) -> str:
    """A run as lines of text: result, then a line for each task, errors under it."""
    lines = [f"{visible(run.key or run.name or 'run')} · run {run.run_id} · {run.state} · {duration(run.duration_ms)} · {run.url}"]
    width = max((len(task.key) for task in run.tasks), default=0)
    for task in run.tasks:
        lines.append(f"  {visible(task.key):<{width}}  {task.state:<15} {duration(task.duration_ms):>10}")
        lines += [f"      {line}" for line in visible(task.error).splitlines()[:5]]
    return inert("\n".join(lines))
