"""The libraries a fork server loads before its first fork, in the order in which something can already start."""

from __future__ import annotations

import importlib
import os
import sys

TRACKING = (
    "mlflow",
    "mlflow.server",
    "mlflow.server.handlers",
    "mlflow.store.tracking.sqlalchemy_store",
    "alembic.command",
    "werkzeug.serving",
)
TASKS = (
    "pandas",
    "pyarrow.parquet",
    "sklearn.datasets",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "sklearn.metrics",
    "sklearn.model_selection",
    "sklearn.pipeline",
    "sklearn.preprocessing",
    "mlflow.sklearn",
    "mlflow.pyfunc",
    "mlflow.models",
    "mlflow.store._unity_catalog.registry.rest_store",
    "mlflow.store.tracking.databricks_rest_store",
    "databricks.sdk",
    "pyspark.sql.connect.session",
    "pyspark.sql.connect.client",
    "pyspark.sql.functions",
    "pyspark.sql.connect.functions",
    "grpc",
    "cloudpickle",
    "rehearsal.executor.task",
)


def prime(stage: str) -> None:
    """Do once what every task would otherwise do again: MLflow reads the metadata of all installed packages (0.3 s)."""
    if stage != "base" or "mlflow.models" not in sys.modules:
        return
    from mlflow.utils import requirements_utils

    requirements_utils._init_modules_to_packages_map()
    requirements_utils._init_packages_to_modules_map()


def stages(libraries: str) -> list[tuple[str, tuple[str, ...]]]:
    """Return the names of the stages and their modules, for `light` (nothing to load) or `full`."""
    if libraries == "light":
        return [("base", ())]
    return [("tracking", TRACKING), ("base", TASKS)]


def needed_stage(role: str, libraries: str) -> set[str]:
    """Return the stages that must be loaded before a child with this role is forked."""
    return {"tracking"} if role == "mlflow" and libraries == "full" else {"base"}


def load(module: str) -> None:
    """Import a module; one that is not installed is said on stderr and left to the task that needs it."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    try:
        importlib.import_module(module)
    except ImportError as error:
        sys.stderr.write(f"Not loaded before the first task: {module} ({error})\n")
