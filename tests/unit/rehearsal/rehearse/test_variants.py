"""The Iris template's two flows on one default story: which scenes are played, and what is left of a project for a quick story."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from bundleflow.records.flow import load_flow
from bundleflow.templates_project import new_project
from rehearsal.actions import kit
from rehearsal.rehearse import survey
from rehearsal.rehearse.player import Player
from rehearsal.rehearse.project import take
from rehearsal.rehearse.setting_up import _leave_jobs_out
from rehearsal.rehearse.stage import BRANCHES, Stage
from rehearsal.scenarios.green import GREEN

SHA = "0" * 40
FLOWS = {
    "dev-main-release": (
        ["release"],
        ["Merge to main", "Merge to release, approved", "Merge the second change to main", "Release the second change, approved"],
    ),
    "dev-prod": (["main"], ["Merge to main, approved"]),
}


@pytest.fixture(params=FLOWS)
def flow(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def folder(flow: str, tmp_path: Path) -> Path:
    return new_project("iris", tmp_path / "iris", answers={"flow": flow}, ask=False).folder


def test_the_default_story_follows_the_branch_that_production_is_deployed_from(flow: str, folder: Path, tmp_path: Path) -> None:
    project = take(folder, "iris", "iris")
    seen = survey.look(project, kit.root(), SHA, tmp_path / "survey", ["dev", *BRANCHES])
    branches = Stage.production_branches.fget(SimpleNamespace(survey=seen))  # type: ignore[attr-defined]  # a property has its function
    wanted, deploying = FLOWS[flow]
    assert branches == wanted
    player = SimpleNamespace(_stage=SimpleNamespace(project=project, production_branches=branches))
    played = [scene.title for scene in GREEN.scenes if Player._fits(player, scene)]  # type: ignore[arg-type]  # what it looks at
    assert [title for title in played if "erge to" in title or "second change to main" in title or "Release" in title] == deploying
    assert {"Ask production's model", "Ask production's endpoint"} <= set(played)
    assert "Push to release, approved" not in played


def test_where_no_workflow_deploys_production_it_is_released_from_release() -> None:
    assert Stage.production_branches.fget(SimpleNamespace(survey=survey.Survey())) == ["release"]  # type: ignore[attr-defined]


def test_a_quick_story_has_no_jobs_to_run_and_no_models_and_its_flow_file_still_holds(folder: Path) -> None:
    _leave_jobs_out(folder)
    left = load_flow(folder / "bundleflow.yml")
    assert not left.models
    assert not any(stage.run or stage.promote or stage.model_environment for stage in left.stages.values())
    callers = {path.name: path.read_text(encoding="utf-8") for path in (folder / ".github" / "workflows").iterdir()}
    # Else the workflow would promote in an environment that the flow file does not name any more.
    assert "model-environment:" not in callers["cd-prod.yml"]
    assert "model-environment:" in callers["promote-model.yml"]
