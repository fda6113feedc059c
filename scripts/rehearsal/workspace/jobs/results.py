"""How a run ended, from how its tasks ended."""

from __future__ import annotations

from rehearsal.workspace.jobs.conditions import FAILED, kind_of
from rehearsal.workspace.jobs.model import JobRun, State, TaskRun


def run_state(run: JobRun) -> State:
    """Return the final state of a run: its leaf tasks decide (https://docs.databricks.com/aws/en/jobs/monitor).

    A failed leaf fails the run; a failure before successful leaves makes `SUCCESS_WITH_FAILURES`.
    """
    latest = run.latest()
    upstream = {dependency["task_key"] for task in latest.values() for dependency in task.settings.get("depends_on") or []}
    leaves = [task for key, task in latest.items() if key not in upstream]
    failed = [task for task in latest.values() if kind_of(task.state.result) == FAILED and task.state.result != "UPSTREAM_FAILED"]
    if any(kind_of(leaf.state.result) == FAILED for leaf in leaves):
        return _failed(failed or leaves, upstream)
    if any(kind_of(task.state.result) == "canceled" for task in leaves):
        return State("TERMINATED", "CANCELED", "Run cancelled.", "USER_CANCELED")
    if failed:
        names = ", ".join(task.task_key for task in failed)
        return State("TERMINATED", "SUCCESS_WITH_FAILURES", f"Some tasks failed: {names}.", "SUCCESS_WITH_FAILURES")
    return State("TERMINATED", "SUCCESS", "", "SUCCESS")


def _failed(failed: list[TaskRun], upstream: set[str]) -> State:
    first = failed[0]
    message = f"Task {first.task_key} failed with message: {first.state.message.rstrip('.')}."
    if len(failed) > 1:
        names = ", ".join(task.task_key for task in failed)
        message = f"Tasks {names} failed. First: task {first.task_key} failed with message: {first.state.message.rstrip('.')}."
    if first.task_key in upstream:
        message += " This caused all downstream tasks to get skipped."
    return State("INTERNAL_ERROR", "FAILED", message, "RUN_EXECUTION_ERROR")
