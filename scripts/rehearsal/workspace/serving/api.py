"""Serving endpoints over HTTP: created, changed, asked (https://docs.databricks.com/api/workspace/servingendpoints)."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rehearsal.workspace.errors import ApiError, does_not_exist, invalid
from rehearsal.workspace.http import body, ok, required
from rehearsal.workspace.services import Services, caller
from rehearsal.workspace.serving.endpoints import ENDPOINTS, Endpoints, checked_config

CREATE_FIELDS = ("tags", "ai_gateway", "rate_limits", "budget_policy_id", "email_notifications")


class ServingApi:
    """Handlers of `/api/2.0/serving-endpoints`.

    Args:
        services: The workspace.
    """

    def __init__(self, services: Services) -> None:
        self.services = services
        self.endpoints = Endpoints(services)

    async def create(self, request: Request) -> JSONResponse:
        """`POST serving-endpoints`."""
        content = await body(request)
        name = str(required(content, "name"))
        if self.services.documents.get(ENDPOINTS, name):
            raise ApiError("RESOURCE_ALREADY_EXISTS", f"Endpoint with name '{name}' already exists.")
        identity, now = caller(request), self.services.clock()
        document: dict[str, Any] = {
            "name": name,
            "id": self.services.ids.hex(32),
            "creator": identity.name,
            "creation_timestamp": now,
            "last_updated_timestamp": now,
            "description": str(content.get("description") or ""),
            "route_optimized": bool(content.get("route_optimized")),
            "permission_level": "CAN_MANAGE",
            **{field: content[field] for field in CREATE_FIELDS if content.get(field)},
        }
        self.services.documents.put(ENDPOINTS, name, document)
        self.services.access.created("serving-endpoints", document["id"], identity)
        self.endpoints.set_config(name, checked_config(content.get("config") or {}), self.endpoints.token(identity))
        return ok(self.endpoints.shown(self._get(name)))

    async def list(self, _: Request) -> JSONResponse:
        """`GET serving-endpoints`."""
        found = [self.endpoints.shown(document) for document in self.services.documents.all(ENDPOINTS)]
        return ok({"endpoints": found} if found else {})

    async def get(self, request: Request) -> JSONResponse:
        """`GET serving-endpoints/{name}`."""
        return ok(self.endpoints.shown(self._get(request.path_params["name"])))

    async def update_config(self, request: Request) -> JSONResponse:
        """`PUT serving-endpoints/{name}/config`: the whole configuration is replaced, once its models are loaded."""
        document = self._get(request.path_params["name"])
        if self.endpoints.updating(document["name"]):
            raise ApiError("RESOURCE_CONFLICT", f"Endpoint '{document['name']}' is still updating its configuration.")
        content = checked_config(await body(request))
        self.endpoints.set_config(document["name"], content, self.endpoints.token(caller(request)))
        return ok(self.endpoints.shown(self._get(document["name"])))

    async def tags(self, request: Request) -> JSONResponse:
        """`PATCH serving-endpoints/{name}/tags`."""
        document = self._get(request.path_params["name"])
        content = await body(request)
        tags = {tag["key"]: tag for tag in document.get("tags") or []}
        for key in content.get("delete_tags") or []:
            tags.pop(key, None)
        for tag in content.get("add_tags") or []:
            tags[str(required(tag, "key"))] = tag
        document["tags"] = list(tags.values())
        self.services.documents.put(ENDPOINTS, document["name"], document)
        return JSONResponse(document["tags"])

    async def delete(self, request: Request) -> JSONResponse:
        """`DELETE serving-endpoints/{name}`."""
        document = self._get(request.path_params["name"])
        await self.endpoints.remove(document["name"])
        self.services.access.deleted("serving-endpoints", document["id"])
        return ok()

    async def put_part(self, request: Request) -> JSONResponse:
        """`PUT serving-endpoints/{name}/rate-limits` and `.../ai-gateway`: stored and shown; they limit nothing here."""
        document = self._get(request.path_params["name"])
        content = await body(request)
        if request.url.path.endswith("rate-limits"):
            document["rate_limits"] = content.get("rate_limits") or []
        else:
            document["ai_gateway"] = content
        self.services.documents.put(ENDPOINTS, document["name"], document)
        return ok(content)

    async def logs(self, request: Request) -> JSONResponse:
        """`GET .../served-models/{model}/logs` and `build-logs`: what happened while the model was loaded."""
        document = self._get(request.path_params["name"])
        return ok({"logs": self.endpoints.log(document["name"], request.path_params["model"])})

    async def invoke(self, request: Request) -> Response:
        """`POST /serving-endpoints/{name}/invocations`, split over the served entities, or sent to the one that the path names."""
        name = request.path_params["name"]
        self._get(name)
        content_type = request.headers.get("content-type", "application/json")
        answer = await self.endpoints.invoke(name, request.path_params.get("entity"), await request.body(), content_type)
        headers = {"served-model-name": answer.entity} if answer.entity else {}
        return Response(answer.content, answer.status, headers, media_type="application/json")

    def _get(self, name: str) -> dict[str, Any]:
        found = self.services.documents.get(ENDPOINTS, name)
        if found is None:
            raise does_not_exist(f"Endpoint with name '{name}' does not exist.")
        return found


def _refuse(what: str) -> Any:
    async def handler(_: Request) -> JSONResponse:
        raise invalid(f"{what} is not imitated by the local workspace.")

    return handler


def routes(services: Services) -> list[Route]:
    """Return the routes of serving endpoints."""
    api = ServingApi(services)
    base = "/api/2.0/serving-endpoints"
    one = f"{base}/{{name}}"
    return [
        Route(base, api.create, methods=["POST"]),
        Route(base, api.list, methods=["GET"]),
        Route(one, api.get, methods=["GET"]),
        Route(one, api.delete, methods=["DELETE"]),
        Route(f"{one}/config", api.update_config, methods=["PUT"]),
        Route(f"{one}/tags", api.tags, methods=["PATCH"]),
        Route(f"{one}/rate-limits", api.put_part, methods=["PUT"]),
        Route(f"{one}/ai-gateway", api.put_part, methods=["PUT"]),
        Route(f"{one}/served-models/{{model}}/logs", api.logs, methods=["GET"]),
        Route(f"{one}/served-models/{{model}}/build-logs", api.logs, methods=["GET"]),
        Route(f"{one}/openapi", _refuse("The OpenAPI description of an endpoint"), methods=["GET"]),
        Route("/serving-endpoints/{name}/invocations", api.invoke, methods=["POST"]),
        Route("/serving-endpoints/{name}/served-models/{entity}/invocations", api.invoke, methods=["POST"]),
    ]
