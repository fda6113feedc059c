"""Follows many runs in one process: a few threads make the calls, so that one slow answer does not keep the others waiting."""

from __future__ import annotations

import heapq
import queue
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bundleflow.adapters.workspace import Workspace
from bundleflow.records.errors import BundleflowError
from bundleflow.records.run import RunRecord
from bundleflow.runs.follow import Follower, RunDetachedError, Show, Tell
from bundleflow.runs.options import FollowOptions

THREADS = 8
RUNS_AT_MOST = 500


@dataclass(frozen=True)
class Outcome:
    """What became of following one run.

    Args:
        run: The run as it was seen last.
        error: Why following it ended before the run did; None when the run ended.
    """

    run: RunRecord
    error: BundleflowError | None = None


def follow_many(
    workspace: Workspace, run_ids: Sequence[int], *, options: FollowOptions, tell: Tell, show: Show = lambda _: None
) -> list[Outcome]:
    """Follow runs to their ends.

    Args:
        workspace: Where they run.
        run_ids: The runs.
        options: How.
        tell: Takes one line for each change; called by one thread at a time.
        show: Takes a run after each look; called by one thread at a time.

    Returns:
        An outcome for each run, in the order given. A run that cannot be followed does not end the following of the others.
    """
    workspace.connect()
    lock = threading.Lock()

    def tell_in_turn(line: str) -> None:
        with lock:
            tell(line)

    def show_in_turn(run: RunRecord) -> None:
        with lock:
            show(run)

    followers = [Follower(workspace, each, options=options, tell=tell_in_turn, show=show_in_turn) for each in run_ids]
    crew = _Crew(min(THREADS, len(followers)))
    errors: dict[int, BundleflowError] = {}
    waiting = [(follower.due, index) for index, follower in enumerate(followers)]
    heapq.heapify(waiting)
    stepping = 0
    try:
        while waiting or stepping:
            now = time.monotonic()
            while waiting and waiting[0][0] <= now:
                index = heapq.heappop(waiting)[1]
                crew.orders.put((index, followers[index]))
                stepping += 1
            answer = crew.answer(waiting[0][0] - now if waiting else None)
            if answer is None:
                continue
            stepping -= 1
            index, error = answer
            if isinstance(error, BundleflowError):
                errors[index] = error
            elif error is not None:
                raise error
            elif not followers[index].done:
                heapq.heappush(waiting, (followers[index].due, index))
    finally:
        crew.dismiss()
    return [Outcome(_seen(follower, errors.get(index)), errors.get(index)) for index, follower in enumerate(followers)]


def _seen(follower: Follower, error: BundleflowError | None) -> RunRecord:
    return error.run if isinstance(error, RunDetachedError) else follower.run


class _Crew:
    """Threads that take steps; they are daemons, because a process that is told to stop must not wait for an answer."""

    def __init__(self, size: int) -> None:
        self.orders: queue.SimpleQueue[tuple[int, Follower] | None] = queue.SimpleQueue()
        self.answers: queue.SimpleQueue[tuple[int, Exception | None]] = queue.SimpleQueue()
        self.size = size
        for _ in range(size):
            threading.Thread(target=self._work, daemon=True).start()

    def answer(self, timeout_s: float | None) -> tuple[int, Exception | None] | None:
        """The next step's end, or None when there was none in time."""
        try:
            return self.answers.get(timeout=None if timeout_s is None else max(0.0, timeout_s))
        except queue.Empty:
            return None

    def dismiss(self) -> None:
        """Let the threads end after the step that each is taking."""
        for _ in range(self.size):
            self.orders.put(None)

    def _work(self) -> None:
        while (order := self.orders.get()) is not None:
            index, follower = order
            try:
                follower.step()
            except Exception as error:  # handed to the main thread, which decides
                self.answers.put((index, error))
            else:
                self.answers.put((index, None))
