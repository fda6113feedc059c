"""The canonical form of a plan and its digest: what an approval stands for, without what differs by nature."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from bundleflow.records.plan import ABSENT, Action, CanonicalChange, CanonicalEntry, CanonicalPlan, Plan, PlanEntry
from bundleflow.records.secret import MASK, is_secret
from bundleflow.records.volatile import is_volatile
from bundleflow.releases.management import forms

MASKED = f'"{MASK}"'


def canonical_plan(plan: Plan, *, target: str, tree: str, identity: str = "", like: CanonicalPlan | None = None) -> CanonicalPlan:
    """The canonical form of a plan.

    Args:
        plan: The plan.
        target: Target of the bundle.
        tree: Git id of the root tree.
        identity: User name of the identity that planned: the rights that the CLI adds for whoever deploys are left out (see `management`).
        like: The approved plan as another identity made it (values may be masked). Where it shows rights of `identity`, because the bundle
            names it, they are written as they stand there; nothing else is taken from it.
    """
    shown = {entry.key: entry for entry in like.entries} if like else {}
    entries: list[CanonicalEntry] = []
    for entry in plan.entries:
        if entry.action is Action.SKIP:
            continue
        ways = [_canonical_entry(form, entry) for form in forms(entry, identity)]
        found = next((way for way in ways if like and (way and _mask_entry(way)) == shown.get(entry.key)), ways[0])
        entries += [found] if found else []
    return CanonicalPlan(target=target, tree=tree, cli_version=plan.cli_version, entries=tuple(sorted(entries)))


def digest(plan: CanonicalPlan) -> str:
    """SHA-256 of a canonical plan, 64 hexadecimal digits; the order of entries and changes does not matter."""
    data = {
        "format": 1,
        "target": plan.target,
        "tree": plan.tree,
        "cli_version": plan.cli_version,
        "entries": [
            [entry.key, entry.action, [[each.path, each.old, each.new, each.remote] for each in sorted(entry.changes, key=_by_path)]]
            for entry in sorted(plan.entries, key=lambda entry: entry.key)
        ],
    }
    return hashlib.sha256(_json(data).encode()).hexdigest()


def masked(plan: CanonicalPlan) -> CanonicalPlan:
    """The same plan fit to be shown and stored: values whose name says that they are secret are replaced."""
    return CanonicalPlan(plan.target, plan.tree, plan.cli_version, tuple(_mask_entry(entry) for entry in plan.entries))


def _mask_entry(entry: CanonicalEntry) -> CanonicalEntry:
    return CanonicalEntry(entry.key, entry.action, tuple(_mask(change) for change in entry.changes))


def _mask(change: CanonicalChange) -> CanonicalChange:
    def hide(value: str | None) -> str | None:
        return MASKED if value is not None and is_secret(change.path, json.loads(value)) else _hide_inside(value)

    return CanonicalChange(change.path, hide(change.old), hide(change.new), hide(change.remote))


def _hide_inside(value: str | None) -> str | None:
    """Mask secrets inside a value that is a mapping or a list."""
    if value is None or value[0] not in "[{":
        return value
    return _json(hide_secrets("", json.loads(value)))


def hide_secrets(path: str, value: Any) -> Any:
    """A copy of a JSON value at a path in which every secret, by its field's name, reads `(masked)`."""
    if isinstance(value, Mapping):
        return {key: hide_secrets(f"{path}.{key}", each) for key, each in value.items()}
    if isinstance(value, list):
        return [hide_secrets(path, each) for each in value]
    return MASK if is_secret(path, value) else value


def _canonical_entry(entry: PlanEntry, whole: PlanEntry) -> CanonicalEntry | None:
    """None when nothing is left of an update but what differs by nature; `whole` is the entry with all of it."""
    changes = [
        CanonicalChange(change.path, _value(change.old), _value(change.new), _value(change.remote))
        for change in entry.effective_changes
        if not is_volatile(entry, change.path)
    ]
    if entry.action in (Action.CREATE, Action.RECREATE):
        given = {path: value for path, value in _leaves({**entry.new_state}) if not is_volatile(entry, path)}
        given |= dict(entry.references)
        changes += [CanonicalChange(f"={path}", None, _json(value), None) for path, value in given.items()]
    elif whole.effective_changes and not changes:
        return None
    return CanonicalEntry(entry.key, str(entry.action), tuple(sorted(changes, key=_by_path)))


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a nested structure with its path; an empty mapping or list is a value."""
    if isinstance(value, Mapping) and value:
        for key in value:
            yield from _leaves(value[key], f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        for index, each in enumerate(value):
            yield from _leaves(each, f"{path}[{index}]")
    else:
        yield path, value


def _value(value: Any) -> str | None:
    return None if value is ABSENT else _json(value)


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _by_path(change: CanonicalChange) -> tuple[str, str, str, str]:
    return (change.path, change.old or "", change.new or "", change.remote or "")
