"""Finds a model of the flow file in a target: its full name, its endpoint and its deployment job, checked against the bundle."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, cast

from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow.records.flow import Flow, Model
from bundleflow.records.schema_problems import did_you_mean

JOB_PARAMETERS = ("model_name", "model_version")
"""What the workspace gives to a deployment job (https://docs.databricks.com/aws/en/mlflow/deployment-job)."""


@dataclass(frozen=True)
class PlacedModel:
    """A model of the flow file in one target.

    Args:
        key: Its key in the flow file.
        model: What the flow file says of it.
        name: Full name of the registered model in this target.
        endpoint: Serving endpoint in this target; None: none.
        deployment_job: Id of the deployment job in this target; 0: none.
    """

    key: str
    model: Model
    name: str
    endpoint: str | None = None
    deployment_job: int = 0

    @property
    def by_workspace(self) -> bool:
        """Whether the workspace's deployment job promotes it."""
        return self.model.promoter == "workspace"


def place(flow: Flow, key: str, target: str, summary: Mapping[str, Any]) -> PlacedModel:
    """Find a model in a target.

    Args:
        flow: The flow file.
        key: Key of the model in it.
        target: Name of the target.
        summary: `databricks bundle summary -o json` of the target.

    Raises:
        BundleflowError: `flow-mismatch`: flow file and bundle do not say the same; `model-missing`: the model is not deployed.
    """
    model = _model(flow, key)
    resources = summary.get("resources") or {}
    _check_endpoint(flow, model, target, resources)
    job = model.deployment_job
    return PlacedModel(key, model, _full_name(key, target, resources), model.endpoint_of(target), _job(key, job, target, resources))


def check_place(flow: Flow, key: str, target: str, configuration: Mapping[str, Any]) -> None:
    """Check, before anything is deployed, that flow file and bundle say the same of a model.

    Args:
        flow: The flow file.
        key: Key of the model.
        target: Name of the target.
        configuration: `databricks bundle validate -o json` or `bundle summary -o json` of the target.

    Raises:
        BundleflowError: `flow-mismatch`.
    """
    model = _model(flow, key)
    resources = configuration.get("resources") or {}
    _registered(key, target, resources)
    _check_endpoint(flow, model, target, resources)
    if model.deployment_job is not None:
        job = _deployment_job(key, model.deployment_job, target, resources)
        check_parameters(model, [str(each.get("name")) for each in job.get("parameters") or []])


def check_parameters(model: Model, known: Collection[str]) -> None:
    """Check that a deployment job can be told which version it is about.

    Args:
        model: The model.
        known: Names of the job's parameters.

    Raises:
        BundleflowError: `flow-mismatch`.
    """
    missing = [name for name in JOB_PARAMETERS if name not in known]
    if missing:
        raise _mismatch(
            f"The deployment job `{model.deployment_job}` has no job parameter {' and '.join(f'`{name}`' for name in missing)}.",
            "Give it both, `model_name` and `model_version`, under `parameters:` of the job (not of a task).",
        )


def _model(flow: Flow, key: str) -> Model:
    model = flow.models.get(key)
    if model is None:
        fix = did_you_mean(key, list(flow.models)) or f"Models of {flow.path}: {', '.join(f'`{each}`' for each in flow.models) or 'none'}."
        raise _mismatch(f"{flow.path} has no model `{key}`.", fix)
    return model


def _full_name(key: str, target: str, resources: Mapping[str, Any]) -> str:
    found = _registered(key, target, resources)
    if not found.get("id"):
        raise BundleflowError(
            f"The registered model `{key}` is not deployed in target `{target}` yet.",
            fix="Deploy the stage first.",
            reason=FailureReason.MODEL_MISSING,
        )
    return str(found["id"])


def _registered(key: str, target: str, resources: Mapping[str, Any]) -> Mapping[str, Any]:
    models = resources.get("registered_models") or {}
    if key not in models:
        fix = did_you_mean(key, list(models)) or "Add it under `resources: registered_models:`, or correct the key under `models:`."
        raise _mismatch(f"The bundle has no registered model `{key}` in target `{target}`.", fix)
    return cast("Mapping[str, Any]", models[key])


def _job(key: str, job: str | None, target: str, resources: Mapping[str, Any]) -> int:
    return 0 if job is None else int(_deployment_job(key, job, target, resources).get("id") or 0)


def _deployment_job(key: str, job: str, target: str, resources: Mapping[str, Any]) -> Mapping[str, Any]:
    jobs = resources.get("jobs") or {}
    if job not in jobs:
        fix = did_you_mean(job, list(jobs)) or f"Its jobs: {', '.join(f'`{each}`' for each in sorted(jobs)) or 'none'}."
        raise _mismatch(f"Model `{key}` names the deployment job `{job}`, which the bundle does not have in target `{target}`.", fix)
    return cast("Mapping[str, Any]", jobs[job])


def _check_endpoint(flow: Flow, model: Model, target: str, resources: Mapping[str, Any]) -> None:
    """An endpoint that the kit switches must not be a resource of the bundle: the next deployment would turn it back."""
    name = model.endpoint_of(target)
    for key, endpoint in (resources.get("model_serving_endpoints") or {}).items():
        if name and endpoint.get("name") == name:
            raise _mismatch(
                f"The endpoint `{name}` of model `{model.name}` is also the resource `model_serving_endpoints.{key}` of the bundle: each "
                "deployment would turn it back to what the bundle says.",
                f"Take it out of the bundle (the first promotion makes it), or take `endpoint` out of {flow.path}.",
            )


def _mismatch(cause: str, fix: str) -> BundleflowError:
    return BundleflowError(cause, fix=fix, reason=FailureReason.FLOW_MISMATCH, exit_code=ExitCode.USAGE)
