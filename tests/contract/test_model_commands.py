"""The deployment job, from a new version to the champion that serves: connected by a deployment, approved and let go on by the kit.

Nothing is replaced but the outside world: the stand-ins for CLI and workspace, notebooks that take the engine from the kit's wheel.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config

from bundleflow_models.promotion import Workspace, open_workspace
from bundleflow_models.promotion.endpoint import traffic

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "bundleflow" / "commands"))
from stand_ins import stand_ins_at

MODEL = "main.flowers.classifier"
BUNDLE = """\
bundle: {name: flowers}
variables:
  bundleflow_models_wheel: {default: "bundleflow_models-0.1.0-py3-none-any.whl"}
targets:
  dev:
    workspace: {root_path: /Workspace/Shared/flowers/dev}
resources:
  schemas:
    flowers: {catalog_name: main, name: flowers}
  registered_models:
    classifier: {catalog_name: main, schema_name: "${resources.schemas.flowers.name}", name: classifier}
  jobs:
    training:
      name: training
      tasks:
        - task_key: train
          notebook_task: {notebook_path: train.py}
    deployment:
      name: deployment
      max_concurrent_runs: 1
      parameters: [{name: model_name, default: ""}, {name: model_version, default: ""}]
      tasks:
        - task_key: evaluation
          notebook_task: {notebook_path: evaluation.py}
          environment_key: models
        - task_key: approval_check
          depends_on: [{task_key: evaluation}]
          max_retries: 0
          notebook_task: {notebook_path: approval.py, base_parameters: {task: "{{task.name}}"}}
          environment_key: models
        - task_key: deployment
          depends_on: [{task_key: approval_check}]
          notebook_task: {notebook_path: deployment.py, base_parameters: {task: approval_check, endpoint: flowers-dev}}
          environment_key: models
      environments:
        - environment_key: models
          spec:
            environment_version: "2"
            dependencies: ["${workspace.root_path}/.bundleflow/${var.bundleflow_models_wheel}"]
"""
FLOW = """\
version: 1
stages:
  dev: {target: dev, environment: dev, run: [training], promote: [classifier]}
models:
  classifier:
    {gate: gate.yml, endpoint: "flowers-${bundle.target}", promoter: workspace, deployment-job: deployment}
"""
GATE = """\
version: 1
problem: classification
primary: accuracy
floors: {accuracy: {min: 0.6}}
holdout: {label: y, key: [id], rows: {split: holdout}}
checks: {schema: any, pinned: "off", leakage: "off"}
policy: {resamples: 500}
"""
HEAD = """\
# Databricks notebook source
import json
import mlflow
import numpy as np
import pandas as pd
mlflow.set_registry_uri("databricks-uc")
drawn = np.random.default_rng(1)
table = pd.DataFrame({"id": range(400), "x": drawn.normal(size=400), "z": drawn.normal(size=400), "split": ["train", "holdout"] * 200})
table["y"] = np.where(table["x"] + table["z"] > 0, "up", "down")
# COMMAND ----------
"""
TRAIN = f"""\
from sklearn.linear_model import LogisticRegression
client = mlflow.MlflowClient()
known = len(client.search_model_versions("name='{MODEL}'"))
features = ["x", "z"] if known else ["x"]
rows = table[table["split"] == "train"]
mlflow.set_experiment("/Shared/flowers-runs")
with mlflow.start_run():
    model = LogisticRegression().fit(rows[features], rows["y"])
    signature = mlflow.models.infer_signature(rows[features], model.predict(rows[features]))
    logged = mlflow.sklearn.log_model(
        model, name="model", signature=signature, registered_model_name="{MODEL}", pip_requirements=[], serialization_format="cloudpickle"
    )
