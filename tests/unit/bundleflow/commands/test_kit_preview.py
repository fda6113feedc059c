"""The preview of the next stage: planned by the identity that reads, shown in the release pull request, what would be refused too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from github_world import REPOSITORY
from project import Project

from bundleflow.releases.preview import Preview, read_preview


def preview(project: Project, **env: str) -> int:
    project.job(
        "staging",
        "staging",
        project.world.start_run("cd-staging.yml"),
        {"contents": "read"},
        BUNDLEFLOW_PLAN_ENVIRONMENT="production-plan",
        BUNDLEFLOW_PLAN_DIR=str(project.folder / "preview"),
        **env,
    )
    return project.call("preview-release", "--json")


def made(project: Project) -> Preview:
    return read_preview(project.folder / "preview")


def propose(project: Project, result: str) -> str:
    """Body of the release pull request after the job that proposes it."""
    project.world.commit("a change", other="x")
    project.world.push("main")
    run = project.world.start_run("cd-staging.yml")
    project.job("staging", "staging", run, BUNDLEFLOW_PREVIEW_RESULT=result, BUNDLEFLOW_PLAN_DIR=str(project.folder / "preview"))
    assert project.call("propose-release") == 0
    return project.world.github.repository(REPOSITORY).issues[int(project.outputs["pull-request"])].body or ""


def test_the_next_stages_plan_and_digest_stand_in_the_release_pull_request(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert preview(project) == 0
    said = json.loads(capsys.readouterr().out)
    digest = project.outputs["digest"]
    assert said == {"stage": "prod", "target": "prod", "digest": digest, "refused": False}
    assert project.outputs["artifact"] == f"bundleflow-preview-cdb4ee2a-prod-{digest}"
    assert {call["argv"][-1] for call in project.cli.calls} == {"prod"}
    assert set(project.cli.commands) == {"summary", "plan"}, "it only reads"
    assert f"Digest of this plan: `{digest}`" in project.summary
    body = propose(project, "success")
    assert made(project).text in body
    assert "Plan of target prod" in body
    assert digest in body


def test_the_preview_has_the_digest_that_the_release_is_planned_with(project: Project) -> None:
    project.world.staged()
    assert preview(project) == 0
    shown = project.outputs["digest"]
    project.world.push("main:release")
    run = project.world.start_run("cd-prod.yml", "release")
    plan = {"BUNDLEFLOW_PLAN_ENVIRONMENT": "production-plan", "BUNDLEFLOW_PLAN_DIR": str(project.folder / "plan")}
    project.job("prod", "production", run, **plan)
    assert project.call("plan-release") == 0
    assert project.outputs["digest"] == shown
    assert json.loads((project.folder / "plan" / "plan.json").read_text())["evidence_run"] > 0


@pytest.mark.parametrize(
    ("reason", "entry"),
    [
        ("policy-denied", {"resources.schemas.main": {"action": "delete"}}),
        (
            "plan-depends-on-identity",
            {"resources.jobs.j": {"action": "create", "new_state": {"value": {"name": "11111111-2222-4333-8444-555555555555"}}}},
        ),
        ("validation-failed", {"resources.jobs.j": {"action": "create", "new_state": {"value": {"name": "${bundle.targt}"}}}}),
    ],
)
def test_what_the_release_would_be_refused_for_is_told_and_fails_nothing(project: Project, reason: str, entry: dict[str, object]) -> None:
    project.cli.plan(entry, "prod")
    assert preview(project) == 0
    assert "failure-reason" not in project.outputs
    assert f"**The release would be refused now** (`{reason}`)" in made(project).refused
    assert f"(`{reason}`)" in project.summary
    assert made(project).refused in propose(project, "success")


def test_a_preview_that_cannot_be_made_fails_and_the_release_is_proposed_all_the_same(project: Project) -> None:
    project.cli.answer("summary-prod", stderr="Error: oidc: federation policy: no match\n", code=1)
    assert preview(project) == 1
    assert project.outputs["failure-reason"] == "auth-failed"
    assert not (project.folder / "preview").exists()
    assert "The plan of the next stage could not be previewed" in propose(project, "failure")
    assert "could not be previewed" not in propose(project, "skipped")


@pytest.mark.parametrize(
    ("environment", "more", "says"),
    [
        ("production", "", "No stage of bundleflow.yml requires `staging` and has `plan-environment: production`"),
        (
            "production-plan",
            "  us: {target: us, plan-environment: production-plan, environment: us, requires: staging}\n",
            "Several stages require `staging`",
        ),
    ],
)
def test_the_stage_must_be_known_by_its_plan_environment(project: Project, environment: str, more: str, says: str) -> None:
    flow = Path("bundleflow.yml")
    flow.write_text(flow.read_text() + more)
    preview(project)
    project.job("staging", "staging", project.world.start_run("cd-staging.yml"), BUNDLEFLOW_PLAN_ENVIRONMENT=environment)
    assert project.call("preview-release") == 2
    assert project.outputs["failure-reason"] == "flow-mismatch"
    assert says in project.summary.replace("\\", "")
