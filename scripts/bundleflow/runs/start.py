"""Starts a job, follows it to its end, and lets no started run go on when this process is told to stop."""

from __future__ import annotations

import hashlib
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from bundleflow.adapters.workspace import Workspace
from bundleflow.records.errors import BundleflowError, FailureReason
from bundleflow.records.run import RunRecord
from bundleflow.runs.follow import Show, Tell, follow
from bundleflow.runs.options import FollowOptions

PATIENCE_SECONDS = 6.0
"""How long the end of a cancelled run is waited for: a stopped job of GitHub's is killed after 10 s (SIGINT, SIGTERM at 7.5 s)."""
START_TRIES_S = 180.0
"""How long a start is tried again while the workspace has troubles."""


class RunStopped(KeyboardInterrupt):
    """This process was told to stop, and the run was cancelled.

    Args:
        run: The run as it was seen last.
    """

    def __init__(self, run: RunRecord) -> None:
        super().__init__(f"stopped; run {run.run_id} is {run.state}")
        self.run = run


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


def idempotency_token(*parts: object) -> str:
    """A token that is the same for the same parts: a retried start within one attempt of a job never makes a second run.

    Returns:
        64 characters, as many as the Jobs API takes.
    """
    return hashlib.sha256("\0".join(str(part) for part in parts).encode()).hexdigest()


def start(workspace: Workspace, request: RunRequest, *, options: FollowOptions, tell: Tell) -> int:
    """Start a job; the same token gives the same run again, so this may be repeated.

    Returns:
        The run's id.

    Raises:
        RunStopped: This process was told to stop while it waited for the answer; the run was cancelled.
        BundleflowError: The workspace refused, or could not be reached for long.
    """
    workspace.connect()
    try:
        return _ask(workspace, request, options, tell)
    except KeyboardInterrupt as error:
        # Whether the run was started is not known. Asking again with the same token tells its id, and starts nothing else.
        with undisturbed():
            run_id = workspace.run_now(request.job_id, token=request.token, parameters=request.parameters)
        raise RunStopped(cancel_and_wait(workspace, run_id, key=request.key, options=options, tell=tell)) from error


def start_and_follow(
    workspace: Workspace,
    request: RunRequest,
    *,
    options: FollowOptions,
    tell: Tell,
    started: Callable[[int], None],
    show: Show = lambda _: None,
) -> RunRecord:
    """Start a job and follow it.

    Args:
        workspace: Where.
        request: What to start.
        options: How to follow it.
        tell: Takes one line for each change.
        started: Called with the run's id as soon as there is one, before anything can fail.
        show: Takes the run after each look.

    Returns:
        The ended run, whatever its result (see `check_result`).

    Raises:
        RunDetachedError: The time limit was reached; the run goes on.
        RunStopped: This process was told to stop; the run was cancelled.
    """
    run_id = start(workspace, request, options=options, tell=tell)
    with cancelling(workspace, run_id, key=request.key, options=options, tell=tell):
        started(run_id)
        return follow(workspace, run_id, key=request.key, options=options, tell=tell, show=show, wait_first=True)


@contextmanager
def cancelling(workspace: Workspace, run_id: int, *, key: str = "", options: FollowOptions, tell: Tell) -> Iterator[None]:
    """Cancel a run when this process is told to stop meanwhile.

    Raises:
        RunStopped: That happened.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        raise RunStopped(cancel_and_wait(workspace, run_id, key=key, options=options, tell=tell)) from error


def cancel_and_wait(
    workspace: Workspace, run_id: int, *, key: str = "", options: FollowOptions, tell: Tell, patience_s: float = PATIENCE_SECONDS
) -> RunRecord:
    """Cancel a run and wait a while for its end.

    Returns:
        The run as it was seen last; its state is unknown when it could not be cancelled or read any more (which is told).
    """
    run = RunRecord(run_id, key=key)
    try:
        with undisturbed():
            workspace.cancel(run_id)
        tell(f"asked to cancel run {run_id}")
        deadline = time.monotonic() + patience_s
        while not run.final and time.monotonic() + options.poll_s < deadline:
            time.sleep(options.poll_s)
            run = replace(workspace.run_page(run_id).run, key=key)
    except BundleflowError as error:
        tell(f"run {run_id}: {error.cause}")
        return run
    tell(f"run {run_id}: {run.state}")
    return run


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let no signal come between a request that must be sent and its answer: GitHub sends two, seconds apart."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ask(workspace: Workspace, request: RunRequest, options: FollowOptions, tell: Tell) -> int:
    """Ask to start the job, again while the workspace has troubles: 500 and lost answers too, because the token makes that safe."""
    deadline = time.monotonic() + min(START_TRIES_S, options.time_limit_s)
    pause = options.poll_s
    while True:
        try:
            return workspace.run_now(request.job_id, token=request.token, parameters=request.parameters)
        except BundleflowError as error:
            if error.reason is not FailureReason.OUTSIDE_TROUBLE or time.monotonic() + pause > deadline:
                raise
            tell(f"job {request.job_id}: {error.cause} Trying again with the same token.")
        time.sleep(pause)
        pause = min(pause * 2, options.poll_max_s)
