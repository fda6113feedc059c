"""The smaller commands: plan, validate, deploy, comment, record, detect, status, propose-release."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from github_world import REPOSITORY
from project import Project

PLANS = Path(__file__).parents[2] / "data" / "plans"


def job(project: Project, workflow: str = "x.yml", **env: str) -> None:
    project.job("staging", "staging", project.world.start_run(workflow), **env)


def test_a_plan_is_shown_for_people_and_for_machines(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    job(project)
    assert project.call("plan", "--target", "dev") == 0
    assert "+ jobs.model_training (create)" in capsys.readouterr().out
    assert project.outputs["has-changes"] == "true"
    assert project.call("plan", "--target", "dev", "--json") == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["summary"]["add"], data["resources"][0]["key"]) == (1, "resources.jobs.model_training")


def test_a_saved_plan_is_rendered(capsys: pytest.CaptureFixture[str], project: Project) -> None:
    assert project.call("plan", "render", str(PLANS / "drift.json"), "--json") == 0
    data = json.loads(capsys.readouterr().out)
    assert data["summary"]["drifted"] == 1
    change = next(each for each in data["resources"][0]["changes"] if each["path"] == "tags['hand']")
    assert (change["drift"], change["old"], change["remote"]) == (True, {}, {"value": "made"})
    assert project.call("plan", "render", "none.json") == 2
    assert project.call("plan", "render") == 2


def test_validation_gives_the_configuration(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    job(project)
    assert project.call("validate", "--target", "dev", "--json") == 0
    assert json.loads(capsys.readouterr().out)["valid"] is True
    project.cli.answer("validate", {}, stderr="Error: bad\n  in databricks.yml:1:1\n", code=1)
    assert project.call("validate") == 1
    assert project.outputs["failure-reason"] == "validation-failed"


def test_a_deployment_by_hand_keeps_to_the_policy(project: Project) -> None:
    job(project)
    assert project.call("deploy", "--target", "dev", "--json") == 0
    assert sorted(project.cli.commands[:2]) == ["plan", "summary"]
    assert project.cli.commands[2:] == ["deploy"]
    project.cli.plan({"resources.schemas.main": {"action": "delete"}})
    assert project.call("deploy", "--target", "dev") == 1
    assert project.cli.commands.count("deploy") == 1
    assert project.call("deploy", "--target", "dev", "--allow-destroy", "schemas") == 0


def test_a_text_of_any_length_becomes_one_comment(project: Project) -> None:
    world = project.world
    world.git("checkout", "-q", "-b", "feature")
    world.commit("a feature", note="x")
    world.push("feature")
    number = world.github.open_pull(REPOSITORY, "developer", "feature", "main", "A feature").number
    job(project)
    file = project.folder / "text.md"
    file.write_text("# Costs\n```\n" + "line\n" * 50_000)
    argv = ["comment", "--key", "costs", "--file", str(file), "--pull-request", str(number)]
    assert project.call(*argv) == 0
    assert project.call(*argv) == 0
    (comment,) = world.github.comments(REPOSITORY, number)
    assert len(comment.body) <= 65_536
    assert comment.body.count("```") == 2
    assert project.call("comment", "--key", "costs", "--file", "none.md", "--pull-request", str(number)) == 2
    assert project.call("comment", "--key", "costs", "--file", str(file)) == 2


def test_a_record_is_filed_and_shown_by_status(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    job(project)
    assert project.call("record", "--state", "success", "--digest", "d" * 64) == 0
    assert project.call("record", "--state", "failure") == 0
    capsys.readouterr()
    assert project.call("status") == 0
    text = capsys.readouterr().out
    assert "staging      failure" in text
    assert "last success" in text
    assert "prod         no record" in text
    assert "test" not in text
    assert project.call("status", "--json") == 0
    rows = {row["stage"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["staging"]["last_success"]["digest"] == "d" * 64


def test_the_release_is_proposed_from_the_branch_of_the_run(project: Project) -> None:
    job(project, "cd-staging.yml")
    assert project.call("propose-release") == 0
    assert project.outputs["pull-request"].isdecimal()
    assert project.call("propose-release", "--stage", "dev") == 2
    assert project.outputs["failure-reason"] == "flow-mismatch"
    project.monkeypatch.setenv("GITHUB_REF", "refs/tags/v1")
    assert project.call("propose-release") == 2


def test_the_bundles_of_a_change_are_listed(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    base = project.world.git("rev-parse", "HEAD")
    project.world.commit("weird name", **{"ä b\nc.txt": "x"})
    assert project.call("detect", "--base", base, "--json") == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["changed"], data["files"]) == (["."], ["ä b\nc.txt"])
    assert project.call("detect", "--base", "none") == 2
    assert project.call("detect", "--base=--output=/tmp/x") == 2
