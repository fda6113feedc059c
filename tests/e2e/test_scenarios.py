"""Every scenario beside the default story, played one after the other on one stage: each is stopped where and why it should be."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rehearsal import scenarios

pytestmark = [pytest.mark.rehearsal, pytest.mark.timeout(900)]

LIMIT_S = 800

STOPPED_BY: dict[str, list[tuple[str, str]]] = {
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
    "first-champion": [],
    "model-worse": [("promote-model / candidates", "verdict-refused")],
    "model-noise": [("promote-model / candidates", "verdict-refused")],
    "approval-denied": [("promote-model / promote", "release-manager rejected")],
    "endpoint-fails": [("promote-model / promote", "endpoint-failed")],
    "two-promotions": [("promote-model / promote", "champion-changed")],
    "model-better": [],
    "model-rollback": [],
    "data-pipeline": [],
    "bad-rows": [("cd-staging / deploy", "run-failed")],
    "no-jvm": [],
    "stock": [],
    "pdf-chatbot": [("cd-staging / deploy", "run-failed")],
}
"""Scenario → who stopped it, and how the reason begins, in the order of its scenes."""


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The result of all scenarios but `green`, which has a test of its own."""
    folder = tmp_path_factory.mktemp("scenarios")
    wanted = ",".join(name for name in scenarios.STORIES if name != "green")
    argv = [sys.executable, "-m", "bundleflow", "rehearse", "--scenario", wanted, "--json", "--report", str(folder / "report.html")]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.stdout.startswith("{"), done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    found["exit_code"], found["progress"], found["report"] = done.returncode, done.stderr, (folder / "report.html").read_text()
    return found


def played(result: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [scenario for scenario in result["scenarios"] if scenario["name"] == name]
    return dict(found)


def test_every_scenario_is_told_where_it_stops():
    assert set(STOPPED_BY) == set(scenarios.STORIES) - {"green"}


@pytest.mark.parametrize("name", STOPPED_BY)
def test_a_scenario_is_stopped_where_and_why_it_should_be(result: dict[str, Any], name: str):
    scenario = played(result, name)
    wrong = [(step["title"], check) for step in scenario["steps"] for check in step["checks"] if not check["ok"]]
    assert wrong == []
    assert len(scenario["steps"]) == len(scenarios.STORIES[name].scenes)
    stops = [(step["stopped_where"], step["stopped_why"]) for step in scenario["steps"] if step["stopped"]]
    assert [where for where, _ in stops] == [where for where, _ in STOPPED_BY[name]]
    assert [why for (_, why), (_, reason) in zip(stops, STOPPED_BY[name], strict=True) if not why.startswith(reason)] == []


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
