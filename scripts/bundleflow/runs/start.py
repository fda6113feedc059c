"""Starts a job, follows it to its end, and lets no started run go on when this process is told to stop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bundleflow.adapters.workspace import Workspace
from bundleflow.records.errors import BundleflowError
from bundleflow.records.run import RunRecord
from bundleflow.runs.follow import FollowOptions, Tell, cancel_and_wait, follow


@dataclass(frozen=True)
class RunRequest:
    """What to start.

    Args:
        job_id: The job.
        token: Idempotency token (`idempotency_token`).
        key: Key of the job in the bundle; empty when it is started by id.
        parameters: Job parameters.
    """

    job_id: int
    token: str
    key: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)


def start_and_follow(
    workspace: Workspace, request: RunRequest, *, options: FollowOptions, tell: Tell, started: Callable[[int], None]
) -> RunRecord:
    """Start a job and follow it.

    Args:
        workspace: Where.
        request: What to start.
        options: How to follow it.
        tell: Takes one line for each change.
        started: Called with the run's id as soon as there is one, before anything can fail.

    Returns:
        The ended run, whatever its result (see `check_result`).

    Raises:
        RunDetachedError: The time limit was reached; the run goes on.
        KeyboardInterrupt: This process was told to stop; the run was cancelled.
    """
    run_id = workspace.run_now(request.job_id, token=request.token, parameters=request.parameters)
    started(run_id)
    try:
        return follow(workspace, run_id, key=request.key, options=options, tell=tell)
    except KeyboardInterrupt:
        try:
            cancel_and_wait(workspace, run_id, key=request.key, tell=tell)
        except BundleflowError as error:
            tell(f"run {run_id} could not be cancelled: {error.cause}")
        raise
