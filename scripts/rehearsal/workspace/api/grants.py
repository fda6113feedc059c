"""Unity Catalog: grants on catalogs, schemas, volumes, tables and models; answered, not enforced."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rehearsal.workspace.api.catalog import API
from rehearsal.workspace.errors import ApiError, invalid
from rehearsal.workspace.http import Json, body, ok, required
from rehearsal.workspace.securables import GRANTS, MODELS, SCHEMAS, TABLES, VOLUMES, Securables
from rehearsal.workspace.services import CATALOGS, Services

KIND_OF_TYPE = {"catalog": CATALOGS, "schema": SCHEMAS, "volume": VOLUMES, "table": TABLES, "function": MODELS, "registered_model": MODELS}
"""Models are granted as `function`, as the API has it."""
ALL = "ALL_PRIVILEGES"


def routes(services: Services) -> list[Route]:
    """Routes of grants."""
    documents, securables = services.documents, Securables(services)

    def target(request: Request) -> str:
        named = str(request.path_params["type"]).lower()
        if named not in KIND_OF_TYPE:
            raise ApiError(
                "FEATURE_DISABLED", f"The local workspace does not imitate grants on `{named}`; it knows {', '.join(KIND_OF_TYPE)}."
            )
        kind = KIND_OF_TYPE[named]
        return f"{kind}/{securables.get(kind, request.path_params['full_name'])['full_name'].lower()}"

    def granted(key: str) -> dict[str, list[str]]:
        principals: dict[str, list[str]] = (documents.get(GRANTS, key) or {}).get("principals", {})
        return principals

    async def get(request: Request) -> Response:
        return ok(_answer(granted(target(request)), request))

    async def patch(request: Request) -> Response:
        key = target(request)
        principals = granted(key)
        for change in (await body(request)).get("changes") or []:
            _apply(principals, change)
        documents.put(GRANTS, key, {"principals": principals})
        return ok(_answer(principals))

    async def effective(request: Request) -> Response:
        assignments = _answer(granted(target(request)), request)["privilege_assignments"]
        shown = [{"principal": a["principal"], "privileges": [{"privilege": name} for name in a["privileges"]]} for a in assignments]
        return ok({"privilege_assignments": shown})

    return [
        Route(f"{API}/permissions/{{type}}/{{full_name}}", get, methods=["GET"]),
        Route(f"{API}/permissions/{{type}}/{{full_name}}", patch, methods=["PATCH"]),
        Route(f"{API}/effective-permissions/{{type}}/{{full_name}}", effective, methods=["GET"]),
    ]


def _apply(principals: dict[str, list[str]], change: Json) -> None:
    """Take away, then add; removing ALL_PRIVILEGES takes every privilege, as the API does."""
    name = str(required(change, "principal"))
    privileges = change.get("add") or [], change.get("remove") or []
    if not all(isinstance(p, str) for group in privileges for p in group):
        raise invalid("changes: `add` and `remove` are lists of privileges")
    added, removed = privileges
    kept = [] if ALL in removed else [p for p in principals.get(name, []) if p not in removed]
    after = sorted({*kept, *added})
    if after:
        principals[name] = after
    else:
        principals.pop(name, None)


def _answer(principals: dict[str, list[str]], request: Request | None = None) -> Json:
    only = request.query_params.get("principal") if request else None
    shown = {name: privileges for name, privileges in principals.items() if only in {None, name}}
    return {"privilege_assignments": [{"principal": name, "privileges": privileges} for name, privileges in shown.items()]}
