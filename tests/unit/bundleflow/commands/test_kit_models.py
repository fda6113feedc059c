"""Models on GitHub: shown, approved at the gate of this very attempt, promoted as shown, filed; the workspace is one in memory."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from github_world import REPOSITORY, World
from kit_models import BEFORE, Models, state, waiting
from project import Project

from bundleflow.commands.model_steps import _check_deployment, approve_version
from bundleflow.models.candidates import find_candidate, stays_away
from bundleflow.models.filing import TASK
from bundleflow.models.place import PlacedModel
from bundleflow.records.errors import BundleflowError, FailureReason
from bundleflow.records.flow import Model
from bundleflow.records.run import RunRecord, TaskRecord
from bundleflow.runs.options import FollowOptions
from bundleflow_models.errors import ModelsError
from bundleflow_models.promotion import Approval

sys.path.insert(0, str(Path(__file__).parents[2] / "models" / "promotion"))
from promotion_world import ENDPOINT, MODEL


@pytest.fixture
def project(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    return Project(world, tmp_path, monkeypatch)


@pytest.fixture
def models(project: Project, monkeypatch: pytest.MonkeyPatch) -> Models:
    return Models(project, monkeypatch)


def test_shown_approved_promoted_and_filed(models: Models) -> None:
    shown = models.show()
    assert json.loads(shown)[0] | {"run": 0} == {
        "key": "classifier", "name": MODEL, "version": 2, "state": "ready", "why": "", "verdict": models.digest, "champion": 1, "run": 0,
    }  # fmt: skip
    assert "✅ ready" in models.project.summary
    assert "### Verdict: ✅ Passed" in models.project.summary
    models.answer()
    assert models.promote(shown) == 0
    assert state(models) == ({"champion": 2, "previous-champion": 1}, {"2": 100})
    assert models.project.outputs["champion"] == "2"
    tags = models.workspace.tags(2)
    assert (tags["bundleflow_approved_by"], tags["bundleflow_approved_where"], tags["bundleflow_approved_verdict"]) == (
        "reviewer",
        "github",
        models.digest,
    )
    assert "/actions/runs/" in tags["bundleflow_approved_link"]
    assert "approved by" in models.project.summary
    (record,) = models.project.world.api().kit_deployments("production-model", TASK, 10)
    assert (record.state, record.payload["version"], record.payload["approved_by"]) == ("success", 2, "reviewer")


def test_nothing_is_promoted_that_nobody_approved(models: Models) -> None:
    shown = models.show()
    assert models.promote(shown) == 1
    assert models.reason == FailureReason.NOT_APPROVED
    assert state(models) == BEFORE


def test_a_rejection_promotes_nothing(models: Models) -> None:
    shown = models.show()
    models.answer("rejected")
    assert models.promote(shown) == 1
    assert models.reason == FailureReason.NOT_APPROVED
    assert "rejected" in models.project.summary


def test_what_was_not_shown_is_not_promoted(models: Models) -> None:
    models.answer()
    assert models.promote("") == 1
    assert models.reason == FailureReason.NOT_APPROVED
    assert models.promote("[1]") == 2
    assert state(models) == BEFORE


def test_a_verdict_that_was_made_after_the_approval_is_not_approved(models: Models) -> None:
    shown = models.show()
    models.answer()
    models.workspace.judged(2, champion=1, holdout_rows=60)
    assert models.promote(shown) == 1
    assert models.reason == FailureReason.NOT_APPROVED
    assert state(models) == BEFORE
    (record,) = models.project.world.api().kit_deployments("production-model", TASK, 10)
    assert record.state == "failure"


def test_a_champion_that_changed_meanwhile_stops_it(models: Models) -> None:
    shown = models.show()
    models.answer()
    models.workspace.set_aliases(champion=3, challenger=2)
    assert models.promote(shown) == 1
    assert models.reason == FailureReason.CHAMPION_CHANGED


def test_an_environment_without_reviewers_is_no_gate(models: Models) -> None:
    models.project.world.github.set_environment(REPOSITORY, "production-model", reviewers=[], branches=["release"])
    assert models.promote(models.show()) == 1
    assert models.reason == FailureReason.NOT_APPROVED
    assert "no required reviewers" in models.project.summary


def test_a_second_attempt_needs_an_approval_of_its_own(models: Models) -> None:
    shown = models.show()
    models.answer()
    github = models.project.world.github
    job = next(each for each in github.jobs(models.run.id) if each.name.endswith("/ promote"))
    github.start_job(job.id)
    github.finish_job(job.id, "failure")
    for each in github.jobs(models.run.id):
        if each.status != "completed":
            github.finish_job(each.id, "cancelled")
    github.finish_run(models.run.id)
    github.rerun(models.run.id)
    again = models.project.world.job(models.run, "promote-model / promote", environment="production-model")
    github.request_deployment(again.id)
    github.bypass_gate(models.run.id, "production-model", "release-manager")
    assert models.promote(shown, GITHUB_RUN_ATTEMPT="2") == 1
    assert "Attempt 2 of this run was approved by nobody" in models.project.summary


def test_a_job_in_another_environment_is_a_mismatch(models: Models) -> None:
    assert models.call("promote", environment="production", BUNDLEFLOW_CANDIDATES=models.show()) == 2
    assert models.reason == FailureReason.FLOW_MISMATCH


@pytest.mark.parametrize(
    ("judge", "reason"),
    [
        ({"decision": "refused"}, FailureReason.VERDICT_REFUSED),
        ({"decision": "undecided"}, FailureReason.VERDICT_UNDECIDED),
        ({"champion": 3}, FailureReason.CHAMPION_CHANGED),
        (None, FailureReason.NO_VERDICT),
    ],
)
def test_a_challenger_that_cannot_be_promoted_fails_before_anybody_is_asked(
    models: Models, judge: dict[str, Any] | None, reason: FailureReason
) -> None:
    if judge is None:
        models.workspace.set_aliases(champion=1, challenger=3)
    else:
        models.workspace.judged(2, **{"champion": 1, **judge})
    assert models.call("status", "--require", environment="production-plan") == 1
    assert models.reason == reason
    assert models.project.outputs["candidates"] == ""
    assert models.call("status", environment="production-plan") == 0


def test_no_challenger_and_an_unknown_model(models: Models) -> None:
    models.workspace.set_aliases(champion=1)
    assert models.call("status", "--require", environment="production-plan") == 1
    assert models.reason == FailureReason.MODEL_MISSING
    assert models.call("status", "clasifier", environment="production-plan") == 2
    assert "Did you mean `classifier`?" in models.plain
    models.resources["registered_models"] = {}
    models.summary()
    assert models.call("status", environment="production-plan") == 2
    models.resources["registered_models"] = {"classifier": {"name": "classifier"}}
    models.summary()
    assert models.call("status", environment="production-plan") == 1
    assert models.reason == FailureReason.MODEL_MISSING


def test_an_endpoint_that_the_bundle_has_too_is_refused_by_name(models: Models) -> None:
    models.resources["model_serving_endpoints"] = {"iris": {"id": "1", "name": ENDPOINT}}
    models.summary()
    assert models.call("status", environment="production-plan") == 2
    assert models.reason == FailureReason.FLOW_MISMATCH
    assert "model_serving_endpoints.iris" in models.plain


def test_a_model_with_a_deployment_job_is_not_promoted_by_github(models: Models) -> None:
    shown = models.show()
    models.answer()
    models.workspace.models[MODEL] = replace(models.workspace.models[MODEL], deployment_job="77")
    assert models.promote(shown) == 2
    assert "one model has one promoter" in models.project.summary
    assert state(models) == BEFORE


def test_a_stage_without_a_gate_promotes_and_says_that_nobody_was_asked(models: Models) -> None:
    models.project.job("staging", "staging", models.run, BUNDLEFLOW_POLL_SECONDS="0.001")
    assert models.project.call("model", "promote", "classifier") == 0
    assert models.workspace.alias("champion") == 2
    assert models.workspace.tags(2)["bundleflow_approved_where"] == "none"
    assert "nobody was asked" in models.project.summary


def test_rollback_in_one_command(models: Models) -> None:
    models.answer()
    assert models.promote(models.show()) == 0
    assert models.call("rollback", "classifier") == 0
    assert state(models) == BEFORE
    assert "### Rolled back" in models.project.summary
    assert models.call("rollback", "classifier") == 1
    assert models.reason == FailureReason.MODEL_MISSING


def test_a_version_that_was_rolled_back_does_not_fail_the_next_deployment(models: Models) -> None:
    models.answer()
    assert models.promote(models.show()) == 0
    models.workspace.later(60)
    assert models.call("rollback", "classifier") == 0
    assert models.call("status", environment="production-plan") == 0
    assert "Version 2 was rolled back" in models.plain
    placed = PlacedModel("classifier", Model("classifier", "gates/iris.yml"), MODEL)
    found = find_candidate(models.workspace.workspace().registry, placed, tell=lambda _: None).candidate
    assert stays_away(found)
    named = find_candidate(models.workspace.workspace().registry, placed, version=2, tell=lambda _: None).candidate
    assert named.state == FailureReason.CHAMPION_CHANGED
    models.workspace.later(60)
    models.workspace.judged(2, champion=1)
    assert json.loads(models.show())[0]["version"] == 2


def test_an_approval_on_github_is_written_where_the_deployment_job_looks(models: Models) -> None:
    placed, candidate = waiting(models)
    approval = Approval("reviewer", "github", candidate.verdict, "https://github.example/runs/1")
    assert approve_version(models.workspace.workspace(), placed, candidate, approval) == "Approval_Check"
    tags = models.workspace.tags(2)
    assert (tags["Approval_Check"], tags["bundleflow_approved_by"]) == ("Approved", "reviewer")
    assert (tags["bundleflow_approved_where"], tags["bundleflow_approved_verdict"]) == ("github", models.digest)
    assert tags["bundleflow_approved_link"] == "https://github.example/runs/1"


@pytest.mark.parametrize("changed", ["champion", "verdict"])
def test_an_approval_of_what_does_not_hold_any_more_is_not_written(models: Models, changed: str) -> None:
    placed, candidate = waiting(models)
    if changed == "champion":
        models.workspace.set_aliases(champion=3, challenger=2)
    else:
        models.workspace.later(60)
        models.workspace.judged(2, champion=1)
    with pytest.raises(BundleflowError) as caught:
        approve_version(models.workspace.workspace(), placed, candidate, Approval("reviewer", "github", candidate.verdict))
    assert caught.value.reason == (FailureReason.CHAMPION_CHANGED if changed == "champion" else FailureReason.NOT_APPROVED)
    assert "Approval_Check" not in models.workspace.tags(2)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (f"bundleflow_models.errors.ModelsError: {ModelsError('endpoint-failed', 'Not switched.', fix='Look.')}", "endpoint-failed"),
        ("ValueError: [endpoint-failed]", "run-failed"),
        ("bundleflow_models.errors.ModelsError: It is odd. [of-no-known-kind]", "run-failed"),
    ],
)
def test_a_deployment_job_fails_for_the_reason_that_the_engine_gave(error: str, reason: str) -> None:
    task = TaskRecord("deployment", 2, "notebook", "TERMINATED", "FAILED", error=error)
    run = RunRecord(1, 3, "deployment", "deployment", "", "TERMINATED", "FAILED", tasks=(task,))
    with pytest.raises(BundleflowError) as caught:
        _check_deployment(run, FollowOptions())
    assert caught.value.reason == reason
    assert error in caught.value.cause


def test_where_models_stand(models: Models, capsys: pytest.CaptureFixture[str]) -> None:
    models.answer()
    assert models.promote(models.show()) == 0
    capsys.readouterr()
    assert models.call("status", "--json", environment="production-plan") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["champion"], row["previous_champion"], row["state"], row["moved_by_hand"]) == (2, 1, "champion", False)
    assert row["endpoint"] == {"name": ENDPOINT, "state": "READY NOT_UPDATING", "traffic": {"version 2": 100}}
    assert row["why"] == "Version 2 is champion already, approved by reviewer on github."
    models.workspace.set_aliases(champion=1, challenger=2)
    models.workspace.files["/Shared/.bundleflow/locks/prod.iris.classifier.json"] = json.dumps(
        {"token": "t", "holder": "run 7", "since": "2026-01-05T12:00:00+00:00", "seen": "2026-01-05T12:01:00+00:00", "journal": {}}
    ).encode()
    assert models.call("status", environment="production-plan") == 0
    text = capsys.readouterr().out
    assert "champion   version 1, moved by hand" in text
    assert "lock       held by run 7 since 2026-01-05T12:00:00+00:00" in text


def test_a_person_at_a_terminal_cannot_pass_the_gate(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = models.show()
    monkeypatch.delenv("GITHUB_ACTIONS")
    monkeypatch.setenv("BUNDLEFLOW_CANDIDATES", shown)
    assert models.project.call("model", "promote", "--stage", "prod") == 1
    assert state(models) == BEFORE
