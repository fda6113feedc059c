"""Follows a job run: one call at a time, one line for each change of a task, outputs read as tasks end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from bundleflow.adapters.workspace import Workspace
from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow.records.run import RunRecord, TaskRecord
from bundleflow.runs.options import FollowOptions
from bundleflow.runs.outputs import errors_not_read, has_output, note_of, urgency
from bundleflow.runs.view import RunView

OUTPUTS_READ = 50
"""Of how many tasks the output is read (one call each); failed tasks come first."""
OUTPUTS_AFTER_END = 10
"""How many of these are read when the run has ended, so that nobody waits long for a report."""
WAITING = frozenset({"BLOCKED", "QUEUED", "WAITING_FOR_RETRY"})
STALE_SECONDS = 30.0
"""How long an end is not believed that was there before the run was repaired."""
RESTARTS = 20
"""How often the pages of a run are begun anew because a page token was refused."""

Tell = Callable[[str], None]
Show = Callable[[RunRecord], None]


class RunDetachedError(BundleflowError):
    """The time limit was reached; the run goes on.

    Args:
        run: The run as it was seen last.
        seconds: The time limit.
    """

    def __init__(self, run: RunRecord, seconds: float) -> None:
        super().__init__(
            f"Run {run.run_id} did not end within {seconds:.0f} s; it goes on without being followed.",
            fix=f"Follow it again with `bundleflow run watch {run.run_id}`, or stop it with `bundleflow run cancel {run.run_id}`.",
            reason=FailureReason.RUN_TIMEOUT,
            exit_code=ExitCode.FAILED,
        )
        self.run = run


class Follower:
    """Follows one run; whoever drives it calls `step` when `due` has come, until `done`.

    Args:
        workspace: Where it runs.
        run_id: The run.
        key: Key of the job in the bundle, for messages; may be empty.
        options: How.
        tell: Takes one line for each change.
        show: Takes the run after each look.
        wait_first: Whether a call about this run was made just now, so that the first look waits its turn.
        stale_end_ms: End of the run before it was repaired; that end is not taken for the repair's.
    """

    def __init__(
        self,
        workspace: Workspace,
        run_id: int,
        *,
        key: str = "",
        options: FollowOptions,
        tell: Tell,
        show: Show = lambda _: None,
        wait_first: bool = False,
        stale_end_ms: int = 0,
    ) -> None:
        self.workspace, self.run_id, self.options, self.tell, self.show = workspace, run_id, options, tell, show
        self.started = time.monotonic()
        self.due = self.started + (options.poll_s if wait_first else 0.0)
        self.done = False
        self._view = RunView(run_id, key)
        self._stale_end_ms = stale_end_ms
        self._pause = options.poll_s
        self._seen: dict[str, str] = {}
        self._outputs: dict[int, TaskRecord] = {}
        self._after_end = 0
        self._notes: list[str] = []
        self._looked = False
        self._restarts = 0
        self._trouble_since = 0.0

    @property
    def run(self) -> RunRecord:
        """The run as far as it is known, with the outputs that were read."""
        run = self._view.run
        notes = [*run.notes, *self._notes]
        if self.done:
            unread = errors_not_read(task for task in run.tasks if has_output(task) and task.run_id not in self._outputs)
            notes += [unread] if unread else []
        tasks = tuple(self._outputs.get(task.run_id, task) for task in run.tasks)
        return replace(run, tasks=tasks, notes=tuple(dict.fromkeys(notes)))

    def step(self) -> None:
        """Make one call: look at the run, or read the output of a task that has ended.

        Raises:
            RunDetachedError: The time limit was reached.
            BundleflowError: The run cannot be read, at once when it is refused, else after `trouble_s` seconds of trouble.
        """
        over = self._over()
        if not over and time.monotonic() - self.started >= self.options.time_limit_s:
            raise RunDetachedError(self.run, self.options.time_limit_s)
        output = self._next_output()
        try:
            if output is not None and (over or self._looked):
                self._read_output(output)
                self._after_end += over
            else:
                self._look()
        except BundleflowError as error:
            self._bear(error)
            return
        if self._trouble_since:
            self.tell(f"run {self.run_id}: the workspace answers again")
            self._trouble_since = 0.0
        self._conclude()

    def _conclude(self) -> None:
        """Decide whether this was the last call, and when the next one may be made."""
        waiting = self._next_output() is not None
        if self._over() and not waiting:
            self.done = True
        unread = not self._view.whole or self._view.run.final
        pause = self.options.poll_s if waiting or unread else self._pause
        self.due = min(time.monotonic() + pause, max(time.monotonic(), self.started + self.options.time_limit_s))
        if self._over():
            self.due = time.monotonic() + pause

    def _look(self) -> None:
        page = self._view.next_page()
        try:
            found = self.workspace.run_page(self.run_id, page)
        except BundleflowError as error:
            if not page or error.reason is not FailureReason.RUN_FAILED or self._restarts >= RESTARTS:
                raise
            self._restarts += 1
            self._view.begin_again()  # a page token may have a limited life
            return
        self._looked = True
        if self._is_stale(found.run):
            return
        self._view.take(found)
        run = self._view.run
        changed = self._tell_changes(run)
        # With several open pages one look sees only a part: the pages are read in turn, so that each is seen every `poll_max_s` or so.
        longest = max(self.options.poll_s, self.options.poll_max_s / max(1, self._view.open_pages))
        self._pause = self.options.poll_s if changed else min(self._pause * 1.3, longest)
        self.show(run)

    def _is_stale(self, run: RunRecord) -> bool:
        """Whether this is still the end from before the repair."""
        if self._stale_end_ms and run.final and run.end_ms == self._stale_end_ms:
            return time.monotonic() - self.started < STALE_SECONDS
        self._stale_end_ms = 0
        return False

    def _over(self) -> bool:
        return self._view.ended

    def _next_output(self) -> TaskRecord | None:
        """The task whose output is to be read next: failed ones first, then the latest."""
        if len(self._outputs) >= OUTPUTS_READ or self._after_end >= OUTPUTS_AFTER_END:
            return None
        run = self._view.run
        open_tasks = [task for task in run.tasks if has_output(task) and task.run_id not in self._outputs]
        return min(open_tasks, key=urgency, default=None)

    def _read_output(self, task: TaskRecord) -> None:
        """Read one output; the run does not fail by one that is refused, nor, once it has ended, by the workspace's troubles."""
        self._looked = False  # looks and outputs take turns
        try:
            self._outputs[task.run_id] = self.workspace.task_output(task)
        except BundleflowError as error:
            trouble = error.reason is FailureReason.OUTSIDE_TROUBLE
            if trouble and not self._over():
                raise
            self._notes.append(note_of(error))
            self._outputs[task.run_id] = task
            if trouble:
                self._after_end = OUTPUTS_AFTER_END  # no more of them

    def _bear(self, error: BundleflowError) -> None:
        """Wait when the workspace has troubles; anything else is told at once."""
        now = time.monotonic()
        if error.reason is not FailureReason.OUTSIDE_TROUBLE:
            raise error
        if not self._trouble_since:
            self._trouble_since = now
            self.tell(f"run {self.run_id}: {error.cause} Trying again for {self.options.trouble_s:.0f} s; the run goes on meanwhile.")
        if now - self._trouble_since >= self.options.trouble_s:
            raise error
        self._pause = min(max(self._pause, self.options.poll_s) * 2, self.options.poll_max_s)
        self.due = now + self._pause

    def _tell_changes(self, run: RunRecord) -> bool:
        """Say what changed since the last look; True when something did."""
        told = False
        for task in run.tasks:
            state = f"{task.state} (attempt {task.attempt + 1})" if task.attempt else task.state
            if self._seen.get(task.key) == state:
                continue
            first, self._seen[task.key] = task.key not in self._seen, state
            if not (first and task.state in WAITING):
                told = True
                self._line(f"{task.key}: {state}{_took(task)}{_error(task)}")
        if self._seen.get("") != run.state:
            self._seen[""] = run.state
            told = True
            self._line(f"run {run.run_id}: {run.state}")
        return told

    def _line(self, text: str) -> None:
        self.tell(f"[{time.monotonic() - self.started:6.1f} s] {text}")


def follow(
    workspace: Workspace,
    run_id: int,
    *,
    key: str = "",
    options: FollowOptions,
    tell: Tell,
    show: Show = lambda _: None,
    wait_first: bool = False,
    stale_end_ms: int = 0,
) -> RunRecord:
    """Follow a run to its end, in this thread; arguments and errors as of `Follower`.

    Returns:
        The ended run with outputs and errors of its tasks.
    """
    return drive(
        Follower(workspace, run_id, key=key, options=options, tell=tell, show=show, wait_first=wait_first, stale_end_ms=stale_end_ms)
    )


def drive(follower: Follower) -> RunRecord:
    """Take a follower's steps when they are due, to the end."""
    while not follower.done:
        time.sleep(max(0.0, follower.due - time.monotonic()))
        follower.step()
    return follower.run


def _took(task: TaskRecord) -> str:
    return f" ({task.duration_ms / 1000:.1f} s)" if task.final and task.duration_ms else ""


def _error(task: TaskRecord) -> str:
    """The first line of what went wrong."""
    text = task.error or task.message if task.failed else ""
    return f": {text.splitlines()[0][:200]}" if text.strip() else ""
