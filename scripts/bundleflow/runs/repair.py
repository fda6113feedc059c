"""Runs the failed or named tasks of an ended run again, and never starts a second repair when an answer is lost."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from bundleflow.adapters.workspace import Workspace
from bundleflow.records.errors import BundleflowError, FailureReason
from bundleflow.records.run import RunRecord
from bundleflow.runs.follow import Tell
from bundleflow.runs.options import FollowOptions

TRIES = 3


@dataclass(frozen=True)
class RepairRequest:
    """What to run again.

    Args:
        run_id: The run.
        tasks: Keys of the tasks; empty for all that failed.
        dependents: Whether what depends on them runs again too.
    """

    run_id: int
    tasks: Sequence[str] = ()
    dependents: bool = False


@dataclass(frozen=True)
class Repair:
    """A repair that was started.

    Args:
        repair_id: Its id, which the next repair has to name as `latest_repair_id`.
        before: The run before it.
    """

    repair_id: int
    before: RunRecord


def start_repair(workspace: Workspace, request: RepairRequest, *, options: FollowOptions, tell: Tell) -> Repair:
    """Start a repair.

    The API knows no idempotency token for repairs. What makes a second attempt safe is `latest_repair_id`: when an answer is lost, the
    history tells whether the repair is there, and a repair on top of it would be refused.

    Raises:
        BundleflowError: The run goes on, succeeded, or its repair was refused.
    """
    page = workspace.run_page(request.run_id, history=True)
    if not page.run.final:
        raise BundleflowError(
            f"Run {request.run_id} is {page.run.state}; only an ended run can be repaired.",
            fix=f"Wait for its end with `bundleflow run watch {request.run_id}`, or cancel it.",
            reason=FailureReason.RUN_FAILED,
        )
    if page.run.succeeded and not request.tasks:
        raise BundleflowError(
            f"Run {request.run_id} succeeded; it has no failed task to run again.",
            fix="Name the tasks to run again with `--task KEY`, or start the job anew.",
            reason=FailureReason.RUN_FAILED,
        )
    for attempt in range(TRIES):
        time.sleep(options.poll_s)
        try:
            made = workspace.repair(request.run_id, tasks=request.tasks, dependents=request.dependents, after=page.last_repair)
        except BundleflowError as error:
            time.sleep(options.poll_s)
            now = workspace.run_page(request.run_id, history=True).last_repair
            if now == page.last_repair and (error.reason is not FailureReason.OUTSIDE_TROUBLE or attempt + 1 == TRIES):
                raise
            if now != page.last_repair:
                tell(f"run {request.run_id}: the answer was lost, but repair {now} was started")
                return Repair(now, page.run)
        else:
            return Repair(made, page.run)
    raise AssertionError("every try returns or raises")
