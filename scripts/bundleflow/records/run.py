"""A job run as data: what reports, summaries and outputs are made from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from typing import Any

from bundleflow.records.run_parts import (
    FINAL_LIFE_CYCLE_STATES,
    PLANNED,
    Attempt,
    Comparison,
    Compute,
    DeploymentRecord,
    Iterations,
    Lineage,
    RepairRecord,
    Stated,
    TableUse,
    TaskChange,
    Timed,
)

__all__ = [
    "FINAL_LIFE_CYCLE_STATES",
    "PLANNED",
    "Attempt",
    "Comparison",
    "Compute",
    "DeploymentRecord",
    "Iterations",
    "Lineage",
    "RepairRecord",
    "RunPage",
    "RunRecord",
    "TableUse",
    "TaskChange",
    "TaskRecord",
    "in_order",
]

GOOD = frozenset({"SUCCESS", "EXCLUDED", "DISABLED"})
"""Results of a task that are no failure."""
NO_COMPUTE, NO_ITERATIONS = Compute(), Iterations()


@dataclass(frozen=True)
class TaskRecord(Stated, Timed):
    """One task of a run; the last attempt where there were several.

    Args:
        key: Its `task_key`.
        run_id: Run id of the task itself (what `get-output` wants).
        kind: `notebook`, `python_wheel`, ...
        life_cycle_state: `PENDING`, `RUNNING`, `TERMINATED`, ...
        result_state: `SUCCESS`, `FAILED`, ...; empty while it runs.
        message: The state's message.
        start_ms: Milliseconds since 1970; 0 before the start.
        end_ms: Milliseconds since 1970; 0 while it runs.
        setup_ms: Time to get compute and libraries.
        execution_ms: Time of the work itself.
        queue_ms: Time waited in the queue.
        attempt: Number of the attempt, from 0.
        depends_on: Keys of the tasks before it.
        run_if: Condition on those.
        compute: What it runs on.
        error: The error in one or a few lines; empty when there was none.
        trace: The end of the error's trace.
        output: What the task gave out: exit value of a notebook, or its log; cut.
        url: Page of the task's run.
        source: What it runs: path of a notebook, entry point of a wheel, job of a run-job task.
        description: What its author says of it.
        condition: What a condition task compares: `left op right`.
        outcome: Outcome of a condition task: `true` or `false`.
        branches: For tasks before it that are conditions: key and the outcome that it waits for.
        iterations: Of a for-each task.
        earlier: Attempts before this one, the first first.
        cleanup_ms: Time after the work until the compute is free.
    """

    key: str
    run_id: int = 0
    kind: str = ""
    life_cycle_state: str = ""
    result_state: str = ""
    message: str = ""
    start_ms: int = 0
    end_ms: int = 0
    setup_ms: int = 0
    execution_ms: int = 0
    queue_ms: int = 0
    attempt: int = 0
    depends_on: tuple[str, ...] = ()
    run_if: str = ""
    compute: Compute = NO_COMPUTE
    error: str = ""
    trace: str = ""
    output: str = ""
    url: str = ""
    source: str = ""
    description: str = ""
    condition: str = ""
    outcome: str = ""
    branches: tuple[tuple[str, str], ...] = ()
    iterations: Iterations = NO_ITERATIONS
    earlier: tuple[Attempt, ...] = ()
    cleanup_ms: int = 0

    @property
    def failed(self) -> bool:
        """Whether it ended with neither success nor exclusion."""
        return self.final and self.result_state not in GOOD

    def as_attempt(self) -> Attempt:
        """This attempt alone."""
        return Attempt(
            self.run_id, self.attempt, self.life_cycle_state, self.result_state, self.message, self.start_ms, self.end_ms,
            self.setup_ms, self.queue_ms, self.url,
        )  # fmt: skip

    def with_attempt(self, other: TaskRecord) -> TaskRecord:
        """The later of two looks at the same task (`other` when both are of one attempt), which knows the attempts of both."""
        newer, older = (other, self) if other.attempt >= self.attempt else (self, other)
        known = {each.run_id: each for each in (*older.earlier, *newer.earlier)}
        if older.run_id != newer.run_id:
            known[older.run_id] = older.as_attempt()
        if not known:
            return newer
        return replace(newer, earlier=tuple(sorted(known.values(), key=lambda each: (each.number, each.start_ms))))


def in_order(tasks: Iterable[TaskRecord]) -> tuple[TaskRecord, ...]:
    """Tasks in the order of their start; those that did not start come last, each after what it depends on."""
    found = sorted(tasks, key=lambda task: (task.start_ms or 2**63, task.key))
    begun, waiting = [task for task in found if task.start_ms], {task.key: task for task in found if not task.start_ms}
    sorter = TopologicalSorter({key: [each for each in task.depends_on if each in waiting] for key, task in waiting.items()})
    try:
        sorter.prepare()
    except CycleError:  # no job can have one; a file can
        return tuple(found)
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        begun += [waiting[key] for key in ready]
        sorter.done(*ready)
    return tuple(begun)


@dataclass(frozen=True)
class RunRecord(Stated, Timed):
    """One run of a job.

    Args:
        run_id: Id of the run.
        job_id: Id of the job.
        name: Name of the run, usually the job's.
        key: Key of the job in the bundle; empty when it was started by id.
        url: Page of the run.
        life_cycle_state: `PENDING`, `RUNNING`, `TERMINATED`, ...
        result_state: `SUCCESS`, `FAILED`, `SUCCESS_WITH_FAILURES`, ...; empty while it runs.
        message: The state's message.
        trigger: `ONE_TIME`, `PERIODIC`, ...
        run_as: User name of the identity that the run works as.
        start_ms: Milliseconds since 1970.
        end_ms: Milliseconds since 1970; 0 while it runs.
        queue_ms: Time waited in the queue.
        parameters: Job parameters by name.
        tasks: In the order of their start.
        creator: Who started it.
        schedule: Cron expression and time zone of a run that was started by one.
        repairs: Repairs of it, in the order of time.
        deployment: The bundle deployment that the job belongs to; None when it was not asked for, or belongs to none.
        lineage: Tables that were read and written; None when they were not asked for.
        comparison: The previous run of the job beside this one; None when it was not asked for, or there is none.
        notes: What could not be read, in words.
    """

    run_id: int
    job_id: int = 0
    name: str = ""
    key: str = ""
    url: str = ""
    life_cycle_state: str = ""
    result_state: str = ""
    message: str = ""
    trigger: str = ""
    run_as: str = ""
    start_ms: int = 0
    end_ms: int = 0
    queue_ms: int = 0
    parameters: tuple[tuple[str, str], ...] = ()
    tasks: tuple[TaskRecord, ...] = ()
    creator: str = ""
    schedule: str = ""
    repairs: tuple[RepairRecord, ...] = ()
    deployment: DeploymentRecord | None = None
    lineage: Lineage | None = None
    comparison: Comparison | None = None
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Key in the bundle, else name, else id."""
        return self.key or self.name or f"run {self.run_id}"

    @property
    def succeeded(self) -> bool:
        """Whether it ended with SUCCESS; every other result is a failure."""
        return self.final and self.result_state == "SUCCESS"

    @property
    def failed_tasks(self) -> tuple[str, ...]:
        """Keys of the tasks that ended with neither success nor exclusion."""
        return tuple(task.key for task in self.tasks if task.failed)

    def as_dict(self) -> dict[str, Any]:
        """The record as plain values for JSON, with what is derived."""
        from dataclasses import asdict

        data = asdict(self)
        data |= {"state": self.state, "duration_ms": self.duration_ms, "failed_tasks": list(self.failed_tasks)}
        data["parameters"] = dict(self.parameters)
        for task, record in zip(data["tasks"], self.tasks, strict=True):
            task |= {"state": record.state, "duration_ms": record.duration_ms, "depends_on": list(record.depends_on)}
        return data


@dataclass(frozen=True)
class RunPage:
    """One page of a run, as `jobs/runs/get` gives it.

    Args:
        run: The run with at most 100 of its tasks.
        next_page: Token of the page after this one; empty on the last.
        last_repair: Id of the run's last repair, where the history was asked for; 0 when there was none.
    """

    run: RunRecord
    next_page: str = ""
    last_repair: int = 0
