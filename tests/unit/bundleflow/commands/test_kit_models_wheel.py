"""The small wheel: built the same each time, uploaded before a deployment, found by a task that judges a model in the workspace."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
import subprocess
import sys
import zipfile
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config
from stand_ins import stand_ins_at

from bundleflow.releases import models_wheel as module
from bundleflow.releases.models_wheel import VARIABLE, models_wheel, wheel_path, wheel_variables

BUNDLE = """\
bundle: {name: judged}
variables:
  suffix: {default: ""}
  bundleflow_models_wheel: {default: "bundleflow_models-0.1.0-py3-none-any.whl"}
targets:
  dev:
    workspace: {root_path: "/Workspace/Shared/judged/dev${var.suffix}"}
resources:
  jobs:
    judge:
      name: judge${var.suffix}
      tasks:
        - task_key: judge
          spark_python_task: {python_file: judge.py}
          environment_key: default
      environments:
        - environment_key: default
          spec:
            environment_version: "2"
            dependencies: ["${workspace.root_path}/.bundleflow/${var.bundleflow_models_wheel}"]
"""
FLOW = """\
version: 1
stages:
  test: {target: dev, environment: test, per-pull-request: true, run: [judge]}
"""
# What a training and an evaluation notebook do, in one file: two versions, the second one knows more.
JUDGE = """\
import mlflow, numpy as np, pandas as pd
from mlflow.models import infer_signature
from sklearn.linear_model import LogisticRegression

import bundleflow_models
from bundleflow_models import verdict
from bundleflow_models.verdict.text import headline

print(bundleflow_models.__file__)
drawn = np.random.default_rng(1)
table = pd.DataFrame({"id": range(400), "x": drawn.normal(size=400), "z": drawn.normal(size=400), "split": ["train", "holdout"] * 200})
table["y"] = np.where(table["x"] + table["z"] > 0, "up", "down")
gate = verdict.load_gate({
    "version": 1, "problem": "classification", "primary": "accuracy", "metrics": ["roc_auc"], "floors": {"accuracy": {"min": 0.6}},
    "holdout": {"label": "y", "key": ["id"], "rows": {"split": "holdout"}}, "training": {"rows": {"split": "train"}},
    "checks": {"schema": "any"}, "policy": {"resamples": 500},
})
mlflow.set_registry_uri("databricks-uc")
mlflow.set_experiment("/Shared/experiment")
client = mlflow.MlflowClient()
for features in (["x"], ["x", "z"]):
    rows = table[table["split"] == "train"]
    with mlflow.start_run():
        verdict.record_training(gate, table, table)
        model = LogisticRegression().fit(rows[features], rows["y"])
        signature = infer_signature(rows[features], model.predict(rows[features]))
        logged = mlflow.sklearn.log_model(model, name="model", signature=signature, pip_requirements=[], serialization_format="cloudpickle")
    version = mlflow.register_model(logged.model_uri, "main.default.judged").version
    found = verdict.evaluate_version(gate, "main.default.judged", version, table)
    print(headline(found), found.sha256)
    client.set_registered_model_alias("main.default.judged", "champion", version)
