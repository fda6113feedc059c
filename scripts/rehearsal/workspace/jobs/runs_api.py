"""The part of the Jobs API about runs: starting, reading, cancelling and repairing them."""

from __future__ import annotations

import html
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse

from rehearsal.workspace.errors import ApiError, does_not_exist, invalid
from rehearsal.workspace.http import _offset as token_offset
from rehearsal.workspace.http import body, flag, number, ok, page_token, query, required
from rehearsal.workspace.jobs import shapes
from rehearsal.workspace.jobs.engine import Engine, Start, downstream, failed_keys
from rehearsal.workspace.jobs.model import JobRun, TaskRun
from rehearsal.workspace.jobs.references import text_of
from rehearsal.workspace.jobs.schedule import next_time
from rehearsal.workspace.jobs.settings import normalised
from rehearsal.workspace.jobs.specs import run_as_name
from rehearsal.workspace.services import Services, caller

TASK_PARAMETERS = (
    "notebook_params", "python_params", "jar_params", "python_named_params", "sql_params",
    "spark_submit_params", "dbt_commands", "pipeline_params",
)  # fmt: skip
# The command line is told no end time of a task, as by the reference workspace of the recorded cases, which prints `EndTime: 0`.
COMMAND_LINE = "cli/"
TOKEN_LENGTH = 64
RUNS_LIMIT = 25
RUNS_DEFAULT = 20


def offset_of(request: Request) -> int:
    """Return where a page begins: from `page_token` (ours, or a plain number), or the older `offset`."""
    token = request.query_params.get("page_token") or request.query_params.get("offset") or "0"
    return int(token) if token.isdigit() else token_offset(token)


