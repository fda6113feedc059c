"""Applies a plan: deletes, makes and changes resources, those that depend on others after them, several at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from rehearsal.databricks_cli.bundle import Bundle
from rehearsal.databricks_cli.diagnostics import CommandError
from rehearsal.databricks_cli.differences import ABSENT
from rehearsal.databricks_cli.dyn import Path, parse_path
from rehearsal.databricks_cli.http_client import ApiError
from rehearsal.databricks_cli.plan import Entry, Plan, is_child, parent_of
from rehearsal.databricks_cli.planner import in_order, kind_of
from rehearsal.databricks_cli.references import convert, plain_at, put, substitute
from rehearsal.databricks_cli.schema import load_schema
from rehearsal.databricks_cli.state import ResourceState
from rehearsal.databricks_cli.sync_files import PARALLEL

DONE = {
    "create": "Created",
    "update": "Updated",
    "update_id": "Updated",
    "recreate": "Recreated",
    "resize": "Resized",
    "delete": "Deleted",
}
"""What is said of a resource when its action is done."""


@dataclass
class Outcome:
    """What came of applying a plan.

    Args:
        done: The entries that were applied.
        failed: Key → what went wrong.
        written: The state changed.
    """

    done: list[Entry] = field(default_factory=list)
    failed: dict[str, Exception] = field(default_factory=dict)
    written: bool = False


class Applier:
    """Applies one plan and keeps the state up to date with what was done.

    Args:
        bundle: The bundle; its diagnostics take the errors.
        state: The state, which is changed.
        configs: Configuration of each resource, which references may look into; empty for a saved plan.
        occupation: `deploying` or `destroying`, for warnings.
    """

    def __init__(self, bundle: Bundle, state: ResourceState, configs: dict[str, dict[str, Any]], occupation: str) -> None:
        self.bundle = bundle
        self.http = bundle.workspace.http
        self.state = state
        self.configs = configs
        self.occupation = occupation
        self.schema = load_schema()
        self.outcome = Outcome()
        self.values: dict[str, dict[str, Any]] = {}
        self.lock = threading.Lock()

    def apply(self, plan: Plan) -> Outcome:
        """Apply the plan; errors are among the diagnostics, and what depends on a failed resource is left out.

        Deletions come first, also those of what is made anew, so that names are free and nothing is deleted with its parent.
        """
        entries = plan.entries
        depends_on = {key: {item["node"] for item in entry.depends_on} for key, entry in entries.items()}
        leaving = [key for key, entry in entries.items() if entry.action in ("delete", "recreate")]
        for group in reversed(in_order(leaving, depends_on)):
            self._each(group, lambda key: self._delete(entries[key], entries))
        staying = [key for key, entry in entries.items() if entry.action != "delete"]
        for group in in_order(staying, depends_on):
            self._each([key for key in group if self._may(entries[key])], lambda key: self._put(entries[key]))
        for key, problem in sorted(self.outcome.failed.items()):
            self._report(entries[key], problem)
        return self.outcome

    def _each(self, keys: list[str], work: Callable[[str], None]) -> None:
        def guarded(key: str) -> None:
            try:
                work(key)
            except (ApiError, CommandError) as problem:
                with self.lock:
                    self.outcome.failed[key] = problem

        with ThreadPoolExecutor(PARALLEL) as pool:
            list(pool.map(guarded, keys))

    def _may(self, entry: Entry) -> bool:
        blocked = next((item["node"] for item in entry.depends_on if item["node"] in self.outcome.failed), None)
        if entry.key in self.outcome.failed or entry.action == "skip":
            return False
        if blocked is not None:
            self.outcome.failed[entry.key] = CommandError(f"dependency failed: {blocked}")
        return blocked is None

    def _report(self, entry: Entry, problem: Exception) -> None:
        head = f"cannot {entry.verb} {entry.key}"
        if isinstance(problem, ApiError):
            self.bundle.diagnostics.error(f"{head}: {problem.headline()}", detail=problem.detail())
        else:
            self.bundle.diagnostics.error(f"{head}: {problem}")

    def _delete(self, entry: Entry, entries: dict[str, Entry]) -> None:
        parent = entries.get(parent_of(entry.key))
        goes_with_parent = is_child(entry.key) and parent is not None and parent.action == "delete"
        if not (entry.gone or goes_with_parent):
            try:
                kind_of(entry.key).delete(self.http, entry.identity)
            except ApiError as problem:
                if problem.status == 403:
                    with self.lock:
                        self.bundle.diagnostics.log(
                            f"Warn: {self.occupation} {entry.key}: Ignoring permission error when deleting {entry.key} "
                            f"id={entry.identity}: {problem.message}"
                        )
                elif not problem.missing:
                    raise
        with self.lock:
            self.state.entries.pop(entry.key, None)
            self.outcome.written = True
            if entry.action == "delete" and not (entry.gone or goes_with_parent):
                self.outcome.done.append(entry)

    def _put(self, entry: Entry) -> None:
        kind = kind_of(entry.key)
        value = self._complete(entry)
        if entry.action in ("create", "recreate"):
            identity = kind.create(self.http, value)
        else:
            changed = {_first_field(path) for path, change in entry.changes.items() if change.action != "skip"}
            identity = kind.update(self.http, entry.identity, value, changed)
        record: dict[str, Any] = {"__id__": identity, "state": value}
        if entry.depends_on:
            record["depends_on"] = entry.depends_on
        with self.lock:
            self.values[entry.key] = value
            self.state.entries[entry.key] = record
            self.outcome.written = True
            self.outcome.done.append(entry)

    def _complete(self, entry: Entry) -> dict[str, Any]:
        """Return the new state with everything put in that only the deployment could know."""
        value = deepcopy(entry.value or {})
        kind = kind_of(entry.key)
        for path, text in entry.variables.items():
            known = substitute(text, self._resolve)
            put(value, path, convert(known, self.schema.at(kind.state_type, parse_path(path)) or "any", text))
        return value

    def _resolve(self, node: str, path: Path) -> Any:
        identity = self.state.identity(node)
        if path == ("id",):
            return identity
        for source in (self.configs.get(node), self.values.get(node), self.state.entries.get(node, {}).get("state")):
            value = plain_at(source, path)
            if value is not ABSENT and not (isinstance(value, str) and "${resources." in value):
                return value
        value = plain_at(kind_of(node).shown(kind_of(node).read(self.http, identity)), path)
        if value is ABSENT:
            raise CommandError(f"reference does not exist: ${{{node}.{'.'.join(str(part) for part in path)}}}")
        return value


def _first_field(path: str) -> str:
    return path.split(".")[0].split("[")[0]
