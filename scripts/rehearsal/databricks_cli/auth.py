"""Finds out who is logging in: a personal access token, a service principal's secret, or GitHub's OIDC token."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from rehearsal.databricks_cli import CLI_VERSION
from rehearsal.databricks_cli.diagnostics import CommandError
from rehearsal.databricks_cli.http_client import ApiError, HttpClient

DOCS = "https://docs.databricks.com/en/dev-tools/auth.html#databricks-client-unified-authentication"
_SUPPORTED = ("pat", "oauth-m2m", "github-oidc")
_METADATA_SKIP_SECONDS = 60


@dataclass
class Login:
    """How the command reaches the workspace.

    Args:
        host: The workspace's URL.
        metadata: What the host says about itself (`/.well-known/databricks-config`).
        auth_type: `pat`, `oauth-m2m` or `github-oidc`.
    """

    host: str
    metadata: dict[str, Any]
    auth_type: str
    user_agent: str
    _token: str = ""
    _expires: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def description(self) -> str:
        """How the login is called in error texts."""
        return {"pat": "Personal Access Token (pat)", "oauth-m2m": "OAuth Machine-to-Machine (oauth-m2m)"}.get(
            self.auth_type, f"GitHub OIDC ({self.auth_type})"
        )

    def authorization(self) -> str:
        """Return the Authorization header; an OAuth token is fetched first where it is missing or about to expire."""
        if self.auth_type == "pat":
            return f"Bearer {os.environ['DATABRICKS_TOKEN']}"
        with self._lock:
            if time.time() > self._expires - 40:
                answer = self._fetch()
                self._token = str(answer["access_token"])
                self._expires = time.time() + float(answer.get("expires_in", 3600))
        return f"Bearer {self._token}"

    def _fetch(self) -> dict[str, Any]:
        base = str(self.metadata.get("oidc_endpoint") or f"{self.host}/oidc")
        endpoint = str(_other(base, self.user_agent).get(f"{urlsplit(base).path}/.well-known/oauth-authorization-server")["token_endpoint"])
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if self.auth_type == "oauth-m2m":
            pair = f"{os.environ['DATABRICKS_CLIENT_ID']}:{os.environ['DATABRICKS_CLIENT_SECRET']}"
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
            form = {"grant_type": "client_credentials", "scope": "all-apis"}
        else:
            form = self._exchange_form(endpoint)
        body = urlencode(form).encode()
        client = _other(endpoint, self.user_agent)
        return client.request("POST", urlsplit(endpoint).path, body=body, headers=headers).json()

    def _exchange_form(self, token_endpoint: str) -> dict[str, str]:
        """The form of a token exchange; GitHub gives the JWT, whose audience the host may ask for."""
        request_url = os.environ["ACTIONS_ID_TOKEN_REQUEST_URL"]
        wanted = self.metadata.get("token_federation_default_oidc_audiences") or []
        audience = os.environ.get("DATABRICKS_TOKEN_AUDIENCE") or (wanted[0] if wanted else token_endpoint)
        url = urlsplit(f"{request_url}&audience={audience}")
        headers = {"Authorization": f"Bearer {os.environ['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}"}
        jwt = _other(request_url, self.user_agent).request("GET", f"{url.path}?{url.query}", headers=headers).json()["value"]
        form = {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "scope": "all-apis",
            "subject_token": str(jwt),
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        }
        client_id = os.environ.get("DATABRICKS_CLIENT_ID")
        return form | ({"client_id": client_id} if client_id else {})


def login(configured_host: str, command: str) -> Login:
    """Find host and credentials.

    Args:
        configured_host: `workspace.host` of the bundle; it counts more than DATABRICKS_HOST.
        command: The command, for the User-Agent.

    Returns:
        The login; no request with credentials has been made yet.

    Raises:
        CommandError: No host or no credentials, two kinds of credentials, or a kind that is not supported.
    """
    host = (configured_host or os.environ.get("DATABRICKS_HOST", "")).rstrip("/")
    if host and "://" not in host:
        host = f"https://{host}"
    agent = _user_agent(command)
    metadata = _host_metadata(host, agent) if host else {}
    return Login(host, metadata, _auth_type(host, metadata), agent)


def _auth_type(host: str, metadata: dict[str, Any]) -> str:
    env = os.environ
    pinned = env.get("DATABRICKS_AUTH_TYPE", "")
    if pinned and pinned not in _SUPPORTED:
        raise CommandError(f"auth type {pinned} is not supported by the stand-in; it has {', '.join(_SUPPORTED)}")
    if not pinned and env.get("DATABRICKS_TOKEN") and env.get("DATABRICKS_CLIENT_SECRET"):
        raise CommandError("validate: more than one authorization method configured: oauth and pat")
    ready = {
        "pat": bool(env.get("DATABRICKS_TOKEN")),
        "oauth-m2m": bool(env.get("DATABRICKS_CLIENT_ID") and env.get("DATABRICKS_CLIENT_SECRET")),
        "github-oidc": bool(env.get("ACTIONS_ID_TOKEN_REQUEST_URL") and env.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN")),
    }
    for name in (pinned,) if pinned else _SUPPORTED:
        if host and ready[name]:
            return name
    raise CommandError(_no_credentials(host, metadata, pinned))


def _no_credentials(host: str, metadata: dict[str, Any], pinned: str) -> str:
    config = {
        "host": host,
        "workspace_id": metadata.get("workspace_id", ""),
        "config_file": os.environ.get("DATABRICKS_CONFIG_FILE", ""),
        "auth_type": pinned,
        # The real CLI names its own program here, and sets this variable for the programs it starts.
        "databricks_cli_path": os.environ.get("DATABRICKS_CLI_PATH") or str(Path(sys.argv[0]).absolute()),
    }
    names = ("DATABRICKS_HOST", "DATABRICKS_CONFIG_FILE", "DATABRICKS_AUTH_TYPE")
    used = [name for name in names if os.environ.get(name)] + ["DATABRICKS_CLI_PATH"]
    shown = ", ".join(f"{key}={value}" for key, value in config.items() if value)
    return (
        "failed during request visitor: default auth: cannot configure default credentials, "
        f"please check {DOCS} to configure credentials for your preferred authentication method. "
        f"Config: {shown}. Env: {', '.join(used)}"
    )


def _user_agent(command: str) -> str:
    parts = [f"cli/{CLI_VERSION}", "bundleflow-stand-in/1", f"cmd/{command.replace(' ', '_')}", "interactive/none"]
    if os.environ.get("GITHUB_ACTIONS"):
        parts.append("cicd/github")
    name, version = os.environ.get("DATABRICKS_CLI_UPSTREAM"), os.environ.get("DATABRICKS_CLI_UPSTREAM_VERSION")
    if name and version:
        parts += [f"upstream/{name}", f"upstream-version/{version}"]
    return " ".join([*parts, "engine/direct"])


def _other(url: str, agent: str) -> HttpClient:
    parts = urlsplit(url)
    return HttpClient(f"{parts.scheme}://{parts.netloc}", lambda: None, agent)


def _host_metadata(host: str, agent: str) -> dict[str, Any]:
    """Ask the host about itself. A host that does not answer is not asked again for a minute, nor warned about."""
    folder = os.environ.get("DATABRICKS_CACHE_DIR")
    mark = Path(folder) / f"no-metadata-{hashlib.sha256(host.encode()).hexdigest()[:16]}" if folder else None
    if mark is not None and mark.exists() and time.time() - mark.stat().st_mtime < _METADATA_SKIP_SECONDS:
        return {}
    try:
        return HttpClient(host, lambda: None, agent).request("GET", "/.well-known/databricks-config", retry=False).json()
    except ApiError:
        return {}
    except (CommandError, json.JSONDecodeError):
        print(f"Warn: [hostmetadata] failed to fetch host metadata for {host}, will skip for 1m0s", file=sys.stderr)
        if mark is not None:
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.touch()
        return {}
