"""Who the caller is, and what the workspace says about itself: SCIM and `.well-known/databricks-config`."""

from __future__ import annotations

import re
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rehearsal.workspace.errors import ApiError, does_not_exist, invalid
from rehearsal.workspace.http import Json, number, ok
from rehearsal.workspace.identities import Identity, stable_id
from rehearsal.workspace.services import Services, caller

SCIM = "/api/2.0/preview/scim/v2"
USER_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:User"
PRINCIPAL_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:ServicePrincipal"
GROUPS = ("admins", "users")
ACCOUNT_ID = "00000000-0000-4000-8000-000000000000"


def routes(services: Services) -> list[Route]:
    """Routes of SCIM, discovery and telemetry."""

    async def me(request: Request) -> Response:
        return ok(_self(caller(request)))

    async def users(request: Request) -> Response:
        return _listed(request, [_user(i) for i in services.identities.known.values() if not i.is_service_principal])

    async def principals(request: Request) -> Response:
        return _listed(request, [_principal(i) for i in services.identities.known.values() if i.is_service_principal])

    async def groups(request: Request) -> Response:
        return _listed(request, [{"id": str(stable_id(name)), "displayName": name} for name in GROUPS])

    async def one_user(request: Request) -> Response:
        return ok(_user(_by_id(services, request, principal=False)))

    async def one_principal(request: Request) -> Response:
        return ok(_principal(_by_id(services, request, principal=True)))

    async def config(request: Request) -> Response:
        host = f"http://{request.headers.get('host', services.url.removeprefix('http://'))}"
        about: Json = {
            "oidc_endpoint": f"{host}/oidc",
            "workspace_id": services.workspace_id,
            "account_id": ACCOUNT_ID,
            "cloud": "AWS",
            "host_type": "workspace",
        }
        audiences = [audience for policy in services.identities.federation for audience in policy.audiences]
        if audiences:
            about["token_federation_default_oidc_audiences"] = list(dict.fromkeys(audiences))
        return ok(about)

    async def telemetry(_: Request) -> Response:
        return ok({"errors": [], "numProtoSuccess": 0, "numRealtimeSuccess": 0})

    return [
        Route("/.well-known/databricks-config", config, methods=["GET"]),
        Route(f"{SCIM}/Me", me, methods=["GET"]),
        Route(f"{SCIM}/Users", users, methods=["GET"]),
        Route(f"{SCIM}/Users/{{id}}", one_user, methods=["GET"]),
        Route(f"{SCIM}/ServicePrincipals", principals, methods=["GET"]),
        Route(f"{SCIM}/ServicePrincipals/{{id}}", one_principal, methods=["GET"]),
        Route(f"{SCIM}/Groups", groups, methods=["GET"]),
        Route("/telemetry-ext", telemetry, methods=["POST"]),
    ]


def _self(identity: Identity) -> Json:
    """What an identity is told of itself: no more than the recorded reference workspace tells, because the CLI prints all of it."""
    shown = {"id": str(identity.id), "userName": identity.name}
    return shown | {"displayName": identity.display_name} if identity.is_service_principal else shown


def _user(identity: Identity) -> Json:
    given, _, family = identity.display_name.partition(" ")
    return {
        "schemas": [USER_SCHEMA, "urn:ietf:params:scim:schemas:extension:workspace:2.0:User"],
        "id": str(identity.id),
        "userName": identity.name,
        "displayName": identity.display_name,
        "name": {"givenName": given, "familyName": family} if family else {"givenName": given},
        "emails": [{"type": "work", "value": identity.name, "primary": True}],
        "active": True,
        "groups": [
            {"display": name, "type": "direct", "value": str(stable_id(name)), "$ref": f"Groups/{stable_id(name)}"} for name in GROUPS
        ],
    }


def _principal(identity: Identity) -> Json:
    return {
        "schemas": [PRINCIPAL_SCHEMA],
        "id": str(identity.id),
        "applicationId": identity.application_id,
        "displayName": identity.display_name,
        "active": True,
    }


def _by_id(services: Services, request: Request, *, principal: bool) -> Identity:
    wanted = number(request.path_params["id"], "id")
    for identity in services.identities.known.values():
        if identity.id == wanted and identity.is_service_principal == principal:
            return identity
    raise does_not_exist(f"{'Service principal' if principal else 'User'} with id {wanted} not found.")


def _listed(request: Request, resources: list[Json]) -> Response:
    """A SCIM list: filtered by `attribute eq "value"`, paged by startIndex and count."""
    if text := request.query_params.get("filter"):
        match = re.fullmatch(r'\s*(\w+)\s+(eq|co|sw)\s+"?([^"]*)"?\s*', text)
        if match is None:
            raise ApiError("INVALID_PARAMETER_VALUE", f"The local workspace knows filters of the kind `userName eq x`, not `{text}`.")
        resources = [r for r in resources if _matches(r.get(match[1]), match[2], match[3])]
    start = number(request.query_params.get("startIndex") or 1, "startIndex")
    count = number(request.query_params.get("count") or 100, "count")
    if start < 1 or count < 1:
        raise invalid("startIndex and count must be positive")
    shown = resources[start - 1 : start - 1 + count]
    return ok(
        {
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
            "totalResults": len(resources),
            "startIndex": start,
            "itemsPerPage": len(shown),
            "Resources": shown,
        }
    )


def _matches(value: Any, operator: str, wanted: str) -> bool:
    text = str(value or "").lower()
    return {"eq": text == wanted.lower(), "co": wanted.lower() in text, "sw": text.startswith(wanted.lower())}[operator]
