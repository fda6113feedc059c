"""The Secrets API: scopes, secrets and their access control lists."""

from __future__ import annotations

import base64
import binascii
import re

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rehearsal.workspace.errors import ApiError, does_not_exist, invalid
from rehearsal.workspace.http import Json, body, ok, query, required
from rehearsal.workspace.services import Services, caller

API = "/api/2.0/secrets"
SCOPES, SECRETS, ACLS = "secret_scopes", "secrets", "secret_acls"
PERMISSIONS = ("READ", "WRITE", "MANAGE")
NAME = re.compile(r"[\w.@-]{1,128}")
LONGEST_BYTES = 128 * 1024


def routes(services: Services) -> list[Route]:
    """Routes below /api/2.0/secrets."""
    return [*_scope_routes(services), *_secret_routes(services), *_acl_routes(services)]


def _scope_routes(services: Services) -> list[Route]:
    documents = services.documents

    async def create(request: Request) -> Response:
        values = await body(request)
        scope = _name(required(values, "scope"), "scope")
        if values.get("scope_backend_type", "DATABRICKS") != "DATABRICKS":
            raise ApiError("FEATURE_DISABLED", "The local workspace does not imitate scopes backed by Azure Key Vault.")
        if documents.get(SCOPES, scope):
            raise ApiError("RESOURCE_ALREADY_EXISTS", f"Scope {scope} already exists!")
        documents.put(SCOPES, scope, {"name": scope, "backend_type": "DATABRICKS"})
        who = str(values.get("initial_manage_principal") or caller(request).name)
        documents.put(ACLS, f"{scope}/{who}", {"principal": who, "permission": "MANAGE"})
        return ok()

    async def listed(_: Request) -> Response:
        return ok({"scopes": documents.all(SCOPES)})

    async def delete(request: Request) -> Response:
        scope = _scope(services, (await body(request)))
        for kind in (SECRETS, ACLS):
            for key in documents.keys(kind, f"{scope}/"):
                documents.delete(kind, key)
        documents.delete(SCOPES, scope)
        return ok()

    return [
        Route(f"{API}/scopes/create", create, methods=["POST"]),
        Route(f"{API}/scopes/list", listed, methods=["GET"]),
        Route(f"{API}/scopes/delete", delete, methods=["POST"]),
    ]


def _secret_routes(services: Services) -> list[Route]:
    documents = services.documents

    async def put(request: Request) -> Response:
        values = await body(request)
        scope, key = _scope(services, values), _name(required(values, "key"), "key")
        content = _content(values)
        entry = {"key": key, "last_updated_timestamp": services.clock(), "value": base64.b64encode(content).decode()}
        documents.put(SECRETS, f"{scope}/{key}", entry)
        return ok()

    async def get(request: Request) -> Response:
        scope = _scope(services, {"scope": query(request, "scope")})
        key = query(request, "key")
        entry = documents.get(SECRETS, f"{scope}/{key}")
        if entry is None:
            raise does_not_exist(f"Failed to get secret {key} for scope {scope}.")
        return ok({"key": key, "value": entry["value"]})

    async def listed(request: Request) -> Response:
        scope = _scope(services, {"scope": query(request, "scope")})
        entries = documents.all(SECRETS, f"{scope}/")
        return ok({"secrets": [{"key": e["key"], "last_updated_timestamp": e["last_updated_timestamp"]} for e in entries]})

    async def delete(request: Request) -> Response:
        values = await body(request)
        scope, key = _scope(services, values), required(values, "key")
        if not documents.delete(SECRETS, f"{scope}/{key}"):
            raise does_not_exist(f"Secret {key} does not exist in scope {scope}.")
        return ok()

    return [
        Route(f"{API}/put", put, methods=["POST"]),
        Route(f"{API}/get", get, methods=["GET"]),
        Route(f"{API}/list", listed, methods=["GET"]),
        Route(f"{API}/delete", delete, methods=["POST"]),
    ]


def _acl_routes(services: Services) -> list[Route]:
    documents = services.documents

    async def put(request: Request) -> Response:
        values = await body(request)
        scope, who = _scope(services, values), str(required(values, "principal"))
        permission = str(required(values, "permission"))
        if permission not in PERMISSIONS:
            raise invalid(f"permission `{permission}` is not one of {', '.join(PERMISSIONS)}")
        documents.put(ACLS, f"{scope}/{who}", {"principal": who, "permission": permission})
        return ok()

    async def get(request: Request) -> Response:
        scope, who = _scope(services, {"scope": query(request, "scope")}), query(request, "principal")
        entry = documents.get(ACLS, f"{scope}/{who}")
        if entry is None:
            raise does_not_exist(f"Failed to get secret acl for principal {who} for scope {scope}.")
        return ok(entry)

    async def listed(request: Request) -> Response:
        scope = _scope(services, {"scope": query(request, "scope")})
        return ok({"items": documents.all(ACLS, f"{scope}/")})

    async def delete(request: Request) -> Response:
        values = await body(request)
        scope, who = _scope(services, values), str(required(values, "principal"))
        if not documents.delete(ACLS, f"{scope}/{who}"):
            raise does_not_exist(f"Principal {who} does not have an acl for scope {scope}.")
        return ok()

    return [
        Route(f"{API}/acls/put", put, methods=["POST"]),
        Route(f"{API}/acls/get", get, methods=["GET"]),
        Route(f"{API}/acls/list", listed, methods=["GET"]),
        Route(f"{API}/acls/delete", delete, methods=["POST"]),
    ]


def _name(value: object, field: str) -> str:
    if not NAME.fullmatch(str(value)):
        raise invalid(f"{field} must be 1 to 128 of letters, digits, `-`, `_`, `@` and `.`, not {value!r}")
    return str(value)


def _scope(services: Services, values: Json) -> str:
    scope = str(required(values, "scope"))
    if services.documents.get(SCOPES, scope) is None:
        raise does_not_exist(f"Scope {scope} does not exist!")
    return scope


def _content(values: Json) -> bytes:
    if "string_value" in values:
        content = str(values["string_value"]).encode()
    elif "bytes_value" in values:
        try:
            content = base64.b64decode(str(values["bytes_value"]), validate=True)
        except binascii.Error as problem:
            raise invalid("bytes_value is not base64") from problem
    else:
        raise invalid("One of string_value and bytes_value must be given")
    if len(content) > LONGEST_BYTES:
        raise invalid(f"A secret is at most {LONGEST_BYTES} bytes long")
    return content
