"""Unity Catalog: registered models, versions and aliases, as SDK and CLI see them."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rehearsal.workspace.api.catalog import API, METASTORE_ID, chosen, crud, paged
from rehearsal.workspace.http import Json, body, flag, ok, page, query, required
from rehearsal.workspace.registry import Registry, parse_version
from rehearsal.workspace.securables import MODELS, without
from rehearsal.workspace.services import Services, caller

HIDDEN = ("aliases", "tags", "last_version", "deployment_job_id")


def routes(services: Services) -> list[Route]:
    """Routes of registered models."""
    registry = Registry(services)
    securables = registry.securables

    async def create(request: Request) -> Response:
        values = await body(request)
        names = [str(required(values, field)) for field in ("catalog_name", "schema_name", "name")]
        return ok(_model(registry.create(names, chosen(values, ("comment", "storage_location", "owner")), caller(request))))

    async def get(request: Request) -> Response:
        model = registry.model(request.path_params["full_name"])
        shown = _model(model)
        if flag(request.query_params.get("include_aliases")) and model["aliases"]:
            shown["aliases"] = [_alias(model, alias) for alias in sorted(model["aliases"])]
        return ok(shown)

    async def listed(request: Request) -> Response:
        catalog, schema = request.query_params.get("catalog_name"), request.query_params.get("schema_name")
        if catalog and not schema:
            query(request, "schema_name")
        prefix = f"{catalog}.{schema}.".lower() if catalog else ""
        items, token = page(
            request, [m for m in registry.models() if str(m["full_name"]).lower().startswith(prefix)], default=100, largest=1000
        )
        return ok(paged("registered_models", [_model(item) for item in items], token))

    async def update(request: Request) -> Response:
        changes = chosen(await body(request), ("comment", "owner", "new_name"))
        return ok(_model(securables.update(MODELS, request.path_params["full_name"], changes, caller(request))))

    async def delete(request: Request) -> Response:
        securables.delete(MODELS, request.path_params["full_name"])
        return ok()

    return [
        *_alias_routes(registry),
        *_version_routes(registry),
        *crud(f"{API}/models", "full_name", create, listed, get, update, delete),
    ]


def _alias_routes(registry: Registry) -> list[Route]:
    async def set_alias(request: Request) -> Response:
        values = await body(request)
        name, alias = request.path_params["full_name"], request.path_params["alias"]
        registry.set_alias(name, alias, parse_version(required(values, "version_num")))
        return ok(_alias(registry.model(name), alias))

    async def delete_alias(request: Request) -> Response:
        registry.delete_alias(request.path_params["full_name"], request.path_params["alias"])
        return ok()

    async def get(request: Request) -> Response:
        name = request.path_params["full_name"]
        return ok(_version(registry, registry.by_alias(name, request.path_params["alias"]), request))

    path = f"{API}/models/{{full_name}}/aliases/{{alias}}"
    return [Route(path, set_alias, methods=["PUT"]), Route(path, delete_alias, methods=["DELETE"]), Route(path, get, methods=["GET"])]


def _version_routes(registry: Registry) -> list[Route]:
    async def listed(request: Request) -> Response:
        items, token = page(request, registry.versions(request.path_params["full_name"]), default=100, largest=1000)
        return ok(paged("model_versions", [without(item, "tags") for item in items], token))

    async def get(request: Request) -> Response:
        return ok(_version(registry, registry.version(*_asked(request)), request))

    async def update(request: Request) -> Response:
        changes = chosen(await body(request), ("comment",))
        return ok(without(registry.change_version(*_asked(request), changes, caller(request)), "tags"))

    async def delete(request: Request) -> Response:
        registry.delete_version(*_asked(request))
        return ok()

    path = f"{API}/models/{{full_name}}/versions"
    return [
        Route(path, listed, methods=["GET"]),
        Route(f"{path}/{{version}}", get, methods=["GET"]),
        Route(f"{path}/{{version}}", update, methods=["PATCH"]),
        Route(f"{path}/{{version}}", delete, methods=["DELETE"]),
    ]


def _asked(request: Request) -> tuple[str, int]:
    return request.path_params["full_name"], parse_version(request.path_params["version"])


def _model(model: Json) -> Json:
    return without(model, *HIDDEN) | {"metastore_id": METASTORE_ID}


def _alias(model: Json, alias: str) -> Json:
    names = {name: model[name] for name in ("catalog_name", "schema_name")}
    return {"alias_name": alias, "version_num": model["aliases"][alias], "model_name": model["name"], **names}


def _version(registry: Registry, version: Json, request: Request) -> Json:
    shown = without(version, "tags") | {"metastore_id": METASTORE_ID}
    if flag(request.query_params.get("include_aliases")):
        full_name = f"{version['catalog_name']}.{version['schema_name']}.{version['model_name']}"
        model = registry.model(full_name)
        shown["aliases"] = [_alias(model, alias) for alias in registry.aliases_of(full_name, version["version"])]
    return shown
