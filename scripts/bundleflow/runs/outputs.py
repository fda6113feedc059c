"""Reads errors and outputs of a run's tasks; one that cannot be read becomes a note."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from bundleflow.adapters.workspace import Workspace
from bundleflow.records.errors import BundleflowError, FailureReason
from bundleflow.records.run import RunRecord, TaskRecord
from bundleflow.report.run_words import tone_of

OUTPUTS_AT_MOST = 30
"""Of how many tasks the outputs are read, one call each."""

TROUBLE = "The workspace had troubles: a part of this report is missing."


def with_outputs(workspace: Workspace, run: RunRecord) -> RunRecord:
    """The run with errors and outputs of its tasks, one call each: of those that failed first, then of the last ones.

    An output that cannot be read is told by a note; a workspace that has troubles is not asked for more.
    """
    open_tasks = [task for task in run.tasks if has_output(task) and not (task.output or task.trace)]
    open_tasks.sort(key=urgency)
    notes = [errors_not_read(open_tasks[OUTPUTS_AT_MOST:])]
    found: dict[str, TaskRecord] = {}
    for task in open_tasks[:OUTPUTS_AT_MOST]:
        try:
            found[task.key] = workspace.task_output(task)
        except BundleflowError as error:
            notes.append(note_of(error))
            if notes[-1] == TROUBLE:
                break
    tasks = tuple(found.get(task.key, task) for task in run.tasks)
    return replace(run, tasks=tasks, notes=tuple(dict.fromkeys([*run.notes, *filter(None, notes)])))


def has_output(task: TaskRecord) -> bool:
    """Whether there may be an output to read: the task has begun and ended."""
    return bool(task.final and task.run_id and task.start_ms)


def urgency(task: TaskRecord) -> tuple[bool, int]:
    """The key to sort tasks by whose outputs are to be read: those that failed themselves first, then the last ones."""
    return (tone_of(task) != "bad", -task.end_ms)


def note_of(error: BundleflowError) -> str:
    """What a report says in place of what could not be read."""
    return TROUBLE if error.reason is FailureReason.OUTSIDE_TROUBLE else error.cause


def errors_not_read(tasks: Iterable[TaskRecord]) -> str:
    """The note on tasks whose outputs were not read, because there are too many: how many of them failed; empty for none."""
    count = sum(tone_of(task) == "bad" for task in tasks)
    return f"The errors of {count} task{'s were' if count > 1 else ' was'} not read." if count else ""
