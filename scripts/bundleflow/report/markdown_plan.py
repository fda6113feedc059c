"""A plan as Markdown for a pull request's comment or a job summary: what is destroyed first, then the rest, drift marked."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bundleflow.records.plan import ABSENT, Action, FieldChange, Plan, PlanEntry
from bundleflow.report.markdown import code, escape, fit, fold

_ORDER = (Action.DELETE, Action.RECREATE, Action.UPDATE_ID, Action.UPDATE, Action.RESIZE, Action.CREATE, Action.SKIP)
_WORDS = {
    Action.DELETE: "🛑 delete",
    Action.RECREATE: "🛑 delete and create anew",
    Action.UPDATE_ID: "✏️ change (new id)",
    Action.UPDATE: "✏️ change",
    Action.RESIZE: "✏️ resize",
    Action.CREATE: "➕ create",  # noqa: RUF001 (the sign is meant)
}
VALUE_LIMIT = 120
CHANGES_SHOWN = 40

Hide = Callable[[str, Any], Any]
"""Masks what is secret in a value: (path, value) -> value to show."""


@dataclass(frozen=True)
class PlanSection:
    """One plan in a report.

    Args:
        title: What it is the plan of, such as the target's name; untrusted text.
        plan: The plan.
        digest: Its digest; empty where nobody approves it.
        notes: Lines to show under the title, Markdown already.
    """

    title: str
    plan: Plan
    digest: str = ""
    notes: tuple[str, ...] = ()


def plan_markdown(section: PlanSection, *, hide: Hide, limit: int, pointer: str = "") -> str:
    """Render one plan.

    Args:
        section: The plan with its title.
        hide: Masks secrets in values.
        limit: Characters the text may have.
        pointer: Where the whole plan is when it does not fit; Markdown.
    """
    summary = section.plan.summary
    head = [f"### Plan of {escape(section.title, 200)}"]
    head.append("**No changes.**" if summary.empty else f"**{summary}**")
    if summary.destructive:
        names = ", ".join(code(entry.short_key, 100) for entry in section.plan.entries if entry.action.destructive)
        head.append(_cut(f"> [!CAUTION]\n> **What is there now is lost:** {names}", 4000))
    if summary.drifted:
        head.append(f"> [!WARNING]\n> Changed in the workspace, behind the bundle's back: {summary.drifted} of the resources below (↩).")
    head += section.notes
    if section.digest:
        head.append(f"Digest of this plan: {code(section.digest)}")
    blocks = [_entry_block(entry, hide) for entry in _ordered(section.plan.changed)]
    note = "_{count} more resources did not fit here." + (f" {pointer}_" if pointer else "_")
    return fit("\n\n".join(head), blocks, "", limit=limit, left_out=note, between="\n")


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[:limit].rpartition(", ")[0] + ", …"


def _ordered(entries: Sequence[PlanEntry]) -> list[PlanEntry]:
    return sorted(entries, key=lambda entry: (_ORDER.index(entry.action), entry.key))


def _entry_block(entry: PlanEntry, hide: Hide) -> str:
    mark = " ↩" if entry.drift else ""
    gone = " (already gone in the workspace)" if entry.gone else ""
    title = f"{_WORDS[entry.action]} {code(entry.short_key, 200)}{mark}{gone}"
    changes = entry.effective_changes
    if not changes:
        return f"- {title}"
    lines = [_change_line(change, hide) for change in changes[:CHANGES_SHOWN]]
    if len(changes) > CHANGES_SHOWN:
        lines.append(f"- … and {len(changes) - CHANGES_SHOWN} more fields")
    if len(lines) <= 6:
        return "\n".join([f"- {title}", *(f"  {line}" for line in lines)])
    return "\n" + fold(f"{_html_title(entry)}: {len(changes)} fields", "\n".join(lines)) + "\n"


def _html_title(entry: PlanEntry) -> str:
    """A fold's title is HTML: Markdown does not work in it on GitHub's mobile pages."""
    name = entry.short_key.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"{_WORDS[entry.action]} <code>{name}</code>{' ↩' if entry.drift else ''}"


def _change_line(change: FieldChange, hide: Hide) -> str:
    path = code(change.path, 200)
    if change.drift:
        return f"- {path}: {_value(change, change.remote, hide)} in the workspace → {_value(change, change.new, hide)} ↩"
    line = f"- {path}: {_value(change, change.old, hide)} → {_value(change, change.new, hide)}"
    if change.old is not ABSENT and change.remote is not ABSENT and change.remote != change.old and change.remote != change.new:
        line += f" (in the workspace: {_value(change, change.remote, hide)})"
    return line


def _value(change: FieldChange, value: Any, hide: Hide) -> str:
    if value is ABSENT:
        return "_nothing_"
    shown = hide(change.path, value)
    return code(shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False, sort_keys=True), VALUE_LIMIT)
