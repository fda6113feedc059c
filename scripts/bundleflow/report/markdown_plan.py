"""A plan as Markdown for a pull request's comment or a job summary: what is destroyed first, then the rest, drift marked."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bundleflow.records.configuration import deployed, pages
from bundleflow.records.plan import ABSENT, Action, FieldChange, Plan, PlanEntry
from bundleflow.records.volatile import shown_changes
from bundleflow.report.markdown import code, escape, fit, table

_ORDER = (Action.DELETE, Action.RECREATE, Action.UPDATE_ID, Action.UPDATE, Action.RESIZE, Action.CREATE, Action.SKIP)
_WORDS = {
    Action.DELETE: "🛑 **delete**",
    Action.RECREATE: "🛑 **delete and create anew**",
    Action.UPDATE_ID: "✏️ change (new id)",
    Action.UPDATE: "✏️ change",
    Action.RESIZE: "✏️ resize",
    Action.CREATE: "➕ create",  # noqa: RUF001 (the sign is meant)
}
VALUE_LIMIT = 120
CHANGES_SHOWN = 40
CHANGES_OPEN = 5
"""More changes of one resource are folded."""

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
        links: Pages of deployed resources by their short key, such as `jobs.train`.
        deployed: Short keys of what was deployed before: creating one of these anew means that somebody deleted it.
    """

    title: str
    plan: Plan
    digest: str = ""
    notes: tuple[str, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    deployed: frozenset[str] = frozenset()

    @classmethod
    def of(cls, title: str, plan: Plan, state: Mapping[str, Any], digest: str = "", notes: tuple[str, ...] = ()) -> PlanSection:
        """A section with what is deployed now.

        Args:
            title: What it is the plan of.
            plan: The plan.
            state: `bundle summary -o json`.
            digest: Its digest; empty where nobody approves it.
            notes: Lines to show under the title, Markdown already.
        """
        return cls(title, plan, digest, notes, pages(state), deployed(state))


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
    drifted = sum("drift" in cause(entry, section.deployed) for entry in section.plan.changed)
    if drifted:
        head.append(f"> [!WARNING]\n> Changed in the workspace, behind the bundle's back: {drifted} of the resources below (↩).")
    head += section.notes
    if section.digest:
        head.append(f"Digest of this plan: {code(section.digest)}")
    entries = ordered(section.plan.changed)
    if not entries:
        return "\n\n".join(head)
    head.append("\n".join(table(["action", "resource", "because of", "fields"], [])))
    note = "\n_{count} more resources did not fit here." + (f" {pointer}_" if pointer else "_")
    # The rows follow the table's head without a blank line, which would end the table.
    room = limit - sum(len(each) + 2 for each in head)
    rows = fit("", [_row(entry, section, hide) for entry in entries], "", limit=room, left_out=note, between="\n")
    return "\n\n".join(head) + "\n" + rows


def cause(entry: PlanEntry, deployed: frozenset[str] = frozenset()) -> str:
    """What a change comes of: `configuration`, `drift`, `configuration, drift`, or `drift (deleted in the workspace)`.

    Args:
        entry: The resource.
        deployed: Short keys of what was deployed before.
    """
    if entry.action is Action.CREATE and entry.short_key in deployed:
        return "drift (deleted in the workspace)"
    changes = shown_changes(entry)
    drifted = [change for change in changes if change.drift]
    if not drifted:
        return "configuration"
    return "drift" if len(drifted) == len(changes) else "configuration, drift"


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[:limit].rpartition(", ")[0] + ", …"


def ordered(entries: Sequence[PlanEntry]) -> list[PlanEntry]:
    """What is lost first, then what is changed, then what is made; each by key."""
    return sorted(entries, key=lambda entry: (_ORDER.index(entry.action), entry.key))


def _row(entry: PlanEntry, section: PlanSection, hide: Hide) -> str:
    why = cause(entry, section.deployed)
    name = _linked(code(entry.short_key, 200), section.links.get(entry.short_key, ""))
    if entry.gone:
        name += " (already gone in the workspace)"
    cells = [_WORDS[entry.action], name, f"↩ {why}" if "drift" in why else why, _fields(entry, hide)]
    return "| " + " | ".join(cells) + " |"


def _linked(text: str, url: str) -> str:
    """Inline code with a link to a page of the workspace."""
    return f"[{text}]({url})" if re.fullmatch(r"https?://[^\s<>()\[\]\"'`\\|]+", url) else text


def _fields(entry: PlanEntry, hide: Hide) -> str:
    """The field changes in one cell, one a line; many of them open on a click."""
    changes = shown_changes(entry)
    lines = [_change(change, hide) for change in changes[:CHANGES_SHOWN]]
    if len(changes) > CHANGES_SHOWN:
        lines.append(f"… and {len(changes) - CHANGES_SHOWN} more fields")
    text = "<br>".join(lines)
    return f"<details><summary>{len(changes)} fields</summary>{text}</details>" if len(changes) > CHANGES_OPEN else text


def _change(change: FieldChange, hide: Hide) -> str:
    path = code(change.path, 200)
    if change.drift:
        return f"{path}: {_value(change, change.remote, hide)} in the workspace → {_value(change, change.new, hide)} ↩"
    line = f"{path}: {_value(change, change.old, hide)} → {_value(change, change.new, hide)}"
    if change.old is not ABSENT and change.remote is not ABSENT and change.remote != change.old and change.remote != change.new:
        line += f" (in the workspace: {_value(change, change.remote, hide)})"
    return line


def _value(change: FieldChange, value: Any, hide: Hide) -> str:
    if value is ABSENT:
        return "_nothing_"
    shown = hide(change.path, value)
    return code(shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False, sort_keys=True), VALUE_LIMIT)
