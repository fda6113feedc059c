"""SQL warehouses: kept and answered as running at once; nothing is started."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rehearsal.workspace.errors import does_not_exist, invalid
from rehearsal.workspace.http import Json, body, ok, page, required
from rehearsal.workspace.services import Services, caller

API = "/api/2.0/sql/warehouses"
WAREHOUSES, ACL_KIND = "warehouses", "sql/warehouses"
DEFAULTS: Json = {
    "auto_stop_mins": 120, "enable_photon": True, "max_num_clusters": 1, "min_num_clusters": 1,
    "spot_instance_policy": "COST_OPTIMIZED", "warehouse_type": "CLASSIC",
}  # fmt: skip
SIZES = ("2X-Small", "X-Small", "Small", "Medium", "Large", "X-Large", "2X-Large", "3X-Large", "4X-Large", "5X-Large")


def routes(services: Services) -> list[Route]:
    """Routes of warehouses."""
    documents = services.documents

    def found(request: Request) -> Json:
        warehouse = documents.get(WAREHOUSES, request.path_params["id"])
        if warehouse is None:
            raise does_not_exist(f"SQL warehouse {request.path_params['id']} does not exist.")
        return warehouse

    async def create(request: Request) -> Response:
        values = await body(request)
        name = str(required(values, "name"))
        if any(other["name"] == name for other in documents.all(WAREHOUSES)):
            raise invalid(f"SQL warehouse with name `{name}` already exists")
        warehouse_id = services.ids.hex(16)
        fixed = {"id": warehouse_id, "creator_name": caller(request).name, "state": "RUNNING"}
        documents.put(WAREHOUSES, warehouse_id, _checked(DEFAULTS | values) | fixed)
        services.access.created(ACL_KIND, warehouse_id, caller(request))
        return ok({"id": warehouse_id})

    async def get(request: Request) -> Response:
        return ok(found(request))

    async def listed(request: Request) -> Response:
        items, token = page(request, documents.all(WAREHOUSES), default=100, largest=1000, size_name="page_size")
        return ok({"warehouses": items} | ({"next_page_token": token} if token else {}))

    async def edit(request: Request) -> Response:
        current, values = found(request), await body(request)
        fixed = {name: current[name] for name in ("id", "creator_name", "state")}
        documents.put(WAREHOUSES, current["id"], _checked(current | values) | fixed)
        return ok()

    async def delete(request: Request) -> Response:
        current = found(request)
        documents.delete(WAREHOUSES, current["id"])
        services.access.deleted(ACL_KIND, current["id"])
        return ok()

    async def start(request: Request) -> Response:
        documents.put(WAREHOUSES, request.path_params["id"], found(request) | {"state": "RUNNING"})
        return ok()

    async def stop(request: Request) -> Response:
        documents.put(WAREHOUSES, request.path_params["id"], found(request) | {"state": "STOPPED"})
        return ok()

    return [
        Route(API, create, methods=["POST"]),
        Route(API, listed, methods=["GET"]),
        Route(f"{API}/{{id}}", get, methods=["GET"]),
        Route(f"{API}/{{id}}", delete, methods=["DELETE"]),
        Route(f"{API}/{{id}}/edit", edit, methods=["POST"]),
        Route(f"{API}/{{id}}/start", start, methods=["POST"]),
        Route(f"{API}/{{id}}/stop", stop, methods=["POST"]),
    ]


def _checked(settings: Json) -> Json:
    size = settings.get("cluster_size", "2X-Small")
    if size not in SIZES:
        raise invalid(f"cluster_size `{size}` is not one of {', '.join(SIZES)}")
    return settings
