"""Unity Catalog: the metastore, catalogs and schemas."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rehearsal.workspace.errors import catalog_error
from rehearsal.workspace.http import Json, body, flag, ok, page, query, required
from rehearsal.workspace.securables import SCHEMAS, Securables
from rehearsal.workspace.services import CATALOGS, Services, caller

Handler = Callable[[Request], Awaitable[Response]]

API = "/api/2.1/unity-catalog"
METASTORE_ID = "11111111-2222-4333-8444-555555555555"
CATALOG_FIELDS = ("comment", "properties", "options", "storage_root", "isolation_mode", "enable_predictive_optimization", "owner")
SCHEMA_FIELDS = ("comment", "properties", "storage_root", "enable_predictive_optimization", "owner")


def routes(services: Services) -> list[Route]:
    """Routes of the metastore, catalogs and schemas."""
    return [*_metastore_routes(services), *_catalog_routes(services), *_schema_routes(services)]


def _metastore_routes(services: Services) -> list[Route]:
    async def assignment(_: Request) -> Response:
        default = "main" if services.documents.get(CATALOGS, "main") else (services.documents.keys(CATALOGS) or ["main"])[0]
        return ok({"metastore_id": METASTORE_ID, "workspace_id": int(services.workspace_id), "default_catalog_name": default})

    async def summary(_: Request) -> Response:
        return ok({"metastore_id": METASTORE_ID, "name": "local", "cloud": "aws", "region": "us-east-1", "owner": "admins"})

    return [
        Route(f"{API}/current-metastore-assignment", assignment, methods=["GET"]),
        Route(f"{API}/metastore_summary", summary, methods=["GET"]),
    ]


def _catalog_routes(services: Services) -> list[Route]:
    securables = Securables(services)

    async def create(request: Request) -> Response:
        values = await body(request)
        fields = chosen(values, CATALOG_FIELDS)
        return ok(securables.create(CATALOGS, [str(required(values, "name"))], fields, caller(request)))

    async def get(request: Request) -> Response:
        return ok(securables.get(CATALOGS, request.path_params["name"]))

    async def listed(request: Request) -> Response:
        items, token = page(request, services.documents.all(CATALOGS), default=1000, largest=1000)
        return ok(paged("catalogs", items, token))

    async def update(request: Request) -> Response:
        changes = chosen(await body(request), (*CATALOG_FIELDS, "new_name"))
        return ok(securables.update(CATALOGS, request.path_params["name"], changes, caller(request)))

    async def delete(request: Request) -> Response:
        name = request.path_params["name"]
        securables.get(CATALOGS, name)
        if securables.inside(CATALOGS, name) and not flag(request.query_params.get("force")):
            raise catalog_error("CATALOG_NOT_EMPTY", f"Catalog '{name}' is not empty. The catalog has at least one schema(s).")
        securables.delete(CATALOGS, name)
        return ok()

    return crud(f"{API}/catalogs", "name", create, listed, get, update, delete)


def _schema_routes(services: Services) -> list[Route]:
    securables = Securables(services)

    async def create(request: Request) -> Response:
        values = await body(request)
        names = [str(required(values, "catalog_name")), str(required(values, "name"))]
        return ok(securables.create(SCHEMAS, names, chosen(values, SCHEMA_FIELDS), caller(request)))

    async def get(request: Request) -> Response:
        return ok(securables.get(SCHEMAS, request.path_params["full_name"]))

    async def listed(request: Request) -> Response:
        catalog = query(request, "catalog_name")
        if not services.catalogs_open:
            securables.get(CATALOGS, catalog)
        items, token = page(request, services.documents.all(SCHEMAS, f"{catalog.lower()}."), default=1000, largest=1000)
        return ok(paged("schemas", items, token))

    async def update(request: Request) -> Response:
        changes = chosen(await body(request), (*SCHEMA_FIELDS, "new_name"))
        return ok(securables.update(SCHEMAS, request.path_params["full_name"], changes, caller(request)))

    async def delete(request: Request) -> Response:
        name = request.path_params["full_name"]
        securables.get(SCHEMAS, name)
        if securables.inside(SCHEMAS, name) and not flag(request.query_params.get("force")):
            raise catalog_error("SCHEMA_NOT_EMPTY", f"Schema '{name}' is not empty. The schema has at least one object in it.")
        securables.delete(SCHEMAS, name)
        return ok()

    return crud(f"{API}/schemas", "full_name", create, listed, get, update, delete)


def crud(path: str, parameter: str, create: Handler, listed: Handler, get: Handler, update: Handler, delete: Handler) -> list[Route]:
    """The five routes that every kind of object has: POST and GET on the collection; GET, PATCH and DELETE on one."""
    one = f"{path}/{{{parameter}}}"
    return [
        Route(path, create, methods=["POST"]),
        Route(path, listed, methods=["GET"]),
        Route(one, get, methods=["GET"]),
        Route(one, update, methods=["PATCH"]),
        Route(one, delete, methods=["DELETE"]),
    ]


def chosen(values: Json, fields: tuple[str, ...]) -> Json:
    """Those fields of a request that an object keeps."""
    return {name: values[name] for name in fields if values.get(name) is not None}


def paged(name: str, items: list[Json], token: str) -> Json:
    """A page as Unity Catalog answers it; an empty list is left out, as is the token of the last page."""
    return ({name: items} if items else {}) | ({"next_page_token": token} if token else {})
