"""The workspace as one ASGI application: routes of all API modules, behind log, faults and login."""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from rehearsal.executor.manager import ServiceError
from rehearsal.workspace.errors import ApiError, answer, handle, not_imitated
from rehearsal.workspace.faults import Fault, Faults, parse
from rehearsal.workspace.log import RequestLog
from rehearsal.workspace.login import Login
from rehearsal.workspace.services import Services

API_MODULES = (
    "rehearsal.workspace.api.identity",
    "rehearsal.workspace.api.oauth",
    "rehearsal.workspace.api.workspace_files",
    "rehearsal.workspace.api.permissions",
    "rehearsal.workspace.api.secrets",
    "rehearsal.workspace.api.catalog",
    "rehearsal.workspace.api.volumes",
    "rehearsal.workspace.api.tables",
    "rehearsal.workspace.api.models",
    "rehearsal.workspace.api.models_mlflow",
    "rehearsal.workspace.api.grants",
    "rehearsal.workspace.api.entity_tags",
    "rehearsal.workspace.api.files_api",
    "rehearsal.workspace.api.presigned",
    "rehearsal.workspace.api.mlflow_proxy",
    "rehearsal.workspace.api.compute",
    "rehearsal.workspace.api.warehouses",
    "rehearsal.workspace.api.pipelines",
    "rehearsal.workspace.statements.api",
    "rehearsal.workspace.jobs.api",
    "rehearsal.workspace.serving.api",
)
"""Modules with `routes(services)`, in the order in which their routes are tried."""


def make_app(services: Services, *, log: Path | None = None, faults: list[Fault] | None = None) -> ASGIApp:
    """The whole server.

    Args:
        services: The workspace's inner side.
        log: Where each request and answer is written as a JSON line.
        faults: Orders to fail; `POST /_local/faults` adds to them.
    """
    orders = faults if faults is not None else []
    routes = [route for name in API_MODULES for route in importlib.import_module(name).routes(services)]
    application = Starlette(
        routes=[*routes, *_local_routes(orders)],
        lifespan=lambda _: _lifetime(services),
        exception_handlers={ApiError: handle, HTTPException: _unknown},
    )
    application.router.redirect_slashes = False
    checked = Login(application, services.identities, services.clock, services.workspace_id)
    return RequestLog(Faults(_Helpers(checked), orders), log)


class _Helpers:
    """Answers a helper process that does not start (Spark, MLflow, model server) as a service that is not available now."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.app(scope, receive, send)
        except ServiceError as problem:
            await answer(ApiError("TEMPORARILY_UNAVAILABLE", str(problem)))(scope, receive, send)


async def _unknown(request: Request, error: Exception) -> Response:
    """A path or method that has no route: refused by name, never a silent 200."""
    assert isinstance(error, HTTPException)
    if error.status_code in {404, 405}:
        return answer(not_imitated(request.method, request.url.path))
    return answer(ApiError("BAD_REQUEST", str(error.detail), status=error.status_code))


@asynccontextmanager
async def _lifetime(services: Services) -> AsyncIterator[None]:
    for hook in services.on_start:
        await hook()
    warming = asyncio.create_task(services.executor.warm()) if services.warm else None
    try:
        yield
    finally:
        if warming is not None and not warming.done():
            warming.cancel()
        for hook in reversed(services.on_stop):
            await hook()
        await services.executor.close()
        services.database.close()


def _local_routes(faults: list[Fault]) -> list[Route]:
    """The rehearsal's own switches: faults, health."""

    async def add(request: Request) -> Response:
        try:
            faults.extend(parse(await request.json()))
        except (ValueError, TypeError) as problem:
            return answer(ApiError("INVALID_PARAMETER_VALUE", str(problem)))
        return JSONResponse({"faults": len(faults)})

    async def show(_: Request) -> Response:
        return JSONResponse({"faults": [vars(fault) for fault in faults]})

    async def clear(_: Request) -> Response:
        faults.clear()
        return JSONResponse({"faults": 0})

    async def health(_: Request) -> Response:
        return JSONResponse({"process": os.getpid()})

    handlers: dict[str, Callable[[Request], object]] = {"POST": add, "GET": show, "DELETE": clear}
    routes = [Route("/_local/faults", handler, methods=[method]) for method, handler in handlers.items()]
    return [*routes, Route("/_local/health", health)]
