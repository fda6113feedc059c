"""The model's versions in Unity Catalog: a new one is the challenger. Champion it becomes by a verdict and an approval, not here."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from .features import FEATURES
from .training import Settings

if TYPE_CHECKING:
    import pandas as pd
    from bundleflow_models.verdict import Gate
    from sklearn.ensemble import RandomForestClassifier

CHALLENGER = "challenger"


def log_and_register(
    model: RandomForestClassifier,
    frame: pd.DataFrame,
    settings: Settings,
    metrics: dict[str, float],
    gate: Gate,
    model_name: str,
) -> int:
    """Log the model to the active experiment and register it as a new version with alias `challenger`.

    Args:
        model: The trained model.
        frame: The feature table; gives the signature.
        settings: Logged as parameters.
        metrics: Logged as metrics.
        gate: The gate; its hold-out and the rows that the model learned from are recorded for it, as digests.
        model_name: Full name of the registered model (catalog.schema.model).

    Returns:
        The number of the new version.
    """
    import mlflow
    from bundleflow_models import verdict
    from mlflow.models import infer_signature

    inputs = frame[list(FEATURES)]
    with mlflow.start_run():
        verdict.record_training(gate, frame, frame)
        mlflow.log_params(settings.as_params())
        mlflow.log_metrics(metrics)
        logged = mlflow.sklearn.log_model(
            model,
            name="model",
            signature=infer_signature(inputs, model.predict(inputs)),
            # Named here, so that MLflow need not start a process to find them out.
            pip_requirements=[f"{name}=={version(name)}" for name in ("cloudpickle", "pandas", "scikit-learn")],
            # The same format wherever it runs; MLflow's default depends on the tracking server.
            serialization_format="cloudpickle",
        )
        registered = mlflow.register_model(logged.model_uri, model_name)
    number = int(registered.version)
    mlflow.MlflowClient().set_registered_model_alias(model_name, CHALLENGER, str(number))
    return number
