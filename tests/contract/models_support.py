"""Registers small models in a local workspace by MLflow's own client, and judges them as the gate does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from local_workspace import LocalWorkspace

from bundleflow_models.promotion.probe import PROBE_FILE
from bundleflow_models.verdict.record import TAG_CHAMPION, TAG_RESULT, TAG_RUN, TAG_SHA256, VERDICT_ARTIFACT, Result, Verdict

CATALOG, SCHEMA = "main", "promotion"
ROWS: dict[str, Any] = {"dataframe_split": {"columns": ["x"], "data": [[1.0], [2.0], [3.0]]}}


@contextmanager
def mlflow_on(workspace: LocalWorkspace) -> Iterator[Any]:
    """MLflow's client on a workspace."""
    import mlflow

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABRICKS_HOST", workspace.url)
        patch.setenv("DATABRICKS_TOKEN", "any-token")
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        mlflow.set_tracking_uri("databricks")
        mlflow.set_registry_uri("databricks-uc")
        try:
            yield mlflow.MlflowClient()
        finally:
            mlflow.set_tracking_uri(None)
            mlflow.set_registry_uri(None)


def register(name: str, answer: int) -> int:
    """Register a new version of a model that always answers the same; gives its number."""
    import mlflow
    import pandas as pd
    from sklearn.dummy import DummyClassifier

    rows = pd.DataFrame({"x": [1.0, 2.0, 3.0]})
    model = DummyClassifier(strategy="constant", constant=answer).fit(rows, [answer, 0, answer])
    mlflow.set_experiment("/Shared/promotion")
    with mlflow.start_run():
        logged = mlflow.sklearn.log_model(
            model,
            name="model",
            signature=mlflow.models.infer_signature(rows, model.predict(rows)),
            registered_model_name=name,
            serialization_format="cloudpickle",
            pip_requirements=["scikit-learn"],
        )
    return int(logged.registered_model_version)


def judge(client: Any, name: str, number: int, answer: int, *, champion: int | None, result: Result = Result.PASSED) -> str:
    """Write a verdict on a version, as the gate writes it; gives its digest."""
    import json

    experiment = client.get_experiment_by_name("/Shared/promotion").experiment_id
    run = client.create_run(experiment).info.run_id
    compared = str(champion) if champion is not None else "none"
    when = datetime.now(UTC).isoformat()
    verdict = Verdict(result, "accuracy", "superior", "0" * 64, model=name, version=str(number), champion=compared, run=run, created=when)
    client.log_text(run, verdict.canonical_json(), VERDICT_ARTIFACT)
    client.log_text(run, json.dumps({"request": ROWS, "predictions": [answer] * 3}), PROBE_FILE)
    for key, value in {TAG_RESULT: str(result), TAG_SHA256: verdict.sha256, TAG_CHAMPION: compared, TAG_RUN: run}.items():
        client.set_model_version_tag(name, str(number), key, value)
    return verdict.sha256
