"""Weighs differences: what the bundle says now, what the last deployment set, and what the workspace has."""

from __future__ import annotations

from typing import Any

from rehearsal.databricks_cli.differences import ABSENT, differences, format_steps, is_empty, look_up, matches
from rehearsal.databricks_cli.plan import SEVERITY, Change
from rehearsal.databricks_cli.resource_kinds import Kind, Rules
from rehearsal.databricks_cli.schema import Schema

_RESIZE = ("num_workers", "autoscale")


def weigh(
    kind: Kind, old: dict[str, Any], new: dict[str, Any], remote: dict[str, Any], schema: Schema, *, running: bool
) -> dict[str, Change]:
    """Return the fields that differ between any two of three states, each with what it asks for.

    Args:
        kind: The kind of resource.
        old: What the last deployment set.
        new: What the bundle says; what is not known yet is empty or a reference.
        remote: What the workspace has, in the shape of a state.
        schema: Knows the types.
        running: It is a cluster that runs, and can be resized.

    Returns:
        Path → change, sorted by path.
    """
    paths = {*differences(old, new, kind.state_type, schema), *differences(remote, new, kind.state_type, schema)}
    found: dict[str, Change] = {}
    for path in paths:
        values = (look_up(old, path), look_up(new, path), look_up(remote, path))
        action, reason = _decide(kind.rules, format_steps(path, pattern=True), *values)
        if action == "update" and running and kind.name == "clusters" and format_steps(path, pattern=True).split(".")[0] in _RESIZE:
            action = "resize"
        found[format_steps(path)] = Change(action, reason, *values)
    return dict(sorted(found.items()))


def overall(changes: dict[str, Change]) -> str:
    """Return the most severe action of some changes; `skip` when there are none."""
    return max((change.action for change in changes.values()), key=SEVERITY.index, default="skip")


def _decide(rules: Rules, pattern: str, old: Any, new: Any, remote: Any) -> tuple[str, str]:
    if _equal(old, new):
        return _drift(rules, pattern, new, remote)
    if _equal(new, remote):
        return "skip", "remote_already_set"
    for field, reason in rules.recreate.items():
        if matches(field, pattern):
            return "recreate", reason
    if any(matches(field, pattern) for field in rules.new_id):
        return "update_id", "id_changes"
    return "update", ""


def _drift(rules: Rules, pattern: str, new: Any, remote: Any) -> tuple[str, str]:
    """Weigh a difference that only the workspace has made."""
    if any(matches(field, pattern) for field in rules.output_only):
        return "skip", "output_only"
    if new is ABSENT:
        if is_empty(remote):
            return "skip", "empty"
        if any(matches(field, pattern) for field in rules.managed):
            return "skip", "managed"
        if any(matches(field, pattern) for field in rules.defaults):
            return "skip", "backend_default"
    for field, reason in rules.recreate.items():
        if matches(field, pattern):
            return "recreate", reason
    return "update", ""


def _equal(left: Any, right: Any) -> bool:
    if left is ABSENT or right is ABSENT:
        return left is right
    return bool(left == right)
