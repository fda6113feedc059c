"""Finds a job of a deployed bundle by its key."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason


def job_id(summary: Mapping[str, Any], key: str, target: str) -> int:
    """The id of a job by its key under `resources: jobs:`.

    Args:
        summary: `databricks bundle summary -o json`.
        key: The key.
        target: Name of the target, for messages.

    Raises:
        BundleflowError: There is no such job in the bundle, or it is not deployed.
    """
    jobs = (summary.get("resources") or {}).get("jobs") or {}
    if key not in jobs:
        close = get_close_matches(key, list(jobs), n=1)
        raise BundleflowError(
            f"The bundle has no job `{key}` in target `{target}`.",
            fix=f"Did you mean `{close[0]}`?" if close else f"Its jobs: {', '.join(f'`{each}`' for each in sorted(jobs)) or 'none'}.",
            reason=FailureReason.FLOW_MISMATCH,
            exit_code=ExitCode.USAGE,
        )
    identifier = jobs[key].get("id")
    if not identifier:
        raise BundleflowError(
            f"Job `{key}` is not deployed in target `{target}` yet.",
            fix="Deploy the bundle first.",
            reason=FailureReason.RUN_FAILED,
            exit_code=ExitCode.USAGE,
        )
    return int(identifier)
