"""Kinds of resources that have to start up, and secret scopes: their APIs have more than one way to change them."""

from __future__ import annotations

import time
from typing import Any, ClassVar

from rehearsal.databricks_cli.diagnostics import CommandError
from rehearsal.databricks_cli.http_client import ApiError, HttpClient
from rehearsal.databricks_cli.resource_kinds import Kind, State

WAIT_SECONDS = 35 * 60
"""For how long a cluster, warehouse or endpoint may take to start."""
_PAUSE_SECONDS = 0.2


class ServingEndpoints(Kind):
    """Serving endpoints: named by their name; config, tags and the rest are changed by calls of their own."""

    _PATHS: ClassVar = {"ai_gateway": "ai-gateway", "email_notifications": "notifications"}

    def create(self, http: HttpClient, state: State) -> str:  # noqa: D102 - see Kind
        http.post("/api/2.0/serving-endpoints", state)
        self._wait(http, str(state["name"]))
        return str(state["name"])

    def read(self, http: HttpClient, identity: str) -> State:  # noqa: D102
        return http.get(f"/api/2.0/serving-endpoints/{identity}")

    def shown(self, remote: State) -> State:  # noqa: D102
        settings = {key: value for key, value in self.comparable(remote).items() if value not in ("", False)}
        return {"endpoint_details": remote, "endpoint_id": remote.get("id", "")} | settings

    def comparable(self, remote: State) -> State:  # noqa: D102
        from rehearsal.databricks_cli.differences import prune
        from rehearsal.databricks_cli.schema import load_schema

        pruned: State = prune(remote, self.state_type, load_schema())
        return pruned

    def update(self, http: HttpClient, identity: str, state: State, changed: set[str]) -> str:  # noqa: D102
        base = f"/api/2.0/serving-endpoints/{identity}"
        if "config" in changed:
            http.request("PUT", f"{base}/config", body=state.get("config", {}))
            self._wait(http, identity)
        if "tags" in changed:
            self._update_tags(http, base, state.get("tags") or [])
        for name, path in self._PATHS.items():
            if name in changed:
                method = "PUT" if name == "ai_gateway" else "PATCH"
                http.request(method, f"{base}/{path}", body=state.get(name) or {})
        others = changed - {"config", "tags", *self._PATHS}
        if others:
            raise CommandError(f"cannot update {', '.join(sorted(others))} of serving endpoint {identity} in place")
        return identity

    def _update_tags(self, http: HttpClient, base: str, tags: list[dict[str, Any]]) -> None:
        before = {tag["key"]: tag.get("value") for tag in http.get(base).get("tags") or []}
        after = {tag["key"]: tag.get("value") for tag in tags}
        added = [tag for tag in tags if tag["key"] not in before or before[tag["key"]] != tag.get("value")]
        deleted = sorted(before.keys() - after.keys())
        body = {"add_tags": added} | ({"delete_tags": deleted} if deleted else {})
        http.request("PATCH", f"{base}/tags", body={key: value for key, value in body.items() if value})

    def delete(self, http: HttpClient, identity: str) -> None:  # noqa: D102
        http.request("DELETE", f"/api/2.0/serving-endpoints/{identity}")

    def _wait(self, http: HttpClient, identity: str) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            state = self.read(http, identity).get("state") or {}
            if state.get("config_update") in ("UPDATE_FAILED", "UPDATE_CANCELED"):
                raise CommandError(f"failed to reach NOT_UPDATING, got {state['config_update']}: serving endpoint {identity}")
            if state.get("config_update") != "IN_PROGRESS":
                return
            time.sleep(_PAUSE_SECONDS)
        raise CommandError(f"serving endpoint {identity} did not become ready within {WAIT_SECONDS} s")