client.set_registered_model_alias("{MODEL}", "challenger", logged.registered_model_version)
"""
EVALUATION = """\
from bundleflow_models import verdict
gate = verdict.load_gate("gate.yml")
mlflow.set_experiment("/Shared/flowers-runs")
found = verdict.evaluate_version(gate, dbutils.widgets.get("model_name"), dbutils.widgets.get("model_version"), holdout=table)
assert found.result == "passed", found.failed
"""
APPROVAL = """\
from bundleflow_models import promotion
workspace = promotion.open_workspace()
name, version = dbutils.widgets.get("model_name"), int(dbutils.widgets.get("model_version"))
approval = promotion.check_approval(workspace.registry, name, version, dbutils.widgets.get("task"))
"""
DEPLOYMENT = """\
from bundleflow_models.verdict import load_gate
endpoint = dbutils.widgets.get("endpoint")
pace = promotion.Pace(poll_s=0.1)
gate = load_gate("gate.yml")
done = promotion.promote(workspace, promotion.PromotionRequest(name, version, approval, endpoint, "deployment job", pace, gate))
dbutils.notebook.exit(json.dumps(done.as_dict()))
"""
NOTEBOOKS = {"train": TRAIN, "evaluation": EVALUATION, "approval": APPROVAL, "deployment": APPROVAL + DEPLOYMENT}


@dataclass
class Kit:
    folder: Path
    env: dict[str, str]

    def call(self, *argv: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "bundleflow", *argv]
        given = {"BUNDLEFLOW_STAGE": "dev", "BUNDLEFLOW_ENVIRONMENT": "dev", **self.env}
        return subprocess.run(command, cwd=self.folder, env=given, capture_output=True, text=True, timeout=150, check=False)

    @property
    def client(self) -> WorkspaceClient:
        return WorkspaceClient(config=Config(host=self.env["DATABRICKS_HOST"], token="t", auth_type="pat", retry_timeout_seconds=10))

    @property
    def workspace(self) -> Workspace:
        return open_workspace(self.client)

    def serving(self) -> dict[str, int]:
        state = self.workspace.endpoints.get("flowers-dev")
        assert state is not None
        return traffic(state.config)


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    folder = tmp_path_factory.mktemp("models")
    project = folder / "project"
    project.mkdir()
    (project / "databricks.yml").write_text(BUNDLE)
    (project / "bundleflow.yml").write_text(FLOW)
    (project / "gate.yml").write_text(GATE)
    for name, text in NOTEBOOKS.items():
        (project / f"{name}.py").write_text(HEAD + text)
    for argv in (["init", "-q"], ["add", "-A"], ["-c", "user.name=d", "-c", "user.email=d@example.com", "commit", "-qm", "first"]):
        subprocess.run(["git", *argv], cwd=project, check=True, timeout=60)
    with stand_ins_at(folder) as env:
        yield Kit(project, env)


def test_a_stage_deploys_trains_and_promotes_by_its_deployment_job(kit: Kit) -> None:
    done = kit.call("deploy-stage", "--json")
    assert done.returncode == 0, done.stderr
    assert f"{MODEL}: connected to deployment job" in done.stderr
    registry = kit.workspace.registry
    model, version = registry.model(MODEL), registry.version(MODEL, 1)
    assert (model.champion, model.deployment_job_state, version.deployment_state) == (1, "CONNECTED", "SUCCEEDED")
    assert (version.tags["approval_check"], version.tags["bundleflow_approved_where"]) == ("Approved", "none")
    assert kit.serving() == {"classifier-1": 100}


def test_an_approval_in_the_workspace_is_reported_and_not_repeated(kit: Kit) -> None:
    trained = kit.call("run", "start", "training", "--target", "dev")
    assert trained.returncode == 0, trained.stderr
    shown = kit.call("model", "status", "--require", "--json")
    assert shown.returncode == 0, shown.stderr
    (row,) = json.loads(shown.stdout)
    assert (row["version"], row["state"], row["champion"]) == (2, "ready", 1)
    registry = kit.workspace.registry
    run = registry.version(MODEL, 2).deployment_run
    registry.set_version_tag(MODEL, 2, "approval_check", "Approved")  # the workspace's own button: the tag, then the repair
    kit.client.jobs.repair_run(run, rerun_all_failed_tasks=True)
    assert kit.call("run", "watch", str(run)).returncode == 0
    reported = kit.call("model", "promote", "--json")
    assert reported.returncode == 0, reported.stderr
    (result,) = json.loads(reported.stdout)
    assert (result["champion"], result["previous"], result["changed"], result["approval"]["where"]) == (2, 1, False, "workspace")
    assert "approved in the workspace" in reported.stderr
    assert kit.serving() == {"classifier-2": 100}


def test_the_way_back_in_one_command(kit: Kit) -> None:
    done = kit.call("model", "rollback", "classifier", "--json")
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    assert (result["champion"], result["previous"]) == (1, 2)
    assert kit.serving() == {"classifier-1": 100}
    again = kit.call("model", "status", "--require")
    assert again.returncode == 1
    assert "does not hold any more" in again.stderr


def test_a_job_that_lacks_the_parameters_is_not_connected(kit: Kit) -> None:
    text = (kit.folder / "bundleflow.yml").read_text()
    try:
        (kit.folder / "bundleflow.yml").write_text(text.replace("deployment-job: deployment", "deployment-job: training"))
        done = kit.call("model", "connect")
        assert done.returncode == 2
        assert "has no job parameter `model_name` and `model_version`" in done.stderr
    finally:
        (kit.folder / "bundleflow.yml").write_text(text)
    done = kit.call("model", "connect", "--json")
    assert [each["changed"] for each in json.loads(done.stdout)] == [False]
