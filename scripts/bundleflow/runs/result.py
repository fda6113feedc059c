"""The verdict on an ended run: every result but SUCCESS fails, unless it was allowed by name."""

from __future__ import annotations

from collections.abc import Sequence

from bundleflow.records.errors import BundleflowError, FailureReason
from bundleflow.records.run import RunRecord
from bundleflow.runs.options import FollowOptions

_REASONS = {"TIMEDOUT": FailureReason.RUN_TIMEOUT, "CANCELED": FailureReason.RUN_CANCELED}
DETAILS_LIMIT = 6000
NAMED = 10


def is_good(run: RunRecord, options: FollowOptions) -> bool:
    """Whether a run ended with SUCCESS or with a result that was allowed."""
    return run.succeeded or (run.final and run.result_state in options.accept)


def check_result(run: RunRecord, options: FollowOptions) -> None:
    """Fail for every result but SUCCESS and those that were allowed.

    Raises:
        BundleflowError: `run-failed`, `run-timeout` (the job's own time limit) or `run-canceled`, with the errors of the failed tasks.
    """
    if is_good(run, options):
        return
    failed = [task for task in run.tasks if task.key in run.failed_tasks]
    errors = [f"{task.key}: {task.error or task.message or task.state}" for task in failed]
    name = run.key or run.name or f"run {run.run_id}"
    allow = " If that is good enough, allow it: `--allow SUCCESS_WITH_FAILURES`." if run.result_state == "SUCCESS_WITH_FAILURES" else ""
    raise BundleflowError(
        f"Job `{name}` ended with {run.state}" + (f": {errors[0]}" if errors else f": {run.message}" if run.message else "."),
        fix=f"See {run.url or f'run {run.run_id}'}; correct the cause and run the job again, or its failed tasks only: "
        f"`bundleflow run repair {run.run_id}`.{allow}",
        reason=_REASONS.get(run.result_state, FailureReason.RUN_FAILED),
        details="\n\n".join(f"{task.key}: {task.state}\n{task.trace or task.error or task.message}" for task in failed)[-DETAILS_LIMIT:],
    )


def check_results(runs: Sequence[RunRecord], options: FollowOptions) -> None:
    """The same for several runs at once.

    Raises:
        BundleflowError: One or more of them are not good; the first one's reason.
    """
    bad = [run for run in runs if not is_good(run, options)]
    if not bad:
        return
    if len(runs) == 1:
        check_result(bad[0], options)
    named = ", ".join(f"{run.run_id} ({run.state})" for run in bad[:NAMED]) + (f" and {len(bad) - NAMED} more" if len(bad) > NAMED else "")
    raise BundleflowError(
        f"{len(bad)} of {len(runs)} runs did not succeed: {named}.",
        fix=f"See their pages or `bundleflow run report RUN`; the first is {bad[0].url or bad[0].run_id}.",
        reason=_REASONS.get(bad[0].result_state, FailureReason.RUN_FAILED),
        details="\n".join(f"run {run.run_id}: {', '.join(run.failed_tasks) or run.message or run.state}" for run in bad)[:DETAILS_LIMIT],
    )
