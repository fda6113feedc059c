"""Models before anything is deployed: what flow file, gate file and bundle do not agree about is told on the pull request already."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from project import Project

GATE = "version: 1\nproblem: classification\nholdout: {label: y}\nprimary: accuracy\n"
MODELS = """\
models:
  classifier: {gate: gate.yml, endpoint: "iris-${bundle.target}", promoter: workspace, deployment-job: deployment}
"""
PARAMETERS = [{"name": "model_name", "default": ""}, {"name": "model_version", "default": ""}]


def bundle(project: Project, *, parameters: Any = PARAMETERS, models: Any = ("classifier",), endpoint: str = "") -> None:
    """Let the CLI tell of a bundle with these resources in every target."""
    resources = {
        "registered_models": {key: {"name": key} for key in models},
        "jobs": {"deployment": {"name": "deployment", "parameters": parameters}},
        "model_serving_endpoints": {"iris": {"name": endpoint}} if endpoint else {},
    }
    for command in ("validate", "summary"):
        project.cli.answer(command, {"workspace": project.cli.workspace, "resources": resources})


@pytest.fixture
def planned(project: Project) -> Project:
    flow = Path("bundleflow.yml")
    text = flow.read_text().replace("environment: staging,", "environment: staging, promote: [classifier],")
    flow.write_text(text.replace(", per-pull-request: true", "") + MODELS)
    Path("gate.yml").write_text(GATE)
    bundle(project)
    return project


def check(project: Project) -> int:
    project.job("test", "test", project.world.start_run("bundle-ci.yml"))
    return project.call("ci")


def test_what_agrees_passes(planned: Project) -> None:
    assert check(planned) == 0


@pytest.mark.parametrize(
    ("given", "reason", "said"),
    [
        ({"models": ["clasifier"]}, "flow-mismatch", "no registered model `classifier` in target `staging`"),
        ({"parameters": [{"name": "model_name"}]}, "flow-mismatch", "has no job parameter `model_version`"),
        ({"endpoint": "iris-staging"}, "flow-mismatch", "is also the resource `model_serving_endpoints.iris`"),
        ({"gate": "version: 1\n"}, "gate-invalid", "gate.yml"),
        ({"gate": ""}, "gate-invalid", "gate.yml"),
    ],
)
def test_what_does_not_is_told_on_the_pull_request_and_nothing_is_deployed(
    planned: Project, given: dict[str, Any], reason: str, said: str
) -> None:
    gate = given.pop("gate", GATE)
    Path("gate.yml").write_text(gate) if gate else Path("gate.yml").unlink()
    bundle(planned, **given)
    assert check(planned) != 0
    assert planned.outputs["failure-reason"] == reason
    assert said in planned.summary.replace("\\", "")
    planned.job("staging", "staging", planned.world.start_run("cd-staging.yml"))
    assert planned.call("deploy-stage") != 0
    assert planned.outputs["failure-reason"] == reason
    assert "deploy" not in planned.cli.commands


def test_of_several_bundles_each_has_its_own_models(planned: Project) -> None:
    flow = Path("bundleflow.yml")
    flow.write_text(flow.read_text() + 'bundles: [".", other]\n')
    bundle(planned, models=[])
    assert check(planned) == 0
