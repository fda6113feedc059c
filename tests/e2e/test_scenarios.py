"""Every scenario beside the default story, played one after the other on one stage: each is stopped where and why it should be."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rehearsal import scenarios
from rehearsal.scenarios.promotions import PROMOTIONS

sys.path.insert(0, str(Path(__file__).parent))
from playing import LIMIT_S, Stops, check_stops, play, played

pytestmark = [pytest.mark.rehearsal, pytest.mark.timeout(900)]

STOPPED_BY: Stops = {
    "failing-test": [("run-tests / unit", "tests-failed"), ("GitHub", "405")],
    "fork": [("GitHub", "403")],
    "no-evidence": [("cd-prod / plan", "no-evidence")],
    "wrong-identity": [("cd-staging / deploy", "auth-failed")],
    "not-approved": [("cd-prod / deploy", "release-manager rejected")],
    "drift-after-approval": [("cd-prod / deploy", "plan-changed")],
    "plan-depends-on-identity": [("cd-prod / plan", "plan-depends-on-identity")],
    "destructive-plan": [("bundle-ci / bundle-ci", "policy-denied"), ("GitHub", "405")],
    "two-deploys-at-once": [],
    "superseded-release": [],
    "smoke-fails": [("cd-prod / deploy", "smoke-failed"), ("cd-prod / plan", "held")],
    "forgotten-deployment": [("run-tests / integration", "its runner was lost")],
    "task-fails-then-repair": [("cd-dev / deploy", "run-failed")],
    "task-times-out": [("cd-dev / deploy", "run-failed")],
    "run-cancelled": [("cd-dev / deploy", "run-canceled")],
    "schedule-fires": [],
    "data-pipeline": [],
    "bad-rows": [("cd-staging / deploy", "run-failed")],
    "no-jvm": [],
    "stock": [],
    "pdf-chatbot": [("cd-staging / deploy", "run-failed")],
}


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The result of all scenarios but `green` and those of models, which have tests of their own."""
    return play(STOPPED_BY, tmp_path_factory.mktemp("scenarios"))


def test_every_scenario_is_told_where_it_stops():
    assert set(STOPPED_BY) == set(scenarios.STORIES) - {"green", *(story.name for story in PROMOTIONS)}


@pytest.mark.parametrize("name", STOPPED_BY)
def test_a_scenario_is_stopped_where_and_why_it_should_be(result: dict[str, Any], name: str):
    check_stops(result, name, STOPPED_BY[name])


def test_stopped_as_expected_is_a_success(result: dict[str, Any]):
    assert result["exit_code"] == 0
    assert result["ok"] is True
    assert result["outside_connections"] == []
    assert "WENT WRONG" not in result["progress"]
    assert "by cd-prod / deploy: plan-changed: " in result["progress"]
    assert "plan-changed" in result["report"]


def test_the_stage_is_set_up_once(result: dict[str, Any]):
    assert [scenario["name"] for scenario in result["scenarios"]].count("set-up") == 1


def test_bad_rows_are_counted_and_shown_where_the_pipeline_stops(result: dict[str, Any]):
    (step,) = played(result, "bad-rows")["steps"]
    assert "66 of 2181 rows are bad (3.0%), more than the 2.0% allowed" in step["stopped_why"]
    counted = [check["found"] for check in step["checks"] if "no row is lost" in check["expected"]]
    assert counted == ["[['2181', '2115', '66', '66']]"]


def test_a_task_that_needs_java_is_left_out_before_the_deployment_and_that_is_said(result: dict[str, Any]):
    assert "left out before the deployment: task customer_value of job DataPipelineJob: " in result["progress"]
    places = [item["where"] for item in result["differences"] if item["change"].startswith("JAR task left out")]
    assert set(places) == {"resources.jobs.DataPipelineJob.tasks.customer_value"}


def test_help_lists_every_scenario():
    argv = [sys.executable, "-m", "bundleflow", "rehearse", "--help"]
    told = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True).stdout
    assert [story.name for story in scenarios.STORIES.values() if f"  {story.name} " not in told or story.title not in told] == []


def test_what_does_not_fit_a_project_is_left_out_by_name(tmp_path: Path):
    project = tmp_path / "other"
    subprocess.run([sys.executable, "-m", "bundleflow", "new", "iris", str(project), "--defaults"], check=True, timeout=120)
    catalog = project / "resources" / "catalog.yml"
    catalog.write_text(catalog.read_text(encoding="utf-8").replace("name: classifier\n", "name: judge\n"), encoding="utf-8")
    argv = [sys.executable, "-m", "bundleflow", "rehearse", str(project), "--scenario", "destructive-plan", "--json"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    (scenario,) = json.loads(done.stdout)["scenarios"]
    assert scenario["steps"] == []
    assert "does not fit" in scenario["left_out"]
    assert "left out: " in done.stderr
