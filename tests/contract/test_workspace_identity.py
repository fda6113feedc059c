"""Who is calling: users, service principals, OAuth, GitHub's tokens, and identities that may only read."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config
from databricks.sdk.errors import PermissionDenied
from jwt.algorithms import RSAAlgorithm
from local_workspace import LocalWorkspace, clear_environment

STAGING = "11111111-aaaa-4bbb-8ccc-222222222222"
PLANNER = "33333333-aaaa-4bbb-8ccc-444444444444"
SUBJECT = "repo:team/iris:environment:staging"


class Issuer:
    """An issuer of tokens on this machine, as GitHub's is on the net."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = json.loads(RSAAlgorithm.to_jwk(self.key.public_key())) | {"kid": "one", "alg": "RS256", "use": "sig"}
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                about = {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/jwks"}
                content = json.dumps({"keys": [public]} if self.path.endswith("/jwks") else about).encode()
                self.send_response(200)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/_oidc"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def token(self, **claims: Any) -> str:
        now = int(time.time())
        said = {"iss": self.url, "sub": SUBJECT, "aud": "the-account", "iat": now, "exp": now + 300, "run_id": "77", "check_run_id": "5"}
        return jwt.encode({**said, **claims}, self.key, algorithm="RS256", headers={"kid": "one"})


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    yield issuer
    issuer.server.shutdown()
    issuer.server.server_close()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, issuer: Issuer) -> Iterator[LocalWorkspace]:
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "identities.json").write_text(
        json.dumps(
            {
                "identities": [
                    {"user_name": "developer@example.com", "id": 8123456789012345, "token": "developers-token"},
                    {"application_id": STAGING, "display_name": "iris-staging", "client_secret": "s3cret", "access": "write"},
                    {"application_id": PLANNER, "display_name": "iris-plan", "client_secret": "plan", "access": "read"},
                ],
                "federation": [{"application_id": STAGING, "issuer": issuer.url, "subject": SUBJECT, "audiences": ["the-account"]}],
                "catalogs": ["main", "staging"],
            }
        )
    )
    with pytest.MonkeyPatch.context() as monkeypatch:
        clear_environment(monkeypatch)
        with LocalWorkspace(folder, "--identities", str(folder / "identities.json")) as server:
            yield server


def _machine(server: LocalWorkspace, application_id: str, secret: str) -> WorkspaceClient:
    config = Config(host=server.url, client_id=application_id, client_secret=secret, retry_timeout_seconds=8)
    return WorkspaceClient(config=config)


def test_any_token_is_the_default_user(workspace: LocalWorkspace) -> None:
    me = workspace.client("whatever").current_user.me()
    assert me.user_name == "tester@example.com"
    assert me.id is not None
    assert len(me.id) > 5
    assert workspace.client("other").current_user.me().id == me.id


def test_no_token_is_401(workspace: LocalWorkspace) -> None:
    status, answer = workspace.call("GET", "/api/2.0/preview/scim/v2/Me", token=None)
    assert (status, answer["error_code"]) == (401, "UNAUTHENTICATED")


def test_a_known_token_is_its_user_and_an_unknown_one_is_403(guarded: LocalWorkspace) -> None:
    assert guarded.client("developers-token").current_user.me().id == "8123456789012345"
    status, answer = guarded.call("GET", "/api/2.0/preview/scim/v2/Me", token="guessed")
    assert (status, answer["error_code"]) == (403, "PERMISSION_DENIED")


def test_a_service_principal_logs_in_by_its_secret(guarded: LocalWorkspace) -> None:
    me = _machine(guarded, STAGING, "s3cret").current_user.me()
    assert (me.user_name, me.display_name) == (STAGING, "iris-staging")
    form = {"grant_type": "client_credentials", "client_id": STAGING, "client_secret": "wrong"}
    status, answer = guarded.call("POST", "/oidc/v1/token", urlencode(form).encode(), token=None)
    assert (status, answer["error"]) == (401, "invalid_client")


def _exchange(server: LocalWorkspace, token: str, application_id: str = STAGING) -> tuple[int, Any]:
    form = {
        "client_id": application_id,
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": token,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "scope": "all-apis",
    }
    return server.call("POST", "/oidc/v1/token", urlencode(form).encode(), token=None)


