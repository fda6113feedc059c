"""Unity Catalog: volumes, which are folders on disk."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rehearsal.workspace.api.catalog import API, METASTORE_ID, chosen, crud, paged
from rehearsal.workspace.errors import invalid
from rehearsal.workspace.http import Json, body, ok, page, query, required
from rehearsal.workspace.securables import VOLUMES, Securables, without
from rehearsal.workspace.services import Services, caller

FIELDS = ("comment", "storage_location", "volume_type", "owner")
TYPES = ("MANAGED", "EXTERNAL")


def routes(services: Services) -> list[Route]:
    """Routes of volumes."""
    securables = Securables(services)

    async def create(request: Request) -> Response:
        values = await body(request)
        names = [str(required(values, field)) for field in ("catalog_name", "schema_name", "name")]
        kind = str(required(values, "volume_type"))
        if kind not in TYPES:
            raise invalid(f"volume_type `{kind}` is not one of {', '.join(TYPES)}")
        if kind == "EXTERNAL":
            required(values, "storage_location")
        identity = services.ids.uuid()
        place = {"storage_location": f"managed://{METASTORE_ID}/volumes/{identity}"}
        volume = securables.create(VOLUMES, names, {"volume_id": identity, **place, **chosen(values, FIELDS)}, caller(request))
        services.files.volume_path(*names).mkdir(parents=True, exist_ok=True)
        return ok(_shown(volume))

    async def get(request: Request) -> Response:
        return ok(_shown(securables.get(VOLUMES, request.path_params["name"])))

    async def listed(request: Request) -> Response:
        prefix = f"{query(request, 'catalog_name')}.{query(request, 'schema_name')}."
        items, token = page(request, services.documents.all(VOLUMES, prefix.lower()), default=10_000, largest=10_000)
        return ok(paged("volumes", [_shown(item) for item in items], token))

    async def update(request: Request) -> Response:
        changes = chosen(await body(request), ("comment", "owner", "new_name"))
        return ok(_shown(securables.update(VOLUMES, request.path_params["name"], changes, caller(request))))

    async def delete(request: Request) -> Response:
        securables.delete(VOLUMES, request.path_params["name"])
        return ok()

    return crud(f"{API}/volumes", "name", create, listed, get, update, delete)


def _shown(volume: Json) -> Json:
    """A volume as it is answered: who changed it last is told only once somebody did."""
    return without(volume, "updated_by") if volume["updated_at"] == volume["created_at"] else volume
