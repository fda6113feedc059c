"""Runs jobs: queueing, dependencies, results, cancellation, time limits, repair. One coroutine per active run."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rehearsal.workspace.errors import ApiError, invalid
from rehearsal.workspace.jobs.conditions import FAILED, SUCCESS, decide, kind_of
from rehearsal.workspace.jobs.model import Job, JobRun, Repair, State, TaskRun
from rehearsal.workspace.jobs.notifications import SLOW, Notifier
from rehearsal.workspace.jobs.references import UnknownReference, text_of
from rehearsal.workspace.jobs.results import run_state
from rehearsal.workspace.jobs.store import JobStore
from rehearsal.workspace.jobs.tasks import TaskRunner
from rehearsal.workspace.services import Services

CANCELED = State("TERMINATED", "CANCELED", "Run cancelled.", "USER_CANCELED")


@dataclass
class Start:
    """How a run is started.

    Attributes:
        creator: Name of the caller.
        run_as: Name of the identity the tasks run as.
        trigger: `ONE_TIME`, `PERIODIC`, `RUN_JOB_TASK`, ...
        parameters: Job parameters given for this run.
        overriding: Task parameters given for this run (`notebook_params`, `python_params`, ...).
        only: Task keys to run; empty for all.
        queue: Whether to wait where the job's settings do not say it.
        parent_task_run_id: Task run that started this run, or 0.
    """

    creator: str
    run_as: str
    trigger: str = "ONE_TIME"
    parameters: dict[str, str] | None = None
    overriding: dict[str, Any] | None = None
    only: list[str] | None = None
    queue: bool = False
    parent_task_run_id: int = 0


class Engine:
    """Starts, follows, cancels and repairs runs.

    Args:
        services: The workspace.
        store: Where jobs and runs are kept.
        runner: Runs single tasks.
        notifier: Sends e-mail.
    """

    def __init__(self, services: Services, store: JobStore, runner: TaskRunner, notifier: Notifier) -> None:
        self.services, self.store, self.runner, self.notifier = services, store, runner, notifier
        runner.start_job = self._start_from_task
        runner.wait_for = self.finished
        runner.cancel = self.cancel
        self._drivers: dict[int, asyncio.Task[None]] = {}
        self._stopping: dict[int, State] = {}
        self.run_as_of: Callable[[Job], str] = lambda job: job.creator

    def start(self, job: Job, how: Start) -> JobRun:
        """Start a run of a job, or queue or skip it where too many runs are active.

        Raises:
            ApiError: 400 for parameters or task keys the job does not have.
        """
        settings = job.settings
        defaults = {item["name"]: text_of(item.get("default", "")) for item in settings.get("parameters") or []}
        run = self._new_run(job.job_id, str(settings["name"]), "JOB_RUN", how, settings, defaults)
        active = [other for other in self.store.active_runs(job.job_id) if other.run_id != run.run_id]
        if len(active) >= settings.get("max_concurrent_runs", 1):
            self._too_many(run, how.queue or bool((settings.get("queue") or {}).get("enabled")))
        self.store.save_run(run)
        if run.state.life_cycle == "PENDING":
            self._begin(run)
        return run

    def submit(self, name: str, settings: dict[str, Any], how: Start) -> JobRun:
        """Start a one-time run of tasks that belong to no job."""
        run = self._new_run(0, name, "SUBMIT_RUN", how, settings, {})
        self.store.save_run(run)
        self._begin(run)
        return run

    def _new_run(self, job_id: int, name: str, kind: str, how: Start, settings: dict[str, Any], defaults: dict[str, str]) -> JobRun:
        given = how.parameters or {}
        overriding = dict(how.overriding or {})
        if defaults and overriding:
            raise invalid("The job to run defines job parameters; specifying task parameters is not allowed.")
        known = [task["task_key"] for task in settings.get("tasks") or []]
        for key in how.only or []:
            if key.strip("+") not in known:
                raise invalid(f"Task {key} does not exist in the job; its tasks are {', '.join(known) or 'none'}.")
        now = self.services.clock()
        run = JobRun(
            self.services.ids.number(), job_id, name, kind, how.creator, how.run_as, now, settings,
            trigger=how.trigger, parameters={**defaults, **given}, defaults=defaults, overriding=overriding,
            only=list(how.only or []), parent_task_run_id=how.parent_task_run_id,
        )  # fmt: skip
        run.number_in_job = run.run_id
        if given:
            run.overriding = {**overriding, "job_parameters": given}
        return run

    def _too_many(self, run: JobRun, queue: bool) -> None:
        if queue:
            run.queued = True
            run.state = State("QUEUED", message="Queued: the maximum number of concurrent runs has been reached.")
            return
        message = "Skipped because the maximum number of concurrent runs has been reached."
        run.state = State("SKIPPED", "MAXIMUM_CONCURRENT_RUNS_REACHED", message, "MAX_CONCURRENT_RUNS_EXCEEDED")
        run.end_ms = run.start_ms

    def _begin(self, run: JobRun) -> None:
        run.began_ms = self.services.clock()
        run.state = State("RUNNING", message="In run")
        run.repairs = [Repair(0, "ORIGINAL", run.began_ms)]
        selected = set(selection(run.settings.get("tasks") or [], run.only))
        keys = [task["task_key"] for task in run.settings.get("tasks") or [] if task["task_key"] in selected]
        self._add_attempts(run, keys, 0)
        self.store.save_run(run)
        try:
            run.parameters = self.runner.parameters(run)
        except UnknownReference as error:
            run.state = State("INTERNAL_ERROR", "FAILED", str(error), "INVALID_RUN_CONFIGURATION")
            self._close(run)
            return
        self._drive(run, keys, {})

    def _add_attempts(self, run: JobRun, keys: list[str], repair_id: int) -> list[TaskRun]:
        wanted = {task["task_key"]: task for task in run.settings.get("tasks") or []}
        before = run.latest()
        added = []
        for key in keys:
            task = TaskRun(self.services.ids.number(), run.run_id, key, wanted[key], repair_id=repair_id, start_ms=self.services.clock())
            task.state = State("BLOCKED" if wanted[key].get("depends_on") else "PENDING")
            if key in before:
                task.attempt = before[key].attempt + 1
                task.original_run_id = before[key].original_run_id or before[key].run_id
            run.tasks.append(task)
            self.store.save_task(task, len(run.tasks))
            added.append(task)
        run.repairs[-1].task_run_ids += [task.run_id for task in added]
        return added

    def _drive(self, run: JobRun, keys: list[str], earlier: dict[str, TaskRun]) -> None:
        driver = asyncio.create_task(self._execute(run, keys, earlier))
        self._drivers[run.run_id] = driver
        driver.add_done_callback(lambda _: self._drivers.pop(run.run_id, None))

    async def _execute(self, run: JobRun, keys: list[str], earlier: dict[str, TaskRun]) -> None:
        self.notifier.run_event(run, "on_start")
        limit = run.settings.get("timeout_seconds") or None
        timer = None
        if limit:
            message = f"Run timed out: it took longer than {limit} seconds."
            timed_out = State("TERMINATED", "TIMEDOUT", message, "RUN_EXECUTION_ERROR")
            timer = asyncio.get_running_loop().call_later(limit, self._stop_soon, run.run_id, timed_out)
        warning = self._warn_of_duration(run)
        try:
            await self._run_tasks(run, keys, earlier)
            stopped = self._stopping.pop(run.run_id, None)
            run.state = stopped or run_state(run)
        except asyncio.CancelledError:
            run.state = State("INTERNAL_ERROR", "FAILED", "The workspace was stopped while this run was active.", "INTERNAL_ERROR")
            raise
        except Exception as error:
            run.state = State("INTERNAL_ERROR", "FAILED", f"The local run engine failed: {type(error).__name__}: {error}", "INTERNAL_ERROR")
            raise
        finally:
            for later in (timer, warning):
                if later is not None:
                    later.cancel()
            self._close(run)

    def _warn_of_duration(self, run: JobRun) -> asyncio.TimerHandle | None:
        """Let people be told when the run takes longer than its health rule allows; the run goes on."""
        rules = (run.settings.get("health") or {}).get("rules") or []
        # Its one operator is GREATER_THAN.
        limits = [rule.get("value", 0) for rule in rules if rule.get("metric") == "RUN_DURATION_SECONDS"]
        if not limits:
            return None
        return asyncio.get_running_loop().call_later(min(limits), self.notifier.run_event, run, SLOW)

    def _close(self, run: JobRun) -> None:
        run.end_ms = self.services.clock()
        run.repairs[-1].end_ms, run.repairs[-1].state = run.end_ms, run.state
        self.store.save_run(run)
        self.notifier.run_event(run, "on_success" if run.state.result.startswith("SUCCESS") else "on_failure")
        self._start_queued(run.job_id)

    def _start_queued(self, job_id: int) -> None:
        active = self.store.active_runs(job_id)
        waiting = [run for run in active if run.state.life_cycle == "QUEUED"]
        job = self.store.job(job_id)
        room = (job.settings.get("max_concurrent_runs", 1) if job else 0) - (len(active) - len(waiting))
        for run in waiting[: max(0, room)]:
            self._begin(run)

    async def _run_tasks(self, run: JobRun, keys: list[str], earlier: dict[str, TaskRun]) -> None:
        pending = list(keys)
        running: dict[asyncio.Task[TaskRun], str] = {}
        done = dict(earlier)
        try:
            while pending or running:
                for key in [key for key in pending if self._dependencies_done(run, key, keys, done)]:
                    pending.remove(key)
                    task = run.latest()[key]
                    verdict = self._verdict(run, task, done)
                    if verdict == "RUN":
                        running[asyncio.create_task(self.runner.run(run, task, done))] = key
                    else:
                        self._not_run(task, verdict, run.run_id)
                        done[key] = task
                if not running:
                    continue
                finished, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for one in finished:
                    done[running.pop(one)] = one.result()
        finally:
            for one in running:
                one.cancel()

    def _dependencies_done(self, run: JobRun, key: str, keys: list[str], done: dict[str, TaskRun]) -> bool:
        upstream = [dependency["task_key"] for dependency in run.latest()[key].settings.get("depends_on") or []]
        return all(name in done or name not in keys for name in upstream)

    def _verdict(self, run: JobRun, task: TaskRun, done: dict[str, TaskRun]) -> str:
        if run.run_id in self._stopping:
            return "CANCELED"
        upstream = []
        for dependency in task.settings.get("depends_on") or []:
            other = done.get(dependency["task_key"])
            if other is None:
                continue  # not selected for this run: Databricks runs the task as if it did not depend on it
            kind = kind_of(other.state.result)
            if dependency.get("outcome") and kind == SUCCESS and other.outcome != dependency["outcome"]:
                kind = "excluded"
            upstream.append(kind)
        return decide(task.settings.get("run_if", "ALL_SUCCESS"), upstream)

    def _not_run(self, task: TaskRun, result: str, run_id: int) -> None:
        reasons = {
            "UPSTREAM_FAILED": ("Upstream task failed.", "RUN_EXECUTION_ERROR"),
            "UPSTREAM_CANCELED": ("Upstream task was cancelled.", "CANCELED"),
            "EXCLUDED": ("The condition for running this task was not met.", "SKIPPED"),
            "CANCELED": ("Run cancelled.", "USER_CANCELED"),
        }
        message, code = reasons[result]
        if result == "CANCELED" and self._stopping[run_id].result == "TIMEDOUT":
            message, code = "The run timed out before this task started.", "CANCELED"
        task.state = State("TERMINATED" if result != "EXCLUDED" else "SKIPPED", result, message, code)
        task.start_ms = task.end_ms = self.services.clock()
        self.store.save_task(task)

    # Cancellation, waiting, repair

    def cancel(self, run_id: int, state: State = CANCELED) -> None:
        """Ask a run to end: running tasks are killed, those that wait never start. A run that has ended is no error.

        Raises:
            ApiError: 400 when there is no such run.
        """
        run = self.store.run(run_id)
        if run is None:
            raise invalid(f"Run {run_id} does not exist.")
        if not run.state.active or run_id in self._stopping:
            return
        if run.state.life_cycle == "QUEUED":
            run.state, run.end_ms = state, self.services.clock()
            self.store.save_run(run)
            return
        self._stop_soon(run_id, state)

    def _stop_soon(self, run_id: int, state: State) -> None:
        run = self.store.run(run_id)
        if run is None or run_id in self._stopping:
            return
        self._stopping[run_id] = state
        run.state = State("TERMINATING", message=state.message)
        self.store.save_run(run)
        self.runner.stop(run, state)

    async def finished(self, run_id: int) -> JobRun:
        """Wait until a run has ended and return it."""
        while True:
            run = self.store.run(run_id)
            if run is None:
                raise ApiError("RESOURCE_DOES_NOT_EXIST", f"Run {run_id} does not exist.")
            if not run.state.active:
                return run
            driver = self._drivers.get(run_id)
            if driver is None:
                await asyncio.sleep(0.05)
            else:
                await asyncio.wait([driver])

    def repair(self, run: JobRun, keys: list[str], parameters: dict[str, str], overriding: dict[str, Any]) -> int:
        """Run tasks of an ended run again, in the same run; what succeeded and is not named keeps its results.

        Args:
            run: A run that has ended.
            keys: Keys of the tasks to run again.
            parameters: Job parameters that differ from those of the run.
            overriding: Task parameters for the repair.

        Returns:
            The repair's id.
        """
        if run.job_id:
            job = self.store.job(run.job_id)
            run.settings = job.settings if job else run.settings
        repair_id = self.services.ids.number()
        run.parameters = {**run.parameters, **parameters}
        if parameters or overriding:
            run.overriding = {**run.overriding, **overriding, **({"job_parameters": parameters} if parameters else {})}
        earlier = {key: task for key, task in run.latest().items() if key not in keys}
        run.repairs.append(Repair(repair_id, "REPAIR", self.services.clock()))
        run.state, run.end_ms = State("RUNNING", message="In run"), 0
        self._add_attempts(run, keys, repair_id)
        self.store.save_run(run)
        self._drive(run, keys, earlier)
        return repair_id

    def _start_from_task(self, job_id: int, parameters: dict[str, str], parent: JobRun, task: TaskRun) -> JobRun:
        job = self.store.job(job_id)
        if job is None:
            raise invalid(f"Job {job_id} does not exist.")
        how = Start(parent.run_as, self.run_as_of(job), "RUN_JOB_TASK", parameters, parent_task_run_id=task.run_id, queue=True)
        return self.start(job, how)

    async def close(self) -> None:
        """End all runs; those that were active are marked as interrupted."""
        drivers = list(self._drivers.values())
        for driver in drivers:
            driver.cancel()
        for driver in drivers:
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await driver


def failed_keys(run: JobRun) -> list[str]:
    """Return the keys of the tasks that `rerun_all_failed_tasks` means: failed, cancelled, timed out or never run because of these."""
    return [key for key, task in run.latest().items() if kind_of(task.state.result) in (FAILED, "canceled")]


def downstream(run: JobRun, keys: list[str]) -> list[str]:
    """Return `keys` and every task that depends on one of them, in the job's order."""
    wanted = set(keys)
    tasks = run.settings.get("tasks") or []
    for _ in tasks:
        wanted |= {task["task_key"] for task in tasks if any(d["task_key"] in wanted for d in task.get("depends_on") or [])}
    return [task["task_key"] for task in tasks if task["task_key"] in wanted]


def selection(tasks: list[dict[str, Any]], only: list[str]) -> list[str]:
    """Return the keys of `only`, where `+key` adds all before it and `key+` all after it; without `only` all keys."""
    if not only:
        return [task["task_key"] for task in tasks]
    before = {task["task_key"]: {d["task_key"] for d in task.get("depends_on") or []} for task in tasks}
    chosen: set[str] = set()
    for entry in only:
        key = entry.strip("+")
        group = {key}
        for _ in tasks:
            if entry.startswith("+"):
                group |= {up for member in group for up in before[member]}
            if entry.endswith("+"):
                group |= {other for other, upstream in before.items() if upstream & group}
        chosen |= group
    return [task["task_key"] for task in tasks if task["task_key"] in chosen]
