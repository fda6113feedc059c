"""Jobs, runs and task runs as the engine keeps them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

ACTIVE = ("QUEUED", "PENDING", "BLOCKED", "RUNNING", "TERMINATING", "WAITING_FOR_RETRY")
FAILED_TASK_MESSAGE = "Workload failed, see run output for details."


@dataclass
class State:
    """How far a run is, as `state` says it; `status` of API 2.2 is made from it.

    Attributes:
        life_cycle: `QUEUED`, `BLOCKED`, `PENDING`, `RUNNING`, `TERMINATING`, `TERMINATED`, `SKIPPED`, `INTERNAL_ERROR`.
        result: `SUCCESS`, `FAILED`, ...; empty until the end.
        message: For people.
        code: Termination code of `status.termination_details`; empty until the end.
    """

    life_cycle: str = "PENDING"
    result: str = ""
    message: str = ""
    code: str = ""

    @property
    def active(self) -> bool:
        """Whether the run has not ended yet."""
        return self.life_cycle in ACTIVE


@dataclass
class Job:
    """A job: its settings as normalised, and who made it when (milliseconds since the epoch)."""

    job_id: int
    creator: str
    created_ms: int
    settings: dict[str, Any]


@dataclass
class TaskRun:
    """One attempt at one task of one run (or of one iteration of a for-each task)."""

    run_id: int
    job_run_id: int
    task_key: str
    settings: dict[str, Any]
    state: State = field(default_factory=State)
    attempt: int = 0
    original_run_id: int = 0
    repair_id: int = 0
    start_ms: int = 0
    end_ms: int = 0
    setup_ms: int = 0
    execution_ms: int = 0
    cleanup_ms: int = 0
    folder: str = ""
    resolved: dict[str, Any] = field(default_factory=dict)
    output: dict[str, Any] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)
    outcome: str = ""
    iterations: list[int] = field(default_factory=list)
    iteration_of: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> TaskRun:
        """Return what `to_json` described."""
        return cls(**{**data, "state": State(**data["state"])})


@dataclass
class Repair:
    """One repair of a run, or its first try (`kind` ORIGINAL)."""

    id: int
    kind: str
    start_ms: int
    end_ms: int = 0
    state: State = field(default_factory=State)
    task_run_ids: list[int] = field(default_factory=list)


@dataclass
class JobRun:
    """One run of a job, or of tasks that were submitted without one (`job_id` 0)."""

    run_id: int
    job_id: int
    name: str
    run_type: str
    creator: str
    run_as: str
    start_ms: int
    settings: dict[str, Any]
    number_in_job: int = 0
    trigger: str = "ONE_TIME"
    state: State = field(default_factory=State)
    end_ms: int = 0
    began_ms: int = 0
    parameters: dict[str, str] = field(default_factory=dict)
    defaults: dict[str, str] = field(default_factory=dict)
    overriding: dict[str, Any] = field(default_factory=dict)
    only: list[str] = field(default_factory=list)
    repairs: list[Repair] = field(default_factory=list)
    queued: bool = False
    parent_task_run_id: int = 0
    tasks: list[TaskRun] = field(default_factory=list)

    def latest(self) -> dict[str, TaskRun]:
        """Return the last attempt of each task, by task key."""
        return {task.task_key: task for task in self.tasks}

    def to_json(self) -> dict[str, Any]:
        """Return everything but the task runs (they are stored one by one) as JSON data."""
        data = {name: value for name, value in vars(self).items() if name not in ("tasks", "state", "repairs")}
        return {**data, "state": asdict(self.state), "repairs": [asdict(repair) for repair in self.repairs]}

    @classmethod
    def from_json(cls, data: dict[str, Any], tasks: list[TaskRun]) -> JobRun:
        """Return what `to_json` described, with its task runs."""
        repairs = [Repair(**{**repair, "state": State(**repair["state"])}) for repair in data["repairs"]]
        return cls(**{**data, "state": State(**data["state"]), "repairs": repairs, "tasks": tasks})
