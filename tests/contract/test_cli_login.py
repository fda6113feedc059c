"""The stand-in logs in as a service principal, by its secret or by GitHub's token, and may do no more than its identity may."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from local_workspace import LocalWorkspace

DEPLOYER = "11111111-aaaa-4bbb-8ccc-222222222222"
PLANNER = "33333333-aaaa-4bbb-8ccc-444444444444"
SUBJECT = "repo:team/iris:environment:staging"
BUNDLE = "bundle: {name: login}\nworkspace: {root_path: /Workspace/Shared/login}\nresources: {jobs: {j: {name: j}}}\n"


class Runner:
    """What a job of GitHub's finds on its runner: an endpoint that gives it an ID token for an audience."""

    def __init__(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = json.loads(RSAAlgorithm.to_jwk(key.public_key())) | {"kid": "one", "alg": "RS256", "use": "sig"}
        self.audiences: list[str] = []
        runner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer: dict[str, Any] = {"issuer": runner.issuer, "jwks_uri": f"{runner.issuer}/jwks"}
                if self.path.endswith("/jwks"):
                    answer = {"keys": [public]}
                elif self.path.startswith("/token"):
                    assert self.headers["Authorization"] == "Bearer request-token"
                    audience = parse_qs(urlsplit(self.path).query)["audience"][0]
                    runner.audiences.append(audience)
                    now = int(time.time())
                    claims = {"iss": runner.issuer, "sub": SUBJECT, "aud": audience, "iat": now, "exp": now + 300, "run_id": "9"}
                    answer = {"value": jwt.encode(claims, key, algorithm="RS256", headers={"kid": "one"})}
                content = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_port}/_oidc"
        self.token_url = f"http://127.0.0.1:{self.server.server_port}/token?api=1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    runner = Runner()
    yield runner
    runner.server.shutdown()
    runner.server.server_close()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, runner: Runner) -> Iterator[LocalWorkspace]:
    folder = tmp_path_factory.mktemp("guarded")
    identities = {
        "identities": [
            {"application_id": DEPLOYER, "display_name": "iris staging", "client_secret": "s3cret", "access": "write"},
            {"application_id": PLANNER, "display_name": "iris-plan", "client_secret": "plan", "access": "read"},
        ],
        "federation": [{"application_id": DEPLOYER, "issuer": runner.issuer, "subject": SUBJECT, "audiences": ["the-account"]}],
        "catalogs": ["main"],
    }
    (folder / "identities.json").write_text(json.dumps(identities))
    with LocalWorkspace(folder, "--identities", str(folder / "identities.json")) as server:
        yield server


def cli(folder: Path, server: LocalWorkspace, *argv: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "DATABRICKS_HOST": server.url, "DATABRICKS_CONFIG_FILE": os.devnull}
    command = [sys.executable, "-m", "rehearsal.databricks_cli", *argv]
    return subprocess.run(command, cwd=folder, env=env | environment, text=True, capture_output=True, timeout=60, check=False)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    (tmp_path / "databricks.yml").write_text(BUNDLE, "utf-8")
    return tmp_path


def by_secret(application_id: str, secret: str) -> dict[str, str]:
    return {"DATABRICKS_CLIENT_ID": application_id, "DATABRICKS_CLIENT_SECRET": secret}


def by_github(runner: Runner, **more: str) -> dict[str, str]:
    login = {"DATABRICKS_AUTH_TYPE": "github-oidc", "DATABRICKS_CLIENT_ID": DEPLOYER}
    return login | {"ACTIONS_ID_TOKEN_REQUEST_URL": runner.token_url, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "request-token"} | more


def test_by_secret(bundle: Path, guarded: LocalWorkspace) -> None:
    done = cli(bundle, guarded, "bundle", "validate", "-o", "json", **by_secret(DEPLOYER, "s3cret"))
    assert done.returncode == 0, done.stderr
    user = json.loads(done.stdout)["workspace"]["current_user"]
    assert (user["userName"], user["short_name"], user["domain_friendly_name"]) == (DEPLOYER, "iris_staging", "iris-staging")


def test_by_githubs_token(bundle: Path, guarded: LocalWorkspace, runner: Runner) -> None:
    done = cli(bundle, guarded, "bundle", "validate", **by_github(runner, DATABRICKS_TOKEN_AUDIENCE="the-account"))
    assert done.returncode == 0, done.stderr
    assert f"User: {DEPLOYER}" in done.stdout
    assert runner.audiences[-1] == "the-account"


def test_a_token_for_another_audience_is_refused(bundle: Path, guarded: LocalWorkspace, runner: Runner) -> None:
    done = cli(bundle, guarded, "bundle", "validate", **by_github(runner, DATABRICKS_TOKEN_AUDIENCE="elsewhere"))
    assert done.returncode == 1
    assert "HTTP Status: 4" in done.stderr
    assert "request-token" not in done.stderr + done.stdout


def test_a_wrong_secret_is_refused_and_not_told(bundle: Path, guarded: LocalWorkspace) -> None:
    done = cli(bundle, guarded, "bundle", "validate", **by_secret(DEPLOYER, "guessed"))
    assert done.returncode == 1
    assert "401" in done.stderr
    assert "guessed" not in done.stderr + done.stdout


def test_who_may_only_read_may_plan_and_not_deploy(bundle: Path, guarded: LocalWorkspace) -> None:
    planned = cli(bundle, guarded, "bundle", "plan", **by_secret(PLANNER, "plan"))
    assert (planned.returncode, planned.stdout.splitlines()[-1]) == (0, "Plan: 1 to add, 0 to change, 0 to delete, 0 unchanged")
    refused = cli(bundle, guarded, "bundle", "deploy", **by_secret(PLANNER, "plan"))
    assert refused.returncode == 1
    assert "Error: " in refused.stderr


def test_two_kinds_of_credentials_are_too_many(bundle: Path, guarded: LocalWorkspace) -> None:
    done = cli(bundle, guarded, "bundle", "validate", **by_secret(DEPLOYER, "s3cret"), DATABRICKS_TOKEN="x")
    assert done.returncode == 1
    assert "more than one authorization method configured: oauth and pat" in done.stderr


def test_other_kinds_of_login_are_refused_by_name(bundle: Path, guarded: LocalWorkspace) -> None:
    done = cli(bundle, guarded, "bundle", "validate", DATABRICKS_AUTH_TYPE="azure-cli")
    assert done.returncode == 1
    assert "auth type azure-cli is not supported" in done.stderr
