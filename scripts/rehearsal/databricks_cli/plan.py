"""A plan: what a deployment would do to each resource, and why; and its forms as text and JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rehearsal.databricks_cli import CLI_VERSION
from rehearsal.databricks_cli.differences import ABSENT

SEVERITY = ("skip", "resize", "update", "update_id", "create", "recreate", "delete")
"""The actions, from the least to the most severe."""

PLAN_VERSION = 2


@dataclass(frozen=True)
class Change:
    """A field that differs.

    Args:
        action: What it asks for; `skip` when it is only told.
        reason: Why it is skipped, or why it cannot be changed in place; may be empty.
        old: What the last deployment set, or `ABSENT`.
        new: What the bundle says, or `ABSENT`.
        remote: What the workspace says, or `ABSENT`.
    """

    action: str
    reason: str = ""
    old: Any = ABSENT
    new: Any = ABSENT
    remote: Any = ABSENT

    def to_plain(self) -> dict[str, Any]:
        """Return the change as it stands in a plan's JSON."""
        values = {"reason": self.reason or ABSENT, "old": self.old, "new": self.new, "remote": self.remote}
        return {"action": self.action} | {key: value for key, value in values.items() if value is not ABSENT}


@dataclass
class Entry:
    """What happens to one resource.

    Args:
        key: `resources.KIND.KEY`, for permissions and grants with `.permissions` or `.grants`.
        action: One of `SEVERITY`.
        depends_on: Resources that come first, as `{node, label}`.
        value: The new state; what is not known yet is empty in it.
        variables: Path in the new state → text with references that are not known yet.
        remote: The object as the workspace has it; None when there is none, or it was not asked.
        changes: Path → change.
        identity: The object's id, when it was deployed before.
        gone: It is to be deleted, and no longer in the workspace.
    """

    key: str
    action: str
    depends_on: list[dict[str, str]] = field(default_factory=list)
    value: dict[str, Any] | None = None
    variables: dict[str, str] = field(default_factory=dict)
    remote: dict[str, Any] | None = None
    changes: dict[str, Change] = field(default_factory=dict)
    identity: str = ""
    gone: bool = False

    @property
    def short(self) -> str:
        """The key without `resources.`."""
        return self.key.removeprefix("resources.")

    @property
    def verb(self) -> str:
        """The action in one word: a change that gives a new id is an update."""
        return self.action.split("_")[0]

    def to_plain(self) -> dict[str, Any]:
        """Return the entry as it stands in a plan's JSON."""
        plain: dict[str, Any] = {"depends_on": self.depends_on} if self.depends_on else {}
        plain["action"] = self.action
        if self.gone:
            plain["gone"] = True
        if self.value is not None and self.action not in ("skip", "delete"):
            plain["new_state"] = {"value": self.value} | ({"vars": self.variables} if self.variables else {})
        if self.remote is not None:
            plain["remote_state"] = self.remote
        if self.changes:
            plain["changes"] = {path: change.to_plain() for path, change in self.changes.items()}
        return plain


@dataclass
class Plan:
    """All that a deployment would do.

    Args:
        entries: Key → entry, sorted by key.
        lineage: The state's lineage; empty before the first deployment.
        serial: The state's serial.
        not_selected: How many resources were left out by `--select`; None without it.
    """

    entries: dict[str, Entry]
    lineage: str = ""
    serial: int = 0
    not_selected: int | None = None

    def to_plain(self) -> dict[str, Any]:
        """Return the plan as JSON data, version 2."""
        plain: dict[str, Any] = {"plan_version": PLAN_VERSION, "cli_version": CLI_VERSION}
        if self.lineage:
            plain |= {"lineage": self.lineage, "serial": self.serial}
        plain["plan"] = {key: entry.to_plain() for key, entry in self.entries.items()}
        if self.not_selected is not None:
            plain["not_selected"] = self.not_selected
        return plain

    def shown(self) -> list[Entry]:
        """Return the entries that are told as actions: what is gone already, or goes with its parent, is not."""
        deleted = {key for key, entry in self.entries.items() if entry.action == "delete"}
        return [
            entry
            for key, entry in self.entries.items()
            if entry.action != "skip" and not entry.gone and not (key in deleted and is_child(key) and parent_of(key) in deleted)
        ]

    def counts(self) -> dict[str, int]:
        """Return how many resources are created, changed, deleted and unchanged; a recreation is a creation and a deletion."""
        numbers = dict.fromkeys(("created", "changed", "deleted", "unchanged"), 0)
        deleted = {key for key, entry in self.entries.items() if entry.action == "delete"}
        for key, entry in self.entries.items():
            if is_child(key) and entry.action == "delete" and parent_of(key) in deleted:
                continue
            numbers["created"] += entry.action in ("create", "recreate")
            numbers["deleted"] += entry.action in ("delete", "recreate")
            numbers["changed"] += entry.action in ("update", "update_id", "resize")
            numbers["unchanged"] += entry.action == "skip"
        return numbers


def is_child(key: str) -> bool:
    """Return whether a key is that of permissions or grants."""
    return key.count(".") > 2


def parent_of(key: str) -> str:
    """Return the resource that permissions or grants belong to."""
    return ".".join(key.split(".")[:3])
