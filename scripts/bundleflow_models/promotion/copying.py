"""Copies a version to another model, such as from staging's catalog to production's; what was judged or approved stays behind."""

from __future__ import annotations

from typing import Any

from bundleflow_models.errors import ModelsError, Outcome
from bundleflow_models.promotion.approvals import carries_over
from bundleflow_models.promotion.interfaces import Registry
from bundleflow_models.promotion.records import CHALLENGER

FROM_TAG = "bundleflow_copied_from"


def copy_version(registry: Registry, source: str, number: int, target: str) -> int:
    """Copy a version. MLflow's `copy_model_version` copies its tags as well, so a copy would be born judged and approved.

    Args:
        registry: The registry.
        source: Full name of the model that has the version.
        number: The version.
        target: Full name of the model that gets the copy.

    Returns:
        The copy's version. It has the alias `challenger`, and is judged and approved anew.

    Raises:
        ModelsError: `model-missing`; wrong use where MLflow is not installed; `outside-trouble`.
    """
    registry.version(source, number)
    client = _client()
    from mlflow.exceptions import MlflowException

    try:
        copied = int(client.copy_model_version(f"models:/{source}/{number}", target).version)
    except MlflowException as error:
        raise ModelsError(
            "outside-trouble",
            f"Version {number} of {source} was not copied to {target}: {error}",
            fix="It needs EXECUTE on the one model and CREATE MODEL VERSION on the other.",
            outcome=Outcome.UNDECIDED,
        ) from error
    for key in registry.version(target, copied).tags:
        if not carries_over(key):
            registry.delete_version_tag(target, copied, key)
    registry.set_version_tag(target, copied, FROM_TAG, f"{source} version {number}")
    registry.set_alias(target, CHALLENGER, copied)
    return copied


def _client() -> Any:
    try:
        import mlflow
    except ImportError as error:
        raise ModelsError(
            "wrong-use",
            "Copying a version needs MLflow, which is not installed here.",
            fix="Run it as a task in the workspace, or `pip install mlflow-skinny` first.",
            outcome=Outcome.MISUSED,
        ) from error
    from bundleflow_models.verdict.registry import use_unity_catalog

    use_unity_catalog()
    return mlflow.MlflowClient()
