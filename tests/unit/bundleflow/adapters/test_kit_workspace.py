"""The SDK adapter against the local workspace: login by GitHub's OIDC token with a kept token, and what is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from github_world import REPOSITORY, World

from bundleflow.adapters.workspace import Workspace
from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason

APPLICATION = "11111111-2222-4333-8444-555555555555"
NOTEBOOK = "# Databricks notebook source\n"


class Served:
    """A local workspace that trusts the jobs of one environment."""

    def __init__(self, folder: Path, world: World) -> None:
        self.log = folder / "requests.jsonl"
        subject = f"repo:{REPOSITORY}:environment:staging"
        identities = {
            "identities": [{"application_id": APPLICATION, "display_name": "iris-staging", "client_secret": "s", "access": "write"}],
            "federation": [{"application_id": APPLICATION, "issuer": f"{world.server.url}/_oidc", "subject": subject, "audiences": []}],
            "catalogs": ["main"],
        }
        (folder / "identities.json").write_text(json.dumps(identities))
        command = [sys.executable, "-m", "bundleflow", "local", "workspace", "--log", str(self.log)]
        command += ["--identities", str(folder / "identities.json")]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.host = self.process.stdout.readline().strip()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)

    def paths(self) -> list[str]:
        return [json.loads(line)["path"] for line in self.log.read_text().splitlines()]


@pytest.fixture
def served(world: World, tmp_path: Path) -> Iterator[Served]:
    found = Served(tmp_path, world)
    yield found
    found.stop()


def login(world: World, host: str, environment: str, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """The workspace as a job in an environment sees it."""
    world.github.set_environment(REPOSITORY, environment)
    job = world.job(world.start_run("cd-staging.yml"), environment=environment)
    world.github.request_deployment(job.id)
    world.github.start_job(job.id)
    given = world.github.job_credentials(job.id, {"id-token": "write"})
    for name in [name for name in os.environ if name.startswith(("DATABRICKS_", "ACTIONS_"))]:
        monkeypatch.delenv(name)
    env = {
        "GITHUB_ACTIONS": "true",
        "DATABRICKS_HOST": host,
        "DATABRICKS_CLIENT_ID": APPLICATION,
        "DATABRICKS_AUTH_TYPE": "github-oidc",
        "ACTIONS_ID_TOKEN_REQUEST_URL": given.oidc_url,
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": given.oidc_token,
    }
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    return Workspace.from_env()


def test_one_token_serves_many_calls(world: World, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = login(world, served.host, "staging", monkeypatch)
    for _ in range(3):
        with pytest.raises(BundleflowError, match="Run 1 does not exist"):
            workspace.run_page(1)
    paths = served.paths()
    assert paths.count("/api/2.2/jobs/runs/get") == 3
    assert paths.count("/oidc/v1/token") == 1


def test_a_job_of_another_environment_is_not_let_in(world: World, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = login(world, served.host, "production", monkeypatch)
    with pytest.raises(BundleflowError) as caught:
        workspace.run_page(1)
    assert caught.value.reason is FailureReason.AUTH_FAILED
    assert "federation" in caught.value.fix


def test_no_host_is_told_before_anything_is_imported() -> None:
    with pytest.raises(BundleflowError, match="DATABRICKS_HOST is not set") as caught:
        Workspace({}).run_page(1)
    assert caught.value.exit_code is ExitCode.USAGE


def test_a_run_that_nobody_knows_is_named(served: Served, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = login(world, served.host, "staging", monkeypatch)
    with pytest.raises(BundleflowError, match="Job 99 does not exist"):
        workspace.run_now(99, token="t", parameters={})
    with pytest.raises(BundleflowError, match="cancel run 99"):
        workspace.cancel(99)
