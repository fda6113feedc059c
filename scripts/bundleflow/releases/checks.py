"""What a plan must pass before it may be deployed: nothing unresolved, nothing that hangs on who plans."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from bundleflow.adapters.cli_messages import Diagnostic
from bundleflow.records.accepted import Accepted, Remark
from bundleflow.records.errors import BundleflowError, FailureReason
from bundleflow.records.plan import CanonicalPlan, Plan
from bundleflow.releases.bundle_references import REFERENCE
from bundleflow.releases.management import replaced_manager


def unresolved_references(value: Any, path: str = "") -> Iterator[str]:
    """References of the bundle that were not resolved, each as `path: ${...}`; the CLI only warns and deploys the text as it stands."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from unresolved_references(each, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from unresolved_references(each, f"{path}[{index}]")
    elif isinstance(value, str):
        # `${resources...}` is resolved while deploying.
        yield from (f"{path}: {found[0]}" for found in REFERENCE.finditer(value) if not found[1].startswith("resources."))


def check_resolved(plan: Plan, configuration: Mapping[str, Any] | None = None) -> None:
    """Refuse a plan with unresolved references in what it would create or change.

    Args:
        plan: The plan.
        configuration: The bundle as `validate -o json` or `summary -o json` gives it, where one is at hand; its paths and resources count
            as well (a plan says nothing of what does not change).

    Raises:
        BundleflowError: `validation-failed`, with each of them.
    """
    found = [line for entry in plan.entries for line in unresolved_references(entry.new_state, entry.short_key)]
    for part in ("workspace", "resources"):
        found += unresolved_references((configuration or {}).get(part) or {}, "" if part == "resources" else part)
    found = list(dict.fromkeys(found))
    if found:
        raise BundleflowError(
            f"A reference is not resolved: {found[0]}",
            fix="Correct its name: `bundle.name`, `bundle.target`, `workspace...`, `var.<variable>` and `resources...` exist.",
            reason=FailureReason.VALIDATION_FAILED,
            details="\n".join(found),
        )


def remarks(diagnostics: Sequence[Diagnostic], target: str) -> tuple[Remark, ...]:
    """The CLI's warnings as remarks that can be accepted, each once.

    Args:
        diagnostics: What the CLI printed.
        target: The target that it was called for.
    """
    found = (
        Remark(target, each.message, each.path, f"{each.file}:{each.line}:{each.column}" if each.file else "")
        for each in diagnostics
        if each.severity == "Warning"
    )
    return tuple(dict.fromkeys(found))


def check_remarks(found: Sequence[Remark], accepted: Accepted, target: str, *, only_unknown_fields: bool = False) -> None:
    """Refuse what the CLI only warns of, unless the file of accepted warnings says why it may stay.

    Args:
        found: The remarks of one target.
        accepted: The file of accepted warnings.
        target: Name of the target.
        only_unknown_fields: Refuse nothing but fields that the CLI does not know and drops.

    Raises:
        BundleflowError: `validation-failed` with each of them.
    """
    day = datetime.now(UTC).date()
    bad = [each for each in found if not accepted.covers(each, day)]
    if only_unknown_fields:
        bad = [each for each in bad if each.message.startswith("unknown field")]
    if not bad:
        return
    lines = [f"{each.place}: {each.text}" if each.place else each.text for each in bad]
    unknown = bad[0].message.startswith("unknown field")
    raise BundleflowError(
        f"Target `{target}`: {lines[0]}" + (f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""),
        fix=("Correct the field's name; the Databricks CLI drops fields that it does not know." if unknown else "Correct it.")
        + " If it is meant so, add it with a reason to the file of accepted warnings (`warnings:` of the flow file).",
        reason=FailureReason.VALIDATION_FAILED,
        details="\n".join(lines),
    )


def running_schedules(configuration: Mapping[str, Any], target: str) -> tuple[Remark, ...]:
    """Schedules, triggers and continuous work that would begin by themselves once the target is deployed.

    Args:
        configuration: The bundle as `validate -o json` or `summary -o json` gives it, with the target's presets applied.
        target: Name of the target.
    """
    resources = configuration.get("resources") or {}
    found: list[str] = []
    given = [(kind, name, each) for kind, group in resources.items() for name, each in (group or {}).items() if isinstance(each, Mapping)]
    for kind, name, each in given:
        key = f"resources.{kind}.{name}"
        if kind == "pipelines":
            found += [f"{key}.continuous"] if each.get("continuous") else []
            continue
        for field in ("schedule", "trigger", "continuous"):
            timing = each.get(field)
            if isinstance(timing, Mapping) and timing.get("pause_status") != "PAUSED":
                found.append(f"{key}.{field}")
    return tuple(Remark(target, "runs by itself in a test deployment", path) for path in found)


def check_schedules(found: Sequence[Remark], accepted: Accepted, target: str) -> None:
    """Refuse a test deployment in which something would run by itself, unless it is accepted with a reason.

    Args:
        found: What `running_schedules` gave.
        accepted: The file of accepted warnings.
        target: Name of the target.

    Raises:
        BundleflowError: `validation-failed` with each of them.
    """
    day = datetime.now(UTC).date()
    paths = [each.path for each in found if not accepted.covers(each, day)]
    if paths:
        raise BundleflowError(
            f"Target `{target}` is deployed for each pull request, and there this would run by itself: `{paths[0]}`"
            + (f" (and {len(paths) - 1} more)" if len(paths) > 1 else ""),
            fix=f"Give target `{target}` `presets: {{trigger_pause_status: PAUSED}}`, or set `pause_status: PAUSED` there "
            "(`continuous: false` for a pipeline).",
            reason=FailureReason.VALIDATION_FAILED,
            details="\n".join(paths),
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


def check_managers_named(plan: Plan, identity: str, target: str) -> None:
    """Refuse a plan that would take the management away from who deployed, because it is made by another identity.

    Args:
        plan: The plan.
        identity: User name of the identity that planned.
        target: Name of the target, for the message.

    Raises:
        BundleflowError: `plan-depends-on-identity`, with each resource.
    """
    found = [f"{entry.short_key}: {who}" for entry in plan.entries if (who := replaced_manager(entry, identity))]
    if found:
        raise BundleflowError(
            f"The plan of target `{target}` depends on the identity that makes it: {found[0]} would lose CAN_MANAGE to the one that plans",
            fix="Name the service principal that deploys in `permissions` of these resources, or at the top of the bundle, with level "
            "CAN_MANAGE; then each identity plans the same.",
            reason=FailureReason.PLAN_DEPENDS_ON_IDENTITY,
            details="\n".join(found[:50]),
        )
