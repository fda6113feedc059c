"""What serving endpoints do: load the models of a new configuration, switch to it, split traffic, answer requests."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import Any

from rehearsal.workspace.errors import ApiError, does_not_exist, invalid
from rehearsal.workspace.identities import Identity
from rehearsal.workspace.registry import Registry, parse_version
from rehearsal.workspace.services import Services

ENDPOINTS = "serving_endpoints"
INVOKE_SECONDS = 120
LOAD_SECONDS = 300


@dataclass(frozen=True)
class Answer:
    """What a served entity answered."""

    status: int
    content: bytes
    entity: str


def checked_config(config: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration as it is kept, or refuse it.

    Raises:
        ApiError: 400 for routes that do not add up to 100, that name no entity, or entities that are not of the Unity Catalog.
    """
    entities = config.get("served_entities") or config.get("served_models") or []
    kept: dict[str, Any] = {
        name: value
        for name, value in config.items()
        if name in ("served_entities", "served_models", "traffic_config", "auto_capture_config")
    }
    for entity in entities:
        if entity.get("external_model") or entity.get("foundation_model"):
            raise ApiError(
                "FEATURE_DISABLED", "External and foundation models are not imitated by the local workspace: nothing leaves the machine."
            )
        if not (entity.get("entity_name") or entity.get("model_name")):
            raise invalid("Every served entity needs an entity_name.")
    names = [entity_key(entity) for entity in entities]
    if len(set(names)) != len(names):
        raise invalid(f"The names of served entities must differ: {', '.join(names)}.")
    routes = (config.get("traffic_config") or {}).get("routes") or []
    if not routes and len(entities) == 1:  # one entity gets all the traffic, by its name when it was given one
        named = {"served_model_name": entities[0]["name"]} if entities[0].get("name") else {}
        kept["traffic_config"] = {"routes": [named | {"traffic_percentage": 100}]}
    if routes:
        total = sum(int(route.get("traffic_percentage") or 0) for route in routes)
        if total != 100:
            raise invalid(f"The traffic percentages of the routes must add up to 100, not {total}.")
        for route in routes:
            target = route.get("served_model_name") or route.get("served_entity_name")
            if target and target not in names:
                raise invalid(f"The route to {target} names no served entity; there are {', '.join(names) or 'none'}.")
    return kept


def entity_key(entity: dict[str, Any]) -> str:
    """Return a served entity's name, which Databricks makes of model and version where none is given."""
    name = str(entity.get("entity_name") or entity.get("model_name"))
    version = str(entity.get("entity_version") or entity.get("model_version") or "")
    return str(entity.get("name") or f"{name.split('.')[-1]}-{version}")


