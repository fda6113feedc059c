"""The pull request's check and its test deployment: every target planned, one comment, never a false green, always destroyed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from github_world import REPOSITORY
from project import Project

from bundleflow.adapters.workspace_contents import WorkspaceContents
from bundleflow.commands.ci import comment_key
from bundleflow.records.errors import BundleflowError
from bundleflow.releases.comment import marker
from bundleflow.releases.isolation import PROBES
from rehearsal.github.model_actions import Run

MARKED: dict[str, Any] = {}
"""Markers of deployments by their path, as the last test deployment wrote them."""


@pytest.fixture
def pull(project: Project) -> int:
    world = project.world
    world.git("checkout", "-q", "-b", "feature")
    world.commit("a feature", note="x")
    world.push("feature")
    return world.github.open_pull(REPOSITORY, "developer", "feature", "main", "A feature").number


def check(project: Project, number: int, **env: str) -> Run:
    run = project.world.start_run("bundle-ci.yml")
    project.job("test", "test", run, **env)
    project.event({"pull_request": {"number": number}})
    return run


def comments(project: Project, number: int) -> list[str]:
    return [each.body for each in project.world.github.comments(REPOSITORY, number)]


def test_every_target_is_planned_and_said_in_one_comment(project: Project, pull: int) -> None:
    project.cli.plan({}, "prod")
    check(project, pull)
    assert project.call("ci") == 0
    planned = {call["argv"][-1] for call in project.cli.calls if call["argv"][1] == "plan"}
    assert planned == {"dev", "test", "staging", "prod"}
    validated = [call["argv"] for call in project.cli.calls if call["argv"][1] == "validate"]
    assert validated == [["bundle", "validate", "-o", "json", "--strict", "-t", "test"]]
    assert project.call("ci") == 0
    (body,) = comments(project, pull)
    assert body.startswith(marker("ci/."))
    assert "Plan of target prod (prod)\n\n**No changes.**" in body
    assert body.count("create | `jobs.model_training`") == 3
    assert "**No changes.**" in project.summary


def test_a_target_that_cannot_be_planned_fails_and_the_others_are_shown(project: Project, pull: int) -> None:
    project.cli.answer("plan-staging", stderr="Error: staging: no such target. Available targets: dev, test\n", code=1)
    check(project, pull)
    assert project.call("ci") == 2
    assert project.outputs["failure-reason"] == "flow-mismatch"
    (body,) = comments(project, pull)
    assert "no such target" in body
    assert "Plan of target dev" in body


@pytest.mark.parametrize(
    ("entry", "stderr", "reason"),
    [
        ({"action": "create", "new_state": {"value": {"name": "${bundle.targt}"}}}, "", "validation-failed"),
        ({"action": "create"}, "Warning: unknown field: nme\n  at resources.jobs.j\n  in databricks.yml:1:2\n", "validation-failed"),
        ({"action": "explode"}, "", "cli-failed"),
    ],
)
def test_what_only_looks_green_is_red(project: Project, pull: int, entry: dict[str, object], stderr: str, reason: str) -> None:
    plan = {"plan_version": 2, "cli_version": "1.13.0", "plan": {"resources.jobs.j": entry}}
    project.cli.answer("plan-dev", plan, stderr=stderr)
    check(project, pull)
    assert project.call("ci") != 0
    assert project.outputs["failure-reason"] == reason


def test_a_destructive_plan_is_shown_and_refused(project: Project, pull: int) -> None:
    project.cli.plan({"resources.registered_models.classifier": {"action": "delete"}}, "prod")
    check(project, pull)
    assert project.call("ci") == 1
    assert project.outputs["failure-reason"] == "policy-denied"
    (body,) = comments(project, pull)
    assert "| 🛑 **delete** | `registered_models.classifier` |" in body
    assert "❌ denied | `protect` | `registered_models.classifier`" in body
    assert "`policy-denied`" in body


def test_strict_findings_fail_the_check_with_their_place(project: Project, pull: int, capsys: pytest.CaptureFixture[str]) -> None:
    stderr = "Warning: old key\n  in databricks.yml:3:5\n\nError: 1 warning was found. Warnings are not allowed in strict mode\n"
    project.cli.answer("validate", {}, stderr=stderr, code=1)
    check(project, pull)
    assert project.call("ci") == 1
    assert project.outputs["failure-reason"] == "validation-failed"
    assert "::warning title=bundle%3A target test,file=databricks.yml,line=3,col=5::old key" in capsys.readouterr().err


def test_a_warning_of_any_target_is_annotated_where_the_runner_obeys(
    project: Project, pull: int, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = {"plan_version": 2, "cli_version": "1.13.0", "plan": {}}
    project.cli.answer("plan-dev", plan, stderr="Warning: look here\n  in databricks.yml:3:5\n")
    check(project, pull)
    assert project.call("ci") == 1
    assert project.outputs["failure-reason"] == "validation-failed"
    lines = capsys.readouterr().err.splitlines()
    obeyed = True
    for line in lines:
        if line.startswith("::stop-commands::"):
            token, obeyed = line.removeprefix("::stop-commands::"), False
        elif not obeyed and line == f"::{token}::":
            obeyed = True
        elif line.startswith("::warning title=bundle%3A target dev"):
            assert obeyed
            break
    else:
        pytest.fail("no annotation")


def test_a_plan_that_could_never_be_approved_is_refused_on_the_pull_request(project: Project, pull: int) -> None:
    project.cli.answer("summary-prod", {"workspace": {**project.cli.workspace, "root_path": "/Workspace/Users/some-sp/x"}})
    check(project, pull)
    assert project.call("ci") == 1
    assert project.outputs["failure-reason"] == "plan-depends-on-identity"


def test_a_read_only_token_changes_no_verdict(project: Project, pull: int) -> None:
    run = project.world.start_run("bundle-ci.yml")
    project.job("test", "test", run, permissions={"contents": "read", "pull-requests": "read"})
    project.event({"pull_request": {"number": pull}})
    assert project.call("ci") == 0
    assert comments(project, pull) == []
    assert "Plan of target dev" in project.summary


def test_a_dispatched_check_has_no_comment_to_write(project: Project) -> None:
    project.job("test", "test", project.world.start_run("bundle-ci.yml"))
    assert project.call("ci") == 0


def test_the_comment_of_a_thousand_resources_fits(project: Project, pull: int) -> None:
    changes = {f"f{number}": {"action": "update", "old": number, "new": -number, "remote": number} for number in range(1, 9)}
    many = {f"resources.jobs.j{number:04}": {"action": "update", "changes": changes} for number in range(1000)}
    project.cli.plan(many)
    check(project, pull)
    assert project.call("ci") == 0
    (body,) = comments(project, pull)
    assert len(body) <= 65_536
    assert body.count("<details>") == body.count("</details>") > 0


def test_each_bundle_has_a_comment_of_its_own() -> None:
    bundles = [".", "bundles/iris", "bundles/iris-2", "a b--><x>", "a b--><y>", "é", "x" * 200]
    keys = [comment_key(bundle) for bundle in bundles]
    assert keys[:3] == ["ci/.", "ci/bundles/iris", "ci/bundles/iris-2"]
    assert len(set(keys)) == len(bundles)
    assert all(marker(key) for key in keys)


# The test deployment


def integration(project: Project, **env: str) -> None:
    project.job("test", "test", project.world.start_run("run-tests.yml"), **{"GITHUB_RUN_ID": "77", **env})
    project.event({"pull_request": {"number": 5}})
    project.monkeypatch.setattr(WorkspaceContents, "write", lambda _, path, content: MARKED.update({path: json.loads(content)}))
    MARKED.clear()


def test_it_is_deployed_under_its_own_name_and_destroyed(project: Project) -> None:
    integration(project)
    assert project.call("test-integration") == 0
    assert project.cli.commands == ["summary", "summary", "plan", "deploy", "destroy"]
    assert {call["suffix"] for call in project.cli.calls} == {"-pr5-77", PROBES[1]}
    assert {call["suffix"] for call in project.cli.calls if call["argv"][1] != "summary"} == {"-pr5-77"}
    ((path, marker),) = MARKED.items()
    assert path == "/Workspace/Shared/iris-pr5-77/bundleflow-deployment.json"
    assert (marker["repository"], marker["pull_request"], marker["run_id"], marker["target"]) == ("team/iris", 5, 77, "test")
    assert marker["commit"] == project.world.git("rev-parse", "HEAD")


@pytest.mark.parametrize("broken", ["deploy", "mark"])
def test_it_is_destroyed_whatever_fails(project: Project, broken: str) -> None:
    flow = Path("bundleflow.yml")
    flow.write_text(flow.read_text().replace("per-pull-request: true", "per-pull-request: true, run: [model_training]"))
    project.cli.answer(broken, stderr="Error: nope\n", code=1)
    integration(project)
    if broken == "mark":

        def refuse(*_: object) -> None:
            raise BundleflowError("nope")

        project.monkeypatch.setattr(WorkspaceContents, "write", refuse)
    assert project.call("test-integration") == 1
    assert project.cli.commands[-1] == "destroy"
    assert "nope" in project.summary


def test_a_failing_destroy_is_told_beside_the_first_trouble(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project.cli.answer("deploy", stderr="Error: first\n", code=1)
    project.cli.answer("destroy", stderr="Error: second\n", code=1)
    integration(project)
    assert project.call("test-integration") == 1
    assert project.outputs["failure-reason"] == "deploy-failed"
    assert "first" in project.summary
    assert "could not be destroyed" in capsys.readouterr().err


def test_what_a_cancelled_run_left_is_destroyed(project: Project) -> None:
    integration(project)
    assert project.call("test-integration", "--destroy-only") == 0
    assert project.cli.commands == ["destroy"]


def test_a_target_that_pull_requests_would_share_is_not_deployed(project: Project) -> None:
    project.cli.answer("summary", {"workspace": {**project.cli.workspace, "root_path": "/Workspace/Shared/iris"}})
    integration(project)
    assert project.call("test-integration") == 1
    assert project.outputs["failure-reason"] == "not-isolated"
    assert "workspace.root\\_path" in project.summary or "workspace.root_path" in project.summary
    assert set(project.cli.commands) == {"summary"}
    assert MARKED == {}


def test_a_lock_that_somebody_else_holds_is_not_taken_over(project: Project) -> None:
    project.cli.answer("deploy", stderr="Error: Failed to acquire deployment lock: deploy lock acquired by x\n", code=1)
    integration(project)
    assert project.call("test-integration") == 1
    assert project.outputs["failure-reason"] == "locked"
    assert project.cli.commands[-1] == "deploy"


@pytest.mark.parametrize("suffix", ["x", "-", "-a b", "-$(id)", "-x/../..", "-" + "x" * 100])
def test_a_suffix_that_cannot_be_one_is_refused(project: Project, suffix: str) -> None:
    integration(project)
    assert project.call("test-integration", f"--suffix={suffix}") == 2
    assert project.cli.calls == []


def test_a_comment_is_marked_as_outdated_when_the_next_check_fails_before_it_plans(project: Project, pull: int) -> None:
    check(project, pull)
    project.event({"pull_request": {"number": pull, "head": {"sha": "a" * 40}}})
    assert project.call("ci") == 0
    check(project, pull)
    project.event({"pull_request": {"number": pull, "head": {"sha": "b" * 40}}})
    Path("bundleflow.yml").write_text("version: 1\n")
    assert project.call("ci") == 2
    assert project.outputs["failure-reason"] == "flow-invalid"
    (body,) = comments(project, pull)
    assert "**Outdated.** This is about commit `aaaaaaaaaaaa`; commit `bbbbbbbbbbbb` could not be checked: [run](" in body
    assert "Plan of target dev" in body
