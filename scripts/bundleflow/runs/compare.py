"""A run beside the previous run of the same job: which tasks fail newly, are fixed, got slower or faster, came or went."""

from __future__ import annotations

from bundleflow.records.run import Comparison, RunRecord, TaskChange, TaskRecord

FACTOR = 1.25
LEAST_MS = 5_000
"""A task counts as slower or faster when it took a quarter and five seconds more or less; anything smaller is noise."""

ORDER = ("newly failing", "still failing", "cancelled", "not run", "slower", "gone", "new", "fixed", "faster")
"""The worst first."""

_NOT_ITS_OWN = {"SKIPPED": "not run", "CANCELED": "cancelled", "UPSTREAM_FAILED": "not run", "UPSTREAM_CANCELED": "not run"}
"""Results, and the life-cycle state of what has none, that say nothing against the task itself."""


def compare(run: RunRecord, before: RunRecord) -> Comparison:
    """Compare a run with an earlier one.

    Args:
        run: The run.
        before: The earlier run.
    """
    now, then = {task.key: task for task in run.tasks}, {task.key: task for task in before.tasks}
    changes = [found for key, task in now.items() if (found := _change(task, then.get(key))) is not None]
    changes += [TaskChange(key, "gone", _time(task)) for key, task in then.items() if key not in now]
    changes.sort(key=lambda each: (ORDER.index(each.change), -abs(each.now_ms - each.before_ms), each.key))
    return Comparison(
        before.run_id, before.url, before.life_cycle_state, before.result_state, before.start_ms, before.duration_ms, tuple(changes)
    )


def _change(task: TaskRecord, before: TaskRecord | None) -> TaskChange | None:
    """How a task differs; None when it does not, or has not ended."""
    if before is None:
        return TaskChange(task.key, "new", 0, _time(task))
    now, then = _time(task), _time(before)
    if task.failed and task.state in _NOT_ITS_OWN:
        return None if before.state == task.state else TaskChange(task.key, _NOT_ITS_OWN[task.state], then, now)
    if task.failed:
        failed_then = before.failed and before.state not in _NOT_ITS_OWN
        return TaskChange(task.key, "still failing" if failed_then else "newly failing", then, now)
    if before.failed and task.result_state == "SUCCESS":
        return TaskChange(task.key, "fixed", then, now)
    if not now or not then or task.result_state != "SUCCESS" or before.result_state != "SUCCESS":
        return None
    if now > then * FACTOR and now - then >= LEAST_MS:
        return TaskChange(task.key, "slower", then, now)
    if then > now * FACTOR and then - now >= LEAST_MS:
        return TaskChange(task.key, "faster", then, now)
    return None


def _time(task: TaskRecord) -> int:
    """The time of the work itself where it is known: how long a cluster took to start says nothing about the task."""
    return task.execution_ms or max(0, task.duration_ms - task.setup_ms - task.queue_ms)
