"""Reads the CLI's plan JSON (version 2) into records, and refuses by name what it does not know."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow.records.plan import ABSENT, Action, FieldChange, Plan, PlanEntry

PLAN_VERSION = 2

_SAVE = "Give a file made by `databricks bundle plan -o json > plan.json` (standard output only)."


def read_plan_file(path: Path) -> Plan:
    """Read a plan that was saved with `databricks bundle plan -o json`.

    Raises:
        BundleflowError: The file cannot be read, or is not a plan that this version knows.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _error(f"The plan {path} cannot be read: {error.strerror}.", ExitCode.USAGE, _SAVE) from error
    except ValueError as error:
        raise _error(f"The plan {path} is not JSON: {error}.", ExitCode.USAGE, _SAVE) from error
    return read_plan(data)


def read_plan(data: Any) -> Plan:
    """Turn the parsed JSON of `databricks bundle plan -o json` into a plan.

    Args:
        data: `{"plan_version": 2, "cli_version": ..., "plan": {"resources.<group>.<name>": {"action": ..., ...}}}`; `lineage` and
            `serial` are absent before the first deployment.

    Raises:
        BundleflowError: `cli-failed` when it is another version, the terraform engine's form, or has an action that is not known.
    """
    if not isinstance(data, Mapping) or not isinstance(data.get("plan"), Mapping | None):
        raise _error("This is not the JSON of `databricks bundle plan -o json`: there is no `plan` in it.", ExitCode.USAGE, _SAVE)
    version = data.get("plan_version")
    if version is None:
        raise _error(
            "The plan has no `plan_version`: it comes from the terraform engine, which gives no field changes.",
            ExitCode.USAGE,
            "Deploy the bundle with the direct engine (`bundle: {engine: direct}`).",
        )
    if version != PLAN_VERSION:
        raise _error(f"The plan has version {version}; bundleflow knows version {PLAN_VERSION}.", ExitCode.USAGE)
    entries = data.get("plan") or {}
    return Plan(
        version=version,
        cli_version=str(data.get("cli_version", "")),
        entries=tuple(_entry(key, entries[key]) for key in sorted(entries)),
        lineage=data.get("lineage"),
        serial=data.get("serial"),
        not_selected=int(data.get("not_selected") or 0),
    )


def _entry(key: str, data: Mapping[str, Any]) -> PlanEntry:
    if key.count(".") < 2 or not key.startswith("resources."):
        raise _error(f"The plan names a resource in an unknown way: `{key}`.")
    changes = data.get("changes") or {}
    new_state = data.get("new_state") or {}
    return PlanEntry(
        key=key,
        action=_action(key, data.get("action")),
        changes=tuple(_change(key, path, changes[path]) for path in sorted(changes)),
        new_state=new_state.get("value") or {},
        references=new_state.get("vars") or {},
        remote_state=data.get("remote_state") or {},
        gone=bool(data.get("gone")),
    )


def _change(key: str, path: str, data: Mapping[str, Any]) -> FieldChange:
    return FieldChange(
        path=path,
        action=_action(f"{key}: {path}", data.get("action")),
        reason=str(data.get("reason", "")),
        old=data.get("old", ABSENT),
        new=data.get("new", ABSENT),
        remote=data.get("remote", ABSENT),
    )


def _action(where: str, name: Any) -> Action:
    try:
        return Action(name)
    except ValueError as error:
        raise _error(f"The plan has an action that bundleflow does not know: `{name}` at `{where}`.") from error


def _error(cause: str, code: ExitCode = ExitCode.TROUBLE, fix: str = "") -> BundleflowError:
    return BundleflowError(
        cause, fix=fix or "Use the pinned Databricks CLI (1.9 to 1.13).", reason=FailureReason.CLI_FAILED, exit_code=code
    )
