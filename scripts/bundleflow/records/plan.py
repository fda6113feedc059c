"""A deployment plan as data: what `databricks bundle plan -o json` says, and the canonical form that is approved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any


class Absent(Enum):
    """The one value of a field that is not there (which is not the same as `null`)."""

    ABSENT = "absent"

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = Absent.ABSENT


class Action(StrEnum):
    """What a deployment would do to a resource or a field, mildest first."""

    SKIP = "skip"
    RESIZE = "resize"
    UPDATE = "update"
    UPDATE_ID = "update_id"
    CREATE = "create"
    RECREATE = "recreate"
    DELETE = "delete"

    @property
    def destructive(self) -> bool:
        """Whether what is there now is lost."""
        return self in (Action.RECREATE, Action.DELETE)


@dataclass(frozen=True)
class FieldChange:
    """One field of a resource that differs.

    Args:
        path: Where in the resource, such as `tasks[task_key='train'].timeout_seconds`.
        action: What the deployment does about it; `skip` means nothing.
        reason: Why, in the CLI's words (an open set); empty when it gives none.
        old: Value at the last deployment.
        new: Value that the bundle asks for now.
        remote: Value in the workspace now.
    """

    path: str
    action: Action
    reason: str = ""
    old: Any = ABSENT
    new: Any = ABSENT
    remote: Any = ABSENT

    @property
    def drift(self) -> bool:
        """Whether the bundle did not change here but the workspace did, behind the bundle's back."""
        return self.action is not Action.SKIP and self.old == self.new and self.remote != self.new


@dataclass(frozen=True)
class PlanEntry:
    """What the deployment would do to one resource.

    Args:
        key: `resources.<group>.<name>`, with `.permissions` or `.grants` behind it where those are meant.
        action: The strongest action on it.
        changes: Fields that differ, by path; those with action `skip` included.
        new_state: What the bundle asks for; empty for `skip` and `delete`.
        references: Fields whose value another resource gives later, by path, as `${resources...}`.
        remote_state: What is in the workspace now, as far as the plan says.
        gone: Whether a resource to delete is not there any more.
    """

    key: str
    action: Action
    changes: tuple[FieldChange, ...] = ()
    new_state: Mapping[str, Any] = field(default_factory=dict)
    references: Mapping[str, Any] = field(default_factory=dict)
    remote_state: Mapping[str, Any] = field(default_factory=dict)
    gone: bool = False

    @property
    def resource_type(self) -> str:
        """`jobs`, `schemas`, ..."""
        return self.key.split(".")[1]

    @property
    def short_key(self) -> str:
        """The key as people write it: `jobs.train`, `jobs.train.permissions`."""
        return self.key.removeprefix("resources.")

    @property
    def effective_changes(self) -> tuple[FieldChange, ...]:
        """The changes that the deployment makes."""
        return tuple(change for change in self.changes if change.action is not Action.SKIP)

    @property
    def drift(self) -> tuple[FieldChange, ...]:
        """The changes that undo what somebody did in the workspace."""
        return tuple(change for change in self.changes if change.drift)


@dataclass(frozen=True)
class PlanSummary:
    """Counts, in the CLI's way: a re-creation is one to add and one to delete."""

    add: int = 0
    change: int = 0
    delete: int = 0
    unchanged: int = 0
    not_selected: int = 0
    destructive: int = 0
    drifted: int = 0

    @property
    def empty(self) -> bool:
        """Whether a deployment would change nothing."""
        return not (self.add or self.change or self.delete)

    def __str__(self) -> str:
        text = f"{self.add} to add, {self.change} to change, {self.delete} to delete, {self.unchanged} unchanged"
        return f"{text}, {self.not_selected} not selected" if self.not_selected else text


@dataclass(frozen=True)
class Plan:
    """A whole plan.

    Args:
        version: `plan_version` of the CLI's JSON.
        cli_version: Version of the CLI that made it.
        entries: By key, sorted.
        lineage: Identity of the deployment's state; None before the first deployment.
        serial: Serial of that state.
        not_selected: How many resources were left out by `--select`.
    """

    version: int
    cli_version: str
    entries: tuple[PlanEntry, ...] = ()
    lineage: str | None = None
    serial: int | None = None
    not_selected: int = 0

    @property
    def summary(self) -> PlanSummary:
        """The counts."""
        actions = [entry.action for entry in self.entries]
        recreated = actions.count(Action.RECREATE)
        return PlanSummary(
            add=actions.count(Action.CREATE) + recreated,
            change=sum(actions.count(action) for action in (Action.UPDATE, Action.UPDATE_ID, Action.RESIZE)),
            delete=actions.count(Action.DELETE) + recreated,
            unchanged=actions.count(Action.SKIP),
            not_selected=self.not_selected,
            destructive=sum(action.destructive for action in actions),
            drifted=sum(bool(entry.drift) for entry in self.entries),
        )

    @property
    def changed(self) -> tuple[PlanEntry, ...]:
        """The entries that a deployment would touch."""
        return tuple(entry for entry in self.entries if entry.action is not Action.SKIP)


@dataclass(frozen=True, order=True)
class CanonicalChange:
    """One field change as it is approved; a value is canonical JSON text, None where there is none."""

    path: str
    old: str | None
    new: str | None
    remote: str | None


@dataclass(frozen=True, order=True)
class CanonicalEntry:
    """What is approved for one resource."""

    key: str
    action: str
    changes: tuple[CanonicalChange, ...] = ()


@dataclass(frozen=True)
class CanonicalPlan:
    """What an approval stands for.

    Args:
        target: Target of the bundle.
        tree: Git id of the root tree that is deployed.
        cli_version: Version of the Databricks CLI.
        entries: Sorted by key; unchanged resources and fields that differ by nature are left out.
    """

    target: str
    tree: str
    cli_version: str
    entries: tuple[CanonicalEntry, ...] = ()


@dataclass(frozen=True)
class PlanDifference:
    """What differs between an approved plan and one made later; a line says one thing."""

    lines: tuple[str, ...] = ()
