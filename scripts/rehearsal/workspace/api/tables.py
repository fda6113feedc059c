"""Unity Catalog: tables, which jobs make; here they are listed, shown, recorded and dropped."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rehearsal.workspace.api.catalog import API, chosen, crud, paged
from rehearsal.workspace.http import Json, body, flag, ok, page, query, required
from rehearsal.workspace.securables import SCHEMAS, TABLES, Securables, without
from rehearsal.workspace.services import CATALOGS, Services, caller

FIELDS = (
    "columns",
    "comment",
    "data_source_format",
    "properties",
    "storage_location",
    "table_type",
    "view_definition",
    "table_constraints",
)


def routes(services: Services) -> list[Route]:
    """Routes of tables."""
    securables = Securables(services)

    async def create(request: Request) -> Response:
        values = await body(request)
        names = [str(required(values, field)) for field in ("catalog_name", "schema_name", "name")]
        required(values, "table_type")
        fields = {"table_id": services.ids.uuid(), "columns": [], **chosen(values, FIELDS)}
        return ok(securables.create(TABLES, names, fields, caller(request)))

    async def get(request: Request) -> Response:
        return ok(securables.get(TABLES, request.path_params["full_name"]))

    async def exists(request: Request) -> Response:
        name = request.path_params["full_name"]
        if not services.catalogs_open:
            catalog, _, rest = name.partition(".")
            securables.get(CATALOGS, catalog)
            securables.get(SCHEMAS, f"{catalog}.{rest.split('.')[0]}")
        return ok({"table_exists": securables.find(TABLES, name) is not None})

    async def listed(request: Request) -> Response:
        prefix = f"{query(request, 'catalog_name')}.{query(request, 'schema_name')}."
        items, token = page(request, services.documents.all(TABLES, prefix.lower()), default=50, largest=50)
        left_out = [name for name in ("columns", "properties") if flag(request.query_params.get(f"omit_{name}"))]
        return ok(paged("tables", [without(item, *left_out) for item in items], token))

    async def summaries(request: Request) -> Response:
        schema = request.query_params.get("schema_name_pattern", "%").replace("%", "")
        prefix = f"{query(request, 'catalog_name')}.{schema}".lower()
        items, token = page(request, services.documents.all(TABLES, prefix), default=10_000, largest=10_000)
        shown: list[Json] = [{"full_name": item["full_name"], "table_type": item.get("table_type")} for item in items]
        return ok(paged("tables", shown, token))

    async def update(request: Request) -> Response:
        changes = chosen(await body(request), ("owner", *FIELDS))
        return ok(securables.update(TABLES, request.path_params["full_name"], changes, caller(request)))

    async def delete(request: Request) -> Response:
        securables.delete(TABLES, request.path_params["full_name"])
        return ok()

    return [
        Route(f"{API}/table-summaries", summaries, methods=["GET"]),
        Route(f"{API}/tables/{{full_name}}/exists", exists, methods=["GET"]),
        *crud(f"{API}/tables", "full_name", create, listed, get, update, delete),
    ]
