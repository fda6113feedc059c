"""The MLflow client with `databricks` tracking and the `databricks-uc` registry, as notebooks use it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from local_workspace import LocalWorkspace

MODEL = "main.ml.classifier"


@pytest.fixture(scope="module")
def client(workspace: LocalWorkspace) -> Iterator[Any]:
    import mlflow

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABRICKS_HOST", workspace.url)
        patch.setenv("DATABRICKS_TOKEN", "any-token")
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        mlflow.set_tracking_uri("databricks")
        mlflow.set_registry_uri("databricks-uc")
        workspace.client().schemas.create("ml", "main")
        yield mlflow.MlflowClient()
        mlflow.set_tracking_uri(None)
        mlflow.set_registry_uri(None)


def test_an_experiment_has_the_workspaces_id_on_both_sides(workspace: LocalWorkspace, client: Any) -> None:
    import mlflow

    by_sdk = workspace.client().experiments.create_experiment("/Shared/before").experiment_id
    assert client.get_experiment_by_name("/Shared/before").experiment_id == by_sdk
    by_mlflow = mlflow.set_experiment("/Shared/iris").experiment_id
    found = workspace.client().experiments.get_experiment(by_mlflow).experiment
    assert found is not None
    assert found.name == "/Shared/iris"
    assert {e.name for e in client.search_experiments()} >= {"/Shared/before", "/Shared/iris"}


def test_runs_keep_parameters_metrics_tags_and_files(client: Any, tmp_path: Path) -> None:
    import mlflow

    experiment = mlflow.set_experiment("/Shared/runs")
    (tmp_path / "note.txt").write_text("a note")
    with mlflow.start_run() as run:
        mlflow.log_params({"depth": 3})
        mlflow.log_metric("accuracy", 0.5, step=1)
        mlflow.log_metric("accuracy", 0.9, step=2)
        mlflow.set_tag("kind", "test")
        mlflow.log_artifact(str(tmp_path / "note.txt"))
    found = client.get_run(run.info.run_id)
    assert (found.data.params, found.data.metrics, found.data.tags["kind"]) == ({"depth": "3"}, {"accuracy": 0.9}, "test")
    assert [point.value for point in client.get_metric_history(run.info.run_id, "accuracy")] == [0.5, 0.9]
    assert [item.path for item in client.list_artifacts(run.info.run_id)] == ["note.txt"]
    best = client.search_runs([experiment.experiment_id], "metrics.accuracy > 0.8", order_by=["metrics.accuracy DESC"])
    assert [r.info.run_id for r in best] == [run.info.run_id]


def test_a_deleted_name_is_free_again(client: Any) -> None:
    first = client.create_experiment("/Shared/again")
    run = client.create_run(first)
    client.delete_experiment(first)
    second = client.create_experiment("/Shared/again")
    assert second != first
    assert client.get_run(run.info.run_id).info.experiment_id == first
    assert [r.info.run_id for r in client.search_runs([second])] == []


def test_a_model_is_logged_registered_promoted_and_loaded(workspace: LocalWorkspace, client: Any) -> None:
    import mlflow
    import numpy as np
    from sklearn.tree import DecisionTreeClassifier

    features, labels = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([0, 0, 1, 1])
    model = DecisionTreeClassifier(random_state=0).fit(features, labels)
    signature = mlflow.models.infer_signature(features, labels)
    mlflow.set_experiment("/Shared/train")
    with mlflow.start_run() as run:
        mlflow.sklearn.log_model(
            model,
            name="model",
            signature=signature,
            registered_model_name=MODEL,
            serialization_format="cloudpickle",
            pip_requirements=["scikit-learn"],
        )
    client.set_registered_model_alias(MODEL, "champion", "1")
    client.set_model_version_tag(MODEL, "1", "verdict", "superior")
    client.set_registered_model_tag(MODEL, "team", "iris")
    version = client.get_model_version_by_alias(MODEL, "champion")
    assert (version.version, version.status, version.run_id, version.tags) == ("1", "READY", run.info.run_id, {"verdict": "superior"})
    assert client.get_registered_model(MODEL).aliases == {"champion": "1"}
    assert client.get_registered_model(MODEL).tags == {"team": "iris"}
    assert (workspace.data / "models/main/ml/classifier/1/MLmodel").is_file()
    loaded = mlflow.pyfunc.load_model(f"models:/{MODEL}@champion")
    assert list(loaded.predict(features)) == [0, 0, 1, 1]
    aliases = workspace.client().registered_models.get(MODEL, include_aliases=True).aliases
    assert [(alias.alias_name, alias.version_num) for alias in aliases or []] == [("champion", 1)]
    assert [v.version for v in client.search_model_versions(f"name='{MODEL}'")] == ["1"]
    assert [m.name for m in client.search_registered_models()] == [MODEL]


def test_errors_are_mlflows_own(client: Any) -> None:
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException) as missing:
        client.get_registered_model("main.ml.nothing")
    assert missing.value.error_code == "RESOURCE_DOES_NOT_EXIST"
    with pytest.raises(MlflowException) as alias:
        client.get_model_version_by_alias(MODEL, "nobody")
    assert alias.value.error_code == "RESOURCE_DOES_NOT_EXIST"
    with pytest.raises(MlflowException) as taken:
        client.create_registered_model(MODEL)
    assert taken.value.error_code == "RESOURCE_ALREADY_EXISTS"
    with pytest.raises(MlflowException, match="Job 12 does not exist"):
        client.create_registered_model("main.ml.other", deployment_job_id="12")
    with pytest.raises(MlflowException):
        client.get_run("0" * 32)


def test_paths_that_mlflow_does_not_have_are_refused_by_name(workspace: LocalWorkspace, client: Any) -> None:
    status, answer = workspace.call("POST", "/api/2.0/mlflow/no/such/thing", {})
    assert (status, answer["error_code"]) == (501, "FEATURE_DISABLED")
