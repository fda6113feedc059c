"""What a plan says of permissions only because somebody makes it: the CLI lets whoever deploys keep the management of what is deployed.

Databricks CLI 1.13 adds the present identity as owner of jobs and pipelines that have permissions, and with CAN_MANAGE to everything
else; where the bundle names that identity itself, its level is raised. So each identity plans other permissions, and means the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bundleflow.records.plan import ABSENT, FieldChange, PlanEntry

OWNED = ("jobs", "pipelines")
OWNER, MANAGER = "IS_OWNER", "CAN_MANAGE"
_PRINCIPAL = re.compile(r"\[(?:service_principal_name|user_name|group_name)='(.*?)'\]")
PRINCIPALS = ("service_principal_name", "user_name", "group_name")


def forms(entry: PlanEntry, identity: str) -> tuple[PlanEntry, ...]:
    """The ways to write a plan's entry that differ in the rights of the identity that planned it, and in nothing else.

    Args:
        entry: An entry of the plan.
        identity: User name of the identity that planned; empty when it is not known.

    Returns:
        The entry itself where these rights are not in it; else first without them, as any other identity would plan it; then as it is,
        which another identity plans where the bundle names this one so; then with CAN_MANAGE in place of the owner, likewise.
    """
    if not identity or not entry.key.endswith(".permissions") or not _is_implied(entry, identity):
        return (entry,)
    changes = tuple(change for change in entry.changes if not _follows(change, entry, identity))
    without = [grant for grant in _grants(entry.new_state) if _principal(grant) != identity]
    lowered = [{**grant, "level": MANAGER} if _principal(grant) == identity else grant for grant in _grants(entry.new_state)]
    return (
        replace(entry, changes=changes, new_state=_with(entry.new_state, without)),
        replace(entry, new_state=_with(entry.new_state, _grants(entry.new_state))),
        replace(entry, new_state=_with(entry.new_state, lowered)),
    )


def replaced_manager(entry: PlanEntry, identity: str) -> str:
    """The principal whose CAN_MANAGE this plan would take away, perhaps only because another identity makes it; empty for none.

    An owner is replaced by the next; with CAN_MANAGE nobody can tell the one who deploys from one whom the bundle no longer names.
    """
    if not identity or not entry.key.endswith(".permissions") or _level(entry) == OWNER or not _is_implied(entry, identity):
        return ""
    if not any(_about(change) == identity and change.old is ABSENT for change in entry.effective_changes):
        return ""
    gone = (change for change in entry.effective_changes if change.new is ABSENT and _levels(change) == {MANAGER})
    return next((who for change in gone if (who := _about(change)) and "group_name" not in change.path), "")


def _level(entry: PlanEntry) -> str:
    return OWNER if entry.resource_type in OWNED else MANAGER


def _is_implied(entry: PlanEntry, identity: str) -> bool:
    return any(_principal(grant) == identity and grant.get("level") == _level(entry) for grant in _grants(entry.new_state))


def _follows(change: FieldChange, entry: PlanEntry, identity: str) -> bool:
    """Whether a change is only about who manages: this identity's own right, or an owner who gives way to it."""
    if _about(change) == identity:
        return _levels(change) <= {_level(entry), MANAGER}
    before = {_level_of(value) for value in (change.old, change.remote) if value is not ABSENT}
    return _level(entry) == OWNER and OWNER in before


def _about(change: FieldChange) -> str:
    """The principal whose permission a change is about; paths read `[user_name='somebody']`."""
    found = _PRINCIPAL.match(change.path)
    return found[1] if found else ""


def _levels(change: FieldChange) -> set[str]:
    return {_level_of(value) for value in (change.old, change.new, change.remote) if value is not ABSENT}


def _level_of(value: Any) -> str:
    return str(value.get("level") if isinstance(value, Mapping) else value)


def _principal(grant: Mapping[str, Any]) -> str:
    return next((str(grant[name]) for name in PRINCIPALS if grant.get(name)), "")


def _grants(state: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    grants = state.get("__embed__") or state.get("permissions") or []
    return [grant for grant in grants if isinstance(grant, Mapping)] if isinstance(grants, list) else []


def _with(state: Mapping[str, Any], grants: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    return {**{key: value for key, value in state.items() if key not in ("__embed__", "permissions")}, "__embed__": grants}
