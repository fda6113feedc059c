"""Reads a plan that `bundle plan -o json` wrote, for `bundle deploy --plan FILE`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rehearsal.databricks_cli import CLI_VERSION
from rehearsal.databricks_cli.bundle import Bundle
from rehearsal.databricks_cli.diagnostics import CommandError
from rehearsal.databricks_cli.differences import ABSENT
from rehearsal.databricks_cli.plan import PLAN_VERSION, Change, Entry, Plan
from rehearsal.databricks_cli.state import ResourceState

_FIELDS = frozenset(("plan_version", "cli_version", "lineage", "serial", "plan", "not_selected"))


def read(file: str, bundle: Bundle, state: ResourceState) -> Plan:
    """Read a saved plan and compare it with the state.

    Args:
        file: The file, relative to the current folder.
        bundle: The bundle; a plan of another CLI version is a warning.
        state: The state as it is now.

    Returns:
        The plan. A plan without lineage, made before the first deployment, is not compared with the state.

    Raises:
        CommandError: The file cannot be read, is no plan, or the state has changed since it was made.
    """
    content = _content(file)
    if content.get("plan_version") != PLAN_VERSION:
        raise CommandError(f"plan version mismatch: expected {PLAN_VERSION}, got {content.get('plan_version')}")
    for name in content:
        if name not in _FIELDS:
            raise CommandError(f'parsing plan JSON: json: unknown field "{name}"')
    if content.get("cli_version") != CLI_VERSION:
        bundle.diagnostics.warn(f"the plan was made by CLI version {content.get('cli_version')}, this is {CLI_VERSION}")
    lineage, serial = str(content.get("lineage") or ""), int(content.get("serial") or 0)
    if lineage and lineage != state.lineage:
        raise CommandError(f"plan lineage {lineage} does not match state lineage {state.lineage}; please run 'bundle plan' again")
    if lineage and serial != state.serial:
        raise CommandError(
            f"plan serial {serial} does not match state serial {state.serial}; the state has been modified since the plan was created. "
            "Please run 'bundle plan' again"
        )
    entries = {key: _entry(key, item, state) for key, item in sorted(content.get("plan", {}).items())}
    return Plan(entries, state.lineage, state.serial, content.get("not_selected"))


def _content(file: str) -> dict[str, Any]:
    try:
        text = Path(file).read_text("utf-8")
    except FileNotFoundError as problem:
        raise CommandError(f"reading plan file: open {file}: no such file or directory") from problem
    except (OSError, UnicodeDecodeError) as problem:
        raise CommandError(f"reading plan file: {problem}") from problem
    try:
        content = json.loads(text)
    except json.JSONDecodeError as problem:
        if not text.strip():
            raise CommandError("parsing plan JSON: unexpected end of JSON input") from problem
        found = text[problem.pos] if problem.pos < len(text) else text[-1]
        where = "looking for beginning of value" if problem.pos == 0 else f"at offset {problem.pos}"
        raise CommandError(f"parsing plan JSON: invalid character '{found}' {where}") from problem
    if not isinstance(content, dict):
        raise CommandError("parsing plan JSON: expected an object")
    return content


def _entry(key: str, item: dict[str, Any], state: ResourceState) -> Entry:
    new_state = item.get("new_state") or {}
    changes = {
        path: Change(change["action"], change.get("reason", ""), *(change.get(name, ABSENT) for name in ("old", "new", "remote")))
        for path, change in (item.get("changes") or {}).items()
    }
    return Entry(
        key,
        item["action"],
        item.get("depends_on") or [],
        new_state.get("value"),
        new_state.get("vars") or {},
        item.get("remote_state"),
        changes,
        state.identity(key),
        bool(item.get("gone")),
    )
