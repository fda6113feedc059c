"""A job of a bundle as a run that has not begun: what its graph is drawn from before it has ever run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow.records.run import PLANNED, DeploymentRecord, RunRecord
from bundleflow.records.run_json import page_of


def planned_run(configuration: Mapping[str, Any], key: str) -> RunRecord:
    """The tasks of a job with what each depends on, runs and runs on; nothing has a state, time or id.

    Args:
        configuration: The resolved bundle, `databricks bundle validate -o json`.
        key: Key of the job under `resources: jobs:`.

    Raises:
        BundleflowError: There is no such job in the bundle.
    """
    jobs = (configuration.get("resources") or {}).get("jobs") or {}
    if key not in jobs:
        close = get_close_matches(key, list(jobs), n=1)
        raise BundleflowError(
            f"The bundle has no job `{key}`.",
            fix=f"Did you mean `{close[0]}`?" if close else f"Its jobs: {', '.join(f'`{each}`' for each in sorted(jobs)) or 'none'}.",
            reason=FailureReason.FLOW_MISMATCH,
            exit_code=ExitCode.USAGE,
        )
    job = jobs[key]
    state = {"life_cycle_state": PLANNED}
    found = page_of(
        {
            "run_name": job.get("name", key),
            "state": state,
            "schedule": job.get("schedule"),
            "job_clusters": job.get("job_clusters"),
            "job_parameters": job.get("parameters"),
            "tasks": [{**task, "state": state} for task in job.get("tasks") or []],
        }
    ).run
    order = [task.get("task_key") for task in job.get("tasks") or []]
    bundle = configuration.get("bundle") or {}
    deployment = DeploymentRecord(str(bundle.get("name") or ""), str(bundle.get("target") or ""))
    tasks = tuple(sorted(found.tasks, key=lambda task: order.index(task.key)))
    return replace(found, key=key, tasks=tasks, deployment=deployment)
