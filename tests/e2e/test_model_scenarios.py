"""The scenarios of a model in production, played one after the other on one stage: verdicts, approvals, endpoint, the way back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from rehearsal.scenarios.promotions import PROMOTIONS

sys.path.insert(0, str(Path(__file__).parent))
from playing import Stops, check_stops, play, played

pytestmark = [pytest.mark.rehearsal, pytest.mark.timeout(900)]

STOPPED_BY: Stops = {
    "first-champion": [],
    "model-worse": [("promote-model / candidates", "verdict-refused")],
    "model-noise": [("promote-model / candidates", "verdict-refused")],
    "approval-denied": [("promote-model / promote", "release-manager rejected"), ("cd-prod / promote", "release-manager rejected")],
    "endpoint-fails": [("promote-model / promote", "endpoint-failed")],
    "two-promotions": [("promote-model / promote", "champion-changed")],
    "model-better": [],
    "model-rollback": [],
}


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The result of all of them."""
    return play([story.name for story in PROMOTIONS], tmp_path_factory.mktemp("models"))


def test_every_scenario_is_told_where_it_stops():
    assert set(STOPPED_BY) == {story.name for story in PROMOTIONS}


@pytest.mark.parametrize("name", STOPPED_BY)
def test_a_scenario_is_stopped_where_and_why_it_should_be(result: dict[str, Any], name: str):
    check_stops(result, name, STOPPED_BY[name])


def test_stopped_as_expected_is_a_success_and_nothing_is_played_twice(result: dict[str, Any]):
    assert (result["exit_code"], result["ok"], result["outside_connections"]) == (0, True, [])
    assert [scenario["name"] for scenario in result["scenarios"]] == ["set-up", *STOPPED_BY]


def test_a_champion_of_one_story_is_rolled_back_before_the_next(result: dict[str, Any]):
    assert result["progress"].count("`bundleflow model rollback classifier --stage prod`") == 1, "after two-promotions"


@pytest.mark.parametrize("name", ["endpoint-fails", "model-better", "model-rollback"])
def test_requests_are_counted_and_none_is_lost(result: dict[str, Any], name: str):
    found = [check["found"] for step in played(result, name)["steps"] for check in step["checks"] if "all requests" in check["expected"]]
    assert len(found) == 1
    assert found[0].endswith("0 not")


def test_luck_is_told_with_its_interval(result: dict[str, Any]):
    told = [check["found"] for step in played(result, "model-noise")["steps"] for check in step["checks"] if "verdict" in check["expected"]]
    assert "refused maybe-inferior" in told[0]
    assert "accuracy +0.015 against champion (95% interval -0.091 to +0.121)" in told[0]
