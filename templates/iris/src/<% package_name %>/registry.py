"""The model's versions in Unity Catalog: a new one is the challenger, the one in use the champion."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from .features import FEATURES
from .training import Settings

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from sklearn.ensemble import RandomForestClassifier

CHALLENGER, CHAMPION = "challenger", "champion"


def log_and_register(
    model: RandomForestClassifier, rows: pd.DataFrame, settings: Settings, metrics: dict[str, float], model_name: str
) -> int:
    """Log the model to the active MLflow run and register it as a new version with alias `challenger`.

    What the run is to say of the version must be in it before: the version starts the deployment job at once.

    Args:
        model: The trained model.
        rows: The training rows; they give the signature.
        settings: Logged as parameters.
        metrics: Logged as metrics.
        model_name: Full name of the registered model (catalog.schema.model).

    Returns:
        The number of the new version.
    """
    import mlflow
    from mlflow.models import infer_signature

    features = rows[list(FEATURES)]
    mlflow.log_params(settings.as_params())
    mlflow.log_metrics(metrics)
    logged = mlflow.sklearn.log_model(
        model,
        name="model",
        signature=infer_signature(features, model.predict(features)),
        # Named here, so that MLflow need not start a process to find them out.
        pip_requirements=[f"{name}=={version(name)}" for name in ("cloudpickle", "pandas", "scikit-learn")],
        # The same format wherever it runs; MLflow's default depends on the tracking server.
        serialization_format="cloudpickle",
    )
    number = int(mlflow.register_model(logged.model_uri, model_name).version)
    mlflow.MlflowClient().set_registered_model_alias(model_name, CHALLENGER, str(number))
    return number


def load_version(name: str, number: int) -> Any:
    """Load one version of the model as the scikit-learn object that was logged."""
    import mlflow

    return mlflow.sklearn.load_model(f"models:/{name}/{number}")


def champion(client: MlflowClient, name: str) -> int:
    """The number of the version that alias `champion` points at.

    Raises:
        LookupError: No version was promoted yet.
    """
    found = client.get_registered_model(name).aliases.get(CHAMPION)
    if found is None:
        raise LookupError(f"{name} has no version with alias {CHAMPION} yet: none has been approved.")
    return int(found)
