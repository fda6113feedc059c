"""Deploying a stage: the order of things, the record, and everything that must stop it before the deployment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from github_world import REPOSITORY
from project import Project

from bundleflow.adapters.workspace import Workspace
from bundleflow.commands.deploy_steps import Deploying
from bundleflow.records.errors import BundleflowError, FailureReason
from bundleflow.records.run import RunPage, RunRecord, TaskRecord
from bundleflow.releases.deployment_record import TASK
from rehearsal.github.model_actions import Run

JOB = {"resources.jobs.model_training": {"action": "create", "new_state": {"value": {"name": "train"}}}}


def staging(project: Project, **env: str) -> Run:
    run = project.world.start_run("cd-staging.yml")
    project.job("staging", "staging", run, **env)
    return run


def states(project: Project, environment: str = "staging") -> list[str]:
    return [each.state for each in project.world.api().kit_deployments(environment, TASK, 10)]


def test_a_stage_is_checked_planned_deployed_and_recorded(project: Project) -> None:
    staging(project)
    assert project.call("deploy-stage") == 0
    assert [each for each in project.cli.commands if each != "summary"] == ["validate", "plan", "deploy"]
    assert "drift (deleted in the workspace)" in project.summary, "it was deployed before, by what the CLI keeps of it"
    assert all(call["argv"][-2:] == ["-t", "staging"] for call in project.cli.calls)
    assert not any(call["token"] for call in project.cli.calls)
    assert len(project.outputs["digest"]) == 64
    assert states(project) == ["success"]
    assert "1 to add, 0 to change" in project.summary
    found = next(iter(project.world.api().kit_deployments("staging", TASK, 1)))
    assert found.payload["tree"] == project.world.tree()
    assert found.payload["digest"] == project.outputs["digest"]


def runs(project: Project, monkeypatch: pytest.MonkeyPatch, result: str) -> list[Any]:
    """Give the stage a job to run, whose run ends with `result`."""
    flow = Path("bundleflow.yml")
    flow.write_text(flow.read_text().replace("environment: staging,", "environment: staging, run: [model_training],"))
    started: list[Any] = []
    task = TaskRecord("train", 11, "notebook", "TERMINATED", result, start_ms=1, end_ms=2)

    def run_now(_: Workspace, job_id: int, *, token: str, parameters: Any) -> int:
        started.append((job_id, token))
        return 7

    monkeypatch.setattr(Workspace, "run_now", run_now)
    record = RunRecord(7, 42, "train", "model_training", "http://127.0.0.1/7", "TERMINATED", result, tasks=(task,))
    monkeypatch.setattr(Workspace, "connect", lambda _: None)
    monkeypatch.setattr(Workspace, "run_page", lambda *_: RunPage(record))
    monkeypatch.setenv("BUNDLEFLOW_POLL_SECONDS", "0.01")
    monkeypatch.setattr(Workspace, "task_output", lambda _, task: task)
    monkeypatch.setattr("bundleflow.runs.complete.complete", lambda _workspace, run, _wanted: run)
    return started


def test_the_stages_jobs_run_once_after_the_deployment(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    started = runs(project, monkeypatch, "SUCCESS")
    staging(project)
    assert project.call("deploy-stage") == 0
    assert project.call("deploy-stage") == 0
    assert [each for each in project.cli.commands if each != "summary"] == ["validate", "plan", "deploy"] * 2
    assert project.cli.commands.count("summary") == 4, "what is deployed is read beside the plan and again after the deployment"
    assert [job for job, _ in started] == [42, 42]
    assert len({token for _, token in started}) == 1, "a job that is tried again within one attempt starts no second run"
    assert project.outputs["result-state"] == "SUCCESS"
    assert project.outputs["failed-tasks"] == "[]"
    assert "Job model\\_training: SUCCESS" in project.summary


def test_a_failed_run_fails_the_stage_with_its_outputs_set(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    runs(project, monkeypatch, "FAILED")
    staging(project)
    assert project.call("deploy-stage") == 1
    outputs = project.outputs
    assert (outputs["failure-reason"], outputs["run-id"], outputs["failed-tasks"]) == ("run-failed", "7", '["train"]')
    assert states(project) == ["failure"]


def test_a_failed_deployment_is_recorded_as_such(project: Project) -> None:
    project.cli.answer("deploy", stderr="Error: cannot create resources.jobs.j: nope\n", code=1)
    staging(project)
    assert project.call("deploy-stage") == 1
    assert project.outputs["failure-reason"] == "deploy-failed"
    assert states(project) == ["failure"]
    assert "nope" in project.summary


@pytest.mark.parametrize(
    ("stage", "environment", "env", "reason", "code"),
    [
        ("staging", "", {}, "flow-mismatch", 2),
        ("staging", "production", {}, "flow-mismatch", 2),
        ("stagin", "staging", {}, "flow-mismatch", 2),
        ("staging", "staging", {"DATABRICKS_HOST": ""}, "auth-failed", 2),
        ("staging", "staging", {"BUNDLEFLOW_BUNDLE_DIR": "none"}, "wrong-use", 2),
        ("prod", "production", {}, "not-approved", 1),
    ],
)
def test_what_stops_it_before_any_login(
    project: Project, stage: str, environment: str, env: dict[str, str], reason: str, code: int
) -> None:
    project.job(stage, environment, project.world.start_run("cd-staging.yml"), **env)
    assert project.call("deploy-stage") == code
    assert project.outputs["failure-reason"] == reason
    assert project.cli.calls == []
    assert project.summary.startswith("### ❌")


def test_what_the_flow_file_protects_is_not_lost(project: Project) -> None:
    project.cli.plan({"resources.registered_models.classifier": {"action": "delete"}})
    staging(project)
    assert project.call("deploy-stage") == 1
    assert project.outputs["failure-reason"] == "policy-denied"
    assert "deploy" not in project.cli.commands
    assert states(project) == []


def test_a_token_that_may_not_record_stops_it_before_the_deployment(project: Project) -> None:
    run = project.world.start_run("cd-staging.yml")
    project.job("staging", "staging", run, permissions={"contents": "read"})
    assert project.call("deploy-stage") == 1
    assert project.outputs["failure-reason"] == "github-failed"
    assert "deploy" not in project.cli.commands


# Production: what was approved, and only that


def release(project: Project, capsys: pytest.CaptureFixture[str]) -> tuple[Run, str]:
    """Staging has been deployed, the production plan is made; gives the run that waits for approval and the plan's digest."""
    world = project.world
    world.staged()
    world.push("main:release")
    world.github.set_environment(REPOSITORY, "production", reviewers=["reviewer"], branches=["release"])
    run = world.start_run("cd-prod.yml", "release")
    plan_dir = str(project.folder / "plan")
    project.job("prod", "production", run, BUNDLEFLOW_PLAN_ENVIRONMENT="production-plan", BUNDLEFLOW_PLAN_DIR=plan_dir)
    assert project.call("plan-release") == 0, capsys.readouterr().err
    digest = project.outputs["digest"]
    job = world.job(run, environment="production")
    world.github.request_deployment(job.id)
    project.job("prod", "production", run, BUNDLEFLOW_APPROVED_DIGEST=digest, BUNDLEFLOW_PLAN_DIR=plan_dir)
    return run, digest


