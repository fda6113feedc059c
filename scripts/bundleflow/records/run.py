"""A job run as data: what reports, summaries and outputs are made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

FINAL_LIFE_CYCLE_STATES = frozenset({"TERMINATED", "SKIPPED", "INTERNAL_ERROR"})
"""Life-cycle states of a run or task that do not change any more (Jobs API 2.2, `RunLifeCycleState`)."""


class _Stated:
    """What follows from the two states of a task or a run."""

    result_state: str
    life_cycle_state: str

    @property
    def state(self) -> str:
        """The result where there is one, else the life-cycle state."""
        return self.result_state or self.life_cycle_state or "UNKNOWN"

    @property
    def final(self) -> bool:
        """Whether the task or run has ended."""
        return self.life_cycle_state in FINAL_LIFE_CYCLE_STATES


@dataclass(frozen=True)
class TaskRecord(_Stated):
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
        compute: Cluster, job cluster or environment in words.
        error: The error in one or a few lines; empty when there was none.
        trace: The end of the error's trace.
        output: What the task gave out: exit value of a notebook, or its log; cut.
        url: Page of the task's run.
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
    compute: str = ""
    error: str = ""
    trace: str = ""
    output: str = ""
    url: str = ""

    @property
    def duration_ms(self) -> int:
        """From start to end; 0 while it runs."""
        return max(0, self.end_ms - self.start_ms) if self.end_ms and self.start_ms else 0


@dataclass(frozen=True)
class RunRecord(_Stated):
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

    @property
    def succeeded(self) -> bool:
        """Whether it ended with SUCCESS; every other result is a failure."""
        return self.final and self.result_state == "SUCCESS"

    @property
    def duration_ms(self) -> int:
        """From start to end; 0 while it runs."""
        return max(0, self.end_ms - self.start_ms) if self.end_ms and self.start_ms else 0

    @property
    def failed_tasks(self) -> tuple[str, ...]:
        """Keys of the tasks that ended with neither success nor exclusion."""
        good = {"SUCCESS", "EXCLUDED"}
        return tuple(task.key for task in self.tasks if task.final and task.result_state not in good)

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