"""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    folder = tmp_path / "project"
    folder.mkdir()
    for name, text in (("databricks.yml", BUNDLE), ("bundleflow.yml", FLOW), ("judge.py", JUDGE)):
        (folder / name).write_text(text)
    with stand_ins_at(tmp_path) as env:
        yield folder, env


def call(project: tuple[Path, dict[str, str]], *argv: str, **env: str) -> subprocess.CompletedProcess[str]:
    folder, given = project
    command = [sys.executable, "-m", "bundleflow", *argv]
    return subprocess.run(command, cwd=folder, env={**given, **env}, capture_output=True, text=True, timeout=150, check=False)


def client_of(env: dict[str, str]) -> WorkspaceClient:
    return WorkspaceClient(config=Config(host=env["DATABRICKS_HOST"], token="t", auth_type="pat", retry_timeout_seconds=10))


def test_a_task_in_the_workspace_judges_by_the_uploaded_wheel(project: tuple[Path, dict[str, str]]) -> None:
    done = call(project, "test-integration", "--suffix=-pr7-1", "--json", BUNDLEFLOW_ENVIRONMENT="test")
    assert done.returncode == 0, done.stderr
    name = models_wheel().name
    assert f"uploaded /Workspace/Shared/judged/dev-pr7-1/.bundleflow/{name}" in done.stderr
    (run,) = json.loads(done.stdout)["runs"]
    said = [line for line in run["tasks"][0]["output"].splitlines() if line.startswith("PASSED") or line.endswith("__init__.py")]
    place, first, second = said
    assert name.removesuffix(".whl") in place, "the package is the wheel's, not the one beside the rehearsal"
    assert first.startswith("PASSED: main.default.judged version 1, champion none")
    assert second.startswith("PASSED: main.default.judged version 2, champion 1")
    client = client_of(project[1])
    answer = client.api_client.do(
        "GET", "/api/2.0/mlflow/unity-catalog/model-versions/get", query={"name": "main.default.judged", "version": "2"}
    )
    assert isinstance(answer, dict)
    tags = {each["key"]: each["value"] for each in answer["model_version"]["tags"]}
    assert (tags["bundleflow_verdict"], tags["bundleflow_verdict_champion"]) == ("passed", "1")
    assert second.endswith(tags["bundleflow_verdict_sha256"])
    assert [each.path for each in client.workspace.list("/Workspace/Shared/judged")] == [], "gone with the deployment"


def test_a_plain_deployment_brings_the_wheel_along(project: tuple[Path, dict[str, str]]) -> None:
    _, env = project
    done = call(project, "deploy", "--target", "dev")
    assert done.returncode == 0, done.stderr
    with client_of(env).workspace.download(f"/Workspace/Shared/judged/dev/.bundleflow/{models_wheel().name}") as stream:
        assert stream.read() == models_wheel().content
    plan = call(project, "plan", "--target", "dev", "--json")
    assert json.loads(plan.stdout)["summary"]["text"] == "0 to add, 0 to change, 0 to delete, 1 unchanged", "the same name in every call"


def test_the_wheel_is_whole_and_says_what_it_is(tmp_path: Path) -> None:
    wheel = models_wheel()
    assert wheel.name.startswith("bundleflow_models-0.1.0+")
    with zipfile.ZipFile(io.BytesIO(wheel.content)) as archive:
        assert archive.testzip() is None
        contents = {name: archive.read(name) for name in archive.namelist()}
    info = wheel.name.removesuffix("-py3-none-any.whl") + ".dist-info"
    assert {name.split("/")[0] for name in contents} == {"bundleflow_models", info}
    assert "bundleflow_models/verdict/gate.schema.json" in contents
    assert not [name for name in contents if "__pycache__" in name]
    for name, digest, size in csv.reader(contents[f"{info}/RECORD"].decode().splitlines()):
        if name != f"{info}/RECORD":
            algorithm, _, value = digest.partition("=")
            assert hashlib.new(algorithm, contents[name]).digest() == urlsafe_b64decode(value + "==")
            assert int(size) == len(contents[name])
    assert b"Requires-Dist" not in contents[f"{info}/METADATA"], "nothing is downloaded from inside the workspace"
    (tmp_path / wheel.name).write_bytes(wheel.content)
    uv = shutil.which("uv", path=str(Path(sys.executable).parent))
    assert uv
    target = tmp_path / "installed"
    subprocess.run([uv, "pip", "install", "-q", "--offline", "--target", target, tmp_path / wheel.name], timeout=60, check=True)
    code = "import importlib.metadata as m, bundleflow_models.verdict; print(m.version('bundleflow-models'), bundleflow_models.__file__)"
    shown = subprocess.run(
        [sys.executable, "-P", "-c", code], env={"PYTHONPATH": str(target)}, capture_output=True, text=True, timeout=60, check=True
    )
    version, place = shown.stdout.split()
    assert wheel.name.split("-")[1] == version
    assert place.startswith(str(target))


def test_the_same_content_gives_the_same_bytes_and_other_content_another_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "bundleflow_models"
    source = Path(module.__file__).parents[2] / "bundleflow_models"
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "__pycache__").mkdir()
    (copy / "__pycache__" / "x.pyc").write_bytes(b"x")
    (copy / "errors.py").chmod(0o600)
    monkeypatch.setattr(module, "files", lambda _: copy)
    built = models_wheel.__wrapped__()
    assert built == models_wheel()
    (copy / "errors.py").write_text("# other\n")
    assert models_wheel.__wrapped__().name != built.name


def test_a_bundle_that_does_not_declare_the_variable_gets_no_wheel() -> None:
    configuration = {"workspace": {"root_path": "/Workspace/x"}, "variables": {"suffix": {}}}
    assert wheel_path(configuration) is None
    assert wheel_path({"workspace": {"root_path": "/Workspace/x"}}) is None
    assert wheel_path({**configuration, "variables": {VARIABLE: {}}}) == f"/Workspace/x/.bundleflow/{models_wheel().name}"
    assert wheel_variables() == {VARIABLE: models_wheel().name}
