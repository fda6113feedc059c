"""When a task waited, was set up and worked, worked out of the durations that the API gives; for every timeline of a run."""

from __future__ import annotations

from dataclasses import dataclass

from bundleflow.records.run import TaskRecord

ATTEMPTS_SHOWN = 10
"""How many earlier attempts of a task a report shows, the last ones."""
SLACK_MS = 1000
"""The API rounds each duration by itself."""


@dataclass(frozen=True)
class Span:
    """A stretch of a task's time: `queue`, `setup` or `work`, in milliseconds since 1970."""

    kind: str
    start_ms: int
    end_ms: int


def spans(task: TaskRecord, now_ms: int) -> list[Span]:
    """Queue, set-up and work of a task's last attempt, in this order; what took no time is left out, but for the work.

    A task's start is when its compute was asked for. Where queue, set-up, work and clean-up together are longer than the time from
    start to end, the queue came before the start.

    Args:
        task: The task; it has a start.
        now_ms: Where one that goes on is cut, in milliseconds since 1970.
    """
    start, end = task.start_ms, max(task.end_ms or now_ms, task.start_ms)
    setup, queue = min(task.setup_ms, end - start), task.queue_ms
    before = queue + setup + task.execution_ms + task.cleanup_ms > end - start + SLACK_MS
    found = []
    if queue and before:
        found.append(Span("queue", start - queue, start))
    elif queue:
        queue = min(queue, end - start - setup)
        found.append(Span("queue", start, start + queue))
        start += queue
    if setup:
        found.append(Span("setup", start, start + setup))
    return [*found, Span("work", start + setup, end)]