class Clusters(Kind):
    """Clusters API 2.1; they are started when they are made."""

    def create(self, http: HttpClient, state: State) -> str:  # noqa: D102
        identity = str(http.post("/api/2.1/clusters/create", state)["cluster_id"])
        _wait_for(lambda: self.read(http, identity), f"cluster {identity}")
        return identity

    def read(self, http: HttpClient, identity: str) -> State:  # noqa: D102
        return http.get("/api/2.1/clusters/get", {"cluster_id": identity})

    def shown(self, remote: State) -> State:  # noqa: D102
        facts = {key: remote[key] for key in ("cluster_id", "state") if key in remote}
        return self.comparable(remote) | facts

    def comparable(self, remote: State) -> State:  # noqa: D102
        return _with_lifecycle(self, remote)

    def update(self, http: HttpClient, identity: str, state: State, changed: set[str]) -> str:  # noqa: D102
        if changed <= {"num_workers", "autoscale"} and self.read(http, identity).get("state") == "RUNNING":
            size = {key: state[key] for key in ("num_workers", "autoscale") if key in state}
            http.post("/api/2.1/clusters/resize", {"cluster_id": identity} | size)
        else:
            http.post("/api/2.1/clusters/edit", {"cluster_id": identity} | state)
        return identity

    def delete(self, http: HttpClient, identity: str) -> None:  # noqa: D102
        http.post("/api/2.1/clusters/permanent-delete", {"cluster_id": identity})


class Warehouses(Kind):
    """SQL warehouses API 2.0; they are started when they are made."""

    def create(self, http: HttpClient, state: State) -> str:  # noqa: D102
        identity = str(http.post("/api/2.0/sql/warehouses", state)["id"])
        _wait_for(lambda: self.read(http, identity), f"warehouse {identity}")
        return identity

    def read(self, http: HttpClient, identity: str) -> State:  # noqa: D102
        return http.get(f"/api/2.0/sql/warehouses/{identity}")

    def shown(self, remote: State) -> State:  # noqa: D102
        facts = {key: remote[key] for key in ("id", "state") if key in remote}
        return self.comparable(remote) | facts

    def comparable(self, remote: State) -> State:  # noqa: D102
        return _with_lifecycle(self, remote)

    def update(self, http: HttpClient, identity: str, state: State, changed: set[str]) -> str:  # noqa: ARG002, D102
        http.post(f"/api/2.0/sql/warehouses/{identity}/edit", state)
        return identity

    def delete(self, http: HttpClient, identity: str) -> None:  # noqa: D102
        http.request("DELETE", f"/api/2.0/sql/warehouses/{identity}")


class SecretScopes(Kind):
    """Secret scopes: named by their name, and never changed, only made anew."""

    state_type = "#SecretScopeState"

    def desired(self, config: State) -> State:  # noqa: D102
        fields = {"name": "scope", "backend_type": "scope_backend_type", "keyvault_metadata": "backend_azure_keyvault"}
        return {new: config[old] for old, new in fields.items() if old in config}

    def create(self, http: HttpClient, state: State) -> str:  # noqa: D102
        http.post("/api/2.0/secrets/scopes/create", state)
        return str(state["scope"])

    def read(self, http: HttpClient, identity: str) -> State:  # noqa: D102
        path = "/api/2.0/secrets/scopes/list"
        for scope in http.get(path).get("scopes") or []:
            if scope.get("name") == identity:
                return dict(scope)
        raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"Scope {identity} does not exist!", f"GET {path}")

    def comparable(self, remote: State) -> State:  # noqa: D102
        return self.desired(remote)

    def update(self, http: HttpClient, identity: str, state: State, changed: set[str]) -> str:  # noqa: ARG002
        """Refuse: the API has no such call, and a plan never asks for it."""
        raise CommandError(f"secret scope {identity} cannot be changed in place ({', '.join(sorted(changed))})")

    def delete(self, http: HttpClient, identity: str) -> None:  # noqa: D102
        http.post("/api/2.0/secrets/scopes/delete", {"scope": identity})


def _with_lifecycle(kind: Kind, remote: State) -> State:
    from rehearsal.databricks_cli.differences import prune
    from rehearsal.databricks_cli.schema import load_schema

    pruned: State = prune(remote, kind.state_type, load_schema())
    return pruned | {"lifecycle": {"started": remote.get("state") == "RUNNING"}}


def _wait_for(read: Any, what: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        state = read().get("state")
        if state in ("RUNNING", "TERMINATED", "STOPPED"):
            return
        if state in ("ERROR", "DELETED"):
            raise CommandError(f"{what} failed to start: {state}")
        time.sleep(_PAUSE_SECONDS)
    raise CommandError(f"{what} did not start within {WAIT_SECONDS} s")
