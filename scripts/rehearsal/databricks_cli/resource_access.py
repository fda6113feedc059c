"""Permissions and grants of a resource, which plan and state treat as resources of their own."""

from __future__ import annotations

from typing import Any

from rehearsal.databricks_cli.http_client import HttpClient
from rehearsal.databricks_cli.permissions import PRINCIPALS
from rehearsal.databricks_cli.resource_kinds import Kind, Rules, State

OBJECT_PATHS = {
    "jobs": ("/jobs/", "id"),
    "pipelines": ("/pipelines/", "id"),
    "experiments": ("/experiments/", "id"),
    "model_serving_endpoints": ("/serving-endpoints/", "endpoint_id"),
    "clusters": ("/clusters/", "id"),
    "sql_warehouses": ("/sql/warehouses/", "id"),
}
"""How the permissions API names an object of a kind, and the field of the resource that it takes for it."""

SECURABLES = {"schemas": "schema", "volumes": "volume", "registered_models": "function", "catalogs": "catalog"}
"""How the grants API calls the kinds that have grants."""


class Permissions(Kind):
    """Access control of an object, written as a whole; its id is the object's, such as `/jobs/12`."""

    state_type = "#PermissionsState"

    def __init__(self) -> None:
        super().__init__("permissions", "Permissions", Rules())

    def create(self, http: HttpClient, state: State) -> str:  # noqa: D102 - see Kind
        return self.update(http, str(state["object_id"]), state, set())

    def read(self, http: HttpClient, identity: str) -> State:  # noqa: D102
        answer = http.get(f"/api/2.0/permissions{identity}")
        items = []
        for entry in answer.get("access_control_list") or []:
            own = [p for p in entry.get("all_permissions") or [] if not p.get("inherited")]
            items += [
                {"level": p["permission_level"]} | {name: entry[name] for name in PRINCIPALS if entry.get(name)}
                for p in own
                if not (entry.get("group_name") == "admins" and p.get("inherited"))
            ]
        return {"object_id": identity, "__embed__": items}

    def update(self, http: HttpClient, identity: str, state: State, changed: set[str]) -> str:  # noqa: ARG002, D102
        entries = []
        for item in state["__embed__"]:
            principal = {name: item[name] for name in PRINCIPALS if item.get(name)}
            entries.append(principal | {"permission_level": item["level"]})
        target = str(state["object_id"])
        http.request("PUT", f"/api/2.0/permissions{target}", body={"access_control_list": entries})
        return target

    def delete(self, http: HttpClient, identity: str) -> None:
        """Leave the permissions as they are: nobody is locked out when they leave the bundle."""


class SecretPermissions(Kind):
    """Access control of a secret scope, one entry for each principal."""

    state_type = "#SecretPermissionsState"

    def __init__(self) -> None:
        super().__init__("permissions", "Permissions", Rules())

    def create(self, http: HttpClient, state: State) -> str:  # noqa: D102
        return self.update(http, str(state["scope_name"]), state, set())

    def read(self, http: HttpClient, identity: str) -> State:  # noqa: D102
        answer = http.get("/api/2.0/secrets/acls/list", {"scope": identity})
        return {"scope_name": identity, "acls": answer.get("items") or answer.get("acls") or []}

    def update(self, http: HttpClient, identity: str, state: State, changed: set[str]) -> str:  # noqa: ARG002, D102
        scope = str(state["scope_name"])
        present = {acl["principal"]: acl["permission"] for acl in self.read(http, scope)["acls"]}
        wanted = {acl["principal"]: acl["permission"] for acl in state["acls"]}
        for principal, permission in wanted.items():
            if present.get(principal) != permission:
                http.post("/api/2.0/secrets/acls/put", {"scope": scope, "principal": principal, "permission": permission})
        for principal in sorted(present.keys() - wanted.keys()):
            http.post("/api/2.0/secrets/acls/delete", {"scope": scope, "principal": principal})
        return scope

    def delete(self, http: HttpClient, identity: str) -> None:
        """Leave the entries as they are: they go with the scope."""


class Grants(Kind):
    """Grants on a Unity Catalog object; a principal's privileges are replaced."""

    state_type = "#GrantsState"

    def __init__(self) -> None:
        super().__init__("grants", "Grants", Rules())

    def create(self, http: HttpClient, state: State) -> str:  # noqa: D102
        return self._apply(http, state, {})

    def read(self, http: HttpClient, identity: str) -> State:  # noqa: D102
        securable, _, name = identity.partition("/")
        answer = http.get(f"/api/2.1/unity-catalog/permissions/{identity}")
        items = [
            {"principal": entry["principal"], "privileges": sorted(entry.get("privileges") or [])}
            for entry in answer.get("privilege_assignments") or []
        ]
        return {"securable_type": securable, "full_name": name, "__embed__": items}

    def update(self, http: HttpClient, identity: str, state: State, changed: set[str]) -> str:  # noqa: ARG002, D102
        return self._apply(http, state, {entry["principal"]: entry for entry in self.read(http, identity)["__embed__"]})

    def _apply(self, http: HttpClient, state: State, present: dict[str, Any]) -> str:
        changes: list[dict[str, Any]] = []
        for entry in state["__embed__"]:
            change: dict[str, Any] = {"principal": entry["principal"], "add": entry["privileges"]}
            if "ALL_PRIVILEGES" not in entry["privileges"]:
                change["remove"] = ["ALL_PRIVILEGES"]
            changes.append(change)
        wanted = {entry["principal"] for entry in state["__embed__"]}
        changes += [{"principal": name, "remove": ["ALL_PRIVILEGES"]} for name in present if name not in wanted]
        target = f"{state['securable_type']}/{state['full_name']}"
        http.request("PATCH", f"/api/2.1/unity-catalog/permissions/{target}", body={"changes": changes})
        return target

    def delete(self, http: HttpClient, identity: str) -> None:  # noqa: D102
        present = self.read(http, identity)["__embed__"]
        changes = [{"principal": entry["principal"], "remove": ["ALL_PRIVILEGES"]} for entry in present]
        if changes:
            http.request("PATCH", f"/api/2.1/unity-catalog/permissions/{identity}", body={"changes": changes})


PERMISSIONS, SECRET_PERMISSIONS, GRANTS = Permissions(), SecretPermissions(), Grants()
