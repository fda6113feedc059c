"""`bundleflow adopt` where a valid flow file is there: callers for its stages, environments and bundles, and for nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from bundles import ISOLATED, repository

from bundleflow.adoption.proposal import propose
from bundleflow.adoption.survey import survey
from bundleflow.cli import main
from bundleflow.commands.lint import lint
from bundleflow.records.errors import ExitCode

FLOW = """\
version: 1
bundles: [apps/a]
stages:
  uat: {target: ci, environment: uat}
  staging: {target: dev, environment: stg, then-propose: release}
  prod: {target: prod, environment: live, plan-environment: live-plan, requires: staging}
"""


def adopted(folder: Path, flow: str) -> dict[str, dict[str, object]]:
    """Adopt a repository of two bundles that has a flow file; gives the inputs of each caller by its name."""
    repository(folder, {"bundleflow.yml": flow, "apps/a/databricks.yml": ISOLATED, "apps/b/databricks.yml": ISOLATED})
    assert main(["adopt", str(folder), "--yes"]) == ExitCode.OK
    assert (folder / "bundleflow.yml").read_text() == flow
    jobs = {path.stem: yaml.safe_load(path.read_text())["jobs"] for path in (folder / ".github" / "workflows").iterdir()}
    return {name: each[name].get("with", {}) for name, each in jobs.items()}


def test_callers_have_the_stages_and_environments_of_the_flow_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    callers = adopted(tmp_path / "r", FLOW)
    assert set(callers) == {"lint", "cd-staging", "cd-prod"}
    assert callers["cd-staging"].items() >= {"stage": "staging", "environment": "stg", "plan-environment": "live-plan"}.items()
    assert callers["cd-prod"].items() >= {"stage": "prod", "environment": "live", "plan-environment": "live-plan"}.items()
    assert {each["bundle-dir"] for name, each in callers.items() if name != "lint"} == {"apps/a"}
    assert lint(tmp_path / "r", Path("bundleflow.yml")).findings == []
    shown = capsys.readouterr().err
    assert "note: stage uat: no caller is proposed for stage `uat`" in shown
    assert main(["adopt", str(tmp_path / "r"), "--checklist"]) == ExitCode.OK
    text = capsys.readouterr().out
    assert ":environment:live-plan`" in text
    assert ":environment:stg`" in text
    assert ":environment:production" not in text


def test_a_production_without_a_planning_environment_gets_no_caller_that_needs_one(tmp_path: Path) -> None:
    callers = adopted(tmp_path / "r", FLOW.replace(", plan-environment: live-plan", ""))
    assert set(callers) == {"lint", "cd-staging"}
    assert "plan-environment" not in callers["cd-staging"]
    assert "stage prod" in [note.subject for note in propose(survey(tmp_path / "r")).notes]


def test_stages_per_pull_request_get_the_callers_of_pull_requests(tmp_path: Path) -> None:
    flow = FLOW.replace("uat: {target: ci, environment: uat}", "test: {target: ci, environment: pulls, per-pull-request: true}")
    callers = adopted(tmp_path / "r", flow)
    assert {name for name, given in callers.items() if given.get("environment") == "pulls"} == {"bundle-ci", "run-tests", "cleanup"}
    assert lint(tmp_path / "r", Path("bundleflow.yml")).findings == []


def test_a_flow_file_that_is_not_valid_counts_for_nothing(tmp_path: Path) -> None:
    callers = adopted(tmp_path / "r", "version: 1\n")
    assert callers["cd-prod"]["environment"] == "production"
