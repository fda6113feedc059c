"""What a plan must pass before it may be deployed: nothing unresolved, nothing that hangs on who plans."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bundleflow.adapters.cli_messages import Diagnostic
from bundleflow.records.errors import BundleflowError, FailureReason
from bundleflow.records.plan import CanonicalPlan, Plan

# `${bundle.target}` and the like. `${resources...}` is resolved while deploying; `${HOME}` has no dot and belongs to a shell.
_REFERENCE = re.compile(r"\$\{(?!resources\.)[A-Za-z_][\w-]*(?:\.[\w-]+)+(?:\[\d+\])*\}")


def unresolved_references(value: Any, path: str = "") -> Iterator[str]:
    """References of the bundle that were not resolved, each as `path: ${...}`; the CLI only warns and deploys the text as it stands."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from unresolved_references(each, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from unresolved_references(each, f"{path}[{index}]")
    elif isinstance(value, str):
        yield from (f"{path}: {found[0]}" for found in _REFERENCE.finditer(value))


def check_resolved(plan: Plan, configuration: Mapping[str, Any] | None = None) -> None:
    """Refuse a plan with unresolved references in what it would create or change.

    Args:
        plan: The plan.
        configuration: The bundle as `validate -o json` or `summary -o json` gives it, where one is at hand; its paths count as well.

    Raises:
        BundleflowError: `validation-failed`, with each of them.
    """
    found = [line for entry in plan.entries for line in unresolved_references(entry.new_state, entry.short_key)]
    found += unresolved_references((configuration or {}).get("workspace", {}), "workspace")
    if found:
        raise BundleflowError(
            f"A reference is not resolved: {found[0]}",
            fix="Correct its name: `bundle.name`, `bundle.target`, `workspace...`, `var.<variable>` and `resources...` exist.",
            reason=FailureReason.VALIDATION_FAILED,
            details="\n".join(found),
        )


def check_diagnostics(diagnostics: Sequence[Diagnostic], what: str) -> None:
    """Refuse what the CLI only warns of but what is a mistake for sure: fields that it does not know and therefore drops.

    Raises:
        BundleflowError: `validation-failed`.
    """
    unknown = [each for each in diagnostics if each.severity == "Warning" and each.message.startswith("unknown field")]
    if unknown:
        lines = [f"{each.file}:{each.line}:{each.column}: {each.message} at {each.path}" for each in unknown]
        raise BundleflowError(
            f"{what}: {lines[0]}",
            fix="Correct the field's name; the Databricks CLI drops fields that it does not know.",
            reason=FailureReason.VALIDATION_FAILED,
            details="\n".join(lines),
        )


def check_identity_independent(plan: CanonicalPlan, summary: Mapping[str, Any], target: str) -> None:
    """Refuse a target whose plan hangs on who makes it: two identities could then never agree on one plan.

    Args:
        plan: The canonical plan, without the implied owner.
        summary: `bundle summary -o json`.
        target: Name of the target, for the message.

    Raises:
        BundleflowError: `plan-depends-on-identity`, with each path or name that holds the identity.
    """
    workspace = summary.get("workspace") or {}
    user = workspace.get("current_user") or {}
    names = {str(user.get("userName") or ""), str(user.get("short_name") or "")} - {""}
    names = {name for name in names if len(name) >= 4}
    if not names:
        return
    pattern = re.compile("|".join(rf"(?<![\w-]){re.escape(name)}(?![\w-])" for name in sorted(names, key=len, reverse=True)))
    paths = ("root_path", "file_path", "artifact_path", "state_path", "resource_path")
    found = [f"workspace.{name}: {workspace[name]}" for name in paths if pattern.search(str(workspace.get(name) or ""))]
    found += [
        f"{entry.key.removeprefix('resources.')}.{change.path.removeprefix('=')}: {change.new}"
        for entry in plan.entries
        for change in entry.changes
        if pattern.search(change.new or "") or pattern.search(change.path)
    ]
    if found:
        raise BundleflowError(
            f"The plan of target `{target}` depends on the identity that makes it: {found[0]}",
            fix=f"Plan and deployment have different identities. Give target `{target}` a `workspace: root_path:` that does not hold "
            "`${workspace.current_user...}`, such as `/Workspace/Shared/.bundle/${bundle.name}/${bundle.target}`, and name fixed "
            "identities in names, `run_as` and permissions.",
            reason=FailureReason.PLAN_DEPENDS_ON_IDENTITY,
            details="\n".join(found[:50]),
        )
