"""Runs one task of a run to its final attempt: retries, time limits, and what each kind of task means."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from rehearsal.executor.manager import Executor, ServiceError
from rehearsal.executor.protocol import TaskResult
from rehearsal.workspace.errors import ApiError
from rehearsal.workspace.jobs.catalog_changes import apply, made_twice
from rehearsal.workspace.jobs.conditions import FAILED, compare, kind_of
from rehearsal.workspace.jobs.model import FAILED_TASK_MESSAGE, JobRun, State, TaskRun
from rehearsal.workspace.jobs.references import UnknownReference, Values, resolve, text_of
from rehearsal.workspace.jobs.settings import task_kinds
from rehearsal.workspace.jobs.specs import SpecError, SpecMaker
from rehearsal.workspace.jobs.store import JobStore
from rehearsal.workspace.services import Services

SUCCESS = State("TERMINATED", "SUCCESS", "", "SUCCESS")
LOG_LIMIT = 5 * 1024 * 1024
PROCESS_KINDS = {
    "notebook_task": "notebook", "spark_python_task": "spark_python", "python_wheel_task": "python_wheel",
    "sql_task": "sql", "spark_jar_task": "spark_jar",
}  # fmt: skip
NEVER = 2**31
MADE_TWICE = "The local workspace can keep only one of them: make the table in one task that the other depends on, or give each its own."

StartJob = Callable[[int, dict[str, str], JobRun, TaskRun], JobRun]


class TaskRunner:
    """Runs tasks; the engine decides which and when.

    Args:
        services: The workspace.
        store: Where task runs are kept.
        executor: Runs what needs a process.
    """

    def __init__(self, services: Services, store: JobStore, executor: Executor) -> None:
        self.services, self.store, self.executor = services, store, executor
        self.specs = SpecMaker(services)
        self.start_job: StartJob
        self.wait_for: Callable[[int], Awaitable[JobRun]]
        self.cancel: Callable[[int], None]
        self.on_task_event: Callable[[JobRun, TaskRun, str], None] = lambda *_: None
        self._stopped: dict[int, State] = {}
        self._stoppers: dict[int, Callable[[], Awaitable[None]]] = {}
        self._told: dict[int, State] = {}
        self._ends: dict[int, asyncio.Event] = {}
        self._background: set[asyncio.Task[None]] = set()

    async def run(self, run: JobRun, task: TaskRun, done: dict[str, TaskRun]) -> TaskRun:
        """Run a task until it succeeds or has no retry left, and return the last attempt.

        Args:
            run: The run it belongs to.
            task: Its first attempt, already stored.
            done: The ended tasks of the run, by key.
        """
        end = self._ends.setdefault(run.run_id, asyncio.Event())
        retries = task.settings.get("max_retries") or 0
        left = NEVER if retries < 0 else retries
        while True:
            await self._attempt(run, task, self._values(run, task, done), done)
            again = kind_of(task.state.result) == FAILED and left > 0 and not end.is_set()
            if task.state.result == "TIMEDOUT" and not task.settings.get("retry_on_timeout"):
                again = False
            if not again:
                return task
            left -= 1
            task = self._next_attempt(run, task)
            pause = (task.settings.get("min_retry_interval_millis") or 0) / 1000
            try:
                await asyncio.wait_for(end.wait(), pause or 0.001)
            except TimeoutError:
                continue
            self._end(task, State("TERMINATED", "CANCELED", "Run cancelled.", "USER_CANCELED"))
            return task

    def _next_attempt(self, run: JobRun, task: TaskRun) -> TaskRun:
        following = TaskRun(
            self.services.ids.number(), run.run_id, task.task_key, task.settings, State("WAITING_FOR_RETRY"), task.attempt + 1,
            task.original_run_id or task.run_id, task.repair_id, self.services.clock(), iteration_of=task.iteration_of,
        )  # fmt: skip
        if not task.iteration_of:
            run.tasks.append(following)
            run.repairs[-1].task_run_ids.append(following.run_id)
        self.store.save_task(following, len(run.tasks))
        return following

    def stop(self, run: JobRun, state: State) -> None:
        """End all running tasks of a run.

        Args:
            run: The run.
            state: What the tasks end with: `CANCELED` or `TIMEDOUT`.
        """
        self._ends.setdefault(run.run_id, asyncio.Event()).set()
        self._told[run.run_id] = state
        for task in run.tasks:
            if task.run_id in self._stoppers:
                self._stop_task(task.run_id, state)

    def _can_be_stopped(self, run: JobRun, task: TaskRun, stopper: Callable[[], Awaitable[None]]) -> None:
        """Note how a task is ended; at once where its run was told to end while the task was made ready."""
        self._stoppers[task.run_id] = stopper
        if run.run_id in self._told:
            self._stop_task(task.run_id, self._told[run.run_id])

    def _stop_task(self, task_run_id: int, state: State) -> None:
        self._stopped[task_run_id] = state
        stopping = asyncio.create_task(self._call(self._stoppers[task_run_id]))
        self._background.add(stopping)
        stopping.add_done_callback(self._background.discard)

    @staticmethod
    async def _call(stopper: Callable[[], Awaitable[None]]) -> None:
        await stopper()

    def forget(self, run_id: int) -> None:
        """Drop what was kept for a run that has ended."""
        self._ends.pop(run_id, None)
        self._told.pop(run_id, None)

    async def _attempt(self, run: JobRun, task: TaskRun, values: Values, done: dict[str, TaskRun]) -> None:
        task.start_ms = self.services.clock()
        task.state = State("RUNNING", message="In run")
        self.store.save_task(task)
        self.on_task_event(run, task, "on_start")
        limit = task.settings.get("timeout_seconds") or None
        work = asyncio.create_task(self._work(run, task, values, done))
        try:
            finished, _ = await asyncio.wait([work], timeout=limit)
            if not finished:
                message = f"Timed out: the task took longer than {limit} seconds."
                self._stopped[task.run_id] = State("TERMINATED", "TIMEDOUT", message, "RUN_EXECUTION_ERROR")
                if task.run_id in self._stoppers:
                    await self._stoppers[task.run_id]()
            state = await work
        except asyncio.CancelledError:
            work.cancel()
            raise
        self._end(task, self._stopped.pop(task.run_id) if task.run_id in self._stopped else state)
        self.on_task_event(run, task, "on_success" if task.state.result == "SUCCESS" else "on_failure")

    def _end(self, task: TaskRun, state: State) -> None:
        task.state = state
        task.end_ms = self.services.clock()
        task.execution_ms = max(0, task.end_ms - task.start_ms - task.setup_ms)
        self.store.save_task(task)

    async def _work(self, run: JobRun, task: TaskRun, values: Values, done: dict[str, TaskRun]) -> State:
        kinds = task_kinds(task.settings)
        kind = kinds[0] if kinds else ""
        try:
            if task.settings.get("disabled"):
                return State("TERMINATED", "DISABLED", "The task is disabled.", "DISABLED")
            if kind == "condition_task":
                return self._condition(task, values)
            if kind == "run_job_task":
                return await self._run_job(run, task, values)
            if kind == "for_each_task":
                return await self._for_each(run, task, values, done)
            if kind in PROCESS_KINDS:
                return await self._process(run, task, kind, values, done)
            what = f"Tasks of kind {kind}" if kind else "A task without a kind"
            raise SpecError(f"{what} cannot be run by the local workspace; a real one may know it.")
        except (SpecError, UnknownReference, ValueError, ServiceError, ApiError) as error:
            message = error.message if isinstance(error, ApiError) else str(error)
            task.output["error"] = message
            return State("INTERNAL_ERROR", "FAILED", message, "INVALID_RUN_CONFIGURATION")
        finally:
            self._stoppers.pop(task.run_id, None)

    def _condition(self, task: TaskRun, values: Values) -> State:
        settings = resolve(task.settings["condition_task"], values)
        task.outcome = "true" if compare(settings["left"], settings["op"], settings["right"]) else "false"
        task.resolved = {"condition_task": {"left": settings["left"], "right": settings["right"]}}
        return SUCCESS

    async def _run_job(self, run: JobRun, task: TaskRun, values: Values) -> State:
        settings = resolve(task.settings["run_job_task"], values)
        parameters = {name: text_of(value) for name, value in (settings.get("job_parameters") or {}).items()}
        task.resolved = {"run_job_task": {"job_parameters": parameters}}
        child = self.start_job(int(settings["job_id"]), parameters, run, task)
        task.output["run_job_output"] = {"run_id": child.run_id}
        self.store.save_task(task)

        async def stop() -> None:
            self.cancel(child.run_id)

        self._can_be_stopped(run, task, stop)
        child = await self.wait_for(child.run_id)
        if child.state.result in ("SUCCESS", "SUCCESS_WITH_FAILURES"):
            return SUCCESS
        result = child.state.result if child.state.result in ("CANCELED", "TIMEDOUT") else "FAILED"
        message = f"Run {child.run_id} of job {child.name} ended with {child.state.result}: {child.state.message}"
        task.output["error"] = message
        return State("TERMINATED", result, message, "RUN_EXECUTION_ERROR")

    async def _for_each(self, run: JobRun, task: TaskRun, values: Values, done: dict[str, TaskRun]) -> State:
        settings = task.settings["for_each_task"]
        inputs = resolve(settings["inputs"], values)
        try:
            items = json.loads(inputs) if isinstance(inputs, str) else inputs
        except ValueError as error:
            raise SpecError(f"The inputs of for-each task {task.task_key} are not JSON: {error}. They are: {inputs[:200]}") from error
        if not isinstance(items, list):
            raise SpecError(f"The inputs of for-each task {task.task_key} must be a JSON list, not {type(items).__name__}.")
        room = asyncio.Semaphore(settings.get("concurrency") or 1)
        turns: list[TaskRun] = []
        stopped = asyncio.Event()

        async def stop() -> None:
            stopped.set()
            for turn in turns:
                if turn.run_id in self._stoppers:
                    self._stop_task(turn.run_id, self._stopped[task.run_id])

        async def one(number: int, item: Any) -> TaskRun:
            async with room:
                inner = {**settings["task"], "task_key": settings["task"].get("task_key", task.task_key)}
                turn = TaskRun(self.services.ids.number(), run.run_id, inner["task_key"], inner, iteration_of=task.run_id)
                self.store.save_task(turn, 1_000_000 + number)
                turns.append(turn)
                task.iterations.append(turn.run_id)
                if stopped.is_set():
                    self._end(turn, self._stopped[task.run_id])
                    return turn
                mine = self._values(run, turn, done, item, task.task_key)
                await self._attempt(run, turn, mine, done)
                return turn

        self._can_be_stopped(run, task, stop)
        ended = await asyncio.gather(*(one(number, item) for number, item in enumerate(items)))
        return self._for_each_result(task, list(ended))

    def _for_each_result(self, task: TaskRun, turns: list[TaskRun]) -> State:
        failed = [turn for turn in turns if kind_of(turn.state.result) != "success"]
        task.output["for_each_stats"] = {
            "task_run_stats": {
                "total_iterations": len(turns), "scheduled_iterations": len(turns), "completed_iterations": len(turns),
                "active_iterations": 0, "succeeded_iterations": len(turns) - len(failed), "failed_iterations": len(failed),
            }
        }  # fmt: skip
        if not failed:
            return SUCCESS
        message = f"{len(failed)} of {len(turns)} iterations failed. First: {failed[0].output.get('error') or failed[0].state.message}"
        task.output["error"] = message
        return State("TERMINATED", "FAILED", message, "RUN_EXECUTION_ERROR")

    async def _process(self, run: JobRun, task: TaskRun, kind: str, values: Values, done: dict[str, TaskRun]) -> State:
        settings = resolve(task.settings, values)
        spec = await self.specs.make(run, task, PROCESS_KINDS[kind], settings, done)
        task.folder = spec.folder
        task.resolved = self.specs.resolved(kind, spec)

        async def stop() -> None:
            await self.executor.kill(spec.id)

        self._can_be_stopped(run, task, stop)
        result = await self.executor.run(spec)
        twice = made_twice(self.services, result.changes, spec.tables)
        if twice:
            # Refused, because the other task's rows would be lost without a word.
            result = self._refused(result, f"Another task made {', '.join(twice)} at the same time. {MADE_TWICE}")
        self._take(task, kind, result, Path(spec.folder))
        apply(self.services, result.changes, self.specs.identity(run.run_as))
        if result.status == "success":
            return SUCCESS
        if result.status == "killed":
            return State("TERMINATED", "CANCELED", "Run cancelled.", "USER_CANCELED")
        return State("TERMINATED", "FAILED", FAILED_TASK_MESSAGE, "RUN_EXECUTION_ERROR")

    @staticmethod
    def _refused(result: TaskResult, why: str) -> TaskResult:
        return replace(result, status="failed", error=why, trace=why, changes={})

    def _take(self, task: TaskRun, kind: str, result: TaskResult, folder: Path) -> None:
        task.values, task.notes, task.reads, task.writes = result.task_values, result.notes, result.reads, result.writes
        task.setup_ms = int(result.seconds.get("start", 0) * 1000)
        output = dict(result.output)
        if kind == "notebook_task":
            output["notebook_output"] = {"result": result.result or "", "truncated": False}
        elif kind != "sql_task":
            output.update(logs_of(folder))
        if result.error:
            output["error"] = result.error
            output["error_trace"] = result.trace
        task.output = output

    def parameters(self, run: JobRun) -> dict[str, str]:
        """Return a run's job parameters with the references in their values replaced.

        Raises:
            UnknownReference: a value refers to something a job parameter cannot know.
        """
        nothing = TaskRun(run.run_id, run.run_id, "", {})
        values = self._values(run, nothing, {})
        return {name: str(resolve(value, values)) for name, value in run.parameters.items()}

    def _values(self, run: JobRun, task: TaskRun, done: dict[str, TaskRun], item: Any = ..., for_each_key: str = "") -> Values:
        names = {
            "job.id": str(run.job_id),
            "job.run_id": str(run.run_id),
            "job.name": run.name,
            "job.repair_count": str(len(run.repairs) - 1),
            "job.trigger.type": run.trigger.lower(),
            "task.name": for_each_key or task.task_key,
            "task.run_id": str(task.run_id),
            "task.execution_count": str(task.attempt + 1),
            "task.retry_count": str(task.attempt),
            "workspace.id": self.services.workspace_id,
            "workspace.url": self.services.url,
        }
        if path := (task.settings.get("notebook_task") or {}).get("notebook_path"):
            names["task.notebook_path"] = path
        tasks = {
            key: {
                "result_state": other.state.result.lower(),
                "run_id": str(other.run_id),
                "execution_count": str(other.attempt + 1),
                "error_code": other.state.code if other.state.result != "SUCCESS" else "",
                "notebook_path": (other.settings.get("notebook_task") or {}).get("notebook_path", ""),
                "values": other.values,
                "outcome": other.outcome,
                "output": other.output.get("reference_output", {}),
            }
            for key, other in done.items()
        }
        return Values(names, run.parameters, tasks, run.began_ms or run.start_ms, run.start_ms, item)


def logs_of(folder: Path) -> dict[str, Any]:
    """Return `logs` and `logs_truncated`: what a task wrote to its standard streams, at most the last 5 MB."""
    file = folder / "log.txt"
    data = file.read_bytes() if file.is_file() else b""
    return {"logs": data[-LOG_LIMIT:].decode("utf-8", "replace"), "logs_truncated": len(data) > LOG_LIMIT}
