"""Follows a job run: one line for each change of a task, cancelled when the job is, outputs before the verdict."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from bundleflow.adapters.workspace import Workspace
from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow.records.run import RunRecord, TaskRecord

POLL_SECONDS = 1.0
POLL_SECONDS_MAX = 10.0
TIME_LIMIT_SECONDS = 5.5 * 3600
"""A hosted job ends after six hours; a run that lasts longer is left alone before that and followed again later."""
OUTPUTS_READ = 50
"""Of how many tasks the output is read at the end (one call each); failed tasks come first."""

Tell = Callable[[str], None]


@dataclass(frozen=True)
class FollowOptions:
    """How a run is followed.

    Args:
        poll_s: Seconds between two looks at first; it grows to `poll_max_s` while nothing changes.
        poll_max_s: Seconds between two looks at most.
        time_limit_s: Seconds until the run is left alone (it goes on).
        accept: Results other than SUCCESS that count as success, such as `SUCCESS_WITH_FAILURES`.
    """

    poll_s: float = POLL_SECONDS
    poll_max_s: float = POLL_SECONDS_MAX
    time_limit_s: float = TIME_LIMIT_SECONDS
    accept: frozenset[str] = frozenset()

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ, *, accept: Iterable[str] = ()) -> FollowOptions:
        """Options by BUNDLEFLOW_POLL_SECONDS and BUNDLEFLOW_RUN_TIME_LIMIT_SECONDS.

        Raises:
            BundleflowError: One of them is not a positive number.
        """
        poll = _positive(env, "BUNDLEFLOW_POLL_SECONDS", POLL_SECONDS)
        limit = _positive(env, "BUNDLEFLOW_RUN_TIME_LIMIT_SECONDS", TIME_LIMIT_SECONDS)
        return cls(poll, max(poll, min(POLL_SECONDS_MAX, poll * 10)), limit, frozenset(accept))


class RunDetachedError(BundleflowError):
    """The time limit was reached; the run goes on.

    Args:
        run: The run as it was seen last.
    """

    def __init__(self, run: RunRecord, seconds: float) -> None:
        super().__init__(
            f"Run {run.run_id} did not end within {seconds:.0f} s; it goes on without being followed.",
            fix=f"Follow it again with `bundleflow run watch {run.run_id}`, or stop it with `bundleflow run cancel {run.run_id}`.",
            reason=FailureReason.RUN_TIMEOUT,
            exit_code=ExitCode.FAILED,
        )
        self.run = run


def idempotency_token(*parts: object) -> str:
    """A token that is the same for the same parts: a retried start within one attempt of a job never makes a second run.

    Returns:
        64 characters, as many as the Jobs API takes.
    """
    return hashlib.sha256("\0".join(str(part) for part in parts).encode()).hexdigest()


def follow(workspace: Workspace, run_id: int, *, key: str, options: FollowOptions, tell: Tell) -> RunRecord:
    """Follow a run to its end.

    Args:
        workspace: Where it runs.
        run_id: The run.
        key: Key of the job in the bundle, for messages; may be empty.
        options: How.
        tell: Takes one line for each change.

    Returns:
        The ended run with outputs and errors of its tasks.

    Raises:
        RunDetachedError: The time limit was reached.
    """
    started = time.monotonic()
    seen: dict[str, str] = {}
    pause = options.poll_s
    while True:
        run = workspace.run(run_id, key)
        changed = _tell_changes(run, seen, tell, time.monotonic() - started)
        if run.final:
            return with_outputs(workspace, run)
        pause = options.poll_s if changed else min(pause * 1.3, options.poll_max_s)
        if time.monotonic() - started + pause > options.time_limit_s:
            raise RunDetachedError(run, options.time_limit_s)
        time.sleep(pause)


def cancel_and_wait(workspace: Workspace, run_id: int, *, key: str, tell: Tell, patience_s: float = 4.0) -> RunRecord | None:
    """Cancel a run because this job is being stopped; waits a moment for it, since a stopped job has only seconds.

    Returns:
        The run as it was seen last; None when it could not be read any more.
    """
    workspace.cancel(run_id)
    tell(f"asked to cancel run {run_id}")
    deadline = time.monotonic() + patience_s
    run = None
    while time.monotonic() < deadline:
        run = workspace.run(run_id, key)
        if run.final:
            break
        time.sleep(0.5)
    return run


def check_result(run: RunRecord, options: FollowOptions) -> None:
    """Fail for every result but SUCCESS and those that were accepted.

    Raises:
        BundleflowError: `run-failed`, `run-timeout` (the job's own time limit) or `run-canceled`, with the errors of the failed tasks.
    """
    if run.succeeded or run.result_state in options.accept:
        return
    reasons = {"TIMEDOUT": FailureReason.RUN_TIMEOUT, "CANCELED": FailureReason.RUN_CANCELED}
    failed = [task for task in run.tasks if task.key in run.failed_tasks]
    errors = [f"{task.key}: {task.error or task.message or task.state}" for task in failed]
    name = run.key or run.name or f"run {run.run_id}"
    raise BundleflowError(
        f"Job `{name}` ended with {run.state}" + (f": {errors[0]}" if errors else f": {run.message}" if run.message else "."),
        fix=f"See {run.url or f'run {run.run_id}'}; correct the cause and run the job again.",
        reason=reasons.get(run.result_state, FailureReason.RUN_FAILED),
        details="\n\n".join(f"{task.key}: {task.state}\n{task.trace or task.error or task.message}" for task in failed)[-6000:],
    )


def _tell_changes(run: RunRecord, seen: dict[str, str], tell: Tell, elapsed_s: float) -> bool:
    """Say what changed since the last look; True when something did."""
    changed = False
    for task in run.tasks:
        if seen.get(task.key) != task.state:
            seen[task.key] = task.state
            changed = True
            tell(f"[{elapsed_s:6.1f} s] {task.key}: {task.state}{_took(task)}")
    if seen.get("") != run.state:
        seen[""] = run.state
        changed = True
        tell(f"[{elapsed_s:6.1f} s] run {run.run_id}: {run.state}")
    return changed


def _took(task: TaskRecord) -> str:
    return f" ({task.duration_ms / 1000:.1f} s)" if task.final and task.duration_ms else ""


def with_outputs(workspace: Workspace, run: RunRecord) -> RunRecord:
    """The run with its tasks' outputs: the failed ones first, then the last ones, up to a limit."""
    failed = set(run.failed_tasks)
    order = sorted(run.tasks, key=lambda task: (task.key not in failed, -task.end_ms))
    wanted = {task.key for task in [task for task in order if task.run_id and task.start_ms][:OUTPUTS_READ]}
    return replace(run, tasks=tuple(workspace.task_output(task) if task.key in wanted else task for task in run.tasks))


def _positive(env: Mapping[str, str], name: str, default: float) -> float:
    text = env.get(name, "")
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if value <= 0:
        raise BundleflowError(
            f"{name} is `{text}`, which is not a positive number of seconds.",
            fix=f"Set {name} to a number such as 1.",
            exit_code=ExitCode.USAGE,
        )
    return value
