"""The canonical form of a plan and its digest: what an approval stands for, without what differs by nature."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from bundleflow.records.plan import ABSENT, Action, CanonicalChange, CanonicalEntry, CanonicalPlan, FieldChange, Plan, PlanEntry
from bundleflow.records.volatile import is_volatile

_SECRET_NAME = re.compile(r"(?i)(?:^|[._'\[])[^.\[\]]*(?:secret|password|passwd|token|private_?key|api_?key|credential)[^.\[\]]*$")
_SECRET_REFERENCE = re.compile(r"\{\{secrets/[^{}]+\}\}")
MASKED = '"(masked)"'


def canonical_plan(plan: Plan, *, target: str, tree: str, identity: str = "", own_owner: bool = False) -> CanonicalPlan:
    """The canonical form of a plan.

    Args:
        plan: The plan.
        target: Target of the bundle.
        tree: Git id of the root tree.
        identity: User name of the identity that planned: the CLI makes whoever deploys the owner of what has permissions, so an
            `IS_OWNER` entry of this identity is left out, together with the previous owner's that it replaces.
        own_owner: Keep those entries (the bundle names the deploying identity as owner itself).
    """
    entries = (_canonical_entry(entry, "" if own_owner else identity) for entry in plan.entries if entry.action is not Action.SKIP)
    return CanonicalPlan(
        target=target, tree=tree, cli_version=plan.cli_version, entries=tuple(sorted(entry for entry in entries if entry is not None))
    )


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
    entries = tuple(CanonicalEntry(entry.key, entry.action, tuple(_mask(change) for change in entry.changes)) for entry in plan.entries)
    return CanonicalPlan(plan.target, plan.tree, plan.cli_version, entries)


def is_secret(path: str, value: Any) -> bool:
    """Whether a value must not be shown: its field's name speaks of a secret and it is not just a reference to one."""
    if not _SECRET_NAME.search(path) or value is ABSENT or value in (None, "", True, False):
        return False
    return not (isinstance(value, str) and _SECRET_REFERENCE.fullmatch(value))


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
    return "(masked)" if is_secret(path, value) else value


def _canonical_entry(entry: PlanEntry, identity: str) -> CanonicalEntry | None:
    """None when nothing is left of an update but what differs by nature."""
    replaced = entry.action in (Action.CREATE, Action.RECREATE)
    own = bool(identity) and entry.key.endswith(".permissions") and _is_own_owner(entry, identity)
    changes = [
        CanonicalChange(change.path, _value(change.old), _value(change.new), _value(change.remote))
        for change in entry.effective_changes
        if not is_volatile(entry, change.path) and not (own and _is_owner_change(change))
    ]
    if replaced:
        state = _without_owner(entry.new_state, identity) if own else entry.new_state
        given = {path: value for path, value in _leaves({**state}) if not is_volatile(entry, path)}
        given |= dict(entry.references)
        changes += [CanonicalChange(f"={path}", None, _json(value), None) for path, value in given.items()]
    elif entry.effective_changes and not changes:
        return None
    return CanonicalEntry(entry.key, str(entry.action), tuple(sorted(changes, key=_by_path)))


def _is_own_owner(entry: PlanEntry, identity: str) -> bool:
    return any(_owner(each) == identity for each in _grants(entry.new_state))


def _owner(grant: Any) -> str:
    if not isinstance(grant, Mapping) or grant.get("level") != "IS_OWNER":
        return ""
    return str(grant.get("service_principal_name") or grant.get("user_name") or grant.get("group_name") or "")


def _grants(state: Mapping[str, Any]) -> list[Any]:
    grants = state.get("__embed__") or state.get("permissions") or []
    return list(grants) if isinstance(grants, list) else []


def _without_owner(state: Mapping[str, Any], identity: str) -> Mapping[str, Any]:
    kept = [grant for grant in _grants(state) if _owner(grant) != identity]
    return {**{key: value for key, value in state.items() if key not in ("__embed__", "permissions")}, "__embed__": kept}


def _is_owner_change(change: FieldChange) -> bool:
    """Whether a change of a permission entry is only about who the owner is."""
    values = [value for value in (change.old, change.new, change.remote) if value is not ABSENT]
    levels = {value.get("level") if isinstance(value, Mapping) else value for value in values}
    return levels == {"IS_OWNER"}


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
