"""What the pull request's check counts beside the plan: accepted warnings, schedules, exceptions of policy; and what it leaves as data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from project import Project

WARNING = "Warning: look here\n  at resources.jobs.j\n  in databricks.yml:3:5\n"
ACCEPTED = 'version: 1\nwarnings: [{text: "look here", target: dev, reason: known}]\n'


def check(project: Project, flow: str = "", **env: str) -> int:
    if flow:
        file = Path("bundleflow.yml")
        file.write_text(file.read_text() + flow)
    project.job("test", "test", project.world.start_run("bundle-ci.yml"), **env)
    return project.call("ci")


def plan(entries: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"plan_version": 2, "cli_version": "1.13.0", "plan": entries or {}}


def test_an_accepted_warning_passes_and_an_entry_too_many_is_said(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project.cli.answer("plan-dev", plan(), stderr=WARNING)
    Path("accepted.yml").write_text(ACCEPTED)
    assert check(project, "warnings: accepted.yml\n") == 0
    assert "fits no warning" not in capsys.readouterr().err
    project.cli.answer("plan-dev", plan())
    assert check(project) == 0
    assert "accepted.yml:2: `look here` for target `dev` fits no warning any more" in capsys.readouterr().err


def test_a_strict_validation_passes_when_all_its_warnings_are_accepted(project: Project) -> None:
    stderr = f"{WARNING}\nError: 1 warning was found. Warnings are not allowed in strict mode\n"
    project.cli.answer("validate", {"workspace": project.cli.workspace}, stderr=stderr, code=1)
    Path("accepted.yml").write_text(ACCEPTED.replace("dev", "test"))
    assert check(project, "warnings: accepted.yml\n") == 0
    # A warning that was not understood is no accepted one.
    project.cli.answer("validate", {}, stderr=stderr.replace("1 warning was", "2 warnings were"), code=1)
    assert check(project) == 1
    assert project.outputs["failure-reason"] == "validation-failed"


def test_an_accepted_field_holds_for_the_deployment_too(project: Project) -> None:
    project.cli.answer("plan", plan(), stderr="Warning: unknown field: nme\n  in databricks.yml:1:2\n")
    Path("accepted.yml").write_text('version: 1\nwarnings: [{text: "unknown field: nme", target: dev, reason: known}]\n')
    project.job("dev", "dev", project.world.start_run("cd-dev.yml"))
    assert project.call("deploy-stage") == 1
    assert project.outputs["failure-reason"] == "validation-failed"
    Path("bundleflow.yml").write_text(Path("bundleflow.yml").read_text() + "warnings: accepted.yml\n")
    project.job("dev", "dev", project.world.start_run("cd-dev.yml"))
    assert project.call("deploy-stage") == 0


def test_a_schedule_in_the_test_deployment_is_refused(project: Project) -> None:
    job = {"name": "train", "schedule": {"quartz_cron_expression": "0 0 * * * ?", "pause_status": "UNPAUSED"}}
    project.cli.answer("validate", {"workspace": project.cli.workspace, "resources": {"jobs": {"j": job}}})
    assert check(project) == 1
    assert project.outputs["failure-reason"] == "validation-failed"
    assert "resources.jobs.j.schedule" in project.summary


def test_policy_of_the_flow_file_judges_every_target(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project.cli.plan({"resources.schemas.old": {"action": "delete"}}, "prod")
    entry = "{resource: schemas.%s, action: delete, reason: moved, expires: %s}"
    allowed, unknown = entry % ("old", "2999-01-01"), entry % ("odl", "2999-01-01")
    assert check(project, f"policy: {{allow: [{allowed}, {unknown}]}}\n") == 0
    assert "✅ allowed" in project.summary
    assert "`policy: allow` names `schemas.odl`, which no target has. Did you mean `schemas.old`?" in capsys.readouterr().err
    flow = Path("bundleflow.yml")
    flow.write_text(flow.read_text().replace("2999-01-01", "2020-01-01"))
    assert check(project) == 1
    assert project.outputs["failure-reason"] == "policy-denied"
    assert "expired on 2020\\-01\\-01" in project.summary or "expired on 2020-01-01" in project.summary


def test_every_trouble_of_a_target_is_told_at_once(project: Project) -> None:
    bad = {"action": "create", "new_state": {"value": {"name": "${var.x}"}}}
    entries = {"resources.schemas.x": {"action": "delete"}, "resources.jobs.j": bad}
    project.cli.answer("plan-dev", plan(entries), stderr=WARNING)
    assert check(project) == 1
    for part in ("look here", "${var.x}".replace("$", "\\$").replace("_", "\\_"), "schemas.x"):
        assert part in project.summary


def test_no_changes_anywhere_is_one_line(project: Project) -> None:
    project.cli.plan({})
    assert check(project) == 0
    assert "**No changes** in any target (`dev`, `test`, `staging`, `prod`)." in project.summary
    assert "### Plan" not in project.summary


def test_the_whole_plan_is_left_as_data_without_secrets(project: Project, tmp_path: Path) -> None:
    changes = {"spark_env_vars.API_TOKEN": {"action": "update", "old": "hunter1", "new": "hunter2", "remote": "hunter1"}}
    project.cli.plan({"resources.jobs.j": {"action": "update", "changes": changes, "remote_state": {"x": "hunter3"}}})
    assert check(project, BUNDLEFLOW_PLAN_DIR=str(tmp_path / "plans")) == 0
    text = (tmp_path / "plans" / "bundle-ci.json").read_text()
    assert "hunter" not in text
    data = json.loads(text)
    assert list(data) == ["dev", "prod", "staging", "test"]
    assert data["prod"]["plan"]["resources"][0]["changes"][0]["path"] == "spark_env_vars.API_TOKEN"
    assert data["prod"]["policy"] == {"verdict": "passed", "findings": []}
    assert project.outputs["plan-written"] == "true"
