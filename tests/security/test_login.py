"""Logins that are refused: the job learns what it presented and which policy to make, and its token is told to nobody."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from github_world import REPOSITORY, World
from local_workspace import LocalWorkspace

CLIENT = "11111111-aaaa-4bbb-8ccc-222222222222"
BUNDLE = "bundle: {name: login}\nworkspace: {root_path: /Workspace/Shared/login}\ntargets: {prod: {}}\nresources: {jobs: {j: {name: j}}}\n"
FLOW = "version: 1\nstages:\n  prod: {target: prod, environment: production}\n"


@dataclass
class LoginStage:
    """A job of an imitated GitHub in front of an imitated workspace that knows some federation policies."""

    folder: Path
    world: World
    policies: list[dict[str, Any]] = field(default_factory=list)
    environment: str = "production"
    asked: int = 0

    def issuer(self) -> str:
        return f"{self.world.github.base_url}/_oidc"

    def subject(self, *, ids: bool, environment: str = "production") -> str:
        repository = self.world.github.repository(REPOSITORY)
        owner = self.world.github.state.user(repository.owner)
        name = f"team@{owner.id}/iris@{repository.id}" if ids else REPOSITORY
        return f"repo:{name}:environment:{environment}"

    def use_ids(self, use: bool) -> None:
        self.world.github.repository(REPOSITORY).oidc.use_immutable_subject = use

    def allow(self, **policy: Any) -> None:
        self.policies.append({"application_id": CLIENT, "issuer": self.issuer(), "subject": self.subject(ids=False)} | policy)

    def call(self, *argv: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the kit in a job, against a workspace that knows the policies."""
        run = self.world.start_run("cd-prod.yml")
        job = self.world.job(run, environment=self.environment)
        self.world.github.start_job(job.id)
        given = self.world.github.job_credentials(job.id, {"actions": "read", "contents": "read", "id-token": "write"})
        identities = {
            "identities": [{"application_id": CLIENT, "display_name": "prod", "client_secret": "the-right-one"}],
            "federation": self.policies,
            "catalogs": ["main"],
        }
        self.asked += 1
        place = self.folder / f"call-{self.asked}"
        place.mkdir()
        (place / "identities.json").write_text(json.dumps(identities))
        cli = place / "databricks"
        cli.write_text(f'#!/bin/sh\nexec {sys.executable} -m bundleflow local databricks "$@"\n')
        cli.chmod(0o755)
        project = place / "project"
        project.mkdir()
        (project / "databricks.yml").write_text(BUNDLE)
        (project / "bundleflow.yml").write_text(FLOW)
        self.outputs, self.summary, self.secrets = place / "output", place / "summary", [given.github_token, given.oidc_token]
        with LocalWorkspace(place, "--identities", str(place / "identities.json")) as workspace:
            environment = {
                "PATH": os.environ["PATH"],
                "HOME": str(place),
                "DATABRICKS_CLI_PATH": str(cli),
                "DATABRICKS_HOST": workspace.url,
                "DATABRICKS_CLIENT_ID": CLIENT,
                "DATABRICKS_AUTH_TYPE": "github-oidc",
                "ACTIONS_ID_TOKEN_REQUEST_URL": given.oidc_url,
                "ACTIONS_ID_TOKEN_REQUEST_TOKEN": given.oidc_token,
                "GITHUB_ACTIONS": "true",
                "GITHUB_API_URL": self.world.server.url,
                "GITHUB_REPOSITORY": REPOSITORY,
                "GITHUB_TOKEN": given.github_token,
                "GITHUB_OUTPUT": str(self.outputs),
                "GITHUB_STEP_SUMMARY": str(self.summary),
                "BUNDLEFLOW_STAGE": "prod",
                "BUNDLEFLOW_ENVIRONMENT": "production",
            } | env
            command = [sys.executable, "-m", "bundleflow", *argv]
            done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=120, check=False)
            self.requests = workspace.log() if workspace.log_file.exists() else []
        self.told = done.stdout + done.stderr + "".join(path.read_text() for path in (self.outputs, self.summary) if path.exists())
        return done


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[LoginStage]:
    world = World(tmp_path)
    yield LoginStage(tmp_path, world)
    world.stop()


PLAN = ("plan", "--target", "prod")
START = ("run", "start", "7", "--target", "prod")


def refused(stage: LoginStage, *argv: str, **env: str) -> str:
    """What a refused call told; it is refused as `auth-failed`, and no credential is in it."""
    done = stage.call(*argv, **env)
    assert done.returncode in (1, 2), done.stderr
    assert "\nauth-failed\n" in stage.outputs.read_text()
    assert "title=bundleflow%3A auth-failed::" in done.stderr
    for secret in (*stage.secrets, "eyJ", env.get("DATABRICKS_TOKEN") or "eyJ", env.get("DATABRICKS_CLIENT_SECRET") or "eyJ"):
        assert secret not in stage.told
    return done.stderr


