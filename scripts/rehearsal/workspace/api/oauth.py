"""Login by OAuth: a service principal's secret, or the exchange of GitHub's token for a workspace token."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
import urllib.request
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rehearsal.workspace.api.identity import ACCOUNT_ID
from rehearsal.workspace.http import ok
from rehearsal.workspace.identities import TOKEN_SECONDS, FederationPolicy, GithubRun, Identity
from rehearsal.workspace.services import Services

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT_TYPES = {"urn:ietf:params:oauth:token-type:jwt", "urn:ietf:params:oauth:token-type:id_token"}
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
FETCH_SECONDS = 5.0
CLOCK_SKEW_S = 60


class OAuthError(Exception):
    """An answer of RFC 6749: `error` and `error_description`."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.error, self.description, self.status = error, description, status


def routes(services: Services) -> list[Route]:
    """Routes below /oidc."""

    async def discovery(request: Request) -> Response:
        host = f"http://{request.headers.get('host', services.url.removeprefix('http://'))}"
        return ok(
            {
                "issuer": f"{host}/oidc",
                "authorization_endpoint": f"{host}/oidc/v1/authorize",
                "token_endpoint": f"{host}/oidc/v1/token",
                "grant_types_supported": ["client_credentials", EXCHANGE],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
                "scopes_supported": ["all-apis"],
            }
        )

    async def token(request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode("utf-8", "replace")).items()}
        try:
            identity = await _login(services, request, form)
        except OAuthError as problem:
            return JSONResponse({"error": problem.error, "error_description": problem.description}, status_code=problem.status)
        issued = services.identities.issue_token(identity, services.clock())
        return ok({"access_token": issued, "token_type": "Bearer", "expires_in": TOKEN_SECONDS, "scope": "all-apis"})

    return [
        Route("/oidc/.well-known/oauth-authorization-server", discovery, methods=["GET"]),
        Route("/oidc/.well-known/openid-configuration", discovery, methods=["GET"]),
        Route("/oidc/v1/token", token, methods=["POST"]),
    ]


async def _login(services: Services, request: Request, form: dict[str, str]) -> Identity:
    match form.get("grant_type"):
        case "client_credentials":
            return _by_secret(services, *_client(request, form))
        case grant if grant == EXCHANGE:
            return await _by_jwt(services, request, form)
        case other:
            raise OAuthError(
                "unsupported_grant_type", f"The local workspace knows client_credentials and token-exchange, not `{other or 'none'}`."
            )


def _client(request: Request, form: dict[str, str]) -> tuple[str, str]:
    """Client id and secret, from the form or HTTP Basic authentication."""
    kind, _, encoded = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "basic":
        try:
            name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except ValueError as problem:
            raise OAuthError("invalid_client", "The Authorization header is not valid Basic authentication.", 401) from problem
        return unquote(name), unquote(secret)
    return form.get("client_id", ""), form.get("client_secret", "")


def _by_secret(services: Services, client_id: str, secret: str) -> Identity:
    if services.identities.open and client_id and secret:
        return services.identities.default
    identity = services.identities.by_name(client_id)
    if identity is None or not services.identities.secret_matches(client_id, secret):
        raise OAuthError("invalid_client", f"Client authentication failed for client_id `{client_id}`.", 401)
    return identity


async def _by_jwt(services: Services, request: Request, form: dict[str, str]) -> Identity:
    if form.get("subject_token_type") not in JWT_TYPES:
        raise OAuthError("invalid_request", f"subject_token_type must be {sorted(JWT_TYPES)[1]}, not `{form.get('subject_token_type')}`.")
    client_id = form.get("client_id", "")
    if not client_id:
        raise OAuthError("invalid_request", "client_id is missing: account-wide federation is not imitated; name the service principal.")
    if services.identities.open:
        return services.identities.default
    policies = [policy for policy in services.identities.federation if policy.application_id == client_id]
    identity = services.identities.by_name(client_id)
    if identity is None or not policies:
        raise OAuthError("invalid_client", f"No service principal `{client_id}` with a federation policy.", 401)
    claims = await _claims(form.get("subject_token", ""), {policy.issuer.rstrip("/") for policy in policies})
    host = f"http://{request.headers.get('host', '')}"
    refusals = [_refusal(policy, claims, {ACCOUNT_ID, host, f"{host}/oidc/v1/token"}) for policy in policies]
    if all(refusals):
        raise OAuthError("invalid_grant", f"No federation policy of `{client_id}` matches the token: {'; '.join(refusals)}.")
    job = claims.get("check_run_id") or claims.get("job") or ""
    github = GithubRun(str(claims["run_id"]), str(job)) if claims.get("run_id") else None
    return dataclasses.replace(identity, github=github)


def _refusal(policy: FederationPolicy, claims: dict[str, Any], default_audiences: set[str]) -> str:
    """Why a token does not meet a policy; empty when it does."""
    if str(claims.get("iss", "")).rstrip("/") != policy.issuer.rstrip("/"):
        return f"its issuer is `{claims.get('iss')}`, the policy wants `{policy.issuer}`"
    if claims.get("sub") != policy.subject:
        return f"its subject is `{claims.get('sub')}`, the policy wants `{policy.subject}`"
    said = claims.get("aud") or []
    audiences = {said} if isinstance(said, str) else set(said)
    wanted = set(policy.audiences) or default_audiences
    if not audiences & wanted:
        return f"its audience is {sorted(audiences)}, the policy wants one of {sorted(wanted)}"
    return ""


async def _claims(token: str, issuers: set[str]) -> dict[str, Any]:
    """The claims of a token whose signature is its issuer's; issuer, subject and audience are weighed by the policy."""
    import jwt

    try:
        said = jwt.decode(token, options={"verify_signature": False})
        issuer = str(said.get("iss", "")).rstrip("/")
        if issuer not in issuers:
            raise OAuthError("invalid_grant", f"The token's issuer is `{issuer}`, the federation policy wants {sorted(issuers)}.")
        keys = jwt.PyJWKSet.from_dict(await asyncio.to_thread(_fetch_keys, issuer))
        key = keys[str(jwt.get_unverified_header(token).get("kid"))]
        options: Any = {"verify_aud": False, "require": ["exp", "iat", "iss", "sub"]}
        claims: dict[str, Any] = jwt.decode(token, key.key, algorithms=["RS256", "ES256"], options=options, leeway=CLOCK_SKEW_S)
    except (jwt.PyJWTError, KeyError, ValueError, OSError) as problem:
        raise OAuthError("invalid_grant", f"The token cannot be verified: {type(problem).__name__}: {problem}") from problem
    return claims


def _fetch_keys(issuer: str) -> dict[str, Any]:
    """The issuer's keys (JWKS), by its discovery document. Only issuers on this machine are asked."""
    about = _fetch(f"{issuer}/.well-known/openid-configuration")
    return _fetch(str(about["jwks_uri"]))


def _fetch(url: str) -> dict[str, Any]:
    if urlsplit(url).hostname not in LOOPBACK or urlsplit(url).scheme not in {"http", "https"}:
        raise ValueError(f"{url} is not on this machine, and nothing else is asked")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=FETCH_SECONDS) as response:
        content: dict[str, Any] = json.load(response)
    return content
