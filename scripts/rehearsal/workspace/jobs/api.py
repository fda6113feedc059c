"""The Jobs API over HTTP: jobs, runs, outputs (https://docs.databricks.com/api/workspace/jobs), versions 2.0 to 2.2."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from rehearsal.workspace.deployment_jobs import DeploymentJobs
from rehearsal.workspace.errors import ApiError, does_not_exist, invalid
from rehearsal.workspace.http import body, flag, number, ok, page_token, query, required
from rehearsal.workspace.jobs import mail_api, shapes
from rehearsal.workspace.jobs.engine import Engine
from rehearsal.workspace.jobs.model import Job
from rehearsal.workspace.jobs.runs_api import RunsApi, offset_of
from rehearsal.workspace.jobs.runtime import make_engine
from rehearsal.workspace.jobs.settings import normalised, updated
from rehearsal.workspace.jobs.specs import run_as_name
from rehearsal.workspace.services import Services, caller

PAGED = ("tasks", "job_clusters", "parameters", "environments")
LIST_LIMIT = 100
LIST_DEFAULT = 20


class JobsApi:
    """Handlers of `/api/2.x/jobs/...`.

    Args:
        services: The workspace.
        engine: Runs jobs.
    """

    def __init__(self, services: Services, engine: Engine) -> None:
        self.services, self.engine, self.store = services, engine, engine.store
        engine.run_as_of = lambda job: run_as_name(services, job.settings, job.creator)

    async def create(self, request: Request) -> JSONResponse:
        """`POST jobs/create`."""
        content = await body(request)
        identity = caller(request)
        settings = normalised(content)
        run_as_name(self.services, settings, identity.name)
        job = Job(self.services.ids.number(), identity.name, self.services.clock(), settings)
        self.store.save_job(job)
        self.services.access.created("jobs", job.job_id, identity)
        if content.get("access_control_list"):
            self.services.access.set("jobs", job.job_id, content["access_control_list"])
        return ok({"job_id": job.job_id})

    async def reset(self, request: Request) -> JSONResponse:
        """`POST jobs/reset`: all settings replaced."""
        content = await body(request)
        job = self._job(required(content, "job_id"))
        job.settings = normalised(required(content, "new_settings"))
        run_as_name(self.services, job.settings, job.creator)
        self.store.save_job(job)
        return ok()

    async def update(self, request: Request) -> JSONResponse:
        """`POST jobs/update`: some settings replaced or removed."""
        content = await body(request)
        job = self._job(required(content, "job_id"))
        job.settings = updated(job.settings, content.get("new_settings") or {}, content.get("fields_to_remove") or [])
        self.store.save_job(job)
        return ok()

    async def get(self, request: Request) -> JSONResponse:
        """`GET jobs/get`; lists of more than 100 come in pages from version 2.2 on."""
        job = self._job(query(request, "job_id"))
        answer = shapes.job(job, run_as_name(self.services, job.settings, job.creator))
        if "/2.2/" in request.url.path:
            lists = {name: job.settings.get(name) or [] for name in PAGED}
            settings = {name: value for name, value in job.settings.items() if name not in PAGED}
            page = shapes.paged(settings, lists, offset_of(request))
            if token := page.pop("next_page_token", None):
                answer["next_page_token"] = token
                answer["has_more"] = True
            answer["settings"] = page
        return ok(answer)

    async def list_jobs(self, request: Request) -> JSONResponse:
        """`GET jobs/list`, the newest first; `name` compares without regard to case."""
        limit = number(request.query_params.get("limit") or LIST_DEFAULT, "limit")
        if not 0 < limit <= LIST_LIMIT:
            raise invalid(f"limit must be between 1 and {LIST_LIMIT}, not {limit}.")
        start = offset_of(request)
        found = self.store.jobs(request.query_params.get("name"), limit + 1, start)
        expand = flag(request.query_params.get("expand_tasks"))
        answer: dict[str, Any] = {"jobs": [self._listed(job, expand) for job in found[:limit]], "has_more": len(found) > limit}
        if not answer["jobs"]:
            del answer["jobs"]
        if len(found) > limit:
            answer["next_page_token"] = page_token(start + limit)
        return ok(answer)

    def _listed(self, job: Job, expand: bool) -> dict[str, Any]:
        answer = shapes.job(job, run_as_name(self.services, job.settings, job.creator))
        hidden = () if expand else ("tasks", "job_clusters", "environments")
        answer["settings"] = {
            name: value[: shapes.PAGE] if isinstance(value, list) else value for name, value in job.settings.items() if name not in hidden
        }
        for name in ("run_as_user_name", "run_as_owner"):
            answer.pop(name)
        if expand and any(len(job.settings.get(name) or []) > shapes.PAGE for name in PAGED):
            answer["has_more"] = True
        return answer

    async def delete(self, request: Request) -> JSONResponse:
        """`POST jobs/delete`; runs that are active are cancelled."""
        job = self._job(required(await body(request), "job_id"))
        for run in self.store.active_runs(job.job_id):
            self.engine.cancel(run.run_id)
        self.store.delete_job(job.job_id)
        self.services.access.deleted("jobs", job.job_id)
        return ok()

    def _job(self, job_id: Any) -> Job:
        found = self.store.job(number(job_id, "job_id"))
        if found is None:
            raise does_not_exist(f"Job {job_id} does not exist.")
        return found


def refused(what: str) -> Any:
    """Return a handler that refuses a request by name."""

    async def handler(_: Request) -> JSONResponse:
        raise ApiError("FEATURE_DISABLED", f"The local workspace does not imitate {what}.")

    return handler


def routes(services: Services) -> list[Route]:
    """Return the routes of the Jobs API."""
    engine = make_engine(services)
    jobs, runs = JobsApi(services, engine), RunsApi(services, engine)
    DeploymentJobs(services, engine)
    handlers: list[tuple[str, str, Any]] = [
        ("POST", "create", jobs.create),
        ("POST", "reset", jobs.reset),
        ("POST", "update", jobs.update),
        ("GET", "get", jobs.get),
        ("GET", "list", jobs.list_jobs),
        ("POST", "delete", jobs.delete),
        ("POST", "run-now", runs.run_now),
        ("POST", "runs/submit", runs.submit),
        ("GET", "runs/get", runs.get),
        ("GET", "runs/list", runs.list_runs),
        ("GET", "runs/get-output", runs.get_output),
        ("GET", "runs/export", runs.export),
        ("POST", "runs/cancel", runs.cancel),
        ("POST", "runs/cancel-all", runs.cancel_all),
        ("POST", "runs/repair", runs.repair),
        ("POST", "runs/delete", runs.delete),
    ]
    found = [
        Route(f"/api/{version}/jobs/{path}", handler, methods=[method])
        for version in ("2.2", "2.1", "2.0")
        for method, path, handler in handlers
    ]
    if engine.runner.specs.mailbox:
        found += mail_api.routes(engine.runner.specs.mailbox)
    found.append(Route("/_local/jobs/fire", runs.fire_schedule, methods=["POST"]))
    found.append(Route("/_local/jobs/lineage", runs.lineage, methods=["GET"]))
    found.append(Route("/_local/jobs/log", runs.log, methods=["GET"]))
    return found
