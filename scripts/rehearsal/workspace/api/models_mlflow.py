"""Unity Catalog's registered models as the MLflow client sees them (registry URI `databricks-uc`)."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rehearsal.workspace.errors import ApiError, answer, invalid, not_imitated
from rehearsal.workspace.http import Json, body, ok, page, required
from rehearsal.workspace.registry import Registry, parse_version
from rehearsal.workspace.securables import MODELS
from rehearsal.workspace.services import Services, caller

API = "/api/2.0/mlflow/unity-catalog"
LINEAGE = "model_lineage"
Handler = Callable[[Request, Json], Awaitable[Json]]


def routes(services: Services) -> list[Route]:
    """Routes that MLflow's Unity Catalog store calls; what it asks beyond them is refused by name."""
    registry = Registry(services)
    handlers = {**_model_handlers(registry), **_version_handlers(registry), **_tag_and_alias_handlers(registry)}
    found = [Route(f"{API}/{path}", _endpoint(handler), methods=[method]) for (method, path), handler in handlers.items()]

    async def refuse(request: Request) -> Response:
        raise not_imitated(request.method, request.url.path)

    every = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    return [*found, Route(f"{API}/{{rest:path}}", refuse, methods=every)]


def _endpoint(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint whose arguments come in the query (GET) or the body, and whose errors have MLflow's codes."""

    async def endpoint(request: Request) -> Response:
        values = dict(request.query_params) | await body(request)
        try:
            return ok(await handler(request, values))
        except ApiError as problem:
            if problem.code.endswith("_DOES_NOT_EXIST"):
                return answer(ApiError("RESOURCE_DOES_NOT_EXIST", problem.message, status=problem.status))
            if problem.code.endswith("_ALREADY_EXISTS"):
                return answer(ApiError("RESOURCE_ALREADY_EXISTS", problem.message, status=400))
            raise

    return endpoint


def _model_handlers(registry: Registry) -> dict[tuple[str, str], Handler]:
    async def create(request: Request, values: Json) -> Json:
        names = str(required(values, "name")).split(".")
        if len(names) != 3:
            raise invalid(f"Registered model name `{values['name']}` must have three parts: catalog.schema.model")
        fields = {"comment": values["description"]} if values.get("description") else {}
        if values.get("deployment_job_id") and registry.services.deployment_jobs is not None:
            registry.services.deployment_jobs.check(str(values["deployment_job_id"]))
            fields["deployment_job_id"] = str(values["deployment_job_id"])
        return {"registered_model": _model(registry, registry.create(names, fields | {"tags": _tags(values)}, caller(request)))}

    async def update(request: Request, values: Json) -> Json:
        name = str(required(values, "name"))
        changes = {"comment": values["description"]} if "description" in values else {}
        if "deployment_job_id" in values:
            registry.connect(name, str(values["deployment_job_id"] or ""))
        if values.get("new_name"):
            changes["new_name"] = str(values["new_name"]).rsplit(".", 1)[-1]
        return {"registered_model": _model(registry, registry.securables.update(MODELS, name, changes, caller(request)))}

    async def delete(_: Request, values: Json) -> Json:
        registry.securables.delete(MODELS, str(required(values, "name")))
        return {}

    async def get(_: Request, values: Json) -> Json:
        return {"registered_model": _model(registry, registry.model(str(required(values, "name"))))}

    async def search(request: Request, _: Json) -> Json:
        items, token = page(request, registry.models(), default=100, largest=1000)
        return {"registered_models": [_model(registry, item) for item in items]} | ({"next_page_token": token} if token else {})

    async def by_sdk(_: Request, __: Json) -> Json:
        return {"is_databricks_sdk_models_artifact_repository_enabled": True}

    return {
        ("POST", "registered-models/create"): create,
        ("PATCH", "registered-models/update"): update,
        ("DELETE", "registered-models/delete"): delete,
        ("GET", "registered-models/get"): get,
        ("GET", "registered-models/search"): search,
        ("GET", "registered-models:is-databricks-sdk-models-artifact-repository-enabled"): by_sdk,
    }


def _version_handlers(registry: Registry) -> dict[tuple[str, str], Handler]:
    async def create(request: Request, values: Json) -> Json:
        name = str(required(values, "name"))
        kept = {
            field: values[field]
            for field in ("source", "run_id", "run_tracking_server_id", "model_id", "model_version_dependencies")
            if values.get(field)
        }
        if values.get("description"):
            kept["comment"] = values["description"]
        version = registry.create_version(name, kept | {"tags": _tags(values)}, caller(request))
        return {"model_version": _version(registry, version)}

    async def finalize(request: Request, values: Json) -> Json:
        version = registry.finish_version(*_asked(values), caller(request))
        return {"model_version": _version(registry, version)}

    async def update(request: Request, values: Json) -> Json:
        changes = {"comment": values["description"]} if "description" in values else {}
        return {"model_version": _version(registry, registry.change_version(*_asked(values), changes, caller(request)))}

    async def delete(_: Request, values: Json) -> Json:
        registry.delete_version(*_asked(values))
        return {}

    async def get(_: Request, values: Json) -> Json:
        return {"model_version": _version(registry, registry.version(*_asked(values)))}

    async def search(request: Request, values: Json) -> Json:
        items, token = page(request, _found(registry, str(values.get("filter") or "")), default=100, largest=1000)
        return {"model_versions": [_version(registry, item) for item in items]} | ({"next_page_token": token} if token else {})

    async def download_uri(_: Request, values: Json) -> Json:
        return {"artifact_uri": registry.version(*_asked(values))["storage_location"]}

    async def lineage(_: Request, values: Json) -> Json:
        name, number = _asked(values)
        registry.documents.put(LINEAGE, f"{name.lower()}/{number:09d}", values)
        return {}

    return {
        ("POST", "model-versions/create"): create,
        ("POST", "model-versions/finalize"): finalize,
        ("PATCH", "model-versions/update"): update,
        ("DELETE", "model-versions/delete"): delete,
        ("GET", "model-versions/get"): get,
        ("GET", "model-versions/search"): search,
        ("GET", "model-versions/get-download-uri"): download_uri,
        ("POST", "model-versions/emit-lineage"): lineage,
    }


def _tag_and_alias_handlers(registry: Registry) -> dict[tuple[str, str], Handler]:
    async def set_alias(_: Request, values: Json) -> Json:
        registry.set_alias(str(required(values, "name")), str(required(values, "alias")), parse_version(required(values, "version")))
        return {}

    async def delete_alias(_: Request, values: Json) -> Json:
        registry.delete_alias(str(required(values, "name")), str(required(values, "alias")))
        return {}

    async def by_alias(_: Request, values: Json) -> Json:
        version = registry.by_alias(str(required(values, "name")), str(required(values, "alias")))
        return {"model_version": _version(registry, version)}

    async def set_model_tag(_: Request, values: Json) -> Json:
        model = registry.model(str(required(values, "name")))
        registry.save(model | {"tags": model["tags"] | {str(required(values, "key")): str(values.get("value", ""))}})
        return {}

    async def delete_model_tag(_: Request, values: Json) -> Json:
        model = registry.model(str(required(values, "name")))
        registry.save(model | {"tags": _less(model["tags"], str(required(values, "key")))})
        return {}

    async def set_version_tag(request: Request, values: Json) -> Json:
        tags = registry.version(*_asked(values))["tags"] | {str(required(values, "key")): str(values.get("value", ""))}
        registry.change_version(*_asked(values), {"tags": tags}, caller(request))
        return {}

    async def delete_version_tag(request: Request, values: Json) -> Json:
        tags = _less(registry.version(*_asked(values))["tags"], str(required(values, "key")))
        registry.change_version(*_asked(values), {"tags": tags}, caller(request))
        return {}

    return {
        ("POST", "registered-models/alias"): set_alias,
        ("DELETE", "registered-models/alias"): delete_alias,
        ("GET", "registered-models/alias"): by_alias,
        ("POST", "registered-models/set-tag"): set_model_tag,
        ("DELETE", "registered-models/delete-tag"): delete_model_tag,
        ("POST", "model-versions/set-tag"): set_version_tag,
        ("DELETE", "model-versions/delete-tag"): delete_version_tag,
    }


def _asked(values: Json) -> tuple[str, int]:
    return str(required(values, "name")), parse_version(required(values, "version"))


def _tags(values: Json) -> Json:
    return {str(required(tag, "key")): str(tag.get("value", "")) for tag in values.get("tags") or []}


def _less(tags: Json, key: str) -> Json:
    return {name: value for name, value in tags.items() if name != key}


def _found(registry: Registry, text: str) -> list[Json]:
    """The versions that a filter means: all, or those of one model or one run (Unity Catalog takes one condition)."""
    if not text:
        return [version for model in registry.models() for version in registry.versions(str(model["full_name"]))]
    match = re.fullmatch(r"""\s*(name|run_id)\s*=\s*(?:'([^']*)'|"([^"]*)")\s*""", text)
    if match is None:
        raise invalid(f"Unsupported filter `{text}`: use name='catalog.schema.model' or run_id='...'")
    wanted = match[2] or match[3] or ""
    if match[1] == "name":
        return registry.versions(wanted) if registry.securables.find(MODELS, wanted) else []
    return [version for version in _found(registry, "") if version.get("run_id") == wanted]


def _model(registry: Registry, model: Json) -> Json:
    jobs = registry.services.deployment_jobs
    shown = {
        "name": model["full_name"], "creation_timestamp": model["created_at"], "last_updated_timestamp": model["updated_at"],
        "user_id": model["owner"], "description": model.get("comment", ""), "deployment_job_id": model.get("deployment_job_id", ""),
        "deployment_job_state": jobs.model_state(model) if jobs else "NOT_SET_UP",
    }  # fmt: skip
    aliases = [{"alias": alias, "version": str(number)} for alias, number in sorted(model.get("aliases", {}).items())]
    tags = [{"key": key, "value": value} for key, value in model.get("tags", {}).items()]
    return shown | ({"aliases": aliases} if aliases else {}) | ({"tags": tags} if tags else {})


def _version(registry: Registry, version: Json) -> Json:
    full_name = f"{version['catalog_name']}.{version['schema_name']}.{version['model_name']}"
    shown = {
        "name": full_name, "version": str(version["version"]), "creation_timestamp": version["created_at"],
        "last_updated_timestamp": version["updated_at"], "user_id": version["created_by"], "description": version.get("comment", ""),
        "status": version["status"], "storage_location": version["storage_location"],
    }  # fmt: skip
    shown |= {field: version[field] for field in ("source", "run_id", "run_tracking_server_id", "model_id") if field in version}
    jobs = registry.services.deployment_jobs
    deployment = jobs.version_state(registry.model(full_name), int(version["version"])) if jobs else None
    shown |= {"deployment_job_state": deployment} if deployment else {}
    aliases = [{"alias": alias, "version": str(version["version"])} for alias in registry.aliases_of(full_name, version["version"])]
    tags = [{"key": key, "value": value} for key, value in version["tags"].items()]
    return shown | ({"aliases": aliases} if aliases else {}) | ({"tags": tags} if tags else {})