class RunsApi:
    """Handlers of `/api/2.x/jobs/run-now` and `/api/2.x/jobs/runs/...`.

    Args:
        services: The workspace.
        engine: Runs jobs.
    """

    def __init__(self, services: Services, engine: Engine) -> None:
        self.services, self.engine, self.store = services, engine, engine.store

    async def run_now(self, request: Request) -> JSONResponse:
        """`POST jobs/run-now`; the same `idempotency_token` never starts a second run."""
        content = await body(request)
        job_id = number(required(content, "job_id"), "job_id")
        job = self.store.job(job_id)
        if job is None:
            raise does_not_exist(f"Job {job_id} does not exist.")
        known = self._known_token(content)
        if known is not None:
            return ok({"run_id": known, "number_in_job": known})
        how = Start(
            caller(request).name,
            run_as_name(self.services, job.settings, job.creator),
            parameters={name: text_of(value) for name, value in (content.get("job_parameters") or {}).items()},
            overriding={name: content[name] for name in TASK_PARAMETERS if content.get(name)},
            only=content.get("only"),
            queue=bool((content.get("queue") or {}).get("enabled")),
        )
        run = self.engine.start(job, how)
        self._remember(content, run)
        return ok({"run_id": run.run_id, "number_in_job": run.number_in_job})

    async def submit(self, request: Request) -> JSONResponse:
        """`POST jobs/runs/submit`: run tasks without a job."""
        content = await body(request)
        known = self._known_token(content)
        if known is not None:
            return ok({"run_id": known})
        if not content.get("tasks"):
            raise invalid("Missing required field: tasks")
        settings = normalised({name: value for name, value in content.items() if name not in ("run_name", "idempotency_token")})
        name = str(content.get("run_name") or "Untitled")
        settings["name"] = name
        who = caller(request).name
        run = self.engine.submit(name, settings, Start(who, run_as_name(self.services, settings, who)))
        self._remember(content, run)
        return ok({"run_id": run.run_id})

    def _known_token(self, content: dict[str, Any]) -> int | None:
        token = str(content.get("idempotency_token") or "")
        if len(token) > TOKEN_LENGTH:
            raise invalid(f"idempotency_token has {len(token)} characters; at most {TOKEN_LENGTH} are allowed.")
        return self.store.run_of_token(token) if token else None

    def _remember(self, content: dict[str, Any], run: JobRun) -> None:
        if content.get("idempotency_token"):
            self.store.remember_token(str(content["idempotency_token"]), run.run_id)

    async def get(self, request: Request) -> JSONResponse:
        """`GET jobs/runs/get`, of a job's run or of one task's run."""
        run, task = self._find(query(request, "run_id"))
        host, workspace_id = self.services.url, self.services.workspace_id
        if task is not None:
            answer = shapes.single_task(task, run, host, workspace_id)
            turns = [self.store.task_run(turn) for turn in task.iterations]
            lists = {"iterations": [shapes.task_run(turn, run, host, workspace_id) for turn in turns if turn is not None]}
            return ok(shapes.paged(answer, lists, offset_of(request)))
        answer = shapes.job_run(run, host, workspace_id)
        lists = shapes.run_lists(run, host, workspace_id)
        if flag(request.query_params.get("include_history")):
            lists["repair_history"] = [shapes.repair(entry) for entry in run.repairs]
        if not flag(request.query_params.get("include_resolved_values")):
            for entry in lists["tasks"]:
                entry.pop("resolved_values", None)
        if request.headers.get("user-agent", "").startswith(COMMAND_LINE):
            for entry in lists["tasks"]:
                entry.pop("end_time")
        if "/2.2/" in request.url.path:
            return ok(shapes.paged(answer, lists, offset_of(request)))
        return ok({**answer, **{name: items for name, items in lists.items() if items}})

    async def list_runs(self, request: Request) -> JSONResponse:
        """`GET jobs/runs/list`, the newest first."""
        given = request.query_params
        limit = number(given.get("limit") or RUNS_DEFAULT, "limit")
        if not 0 < limit <= RUNS_LIMIT:
            raise invalid(f"limit must be between 1 and {RUNS_LIMIT}, not {limit}.")
        active, completed = flag(given.get("active_only")), flag(given.get("completed_only"))
        if active and completed:
            raise invalid("active_only and completed_only cannot both be true.")
        wanted = {
            "job_id": number(given["job_id"], "job_id") if given.get("job_id") else None,
            "active": 1 if active else 0 if completed else None,
            "run_type": given.get("run_type"),
            "from_ms": number(given["start_time_from"], "start_time_from") if given.get("start_time_from") else None,
            "to_ms": number(given["start_time_to"], "start_time_to") if given.get("start_time_to") else None,
        }
        start = offset_of(request)
        found = self.store.runs(wanted, limit + 1, start)
        answer: dict[str, Any] = {"has_more": len(found) > limit}
        if found:
            answer["runs"] = [self._listed(run, flag(given.get("expand_tasks"))) for run in found[:limit]]
        if len(found) > limit:
            answer["next_page_token"] = page_token(start + limit)
        if start > 0:
            answer["prev_page_token"] = page_token(max(0, start - limit))
        return ok(answer)

    def _listed(self, run: JobRun, expand: bool) -> dict[str, Any]:
        host, workspace_id = self.services.url, self.services.workspace_id
        answer = shapes.job_run(run, host, workspace_id)
        if expand:
            for name, items in shapes.run_lists(run, host, workspace_id).items():
                if items:
                    answer[name] = items[: shapes.PAGE]
                if len(items) > shapes.PAGE:
                    answer["has_more"] = True
        return answer

    async def get_output(self, request: Request) -> JSONResponse:
        """`GET jobs/runs/get-output` of one task's run; a run of several tasks has none of its own."""
        run_id = query(request, "run_id")
        run, task = self._find(run_id)
        if task is None:
            if len(run.tasks) != 1:
                raise invalid(
                    "Retrieving the output of runs with multiple tasks is not supported. "
                    "Please retrieve the output of each individual task run instead."
                )
            task = run.tasks[0]
        return ok(shapes.output(task, run, self.services.url, self.services.workspace_id))

    async def export(self, request: Request) -> JSONResponse:
        """`GET jobs/runs/export`: the log of a notebook's run as a plain HTML page."""
        run, task = self._find(query(request, "run_id"))
        if task is None:
            if len(run.tasks) != 1:
                raise invalid("Exporting runs with multiple tasks is not supported; export each task's run.")
            task = run.tasks[0]
        head = f"<head><meta charset='utf-8'><title>{html.escape(task.task_key)}</title></head>"
        page = f"<!DOCTYPE html><html>{head}<body><pre>{html.escape(_log(task))}</pre></body></html>"
        return ok({"views": [{"name": task.task_key, "type": "NOTEBOOK", "content": page}]})

    async def cancel(self, request: Request) -> JSONResponse:
        """`POST jobs/runs/cancel`, of a whole run; the run is `TERMINATING` until its tasks are gone."""
        run_id = required(await body(request), "run_id")
        run, task = self._find(run_id)
        if task is not None:
            raise invalid(f"Run {run_id} is the run of a task; cancel run {run.run_id}, to which it belongs.")
        self.engine.cancel(run.run_id)
        return ok()

    async def cancel_all(self, request: Request) -> JSONResponse:
        """`POST jobs/runs/cancel-all`, of one job, or of all runs with `all_queued_runs`."""
        content = await body(request)
        job_id = content.get("job_id")
        if job_id is None and not content.get("all_queued_runs"):
            raise invalid("Missing required field: job_id")
        for run in list(self.store.live.values()):
            if job_id is not None and run.job_id != number(job_id, "job_id"):
                continue
            if run.state.life_cycle == "QUEUED" and not content.get("all_queued_runs"):
                continue
            if job_id is None and run.state.life_cycle != "QUEUED":
                continue
            self.engine.cancel(run.run_id)
        return ok()

    async def repair(self, request: Request) -> JSONResponse:
        """`POST jobs/runs/repair`: run failed or named tasks of an ended run again."""
        content = await body(request)
        run_id = required(content, "run_id")
        run, task = self._find(run_id)
        if task is not None:
            raise invalid(f"Run {run_id} is the run of a task; repair run {run.run_id}, to which it belongs.")
        if run.state.active:
            raise ApiError("INVALID_STATE", f"Run {run_id} is active; only an ended run can be repaired.")
        last = run.repairs[-1].id if run.repairs and run.repairs[-1].kind == "REPAIR" else 0
        if last and number(content.get("latest_repair_id") or 0, "latest_repair_id") != last:
            raise invalid(f"latest_repair_id must be the id of the last repair of run {run_id}, which is {last}.")
        keys = self._keys_to_repair(run, content)
        overriding = {name: content[name] for name in TASK_PARAMETERS if content.get(name)}
        parameters = {name: text_of(value) for name, value in (content.get("job_parameters") or {}).items()}
        return ok({"repair_id": self.engine.repair(run, keys, parameters, overriding)})

    def _keys_to_repair(self, run: JobRun, content: dict[str, Any]) -> list[str]:
        named = list(content.get("rerun_tasks") or [])
        known = [task["task_key"] for task in run.settings.get("tasks") or []]
        for key in named:
            if key not in known:
                raise invalid(f"Task {key} does not exist in the run; its tasks are {', '.join(known)}.")
        if not named and not content.get("rerun_all_failed_tasks"):
            raise invalid("Give either rerun_tasks or rerun_all_failed_tasks.")
        keys = named + (failed_keys(run) if content.get("rerun_all_failed_tasks") else [])
        if content.get("rerun_dependent_tasks"):
            return downstream(run, keys)
        return [key for key in known if key in keys]

    async def delete(self, request: Request) -> JSONResponse:
        """`POST jobs/runs/delete`: forget an ended run."""
        run_id = required(await body(request), "run_id")
        run, task = self._find(run_id)
        if task is not None or run.state.active:
            raise ApiError("INVALID_STATE", f"Run {run_id} is active or the run of a task; only an ended run of a job can be deleted.")
        self.store.delete_run(run.run_id)
        return ok()

    async def fire_schedule(self, request: Request) -> JSONResponse:
        """`POST /_local/jobs/fire` (of this stand-in only): let a job's schedule fire now; a paused one is refused."""
        job_id = number(required(await body(request), "job_id"), "job_id")
        job = self.store.job(job_id)
        if job is None:
            raise does_not_exist(f"Job {job_id} does not exist.")
        schedule = job.settings.get("schedule")
        if not schedule:
            raise invalid(f"Job {job_id} has no schedule.")
        if schedule.get("pause_status") == "PAUSED":
            raise ApiError("INVALID_STATE", f"The schedule of job {job_id} is paused.")
        run = self.engine.start(job, Start(job.creator, run_as_name(self.services, job.settings, job.creator), "PERIODIC"))
        following = next_time(schedule["quartz_cron_expression"], schedule["timezone_id"], datetime.now(UTC))
        return ok({"run_id": run.run_id, "next_fire_time": following.isoformat()})

    async def log(self, request: Request) -> PlainTextResponse:
        """`GET /_local/jobs/log` (of this stand-in only): what a task wrote, with the stand-in's own notes."""
        run, task = self._find(query(request, "run_id"))
        tasks = [task] if task is not None else run.tasks
        return PlainTextResponse("\n".join(_log(one) for one in tasks))

    async def lineage(self, request: Request) -> JSONResponse:
        """`GET /_local/jobs/lineage` (of this stand-in only): the tables each task of a run read and wrote, as observed."""
        run, task = self._find(query(request, "run_id"))
        rows = [
            {"task_key": one.task_key, "run_id": one.run_id, "direction": direction, "table": table}
            for one in ([task] if task is not None else run.tasks)
            for direction, tables in (("read", one.reads), ("write", one.writes))
            for table in tables
        ]
        return ok({"tables": rows})

    def _find(self, run_id: Any) -> tuple[JobRun, TaskRun | None]:
        """Return a job's run, or a task's run with the run it belongs to.

        Raises:
            ApiError: 404 when there is no such run.
        """
        wanted = number(run_id, "run_id")
        run = self.store.run(wanted)
        if run is not None:
            return run, None
        stored = self.store.task_run(wanted)
        parent = self.store.run(stored.job_run_id) if stored else None
        if stored is None or parent is None:
            raise does_not_exist(f"Run {run_id} does not exist.")
        return parent, next((task for task in parent.tasks if task.run_id == wanted), stored)


def _log(task: TaskRun) -> str:
    file = Path(task.folder) / "log.txt"
    return file.read_text("utf-8", "replace") if task.folder and file.is_file() else ""
