"""The Permissions API: who may do what with a job, directory, experiment, endpoint, ...; answered, not enforced."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rehearsal.workspace.acl import KINDS, OTHER_NAMES, AclEntry, ObjectKind, principal
from rehearsal.workspace.errors import ApiError, does_not_exist, invalid
from rehearsal.workspace.http import Json, body, ok
from rehearsal.workspace.services import Services

FILE_KINDS = {"directories": "DIRECTORY", "notebooks": "NOTEBOOK", "files": "FILE"}
ADMINS = {"group_name": "admins", "permission_level": "CAN_MANAGE"}


def routes(services: Services) -> list[Route]:
    """Routes of `/api/2.0/permissions/{kind}/{id}`, where the kind of warehouses is `sql/warehouses` or `warehouses`."""

    async def get(request: Request) -> Response:
        return ok(_answer(services, *_object(services, request)))

    async def put(request: Request) -> Response:
        kind, object_id = _object(services, request)
        entries = _entries(await body(request), KINDS[kind])
        services.access.set(kind, object_id, _with_owner(services, kind, object_id, entries))
        return ok(_answer(services, kind, object_id))

    async def patch(request: Request) -> Response:
        kind, object_id = _object(services, request)
        current = services.access.get(kind, object_id) or []
        for entry in _entries(await body(request), KINDS[kind]):
            owner = entry["permission_level"] == "IS_OWNER"
            current = [e for e in current if principal(e) != principal(entry) and not (owner and e["permission_level"] == "IS_OWNER")]
            current.append(entry)
        services.access.set(kind, object_id, current)
        return ok(_answer(services, kind, object_id))

    async def levels(request: Request) -> Response:
        kind, _ = _object(services, request)
        described = [{"permission_level": level, "description": level.replace("_", " ").capitalize()} for level in KINDS[kind].levels]
        return ok({"permission_levels": described})

    found = []
    for path in ("/api/2.0/permissions/sql/{sql}/{id}", "/api/2.0/permissions/{kind}/{id}"):
        found.append(Route(f"{path}/permissionLevels", levels, methods=["GET"]))
        found += [Route(path, handler, methods=[method]) for method, handler in (("GET", get), ("PUT", put), ("PATCH", patch))]
    return found


def _object(services: Services, request: Request) -> tuple[str, str]:
    """Kind and id of the object that the path names, which must exist."""
    parameters = request.path_params
    kind = f"sql/{parameters['sql']}" if "sql" in parameters else OTHER_NAMES.get(parameters["kind"], parameters["kind"])
    object_id = str(parameters["id"])
    if kind not in KINDS:
        raise ApiError(
            "FEATURE_DISABLED", f"The local workspace does not imitate permissions of `{kind}`; it knows {', '.join(sorted(KINDS))}."
        )
    if kind in FILE_KINDS:
        found = services.files.find_id(int(object_id)) if object_id.isdigit() else None
        if found is None or found.type != FILE_KINDS[kind]:
            raise does_not_exist(f"{KINDS[kind].object_type} {object_id} does not exist.")
    elif services.access.get(kind, object_id) is None:
        raise does_not_exist(f"{KINDS[kind].object_type} {object_id} does not exist.")
    return kind, object_id


def _entries(content: Json, kind: ObjectKind) -> list[AclEntry]:
    """The entries of a request, each checked.

    Raises:
        ApiError: INVALID_PARAMETER_VALUE for an entry without principal, or with a level that this kind does not have.
    """
    entries: list[AclEntry] = []
    for given in content.get("access_control_list") or []:
        field, name = principal(given)
        if not field:
            raise invalid("access_control_list: an entry names one of user_name, group_name, service_principal_name")
        level = str(given.get("permission_level") or "")
        if level not in kind.levels:
            raise invalid(f"permission_level `{level}` is not one of {', '.join(kind.levels)} for {kind.object_type}")
        entries.append({field: name, "permission_level": level})
    return entries


def _with_owner(services: Services, kind: str, object_id: str, entries: list[AclEntry]) -> list[AclEntry]:
    """An object that has an owner never loses it by a list that names none."""
    if KINDS[kind].creator != "IS_OWNER" or any(entry["permission_level"] == "IS_OWNER" for entry in entries):
        return entries
    current = services.access.get(kind, object_id) or []
    owner = [entry for entry in current if entry["permission_level"] == "IS_OWNER"]
    return [*entries, *(entry for entry in owner if principal(entry) not in {principal(e) for e in entries})]


def _answer(services: Services, kind: str, object_id: str) -> Json:
    entries = [_shown(entry) for entry in services.access.get(kind, object_id) or []]
    if kind in FILE_KINDS:
        entries += _inherited(services, int(object_id))
    return {"object_id": f"/{kind}/{object_id}", "object_type": KINDS[kind].object_type, "access_control_list": entries}


def _inherited(services: Services, object_id: int) -> list[Json]:
    """What an object of the tree has from the folders above it, and the administrators' right on everything."""
    found = services.files.find_id(object_id)
    assert found is not None
    steps = found.path.strip("/").split("/")[:-1]
    entries: list[Json] = []
    for count in range(len(steps), 0, -1):
        above = services.files.get("/" + "/".join(steps[:count]))
        source = f"/directories/{above.object_id}"
        entries += [_shown(entry, source) for entry in services.access.get("directories", above.object_id) or []]
    return [*entries, _shown(ADMINS, "/directories/0")]


def _shown(entry: AclEntry, inherited_from: str = "") -> Json:
    field, name = principal(entry)
    permission: dict[str, Any] = {"permission_level": entry["permission_level"], "inherited": bool(inherited_from)}
    if inherited_from:
        permission["inherited_from_object"] = [inherited_from]
    return {field: name, "display_name": name, "all_permissions": [permission]}