def policies_in(told: str) -> list[dict[str, Any]]:
    """The policies that a message says to make, read as a shell would read the commands."""
    lines = [
        line.strip().lstrip("| ") for line in told.splitlines() if "service-principal-federation-policy create" in line and "::" not in line
    ]
    return [json.loads(shlex.split(line)[-1])["oidc_policy"] for line in lines]


@pytest.mark.parametrize("argv", [PLAN, START], ids=["CLI", "SDK"])
@pytest.mark.parametrize("ids", [False, True], ids=["token by names", "token with ids"])
def test_a_subject_in_the_other_form_is_explained_and_the_policy_lets_the_job_in(
    stage: LoginStage, ids: bool, argv: tuple[str, ...]
) -> None:
    stage.use_ids(ids)
    stage.allow(subject=stage.subject(ids=not ids))
    told = refused(stage, *argv)
    assert f"presented: {stage.subject(ids=ids)}" in told
    assert stage.subject(ids=not ids) in told
    assert f"GitHub says that this repository uses the form {'names with ids' if ids else 'names only'}" in told
    own, other = policies_in(told)
    assert (own["subject"], other["subject"]) == (stage.subject(ids=ids), stage.subject(ids=not ids))
    stage.allow(**own)
    assert "auth-failed" not in stage.call(*argv).stderr
    assert any(line["github"] for line in stage.requests if "github" in line), "the job got in by its own token"


@pytest.mark.parametrize(
    ("policy", "shown"),
    [
        ({"subject": "repo:team/other:environment:production"}, "subject   presented: repo:team/iris:environment:production"),
        ({"subject": "repo:team/iris:environment:staging"}, "subject   presented: repo:team/iris:environment:production"),
        ({"issuer": "http://127.0.0.1:1/_oidc"}, "issuer    presented: http://127.0.0.1:"),
        ({"audiences": ["the-account"]}, "audience  presented: another-audience"),
    ],
    ids=["repository", "environment", "issuer", "audience"],
)
def test_each_claim_is_shown_when_it_does_not_fit(stage: LoginStage, policy: dict[str, Any], shown: str) -> None:
    stage.allow(**policy)
    assert shown in refused(stage, *PLAN, DATABRICKS_TOKEN_AUDIENCE="another-audience")


def test_a_job_without_environment_is_told_so(stage: LoginStage) -> None:
    stage.environment = ""
    stage.allow()
    told = refused(stage, *PLAN)
    assert "names no GitHub environment" in told
    assert "presented: repo:team/iris:ref:refs/heads/main" in told


def test_a_customised_subject_is_named_as_such(stage: LoginStage) -> None:
    settings = stage.world.github.repository(REPOSITORY).oidc
    settings.use_default, settings.include_claim_keys = False, ["repository_id", "environment"]
    stage.allow()
    told = refused(stage, *PLAN)
    assert "its own list of claims (repository_id, environment)" in told
    (policy,) = policies_in(told)
    assert policy["subject"].endswith(":environment:production")


def test_a_job_that_may_not_ask_for_a_token_is_told_which_permission(stage: LoginStage) -> None:
    stage.allow()
    told = refused(stage, *PLAN, ACTIONS_ID_TOKEN_REQUEST_URL="", ACTIONS_ID_TOKEN_REQUEST_TOKEN="")
    assert "`permissions: {id-token: write}`" in told


@pytest.mark.parametrize(
    ("env", "fix"),
    [
        ({"DATABRICKS_AUTH_TYPE": "pat", "DATABRICKS_TOKEN": "dapi-worn-out"}, "Renew the token"),
        ({"DATABRICKS_AUTH_TYPE": "oauth-m2m", "DATABRICKS_CLIENT_SECRET": "guessed-wrong"}, "has not expired"),
    ],
    ids=["PAT", "M2M"],
)
@pytest.mark.parametrize("argv", [PLAN, START], ids=["CLI", "SDK"])
def test_a_fallback_that_is_refused_says_which_secret(stage: LoginStage, env: dict[str, str], fix: str, argv: tuple[str, ...]) -> None:
    assert fix in refused(stage, *argv, **env)


def test_a_fallback_works_and_is_warned_about(stage: LoginStage) -> None:
    done = stage.call("deploy-stage", DATABRICKS_AUTH_TYPE="oauth-m2m", DATABRICKS_CLIENT_SECRET="the-right-one")
    assert "::warning title=bundleflow%3A stored secret::" in done.stderr
    assert "the-right-one" not in stage.told
    assert [line["identity"] for line in stage.requests if line["path"].endswith("/Me")][:1] == [CLIENT]


@pytest.mark.parametrize("name", ["DATABRICKS_HOST", "DATABRICKS_CLIENT_ID"])
@pytest.mark.parametrize("argv", [("deploy-stage",), PLAN, START], ids=["stage", "CLI", "SDK"])
def test_an_empty_variable_is_named(stage: LoginStage, name: str, argv: tuple[str, ...]) -> None:
    stage.allow()
    told = refused(stage, *argv, **{name: ""})
    assert name in told.splitlines()[-1], "the annotation names it"
    if argv == ("deploy-stage",):
        assert stage.requests == [], "before any login"
