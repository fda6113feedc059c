"""The kit's smoke checks, of all three kinds, ask what is really there: a job's run, a served model, a table through a warehouse."""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jobs_support import Jobs
from local_workspace import LocalWorkspace

from bundleflow.adapters.runner import Runner
from bundleflow.commands.context import JobContext
from bundleflow.commands.smoke_step import smoke
from bundleflow.commands.steps import StageRuns
from bundleflow.records.errors import BundleflowError, FailureReason
from bundleflow.records.flow import load_flow

TRAIN = """\
import mlflow
import pandas as pd
from mlflow.models import infer_signature
from sklearn.tree import DecisionTreeClassifier

data = pd.DataFrame({"petal_length": [1.4, 1.3, 4.7, 5.1]})
labels = pd.Series(["setosa", "setosa", "virginica", "virginica"])
spark.sql("CREATE SCHEMA IF NOT EXISTS main.smoke")
spark.createDataFrame(data).write.saveAsTable("main.smoke.flowers")
mlflow.set_experiment("/Shared/smoke")
with mlflow.start_run():
    mlflow.sklearn.log_model(DecisionTreeClassifier().fit(data, labels), name="model", signature=infer_signature(data, labels),
        pip_requirements=["scikit-learn"], serialization_format="cloudpickle", registered_model_name="main.smoke.classifier")
dbutils.notebook.exit("4 flowers")
"""
FLOWER = {"dataframe_records": [{"petal_length": 1.2}]}


class Asked:
    """A stage whose smoke checks are made; `run` gives the summary, and the error where they failed."""

    def __init__(self, workspace: LocalWorkspace, folder: Path, jobs: dict[str, int]) -> None:
        self._folder = folder
        self._summary = {"resources": {"jobs": {key: {"id": str(number)} for key, number in jobs.items()}}}
        self._env = {
            "PATH": os.environ["PATH"],
            "DATABRICKS_HOST": workspace.url,
            "DATABRICKS_AUTH_TYPE": "pat",
            "DATABRICKS_CONFIG_FILE": os.devnull,
            "GITHUB_STEP_SUMMARY": str(folder / "summary"),
            "BUNDLEFLOW_POLL_SECONDS": "0.1",
        }

    def run(self, *checks: dict[str, Any]) -> tuple[str, BundleflowError | None]:
        stage = {"target": "prod", "environment": "production", "smoke": list(checks)}
        (self._folder / "bundleflow.yml").write_text(json.dumps({"version": 1, "stages": {"prod": stage}}))
        (self._folder / "summary").write_text("")
        flow = load_flow(self._folder / "bundleflow.yml")
        job = JobContext(flow, flow.stage("prod"), self._folder, self._env, Runner(self._env, io.StringIO()))
        error = None
        try:
            smoke(job, lambda: self._summary, StageRuns())
        except BundleflowError as caught:
            error = caught
        return (self._folder / "summary").read_text(), error


@pytest.fixture(scope="module")
def asked(workspace: LocalWorkspace, jobs: Jobs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    numbers = {"train": jobs.create(jobs.notebook("train", TRAIN)), "broken": jobs.create(jobs.notebook("broken", "1 / 0"))}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABRICKS_TOKEN", "any-token")  # the SDK takes a login's secrets from the process itself
        yield Asked(workspace, tmp_path_factory.mktemp("smoke"), numbers)


@pytest.fixture(scope="module")
def warehouse(jobs: Jobs) -> str:
    return str(jobs.client.warehouses.create(name="small", cluster_size="2X-Small").result().id)


def serve(jobs: Jobs) -> None:
    from databricks.sdk.service.serving import EndpointCoreConfigInput, ServedEntityInput

    entity = ServedEntityInput(entity_name="main.smoke.classifier", entity_version="1", workload_size="Small", scale_to_zero_enabled=True)
    jobs.client.serving_endpoints.create("smoke", config=EndpointCoreConfigInput("smoke", served_entities=[entity]))
    until = time.monotonic() + 60
    while str(jobs.client.serving_endpoints.get("smoke").state.ready.value) != "READY":  # type: ignore[union-attr]  # an endpoint has a state
        assert time.monotonic() < until
        time.sleep(0.1)


def test_job_endpoint_and_warehouse_answer_as_expected(asked: Asked, jobs: Jobs, warehouse: str) -> None:
    summary, error = asked.run({"job": "train", "expect": {"contains": "4 flowers"}})
    assert error is None, summary
    assert "✅ `job train`: `4 flowers`" in summary
    serve(jobs)
    summary, error = asked.run(
        {"endpoint": "smoke", "request": FLOWER, "expect": {"contains": "setosa"}},
        {"sql": "SELECT count(*) FROM main.smoke.flowers", "warehouse": warehouse, "expect": {"equals": 4}},
        {"sql": "SELECT max(petal_length) FROM main.smoke.flowers", "warehouse": warehouse, "expect": {"at-least": 5, "at-most": 5.5}},
    )
    assert error is None, summary
    assert "setosa" in summary
    assert summary.count("✅") == 3


@pytest.mark.parametrize(
    ("check", "problem"),
    [
        ({"job": "broken", "expect": {"contains": "anything"}}, "ZeroDivisionError"),
        ({"endpoint": "smoke", "request": FLOWER, "expect": {"contains": "versicolor"}}, "does not contain `versicolor`"),
        ({"endpoint": "smoke", "request": {"dataframe_records": [{"wrong": 1}]}}, "did not ask"),
        ({"endpoint": "nobody", "request": FLOWER}, "does not exist"),
        ({"sql": "SELECT count(*) FROM main.smoke.flowers", "expect": {"at-least": 5}}, "less than 5"),
        ({"sql": "SELECT * FROM main.smoke.nothing"}, "nothing"),
    ],
    ids=["job fails", "wrong prediction", "wrong request", "no endpoint", "too few rows", "no table"],
)
def test_what_is_not_as_expected_fails_and_is_named(asked: Asked, warehouse: str, check: dict[str, Any], problem: str) -> None:
    summary, error = asked.run({**check, **({"warehouse": warehouse} if "sql" in check else {})})
    assert error is not None
    assert error.reason is FailureReason.SMOKE_FAILED
    assert "❌" in summary
    assert problem in f"{error.cause} {error.details} {summary}"
