"""Only a verdict by the gate file in force, on the table that it names, is shown, approved and promoted."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from github_world import World
from kit_models import BEFORE, Models, state, waiting
from project import Project

from bundleflow.commands.model_steps import approve_version
from bundleflow.records.errors import BundleflowError, FailureReason
from bundleflow_models.promotion import Approval

sys.path.insert(0, str(Path(__file__).parents[2] / "models" / "promotion"))
from promotion_world import GATE_FILE


@pytest.fixture
def project(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    return Project(world, tmp_path, monkeypatch)


@pytest.fixture
def models(project: Project, monkeypatch: pytest.MonkeyPatch) -> Models:
    return Models(project, monkeypatch)


LAX = {"gate_sha256": "0" * 64}
EASY = {"holdout_source": "file easy.csv"}


@pytest.mark.parametrize("judged", [LAX, EASY])
def test_a_verdict_by_another_gate_file_or_hold_out_is_not_shown_for_approval(models: Models, judged: dict[str, str]) -> None:
    models.workspace.judged(2, champion=1, **judged)
    assert models.call("status", "--require", environment="production-plan") == 1
    assert (models.reason, models.project.outputs["candidates"]) == (FailureReason.NO_VERDICT, "")
    said = "by another gate file" if judged == LAX else "file easy.csv"
    assert said in models.plain


@pytest.mark.parametrize("judged", [LAX, EASY])
def test_a_verdict_by_another_gate_file_or_hold_out_promotes_nothing(models: Models, judged: dict[str, str]) -> None:
    (shown,) = json.loads(models.show())
    shown["verdict"] = models.workspace.judged(2, champion=1, **judged)
    models.answer()
    assert models.promote(json.dumps([shown])) == 1
    assert models.reason == FailureReason.NO_VERDICT
    assert state(models) == BEFORE


def test_a_gate_file_that_was_changed_after_the_verdict_asks_for_a_new_one(models: Models) -> None:
    shown = models.show()
    Path("gates/iris.yml").write_text(json.dumps({**GATE_FILE, "floors": {"f1_macro": {"min": 0.9}}}))
    models.answer()
    assert models.promote(shown) == 1
    assert models.reason == FailureReason.NO_VERDICT
    assert state(models) == BEFORE


@pytest.mark.parametrize("judged", [LAX, EASY])
def test_an_approval_of_a_verdict_by_another_gate_file_or_hold_out_is_not_written(models: Models, judged: dict[str, str]) -> None:
    placed, candidate = waiting(models)
    digest = models.workspace.judged(2, champion=1, **judged)
    with pytest.raises(BundleflowError) as caught:
        approve_version(models.workspace.workspace(), placed, candidate, Approval("reviewer", "github", digest))
    assert caught.value.reason == FailureReason.NO_VERDICT
    assert "Approval_Check" not in models.workspace.tags(2)
