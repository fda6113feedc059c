"""What GitHub checks before a run starts and act does not: inputs, secrets, permissions of called workflows; and what is refused here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from rehearsal.actions import filters, permissions


def _refuse(cause: str, fix: str) -> BundleflowError:
    return BundleflowError(cause, fix=fix, reason=FailureReason.LINT_FAILED, exit_code=ExitCode.USAGE)


def check_call(where: str, job: Mapping[str, Any], callee: dict[str, Any], granted: dict[str, str] | None) -> None:
    """Check a job that calls a workflow against what that workflow declares.

    Args:
        where: The job's place, for an error.
        job: The calling job.
        callee: The called workflow.
        granted: What the caller's permissions allow; None = the repository's default.

    Raises:
        BundleflowError: GitHub would not start this run.
    """
    declared = filters.triggers(callee).get("workflow_call")
    if declared is None:
        raise _refuse(f"{where} calls `{job['uses']}`, which has no `on: workflow_call`.", "Add it to the called workflow.")
    _check_inputs(where, job.get("with") or {}, declared.get("inputs") or {})
    secrets = job.get("secrets") or {}
    if secrets != "inherit":
        known = declared.get("secrets") or {}
        for name in secrets:
            if name not in known:
                raise _refuse(f"{where} gives the secret `{name}`, which the called workflow does not declare.", _known(known))
        for name, rule in known.items():
            if (rule or {}).get("required") and name not in secrets:
                raise _refuse(
                    f"{where} does not give the secret `{name}`, which the called workflow requires.",
                    f"Add it under `secrets:` of {where}.",
                )
    for key, inner in (callee.get("jobs") or {}).items():
        too_much = permissions.exceeding(permissions.of_job(callee, inner), granted)
        if too_much:
            raise _refuse(
                f"{where} grants too little: job `{key}` of `{job['uses']}` asks for {', '.join(too_much)}.",
                f"Add this under `permissions:` of {where}; GitHub starts no job otherwise.",
            )


def _known(declared: Mapping[str, Any]) -> str:
    return f"It declares: {', '.join(declared) or 'none'}."


def _check_inputs(where: str, given: Mapping[str, Any], declared: Mapping[str, Any]) -> None:
    for name, value in given.items():
        if name not in declared:
            raise _refuse(f"{where} gives the input `{name}`, which the called workflow does not declare.", _known(declared))
        kind = (declared[name] or {}).get("type", "string")
        literal = not (isinstance(value, str) and "${{" in value)
        if literal and ((kind == "boolean" and not isinstance(value, bool)) or (kind == "number" and not isinstance(value, int | float))):
            raise _refuse(f"{where} gives the input `{name}` the value `{value}`, which is no {kind}.", f"Write a {kind}.")
    for name, rule in declared.items():
        if (rule or {}).get("required") and name not in given:
            raise _refuse(
                f"{where} does not give the input `{name}`, which the called workflow requires.", f"Add it under `with:` of {where}."
            )


def check_job(where: str, job: Mapping[str, Any]) -> None:
    """Refuse by name what cannot be rehearsed without containers or on this machine.

    Raises:
        BundleflowError: The job uses such a feature.
    """
    for feature in ("container", "services"):
        if feature in job:
            raise _refuse(
                f"{where} has `{feature}:`, which needs Docker; the rehearsal runs without.", "Leave the job out of what you rehearse."
            )
    for label in labels(job):
        if label.startswith(("windows", "macos")):
            raise _refuse(f"{where} runs on `{label}`; the rehearsal's runner is this machine, as a Linux runner.", "Use an Ubuntu runner.")


def labels(job: Mapping[str, Any]) -> tuple[str, ...]:
    """Give a job's `runs-on` as labels, whichever of its forms it was written in."""
    wanted = job.get("runs-on", "ubuntu-latest")
    if isinstance(wanted, dict):
        wanted = wanted.get("labels", "ubuntu-latest")
    return tuple(str(item) for item in wanted) if isinstance(wanted, list) else (str(wanted),)