def test_what_was_approved_is_deployed(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    run, digest = release(project, capsys)
    project.world.github.review_gate(run.id, "production", "reviewer", "approved", "go")
    assert project.call("deploy-stage") == 0, capsys.readouterr().err
    assert project.outputs["digest"] == digest
    found = next(iter(project.world.api().kit_deployments("production", TASK, 1)))
    assert (found.state, found.payload["approved_by"]) == ("success", "reviewer")


def test_nothing_is_deployed_that_nobody_approved(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    release(project, capsys)
    before = len(project.cli.calls)
    assert project.call("deploy-stage") == 1
    assert project.outputs["failure-reason"] == "not-approved"
    assert len(project.cli.calls) == before


def test_a_plan_that_changed_after_the_approval_stops_the_deployment(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    run, _ = release(project, capsys)
    project.world.github.review_gate(run.id, "production", "reviewer", "approved", "go")
    changed = {"action": "update", "changes": {"max_concurrent_runs": {"action": "update", "old": 1, "new": 1, "remote": 9}}}
    project.cli.plan({**JOB, "resources.jobs.other": changed})
    assert project.call("deploy-stage") == 1
    assert project.outputs["failure-reason"] == "plan-changed"
    assert "jobs.other: was not in the approved plan, now update" in capsys.readouterr().err
    assert "deploy" not in project.cli.commands


def test_another_commit_than_the_approved_one_is_not_deployed(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    run, _ = release(project, capsys)
    project.world.github.review_gate(run.id, "production", "reviewer", "approved", "go")
    project.world.commit("slipped in", other="x")
    project.world.push("main:release")
    assert project.call("deploy-stage") == 1
    assert project.outputs["failure-reason"] == "plan-changed"
    assert "tree of the commit" in project.summary


def test_a_lost_plan_is_told_as_such(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    run, _ = release(project, capsys)
    project.world.github.review_gate(run.id, "production", "reviewer", "approved", "go")
    (project.folder / "plan" / "plan.json").unlink()
    project.cli.plan({})
    assert project.call("deploy-stage") == 1
    assert project.outputs["failure-reason"] == "plan-changed"
    assert "cannot be read" in project.summary


def test_the_plan_of_a_release_is_written_for_people_and_for_comparison(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    _, digest = release(project, capsys)
    text = (project.folder / "plan" / "plan.md").read_text()
    assert digest in text
    assert "Evidence: stage `staging`" in text
    data = json.loads((project.folder / "plan" / "plan.json").read_text())
    assert (data["digest"], data["stage"], data["plan"]["target"]) == (digest, "prod", "prod")


def test_a_release_without_evidence_is_not_even_planned(project: Project) -> None:
    project.world.push("main:release")
    run = project.world.start_run("cd-prod.yml", "release")
    project.job("prod", "production", run, BUNDLEFLOW_PLAN_ENVIRONMENT="production-plan")
    assert project.call("plan-release") == 1
    assert project.outputs["failure-reason"] == "no-evidence"
    assert project.cli.calls == []


@pytest.mark.parametrize("given", ["", "production", "staging"])
def test_the_plan_is_made_in_its_own_environment_only(project: Project, given: str) -> None:
    run = project.world.start_run("cd-prod.yml")
    project.job("prod", "production", run, BUNDLEFLOW_PLAN_ENVIRONMENT=given)
    assert project.call("plan-release") == 2
    assert project.outputs["failure-reason"] == "flow-mismatch"


def test_a_plan_that_depends_on_the_identity_is_refused(project: Project) -> None:
    project.world.staged()
    root = "/Workspace/Users/11111111-2222-4333-8444-555555555555/.bundle/iris"
    project.cli.answer("summary", {"workspace": {**project.cli.workspace, "root_path": root}})
    run = project.world.start_run("cd-prod.yml")
    project.job("prod", "production", run, BUNDLEFLOW_PLAN_ENVIRONMENT="production-plan")
    assert project.call("plan-release") == 1
    assert project.outputs["failure-reason"] == "plan-depends-on-identity"


def test_steps_before_and_after_the_deployment_belong_to_it(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, str]] = []

    def before(deploying: Deploying) -> None:
        seen.append(("before", deploying.configuration["workspace"]["root_path"]))
        assert "deploy" not in project.cli.commands

    def after(deploying: Deploying) -> None:
        seen.append(("after", deploying.deployed["resources"]["jobs"]["model_training"]["id"]))
        raise BundleflowError("the step failed", reason=FailureReason.SMOKE_FAILED)

    monkeypatch.setattr("bundleflow.commands.deploy_stage.BEFORE", (before,))
    monkeypatch.setattr("bundleflow.commands.deploy_stage.AFTER", (after,))
    project.job("staging", "staging", project.world.start_run("cd-staging.yml"))
    assert project.call("deploy-stage") == 1
    assert seen == [("before", "/Workspace/Shared/iris"), ("after", "42")]
    assert next(iter(project.world.api().kit_deployments("staging", TASK, 1))).state == "failure"
