"""Makes a plan from the configuration, the last deployment's state and what the workspace has."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any

from rehearsal.databricks_cli.bundle import Bundle
from rehearsal.databricks_cli.diagnostics import CommandError
from rehearsal.databricks_cli.differences import ABSENT
from rehearsal.databricks_cli.dyn import Path
from rehearsal.databricks_cli.http_client import ApiError
from rehearsal.databricks_cli.permissions import PRINCIPALS
from rehearsal.databricks_cli.plan import Entry, Plan
from rehearsal.databricks_cli.references import UNKNOWN, all_targets, plain_at, resolve_state
from rehearsal.databricks_cli.resource_access import GRANTS, OBJECT_PATHS, PERMISSIONS, SECRET_PERMISSIONS, SECURABLES
from rehearsal.databricks_cli.resource_kinds import Kind, kinds
from rehearsal.databricks_cli.schema import load_schema
from rehearsal.databricks_cli.state import ResourceState
from rehearsal.databricks_cli.sync_files import PARALLEL
from rehearsal.databricks_cli.weigh import overall, weigh

KEEPS_ID = ("skip", "update", "resize")
"""Actions after which a resource has the id it had."""


@dataclass
class Wanted:
    """A resource as the bundle wants it.

    Args:
        key: Its key in plan and state.
        kind: Its kind.
        template: Its state, with references to other resources.
        config: Its configuration, which references may look into.
        emptied: Fields that are empty while their references are not known.
    """

    key: str
    kind: Kind
    template: dict[str, Any]
    config: dict[str, Any] = field(default_factory=dict)
    emptied: tuple[str, ...] = ()

    def depends_on(self) -> list[dict[str, str]]:
        """Return the resources it refers to, once for each way it does."""
        found = {(target.node, target.label) for target in all_targets(self.template)}
        return [{"node": node, "label": label} for node, label in sorted(found)]


def wanted(bundle: Bundle) -> dict[str, Wanted]:
    """Return all resources that the bundle wants, with permissions and grants as resources of their own.

    Raises:
        CommandError: A reference leads to a resource that does not exist.
    """
    found: dict[str, Wanted] = {}
    for group, key, node in bundle.resources():
        config: dict[str, Any] = node.plain()
        name, kind = f"resources.{group}.{key}", kinds()[group]
        if (config.get("lifecycle") or {}).get("started") is not None:
            raise CommandError(f"lifecycle.started of {name} is not supported by the stand-in for the Databricks CLI")
        found[name] = Wanted(name, kind, kind.desired(config), config)
        if config.get("permissions"):
            found[f"{name}.permissions"] = _permissions(bundle, name, group, config["permissions"])
        if config.get("grants"):
            found[f"{name}.grants"] = _grants(name, group, config["grants"])
    for item in found.values():
        for target in all_targets(item.template):
            if target.node not in found:
                raise CommandError(f'invalid dependency "{target.label}", no such node "{target.node}"')
    return found


def _permissions(bundle: Bundle, name: str, group: str, items: list[dict[str, Any]]) -> Wanted:
    key = f"{name}.permissions"
    if group == "secret_scopes":
        acls = {next(item[p] for p in PRINCIPALS if item.get(p)): item["level"] for item in items}
        acls[bundle.user_name] = "MANAGE"
        entries = [{"permission": level, "principal": principal} for principal, level in acls.items()]
        return Wanted(key, SECRET_PERMISSIONS, {"scope_name": f"${{{name}.name}}", "acls": entries})
    prefix, field_name = OBJECT_PATHS[group]
    embedded = [{"level": item["level"]} | {p: item[p] for p in PRINCIPALS if item.get(p)} for item in items]
    return Wanted(key, PERMISSIONS, {"object_id": f"{prefix}${{{name}.{field_name}}}", "__embed__": embedded}, emptied=("object_id",))


def _grants(name: str, group: str, items: list[dict[str, Any]]) -> Wanted:
    embedded = [{"principal": item["principal"], "privileges": sorted(item["privileges"])} for item in items]
    state = {"securable_type": SECURABLES[group], "full_name": f"${{{name}.id}}", "__embed__": embedded}
    return Wanted(f"{name}.grants", GRANTS, state, emptied=("full_name",))


def kind_of(key: str) -> Kind:
    """Return the kind of a resource by its key in plan or state.

    Raises:
        CommandError: The kind is not supported.
    """
    parts = key.split(".")
    if len(parts) > 3:
        if parts[3] == "grants":
            return GRANTS
        return SECRET_PERMISSIONS if parts[1] == "secret_scopes" else PERMISSIONS
    if parts[1] not in kinds():
        raise CommandError(f"resources of kind {parts[1]} are not supported by the stand-in for the Databricks CLI ({key} is in the state)")
    return kinds()[parts[1]]


def in_order(items: Iterable[str], depends_on: dict[str, set[str]]) -> list[list[str]]:
    """Return keys in groups: those of a group depend only on groups before it.

    Raises:
        CommandError: They depend on each other in a circle.
    """
    keys = set(items)
    sorter = TopologicalSorter({key: depends_on.get(key, set()) & keys for key in sorted(keys)})
    try:
        sorter.prepare()
    except CycleError as problem:
        raise CommandError(f"cycle detected: {' -> '.join(problem.args[1])}") from problem
    groups: list[list[str]] = []
    while sorter.is_active():
        group = sorted(sorter.get_ready())
        groups.append(group)
        sorter.done(*group)
    return groups


class Planner:
    """Makes one plan.

    Args:
        bundle: The bundle, initialized, with its libraries expanded.
        state: The last deployment's state.
    """

    def __init__(self, bundle: Bundle, state: ResourceState) -> None:
        self.bundle = bundle
        self.state = state
        self.schema = load_schema()
        self.wanted = wanted(bundle)
        self.remotes: dict[str, dict[str, Any] | None] = {}
        self.entries: dict[str, Entry] = {}

    def plan(self, selected: list[str] | None = None) -> Plan:
        """Make the plan.

        Args:
            selected: Resources (`jobs.a`) to plan for, with all they depend on; None plans for all.

        Raises:
            CommandError: A selected resource does not exist, or references form a circle.
            ApiError: The workspace would not say what it has.
        """
        depends_on = {key: {item["node"] for item in one.depends_on()} for key, one in self.wanted.items()}
        chosen = set(self.wanted) if selected is None else self._select(selected, depends_on)
        deleted = [key for key in self.state.entries if key not in self.wanted] if selected is None else []
        self._read_remotes([*(key for key in chosen if key in self.state.entries), *deleted])
        for group in in_order(chosen, depends_on):
            for key in group:
                self.entries[key] = self._entry(self.wanted[key])
        for key in deleted:
            remote = self.remotes[key]
            shown = kind_of(key).shown(remote) if remote is not None else None
            before = self.state.entries[key]
            needs = before.get("depends_on") or []
            self.entries[key] = Entry(key, "delete", needs, remote=shown, identity=self.state.identity(key), gone=remote is None)
        left_out = len(self.wanted) - len(chosen) if selected is not None else None
        return Plan(dict(sorted(self.entries.items())), self.state.lineage, self.state.serial, left_out)

    def _select(self, selected: list[str], depends_on: dict[str, set[str]]) -> set[str]:
        chosen: set[str] = set()
        queue: list[str] = []
        for name in selected:
            key = f"resources.{name.removeprefix('resources.')}"
            if key not in self.wanted:
                raise CommandError(f"no such resource: {name}")
            queue += [key, *(child for child in self.wanted if child.startswith(f"{key}."))]
        while queue:
            key = queue.pop()
            if key not in chosen:
                chosen.add(key)
                queue += depends_on[key]
        return chosen

    def _read_remotes(self, keys: list[str]) -> None:
        def read(key: str) -> dict[str, Any] | None:
            try:
                return kind_of(key).read(self.bundle.workspace.http, self.state.identity(key))
            except ApiError as problem:
                if problem.missing:
                    return None
                raise

        with ThreadPoolExecutor(PARALLEL) as pool:
            self.remotes = dict(zip(keys, pool.map(read, keys), strict=True))

    def _entry(self, item: Wanted) -> Entry:
        resolved = resolve_state(item.template, item.kind.state_type, self.schema, self._resolve, item.emptied)
        before = self.state.entries.get(item.key)
        remote = self.remotes.get(item.key)
        entry = Entry(item.key, "create", item.depends_on(), resolved.value, resolved.variables)
        if before is None or remote is None:
            return entry
        entry.identity = self.state.identity(item.key)
        entry.remote = item.kind.shown(remote)
        running = remote.get("state") == "RUNNING"
        comparable = item.kind.comparable(remote)
        entry.changes = weigh(item.kind, before.get("state") or {}, resolved.value, comparable, self.schema, running=running)
        entry.action = overall(entry.changes)
        return entry

    def _resolve(self, node: str, path: Path) -> Any:
        """Return a field of another resource, as far as a plan can know it."""
        entry, item = self.entries[node], self.wanted[node]
        if path == ("id",):
            return entry.identity if entry.action in KEEPS_ID else UNKNOWN
        value = plain_at(item.config, path)
        if value is not ABSENT:
            if not all_targets(value):
                return value
            resolved = resolve_state({"value": value}, "any", self.schema, self._resolve)
            return UNKNOWN if resolved.variables else resolved.value["value"]
        if entry.action == "skip" and entry.remote is not None:
            remote = plain_at(entry.remote, path)
            if remote is not ABSENT:
                return remote
            raise CommandError(f"reference does not exist: ${{{node}.{'.'.join(str(part) for part in path)}}}")
        return UNKNOWN
