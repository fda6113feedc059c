"""The Iris template's pipeline for Azure DevOps: fits its schema, asks before production, calls commands that there are."""

from __future__ import annotations

import argparse
import importlib
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from rendered import read, tool

from bundleflow.cli import COMMANDS
from bundleflow.templates_project import new_project


@pytest.fixture(scope="module", params=["dev-main-release", "dev-prod"])
def pipelines(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of each flow with its pipeline for Azure DevOps."""
    folder = tmp_path_factory.mktemp("azure") / "iris"
    new_project("iris", folder, answers={"flow": request.param, "azure_pipelines": "true"}, ask=False)
    return folder


def steps_of(job: dict[str, Any]) -> list[dict[str, Any]]:
    steps = job["steps"] if "steps" in job else job["strategy"]["runOnce"]["deploy"]["steps"]
    assert isinstance(steps, list)
    return steps


def test_the_pipeline_of_azure_devops_fits_the_schema_of_its_language_server(pipelines: Path, tmp_path: Path) -> None:
    for name in ("azure-pipelines.yml", "azure-pipelines/set-up.yml"):
        # Azure reads every scalar as text, and so does the schema.
        content = yaml.load((pipelines / name).read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
        for file, valid in ((content, True), ({**content, "stepz": []}, False)):
            (tmp_path / "file.json").write_text(json.dumps(file), encoding="utf-8")
            schema = ["--builtin-schema", "vendor.azure-pipelines", "--data-transform", "azure-pipelines", "--regex-variant", "nonunicode"]
            done = tool("check-jsonschema", *schema, "file.json", folder=tmp_path)
            assert (done.returncode == 0) is valid, done.stdout + done.stderr


def test_the_pipeline_asks_before_production_and_deploys_what_was_planned(pipelines: Path) -> None:
    stages = {stage["stage"]: stage for stage in read(pipelines / "azure-pipelines.yml")["stages"]}
    staged = read(pipelines / ".bundleflow-answers.yml")["flow"] == "dev-main-release"
    assert list(stages) == ["check", "dev", *(["staging"] if staged else []), "plan", "production"]
    assert stages["plan"]["dependsOn"] == ("staging" if staged else "check")
    assert stages["production"]["dependsOn"] == "plan"
    assert [job["environment"] for stage in stages.values() for job in stage["jobs"] if "deployment" in job] == [
        name for name in stages if name not in ("check", "plan")
    ]
    for stage in stages.values():
        # A pull request deploys nothing but its own copy, which the stage `check` does.
        assert stage["stage"] in ("check", "production") or "ne(variables['Build.Reason'], 'PullRequest')" in stage["condition"]
        for job in stage["jobs"]:
            assert job["timeoutInMinutes"] > 0
            assert steps_of(job)[0]["template"] == "azure-pipelines/set-up.yml"
    (script,) = [step["inputs"]["inlineScript"] for step in steps_of(stages["production"]["jobs"][0]) if "inputs" in step]
    assert script.index("diff ") < script.index("bundleflow deploy ")


def test_the_pipeline_calls_commands_that_there_are(pipelines: Path) -> None:
    found = set()
    for name in ("azure-pipelines.yml", "azure-pipelines/set-up.yml"):
        for line in re.findall(r"\bbundleflow [a-z].*", re.sub(r"displayName:.*|#.*", "", (pipelines / name).read_text(encoding="utf-8"))):
            argv = shlex.split(line.partition(">")[0])[1:]
            module = importlib.import_module(COMMANDS[argv[0]].module)
            parser = argparse.ArgumentParser()
            module.add_arguments(parser)
            parser.parse_args(argv[1:])
            found.add(" ".join(argv[:2]))
    assert {"deploy-stage --stage", "test-integration --environment", "plan --target", "deploy --target", "model connect"} <= found
