"""Pull requests without an identity: known by the event, checked on their own merits, what is left out is said, nothing is written."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from github_world import REPOSITORY
from project import Project

from bundleflow.adapters.outside_pull import outside_pull
from bundleflow.adapters.runner import Runner

BUNDLE = """\
bundle: {name: iris}
include: [resources/*.yml]
variables: {suffix: {default: ""}}
targets: {dev: {}, test: {}, staging: {}, prod: {}}
"""
JOBS = "resources: {jobs: {model_training: {name: 'train-${bundle.target}${var.suffix}'}}}\n"
OURS, THEIRS = {"id": 1, "full_name": REPOSITORY}, {"id": 2, "full_name": "guest/iris"}
NO_LOGIN = {"DATABRICKS_TOKEN": "", "DATABRICKS_HOST": "", "DATABRICKS_AUTH_TYPE": "github-oidc", "GITHUB_EVENT_NAME": "pull_request"}


def pull(head: Any, author: str = "guest") -> dict[str, Any]:
    return {"pull_request": {"number": 7, "user": {"login": author}, "head": {"repo": head, "sha": "a" * 40}, "base": {"repo": OURS}}}


def known_as(tmp_path: Path, event: Any, **env: str) -> str:
    path = tmp_path / "event.json"
    path.write_text(json.dumps(event))
    given = {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_PATH": str(path), "GITHUB_ACTOR": "guest", **NO_LOGIN, **env}
    return outside_pull(Runner(given, io.StringIO()))


@pytest.mark.parametrize(
    ("event", "env", "expected"),
    [
        (pull(THEIRS), {}, "fork"),
        (pull(None), {}, "fork"),
        (pull(OURS, "dependabot[bot]"), {"GITHUB_ACTOR": "dependabot[bot]"}, "dependabot"),
        (pull(OURS), {}, ""),
        (pull({"id": 1, "full_name": "renamed/iris"}), {}, ""),
        (pull(OURS, "dependabot[bot]"), {"GITHUB_ACTOR": "developer"}, ""),
        (pull(OURS, "developer"), {"GITHUB_ACTOR": "dependabot[bot]"}, ""),
        (pull(THEIRS), {"ACTIONS_ID_TOKEN_REQUEST_URL": "http://127.0.0.1:1"}, ""),
        (pull(THEIRS), {"DATABRICKS_AUTH_TYPE": "pat", "DATABRICKS_TOKEN": "t"}, ""),
        (pull(THEIRS), {"DATABRICKS_AUTH_TYPE": "azure-msi"}, ""),
        (pull(THEIRS), {"GITHUB_EVENT_NAME": "pull_request_target"}, ""),
        (pull(THEIRS), {"GITHUB_EVENT_NAME": "workflow_dispatch"}, ""),
        (pull(THEIRS), {"GITHUB_ACTIONS": ""}, ""),
        ({"pull_request": {"number": 7, "head": {}, "base": {"repo": OURS}}}, {}, ""),
        ({"pull_request": {"number": 7, "head": {"repo": None}}}, {}, ""),
        ({}, {}, ""),
    ],
)
def test_known_by_the_event_and_not_by_a_missing_token(tmp_path: Path, event: Any, env: dict[str, str], expected: str) -> None:
    assert known_as(tmp_path, event, **env) == expected


@pytest.fixture
def fork(project: Project) -> Project:
    """A job of a pull request from a fork: a token that reads, no login."""
    Path("databricks.yml").write_text(BUNDLE)
    Path("resources").mkdir()
    Path("resources/jobs.yml").write_text(JOBS)
    project.cli.answer("schema", code=1)
    outside(project)
    return project


def outside(project: Project, **env: str) -> None:
    run = project.world.start_run("bundle-ci.yml")
    project.job("test", "test", run, {"contents": "read", "pull-requests": "read"}, **NO_LOGIN, **env)
    project.event(pull(THEIRS))


def test_the_bundle_is_checked_by_its_files_and_the_rest_is_said_to_be_left_out(fork: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert fork.call("ci", "--json") == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == {"left-out": "fork", "findings": []}
    assert "::notice title=bundleflow%3A left out::The plans of all targets" in said.err
    assert "✅ No findings in the flow file and 2 files of the bundle" in fork.summary
    assert "**left out**" in fork.summary
    assert "needs a maintainer" in fork.summary
    assert "gh pr checkout 7\ngit push origin HEAD:refs/heads/pull-7" in fork.summary
    assert fork.outputs["left-out"] == "fork"
    assert "failure-reason" not in fork.outputs
    assert set(fork.cli.commands) <= {"schema"}, "no call that needs a workspace"


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("resources/jobs.yml", "bundle.target", "bundle.targt", "`${bundle.targt}` leads nowhere. Did you mean `bundle.target`?"),
        ("resources/jobs.yml", "{name:", "{nme:", "unknown key `nme`"),
        ("databricks.yml", "staging: {}, ", "", "stage `staging` names target `staging`"),
        ("databricks.yml", "targets:", "targets: {}\ntargets:", "key `targets` is given twice"),
    ],
)
def test_it_fails_on_its_own_merits(fork: Project, file: str, old: str, new: str, says: str) -> None:
    Path(file).write_text(Path(file).read_text().replace(old, new))
    assert fork.call("ci") == 1
    assert fork.outputs["failure-reason"] == "validation-failed"
    assert fork.outputs["left-out"] == "fork"
    assert says.replace("`", "").replace("$", "") in fork.summary.replace("\\", "").replace("`", "").replace("$", "")


def test_a_flow_file_that_is_wrong_fails_it_too(fork: Project) -> None:
    Path("bundleflow.yml").write_text("version: 1\n")
    assert fork.call("ci") == 2
    assert fork.outputs["failure-reason"] == "flow-invalid"


def test_nothing_is_deployed_for_it_and_nothing_destroyed(fork: Project) -> None:
    assert fork.call("test-integration") == 0
    assert "The deployment of the pull request's own and its job runs were **left out**" in fork.summary
    assert fork.outputs["left-out"] == "fork"
    assert fork.call("test-integration", "--destroy-only") == 0
    assert fork.cli.calls == []


def test_a_branch_of_the_repository_that_drops_its_token_stays_refused(fork: Project) -> None:
    fork.event(pull(OURS))
    for command in ("ci", "test-integration"):
        assert fork.call(command) == 2
        assert fork.outputs["failure-reason"] == "auth-failed"
    assert "left-out" not in fork.outputs


def test_a_fork_that_was_given_a_login_is_checked_like_everybody_else(project: Project) -> None:
    run = project.world.start_run("bundle-ci.yml")
    project.job("test", "test", run, GITHUB_EVENT_NAME="pull_request")
    project.event({"pull_request": {**pull(THEIRS)["pull_request"], "number": None}})
    assert project.call("ci") == 0
    assert "plan" in project.cli.commands