def test_githubs_token_is_exchanged_and_its_run_is_logged(guarded: LocalWorkspace, issuer: Issuer) -> None:
    status, answer = _exchange(guarded, issuer.token())
    assert (status, answer["token_type"], answer["expires_in"]) == (200, "Bearer", 3600)
    assert guarded.client(answer["access_token"]).current_user.me().user_name == STAGING
    line = [line for line in guarded.log() if line["path"].endswith("/Me")][-1]
    assert line["github"] == {"run_id": "77", "job": "5"}
    assert answer["access_token"] not in guarded.log_file.read_text("utf-8")


def test_the_sdk_logs_in_with_githubs_token(guarded: LocalWorkspace, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", issuer.token())
    config = Config(
        host=guarded.url, client_id=STAGING, auth_type="env-oidc", oidc_token_env="MY_TOKEN", token_audience="the-account",
        retry_timeout_seconds=8,
    )  # fmt: skip
    assert WorkspaceClient(config=config).current_user.me().user_name == STAGING


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"sub": "repo:team/iris:ref:refs/heads/evil"}, "subject"),
        ({"aud": "somebody-else"}, "audience"),
        ({"iss": "http://127.0.0.1:1/_oidc"}, "issuer"),
        ({"exp": 1}, "expired"),
    ],
)
def test_a_token_that_is_not_meant_is_refused_with_the_reason(
    guarded: LocalWorkspace, issuer: Issuer, claims: dict[str, Any], said: str
) -> None:
    status, answer = _exchange(guarded, issuer.token(**claims))
    assert (status, answer["error"]) == (400, "invalid_grant")
    assert said in answer["error_description"].lower()


def test_a_token_signed_by_somebody_else_is_refused(guarded: LocalWorkspace, issuer: Issuer) -> None:
    forged = Issuer()
    forged.url, url = issuer.url, forged.url
    status, answer = _exchange(guarded, forged.token())
    forged.server.shutdown()
    forged.server.server_close()
    assert (status, answer["error"]) == (400, "invalid_grant"), url
    assert "verified" in answer["error_description"]


def test_a_principal_without_policy_is_refused(guarded: LocalWorkspace, issuer: Issuer) -> None:
    assert _exchange(guarded, issuer.token(), PLANNER)[0] == 401


def test_an_identity_that_may_only_read_changes_nothing(guarded: LocalWorkspace) -> None:
    planner = _machine(guarded, PLANNER, "plan")
    assert [catalog.name for catalog in planner.catalogs.list()] == ["main", "staging"]
    with pytest.raises(PermissionDenied):
        planner.workspace.mkdirs("/Shared/x")
    with pytest.raises(PermissionDenied):
        planner.schemas.create("gold", "main")
    with pytest.raises(PermissionDenied):
        planner.jobs.create(name="j")
    with pytest.raises(PermissionDenied):
        planner.experiments.create_experiment("/Shared/e")
    with pytest.raises(PermissionDenied):
        planner.permissions.set("jobs", "1", access_control_list=[])


def test_discovery_names_where_to_log_in(workspace: LocalWorkspace) -> None:
    status, about = workspace.call("GET", "/.well-known/databricks-config", token=None)
    assert status == 200
    assert about["oidc_endpoint"] == f"{workspace.url}/oidc"
    _, server = workspace.call("GET", "/oidc/.well-known/oauth-authorization-server", token=None)
    assert server["token_endpoint"] == f"{workspace.url}/oidc/v1/token"


def test_principals_are_found_by_filter(guarded: LocalWorkspace) -> None:
    client = guarded.client("developers-token")
    found = list(client.service_principals.list(filter=f'applicationId eq "{STAGING}"'))
    assert [principal.display_name for principal in found] == ["iris-staging"]
    assert client.service_principals.get(str(found[0].id)).application_id == STAGING
    assert [user.user_name for user in client.users.list()] == ["developer@example.com"]
    assert {group.display_name for group in client.groups.list()} == {"admins", "users"}


@pytest.mark.parametrize("content", ["{", "{}", '{"identities": []}', '{"identities": [{"user_name": "x", "access": "all"}]}'])
def test_a_bad_identities_file_is_named(tmp_path: Path, content: str) -> None:
    file = tmp_path / "who.json"
    file.write_text(content)
    command = [sys.executable, "-m", "bundleflow", "local", "workspace", "--identities", str(file)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 2
    assert "who.json" in ended.stderr
