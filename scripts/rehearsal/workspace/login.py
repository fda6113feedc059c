"""Who is calling: checks the bearer token of every request, and keeps read-only identities from changing anything."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rehearsal.workspace.errors import ApiError, answer, denied
from rehearsal.workspace.identities import Identities

OPEN_PATHS = ("/.well-known/", "/oidc/", "/_local/")
"""Answered without a token: discovery, login, and the rehearsal's own switches."""

LOOPBACK = {"127.0.0.1", "localhost", "::1"}

READING_POSTS = re.compile(
    r"/telemetry-ext|/serving-endpoints/[^/]+(/served-models/[^/]+)?/invocations"
    r"|/api/2.0/mlflow/artifacts/credentials-for-read"
    r"|/api/\d\.\d/mlflow/(.+/)?(search|get|list|query)[a-z-]*"
)
"""POST requests that only read."""


class Login:
    """ASGI middleware: sets `state.identity` or answers 401 and 403.

    Args:
        app: What answers.
        identities: Who may call.
        clock: Milliseconds since the epoch.
        workspace_id: Answered in the header that Databricks answers it in.
    """

    def __init__(self, app: ASGIApp, identities: Identities, clock: Callable[[], int], workspace_id: str) -> None:
        self.app, self.identities, self.clock = app, identities, clock
        self.workspace_header = (b"x-databricks-org-id", workspace_id.encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), self.workspace_header]
            await send(message)

        try:
            self._check(scope)
        except ApiError as refusal:
            await answer(refusal)(scope, receive, send_with_id)
            return
        await self.app(scope, receive, send_with_id)

    def _check(self, scope: Scope) -> None:
        path = scope["path"]
        origin = Headers(scope=scope).get("origin", "")
        if origin and urlsplit(origin).hostname not in LOOPBACK:
            raise denied(f"Requests from web pages of {origin} are refused.")
        if path.startswith(OPEN_PATHS):
            return
        kind, _, token = Headers(scope=scope).get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not token:
            raise ApiError("UNAUTHENTICATED", "Credential was not sent or was of an unsupported type for this API.")
        identity = self.identities.by_token(token.strip(), self.clock())
        if identity is None:
            raise denied("Invalid access token.")
        scope.setdefault("state", {})["identity"] = identity
        changes = scope["method"] not in {"GET", "HEAD"} and not READING_POSTS.fullmatch(path)
        if changes and identity.access == "read":
            raise denied(f"{identity.display_name} ({identity.name}) does not have permission to change anything: {scope['method']} {path}")
