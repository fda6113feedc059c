"""Lakeflow (DLT) pipelines: kept and answered; an update is refused by name, because nothing here runs one."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rehearsal.workspace.api.catalog import paged
from rehearsal.workspace.errors import ApiError, does_not_exist, invalid
from rehearsal.workspace.http import Json, body, flag, ok, page
from rehearsal.workspace.services import Services, caller

API = "/api/2.0/pipelines"
PIPELINES = "pipelines"
NOT_KEPT = ("dry_run", "allow_duplicate_names", "expected_last_modified", "pipeline_id", "id")


def routes(services: Services) -> list[Route]:
    """Routes of pipelines."""
    documents = services.documents

    def found(request: Request) -> Json:
        pipeline = documents.get(PIPELINES, request.path_params["id"])
        if pipeline is None:
            raise does_not_exist(f"The specified pipeline {request.path_params['id']} was not found.")
        return pipeline

    async def create(request: Request) -> Response:
        values = await body(request)
        _check_name(services, values, "")
        pipeline_id, user = services.ids.uuid(), caller(request)
        spec = {"id": pipeline_id, "channel": "CURRENT", "edition": "ADVANCED", **_spec(values)}
        if flag(values.get("dry_run")):
            return ok({"effective_settings": spec})
        about = {
            "pipeline_id": pipeline_id, "name": spec.get("name", ""), "creator_user_name": user.name,
            "run_as_user_name": _run_as(values, user.name),
            "state": "IDLE", "last_modified": services.clock(), "effective_publishing_mode": "DEFAULT_PUBLISHING_MODE", "spec": spec,
        }  # fmt: skip
        documents.put(PIPELINES, pipeline_id, about)
        services.access.created(PIPELINES, pipeline_id, user)
        return ok({"pipeline_id": pipeline_id})

    async def get(request: Request) -> Response:
        return ok(found(request))

    async def listed(request: Request) -> Response:
        items = [_summary(item) for item in documents.all(PIPELINES)]
        if text := request.query_params.get("filter"):
            items = [item for item in items if _matches(item, text)]
        shown, token = page(request, items, default=25, largest=100)
        return ok(paged("statuses", shown, token))

    async def edit(request: Request) -> Response:
        current, values = found(request), await body(request)
        expected = values.get("expected_last_modified")
        if expected and int(expected) != current["last_modified"]:
            raise ApiError("RESOURCE_CONFLICT", f"Pipeline {current['pipeline_id']} was changed by somebody else in the meantime.")
        _check_name(services, values, current["pipeline_id"])
        spec = {"id": current["pipeline_id"], "channel": "CURRENT", "edition": "ADVANCED", **_spec(values)}
        changed = {"name": spec.get("name", ""), "spec": spec, "last_modified": services.clock()}
        documents.put(
            PIPELINES, current["pipeline_id"], current | changed | {"run_as_user_name": _run_as(values, current["run_as_user_name"])}
        )
        return ok()

    async def delete(request: Request) -> Response:
        pipeline_id = found(request)["pipeline_id"]
        documents.delete(PIPELINES, pipeline_id)
        services.access.deleted(PIPELINES, pipeline_id)
        return ok()

    async def refuse(request: Request) -> Response:
        name = found(request)["name"]
        raise ApiError("FEATURE_DISABLED", f"The local workspace does not run pipelines; `{name}` can be deployed here, but not updated.")

    async def updates(request: Request) -> Response:
        found(request)
        return ok({"updates": []})

    async def events(request: Request) -> Response:
        found(request)
        return ok({"events": []})

    async def stop(request: Request) -> Response:
        found(request)
        return ok()

    return [
        Route(API, create, methods=["POST"]),
        Route(API, listed, methods=["GET"]),
        Route(f"{API}/{{id}}", get, methods=["GET"]),
        Route(f"{API}/{{id}}", edit, methods=["PUT"]),
        Route(f"{API}/{{id}}", delete, methods=["DELETE"]),
        Route(f"{API}/{{id}}/updates", refuse, methods=["POST"]),
        Route(f"{API}/{{id}}/updates", updates, methods=["GET"]),
        Route(f"{API}/{{id}}/events", events, methods=["GET"]),
        Route(f"{API}/{{id}}/stop", stop, methods=["POST"]),
    ]


def _spec(values: Json) -> Json:
    return {name: value for name, value in values.items() if name not in NOT_KEPT and value is not None}


def _check_name(services: Services, values: Json, own_id: str) -> None:
    """Two pipelines of one name are refused, unless the caller allows it."""
    name = values.get("name")
    if not name or flag(values.get("allow_duplicate_names")):
        return
    others = [p for p in services.documents.all(PIPELINES) if p["name"] == name and p["pipeline_id"] != own_id]
    if others:
        raise ApiError("RESOURCE_CONFLICT", f"The pipeline name '{name}' is already used by another pipeline.", status=409)


def _run_as(values: Json, default: str) -> str:
    run_as = values.get("run_as") or {}
    return str(run_as.get("user_name") or run_as.get("service_principal_name") or default)


def _summary(pipeline: Json) -> Json:
    return {name: pipeline[name] for name in ("pipeline_id", "name", "state", "creator_user_name", "run_as_user_name")}


def _matches(item: Json, text: str) -> bool:
    match = re.fullmatch(r"\s*name\s+(LIKE|=)\s+'([^']*)'\s*", text, re.IGNORECASE)
    if match is None:
        raise invalid(f"The local workspace knows filters of the kind `name LIKE '%x%'`, not `{text}`.")
    wanted = re.escape(match[2]).replace("%", ".*") if match[1].upper() == "LIKE" else re.escape(match[2])
    return re.fullmatch(wanted, str(item["name"]), re.IGNORECASE) is not None
