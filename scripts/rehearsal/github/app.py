"""The server: REST API with and without `/api/v3`, OIDC issuer, artifact store; one place that answers errors and writes the log."""

from __future__ import annotations

import hashlib
import json
import re
import time
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from rehearsal.github import access, apps, local, repositories
from rehearsal.github.api import account, actions, code, delivery, git, issues, pulls
from rehearsal.github.api import apps as app_endpoints
from rehearsal.github.api.call import Answer, Call, Endpoint
from rehearsal.github.errors import GitHubError
from rehearsal.github.log import RequestLog
from rehearsal.github.model_actions import Token
from rehearsal.github.state import State, api_prefix

if TYPE_CHECKING:
    from rehearsal.github.world import GitHub

PREFIX = "/api/v3"
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
# The order counts: `commits/{ref:path}` would swallow `commits/{ref}/status`.
ENDPOINTS = [
    *account.ENDPOINTS,
    *app_endpoints.ENDPOINTS,
    *pulls.ENDPOINTS,
    *issues.ENDPOINTS,
    *delivery.ENDPOINTS,
    *actions.ENDPOINTS,
    *git.ENDPOINTS,
    *code.ENDPOINTS,
]


def create_app(github: GitHub, log: RequestLog | None = None) -> Starlette:
    """Make the server's application.

    Args:
        github: The world that it shows; its `base_url` has to be the server's address.
        log: Where each request is written, if anywhere.
    """
    server = _Server(github, log or RequestLog(None))
    rest = [Route(each.full_path, server.endpoint(each), methods=[each.method]) for each in ENDPOINTS]
    rest.append(Route("/{path:path}", server.unknown, methods=METHODS))
    own = [Route(each.path, server.endpoint(each), methods=[each.method]) for each in local.ENDPOINTS]
    return Starlette(routes=[*own, Mount(PREFIX, routes=rest), *rest])


class _Server:
    """Carries requests to the endpoints."""

    def __init__(self, github: GitHub, log: RequestLog) -> None:
        self._github = github
        self._log = log
        self._served: dict[str, int] = {}

    def endpoint(self, endpoint: Endpoint) -> Any:
        """Give the function that Starlette calls for an endpoint."""

        async def handle(request: Request) -> Response:
            return await self._handle(request, endpoint)

        return handle

    async def unknown(self, request: Request) -> Response:
        """Answer for what is not imitated, by name."""
        name = f"{request.method} /{request.path_params['path']}"

        def refuse(_: Call) -> Answer:
            # Not a 501, which clients such as PyGithub take for a passing trouble and ask again.
            raise GitHubError(404, f"Not Found: {name} is not imitated by this stand-in for GitHub.")

        return await self._handle(request, Endpoint(request.method, "/{path:path}", refuse, body=None, query=tuple(request.query_params)))

    async def _handle(self, request: Request, endpoint: Endpoint) -> Response:
        started = time.monotonic()
        raw = await request.body()
        entry: dict[str, Any] = {}
        answer = await run_in_threadpool(self._answer, request, endpoint, raw, entry)
        response = _response(request, answer, self._headers(entry.get("login", "")))
        self._log.write(request, entry, raw, answer, response.status_code, time.monotonic() - started)
        return response

    def _answer(self, request: Request, endpoint: Endpoint, raw: bytes, entry: dict[str, Any]) -> Answer:
        state = self._github.state
        prefix = PREFIX if request.url.path.startswith(f"{PREFIX}/") else ""
        reset = api_prefix.set(prefix)
        try:
            self._make_trouble(request.method, request.url.path.removeprefix(prefix))
            with state.locked():
                token = _token(state, request)
            entry.update(login=token.login if token else "", token=token.kind if token else "none")
            call = Call(
                state, self._github.keys, token, dict(request.path_params), dict(request.query_params),
                _json(request, raw), state.base_url + request.url.path,
            )  # fmt: skip
            return self._call(call, endpoint)
        except GitHubError as error:
            return Answer(error.body(), error.status, error.headers)
        finally:
            api_prefix.reset(reset)

    @staticmethod
    def _call(call: Call, endpoint: Endpoint) -> Answer:
        if not endpoint.locked:
            with call.state.locked():
                endpoint.check(call)
            return endpoint.handler(call)
        with call.state.locked():
            endpoint.check(call)
            if call.state.open_user and "repo" in call.parts:
                # A server of its own is told of no push: it looks.
                repositories.refs_changed(call.state, call.full_name, access.person(call.state.open_user))
            return endpoint.handler(call)

    def _make_trouble(self, method: str, path: str) -> None:
        with self._github.state.locked():
            for trouble in self._github.state.troubles:
                if trouble.times > 0 and trouble.method == method and re.fullmatch(trouble.pattern, path):
                    trouble.times -= 1
                    raise GitHubError(trouble.status, trouble.message, headers=trouble.headers)

    def _headers(self, login: str) -> dict[str, str]:
        self._served[login] = self._served.get(login, 0) + 1
        used = self._served[login]
        limit = account.RATE_LIMIT
        # Far from exhausted, whatever happens: the primary limit is not imitated, only shown.
        return {
            "X-GitHub-Media-Type": "github.v3; format=json",
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(max(1, limit - used)),
            "X-RateLimit-Used": str(used),
            "X-RateLimit-Reset": str(int(self._github.clock.now()) + 3600),
            "X-RateLimit-Resource": "core",
        }


def _token(state: State, request: Request) -> Token | None:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if not value or scheme.lower() not in ("bearer", "token"):
        return None
    value = value.strip()
    return apps.login(state, value) if value.count(".") == 2 else state.token(value)


def _json(request: Request, raw: bytes) -> Any:
    if not raw or request.url.path.startswith("/_local/"):
        return raw or None
    try:
        body = json.loads(raw)
        json.dumps(body, ensure_ascii=False).encode()  # Half of a surrogate pair is JSON, but no text.
        return body
    except ValueError as error:
        raise GitHubError(400, "Problems parsing JSON") from error


def _response(request: Request, answer: Answer, headers: dict[str, str]) -> Response:
    headers = {**headers, **answer.headers}
    if isinstance(answer.body, bytes):
        return Response(answer.body, answer.status, headers)
    content = b"" if answer.body is None else json.dumps(answer.body).encode()
    if request.method == "GET" and answer.status == 200:
        headers["ETag"] = f'W/"{hashlib.sha256(content).hexdigest()}"'
        if headers["ETag"] in request.headers.get("if-none-match", ""):
            return Response(None, 304, headers)
    return Response(content, answer.status, headers, media_type="application/json; charset=utf-8" if content else None)
