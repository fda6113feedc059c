"""What a run's record is made of besides tasks: attempts, compute, repairs, where it was deployed from, lineage, comparison."""

from __future__ import annotations

from dataclasses import dataclass

FINAL_LIFE_CYCLE_STATES = frozenset({"TERMINATED", "SKIPPED", "INTERNAL_ERROR"})
"""Life-cycle states of a run or task that do not change any more (Jobs API 2.2, `RunLifeCycleState`)."""

PLANNED = "PLANNED"
"""Life-cycle state of a task that is only drawn from a job's definition: nothing has run."""


class Stated:
    """What follows from the two states of a run, a task or an attempt."""

    result_state: str
    life_cycle_state: str

    @property
    def state(self) -> str:
        """The result where there is one, else the life-cycle state."""
        return self.result_state or self.life_cycle_state or "UNKNOWN"

    @property
    def final(self) -> bool:
        """Whether the run, task or attempt has ended."""
        return self.life_cycle_state in FINAL_LIFE_CYCLE_STATES


class Timed:
    """What follows from a start and an end."""

    start_ms: int
    end_ms: int

    @property
    def duration_ms(self) -> int:
        """From start to end; 0 while it runs."""
        return max(0, self.end_ms - self.start_ms) if self.end_ms and self.start_ms else 0


@dataclass(frozen=True)
class Attempt(Stated, Timed):
    """One attempt at a task, or one iteration of a for-each task.

    Args:
        run_id: Run id of the attempt.
        number: From 0 (`attempt_number`); for an iteration its place.
        life_cycle_state: As of a task.
        result_state: As of a task.
        message: The state's message.
        start_ms: Milliseconds since 1970; 0 before the start.
        end_ms: Milliseconds since 1970; 0 while it runs.
        setup_ms: Time to get compute and libraries.
        queue_ms: Time waited in the queue.
        url: Page of the attempt.
    """

    run_id: int
    number: int = 0
    life_cycle_state: str = ""
    result_state: str = ""
    message: str = ""
    start_ms: int = 0
    end_ms: int = 0
    setup_ms: int = 0
    queue_ms: int = 0
    url: str = ""


@dataclass(frozen=True)
class Compute:
    """What a task runs on.

    Args:
        kind: `serverless`, `cluster`, `job cluster`, `new cluster`, `warehouse`; empty for tasks that need none (conditions, for-each).
        name: Id of the cluster or warehouse, key of the job cluster or environment.
        cluster_id: Id of the cluster that was really used, where it is known.
        node_type: Instance type of the workers.
        driver_type: Instance type of the driver, where it differs.
        nodes: Number of workers in words: `4 workers`, `2 to 8 workers`, `single node`.
        runtime: Databricks Runtime (`17.3.x-scala2.13`).
    """

    kind: str = ""
    name: str = ""
    cluster_id: str = ""
    node_type: str = ""
    driver_type: str = ""
    nodes: str = ""
    runtime: str = ""

    @property
    def words(self) -> str:
        """All of it on one line; empty for none."""
        driver = f"driver {self.driver_type}" if self.driver_type else ""
        return ", ".join(part for part in (f"{self.kind} {self.name}".strip(), self.node_type, driver, self.nodes, self.runtime) if part)


@dataclass(frozen=True)
class Iterations:
    """The iterations of a for-each task.

    Args:
        total: How many there are.
        succeeded: How many ended with success.
        failed: How many failed.
        active: How many are running.
        turns: The single iterations, where they were read.
        errors: Messages of failed ones with how often each came.
    """

    total: int = 0
    succeeded: int = 0
    failed: int = 0
    active: int = 0
    turns: tuple[Attempt, ...] = ()
    errors: tuple[tuple[str, int], ...] = ()

    @property
    def words(self) -> str:
        """`3 of 4 iterations succeeded`; empty when nothing is known."""
        return f"{self.succeeded} of {self.total} iterations succeeded" if self.total else ""


@dataclass(frozen=True)
class RepairRecord(Stated, Timed):
    """One repair of a run (an entry of `repair_history` with type REPAIR).

    Args:
        id: Id of the repair.
        number: From 1, in the order of time.
        life_cycle_state: As of a run.
        result_state: As of a run.
        start_ms: Milliseconds since 1970.
        end_ms: Milliseconds since 1970; 0 while it runs.
        task_runs: Run ids of the tasks that it ran.
    """

    id: int
    number: int = 1
    life_cycle_state: str = ""
    result_state: str = ""
    start_ms: int = 0
    end_ms: int = 0
    task_runs: tuple[int, ...] = ()


@dataclass(frozen=True)
class DeploymentRecord:
    """The bundle deployment that a job belongs to, from the deployment's `metadata.json`.

    Args:
        bundle: Name of the bundle.
        target: Its target.
        commit: Git commit that was deployed; for a job with a git source, the commit that was used.
        branch: Its branch.
        origin: Address of the repository.
        path: Workspace folder of the deployed files.
        note: What is not certain, such as a deployment after the run.
    """

    bundle: str = ""
    target: str = ""
    commit: str = ""
    branch: str = ""
    origin: str = ""
    path: str = ""
    note: str = ""


@dataclass(frozen=True)
class TableUse:
    """A table, volume path or model version that a run read or wrote.

    Args:
        name: Full name or path.
        kind: `TABLE`, `VIEW`, `PATH`, `MODEL`, ... as lineage names it.
        write: Whether it was written; else read.
        task: Key of the task; empty when only the run is known.
    """

    name: str
    kind: str = "TABLE"
    write: bool = False
    task: str = ""


@dataclass(frozen=True)
class Lineage:
    """What a run read and wrote, as the workspace observed it.

    Args:
        uses: Each once, in the order of their first sight.
        source: Where this comes from.
        note: What limits it: a delay, a missing right; shown with it.
    """

    uses: tuple[TableUse, ...] = ()
    source: str = "system.access.table_lineage"
    note: str = ""

    @property
    def upstream(self) -> tuple[str, ...]:
        """What the run read and did not write: where its data comes from."""
        made = set(self.downstream)
        return tuple(name for name in self.names(write=False) if name not in made)

    @property
    def downstream(self) -> tuple[str, ...]:
        """What the run wrote."""
        return self.names(write=True)

    def names(self, *, write: bool, task: str | None = None) -> tuple[str, ...]:
        """Names of what was written or read, by one task or by all; each once."""
        return tuple(dict.fromkeys(use.name for use in self.uses if use.write is write and task in (None, use.task)))


@dataclass(frozen=True)
class TaskChange:
    """How a task differs from the same task of the previous run.

    Args:
        key: Its key.
        change: `newly failing`, `still failing`, `cancelled`, `not run` (because of a task before it), `fixed`, `slower`, `faster`, `new`
            or `gone`.
        before_ms: How long it took then; 0 when it did not run.
        now_ms: How long it takes now.
    """

    key: str
    change: str
    before_ms: int = 0
    now_ms: int = 0


@dataclass(frozen=True)
class Comparison(Stated):
    """A run beside the previous run of the same job.

    Args:
        run_id: The previous run.
        url: Its page.
        life_cycle_state: Its state.
        result_state: Its result.
        start_ms: When it started.
        duration_ms: How long it took.
        changes: The tasks that differ, the worst first.
    """

    run_id: int
    url: str = ""
    life_cycle_state: str = ""
    result_state: str = ""
    start_ms: int = 0
    duration_ms: int = 0
    changes: tuple[TaskChange, ...] = ()
