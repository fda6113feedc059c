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

CHALLENGER, CHAMPION, PREVIOUS = "challenger", "champion", "previous-champion"


def log_and_register(
    model: RandomForestClassifier, frame: pd.DataFrame, settings: Settings, metrics: dict[str, float], model_name: str
) -> int:
    """Log the model to the active experiment and register it as a new version with alias `challenger`.

    Args:
        model: The trained model.
        frame: The feature table; gives the signature.
        settings: Logged as parameters.
        metrics: Logged as metrics.
        model_name: Full name of the registered model (catalog.schema.model).

    Returns:
        The number of the new version.
    """
    import mlflow
    from mlflow.models import infer_signature

    features = frame[list(FEATURES)]
    with mlflow.start_run():
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
        registered = mlflow.register_model(logged.model_uri, model_name)
    number = int(registered.version)
    mlflow.MlflowClient().set_registered_model_alias(model_name, CHALLENGER, str(number))
    return number


def load_version(name: str, number: int) -> Any:
    """Load one version of the model as the scikit-learn object that was logged."""
    import mlflow

    return mlflow.sklearn.load_model(f"models:/{name}/{number}")


def champion(client: MlflowClient, name: str) -> int | None:
    """The number of the version that alias `champion` points at; None while there is no champion."""
    found = client.get_registered_model(name).aliases.get(CHAMPION)
    return None if found is None else int(found)


def promote(client: MlflowClient, name: str, number: int, accuracy: float, lowest: float) -> int | None:
    """Make a version champion if it reaches the floor; the champion so far stays reachable as `previous-champion`.

    Args:
        client: Of the model registry.
        name: Full name of the registered model.
        number: The version to promote.
        accuracy: Its share of right predictions on held-out rows, measured just now, 0 to 1.
        lowest: The floor for `accuracy`, 0 to 1.

    Returns:
        The champion before, None if there was none.

    Raises:
        ValueError: The version is below the floor; the champion stays.
    """
    if not accuracy >= lowest:  # written so that NaN is refused, too
        raise ValueError(f"Version {number} has accuracy {accuracy:.3f}, below the floor of {lowest}; champion stays.")
    before = champion(client, name)
    if before is not None and before != number:
        client.set_registered_model_alias(name, PREVIOUS, str(before))
    client.set_registered_model_alias(name, CHAMPION, str(number))
    return before