class Endpoints:
    """The endpoints of one workspace and their models, which one process serves.

    Args:
        services: The workspace.
    """

    def __init__(self, services: Services) -> None:
        self.services = services
        self.registry = Registry(services)
        self._loading: dict[str, asyncio.Task[None]] = {}
        self._logs: dict[tuple[str, str], list[str]] = {}
        self._client: Any = None
        services.on_start.append(self._start_again)
        services.on_stop.append(self._stop)

    def token(self, identity: Identity) -> str:
        """Return a token with which the models of an identity's endpoints are read."""
        return self.services.identities.issue_token(identity, self.services.clock(), None)

    def set_config(self, name: str, config: dict[str, Any], token: str) -> None:
        """Begin to load the models of a configuration; it is in force once all are loaded.

        Entities whose model version does not exist make an endpoint that is never ready (as the reference workspace has it).
        """
        document = self._document(name)
        version = int(document.get("config_version") or 0) + 1
        document |= {"last_updated_timestamp": self.services.clock(), "config_version": version}
        document.pop("update_failed", None)
        missing = [entity for entity in entities_of(config) if not self._version_exists(entity)]
        if missing or not entities_of(config):
            for entity in missing:
                self._say(name, entity_key(entity), f"{entity.get('entity_name')} has no version {entity.get('entity_version')}.")
            if document.get("ready"):  # what serves goes on serving
                self.services.documents.put(ENDPOINTS, name, {**document, "update_failed": "A model version does not exist."})
                return
            self.services.documents.put(ENDPOINTS, name, {**document, "config": config, "ready": False})
            return
        if not document.get("config"):
            document |= {"config": config, "ready": False}
        self.services.documents.put(ENDPOINTS, name, {**document, "pending_config": config})
        self._loading[name] = asyncio.create_task(self._load(name, config, token))

    def updating(self, name: str) -> bool:
        """Return whether a configuration is being loaded."""
        return name in self._loading and not self._loading[name].done()

    async def remove(self, name: str) -> None:
        """End loading, forget the models, and remove the endpoint."""
        task = self._loading.pop(name, None)
        if task is not None:
            task.cancel()
        self.services.documents.delete(ENDPOINTS, name)

    def shown(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return an endpoint as the API shows it."""
        hidden = ("ready", "pending_config", "config_version", "update_failed")
        answer = {name: value for name, value in document.items() if name not in hidden}
        updating = self.updating(document["name"])
        update = "IN_PROGRESS" if updating else "UPDATE_FAILED" if document.get("update_failed") else "NOT_UPDATING"
        answer["state"] = {"ready": "READY" if document.get("ready") else "NOT_READY", "config_update": update}
        if updating and document.get("ready"):
            answer["pending_config"] = document.get("pending_config")
        return answer

    def log(self, name: str, entity: str) -> str:
        """Return what happened while an entity was loaded."""
        return "\n".join(self._logs.get((name, entity), []))

    async def invoke(self, name: str, entity: str | None, content: bytes, content_type: str) -> Answer:
        """Ask an endpoint.

        Raises:
            ApiError: 404 when the entity is not served, 503 while nothing is ready.
        """
        document = self._document(name)
        if not document.get("ready"):
            raise ApiError("TEMPORARILY_UNAVAILABLE", f"Endpoint '{name}' is not ready.", headers={"Retry-After": "1"})
        entities = {entity_key(one): one for one in entities_of(document["config"])}
        chosen = entity or self._draw(document["config"], list(entities))
        if chosen not in entities:
            raise does_not_exist(f"Endpoint '{name}' serves no entity '{chosen}'; it serves {', '.join(entities)}.")
        one = entities[chosen]
        url = f"{await self._server()}/invocations/{one.get('entity_name')}/{one.get('entity_version')}"
        response = await (await self._http()).post(url, content=content, headers={"Content-Type": content_type}, timeout=INVOKE_SECONDS)
        return Answer(response.status_code, response.content, chosen)

    @staticmethod
    def _draw(config: dict[str, Any], names: list[str]) -> str:
        routes = (config.get("traffic_config") or {}).get("routes") or []
        shares = {
            route.get("served_model_name") or route.get("served_entity_name") or names[0]: int(route.get("traffic_percentage") or 0)
            for route in routes
        }
        if not shares:
            return names[0]
        return random.choices(list(shares), list(shares.values()))[0]  # noqa: S311 - traffic, not a secret

    async def _load(self, name: str, config: dict[str, Any], token: str) -> None:
        try:
            for entity in entities_of(config):
                await self._load_entity(name, entity, token)
        except ApiError as error:
            document = self._document(name)
            document.pop("pending_config", None)
            self.services.documents.put(ENDPOINTS, name, {**document, "update_failed": error.message})
            return
        document = self._document(name)
        document.pop("pending_config", None)
        self.services.documents.put(ENDPOINTS, name, {**document, "config": config, "ready": True})

    async def _load_entity(self, name: str, entity: dict[str, Any], token: str) -> None:
        key = entity_key(entity)
        body = {"host": self.services.url, "token": token, "environment": entity.get("environment_vars") or {}}
        url = f"{await self._server()}/load/{entity.get('entity_name')}/{entity.get('entity_version')}"
        response = await (await self._http()).post(url, json=body, timeout=LOAD_SECONDS)
        if response.status_code != 200:
            message = (
                f"The model {entity.get('entity_name')} version {entity.get('entity_version')} could not be loaded: {response.text[:2000]}"
            )
            self._say(name, key, message)
            raise ApiError("INTERNAL_ERROR", message)
        self._say(
            name, key, f"Loaded {entity.get('entity_name')} version {entity.get('entity_version')} in {response.json()['seconds']:.2f} s."
        )

    def _version_exists(self, entity: dict[str, Any]) -> bool:
        name = str(entity.get("entity_name") or entity.get("model_name"))
        try:
            self.registry.version(name, parse_version(entity.get("entity_version") or entity.get("model_version")))
        except ApiError:
            return False
        return True

    async def _server(self) -> str:
        return await self.services.executor.serving_url()

    async def _http(self) -> Any:
        if self._client is None:
            import httpx

            self._client = httpx.AsyncClient(trust_env=False)
        return self._client

    def _document(self, name: str) -> dict[str, Any]:
        found = self.services.documents.get(ENDPOINTS, name)
        if found is None:
            raise does_not_exist(f"Endpoint with name '{name}' does not exist.")
        return found

    def _say(self, name: str, entity: str, line: str) -> None:
        self._logs.setdefault((name, entity), []).append(line)

    async def _start_again(self) -> None:
        """Load the models of endpoints that were ready when the server was last ended."""
        for document in self.services.documents.all(ENDPOINTS):
            if document.get("ready"):
                self.services.documents.put(ENDPOINTS, document["name"], {**document, "ready": False})
                self.set_config(document["name"], document["config"], self.token(self.services.identities.default))

    async def _stop(self) -> None:
        for task in self._loading.values():
            task.cancel()
        if self._client is not None:
            await self._client.aclose()


def entities_of(config: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the served entities of a configuration."""
    return list(config.get("served_entities") or config.get("served_models") or [])
