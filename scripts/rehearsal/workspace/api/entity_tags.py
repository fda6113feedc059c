"""Unity Catalog: tags of catalogs, schemas, volumes and tables."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rehearsal.workspace.api.catalog import API, paged
from rehearsal.workspace.errors import ApiError, catalog_error, does_not_exist
from rehearsal.workspace.http import Json, body, ok, page, required
from rehearsal.workspace.securables import SCHEMAS, TABLES, TAGS, VOLUMES, Securables
from rehearsal.workspace.services import CATALOGS, Services

KIND_OF_TYPE = {"catalogs": CATALOGS, "schemas": SCHEMAS, "tables": TABLES, "volumes": VOLUMES}


def routes(services: Services) -> list[Route]:
    """Routes of tag assignments."""
    tags = _Tags(services)

    async def create(request: Request) -> Response:
        values = await body(request)
        kind, name = str(required(values, "entity_type")), str(required(values, "entity_name"))
        key, current = str(required(values, "tag_key")), tags.of(kind, name)
        if key in current:
            raise catalog_error("TAG_ASSIGNMENT_ALREADY_EXISTS", f"Tag assignment with key '{key}' already exists")
        return ok(tags.put(kind, name, key, str(values.get("tag_value", ""))))

    async def get(request: Request) -> Response:
        kind, name, key = tags.asked(request)
        return ok(tags.shown(kind, name, key))

    async def update(request: Request) -> Response:
        kind, name, key = tags.asked(request)
        tags.shown(kind, name, key)
        return ok(tags.put(kind, name, key, str((await body(request)).get("tag_value", ""))))

    async def delete(request: Request) -> Response:
        kind, name, key = tags.asked(request)
        tags.shown(kind, name, key)
        tags.remove(kind, name, key)
        return ok()

    async def listed(request: Request) -> Response:
        kind, name = request.path_params["type"], request.path_params["name"]
        items, token = page(request, [tags.shown(kind, name, key) for key in sorted(tags.of(kind, name))], default=50, largest=50)
        return ok(paged("tag_assignments", items, token))

    collection = f"{API}/entity-tag-assignments"
    one = f"{collection}/{{type}}/{{name}}/tags/{{key}}"
    return [
        Route(collection, create, methods=["POST"]),
        Route(f"{collection}/{{type}}/{{name}}/tags", listed, methods=["GET"]),
        Route(one, get, methods=["GET"]),
        Route(one, update, methods=["PATCH"]),
        Route(one, delete, methods=["DELETE"]),
    ]


class _Tags:
    """Tags by entity.

    Args:
        services: The workspace's inner side.
    """

    def __init__(self, services: Services) -> None:
        self.documents, self.securables = services.documents, Securables(services)

    def asked(self, request: Request) -> tuple[str, str, str]:
        """Type, name and key that the path names."""
        return request.path_params["type"], request.path_params["name"], request.path_params["key"]

    def of(self, entity_type: str, name: str) -> dict[str, str]:
        """The tags of an entity, which must exist."""
        stored: dict[str, str] = (self.documents.get(TAGS, self._key(entity_type, name)) or {}).get("tags", {})
        return stored

    def put(self, entity_type: str, name: str, key: str, value: str) -> Json:
        """Set a tag."""
        self.documents.put(TAGS, self._key(entity_type, name), {"tags": self.of(entity_type, name) | {key: value}})
        return self.shown(entity_type, name, key)

    def remove(self, entity_type: str, name: str, key: str) -> None:
        """Take a tag away."""
        kept = {other: value for other, value in self.of(entity_type, name).items() if other != key}
        self.documents.put(TAGS, self._key(entity_type, name), {"tags": kept})

    def shown(self, entity_type: str, name: str, key: str) -> Json:
        """A tag as the API answers it.

        Raises:
            ApiError: RESOURCE_DOES_NOT_EXIST.
        """
        value = self.of(entity_type, name).get(key)
        if value is None:
            raise does_not_exist(f"Tag assignment with key '{key}' does not exist on {entity_type} '{name}'")
        return {"entity_type": entity_type, "entity_name": name, "tag_key": key, "tag_value": value}

    def _key(self, entity_type: str, name: str) -> str:
        if entity_type not in KIND_OF_TYPE:
            raise ApiError("FEATURE_DISABLED", f"The local workspace keeps tags of {', '.join(KIND_OF_TYPE)}, not of {entity_type}.")
        kind = KIND_OF_TYPE[entity_type]
        return f"{kind}/{str(self.securables.get(kind, name)['full_name']).lower()}"
