"""The model's versions in Unity Catalog: logged as code, registered as challenger, who may ask the endpoint, and the way back."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .chatbot import Settings
from .readers import EXTRACTIVE
from .retrieval import Index

if TYPE_CHECKING:
    from bundleflow_models.promotion import Promotion, PromotionRequest, Workspace
    from databricks.sdk import WorkspaceClient
    from mlflow.models import ModelSignature

CHALLENGER = "challenger"
PACKAGES = ("mlflow", "numpy", "pandas", "pypdf", "scikit-learn")
"""What the served model needs."""


def signature() -> ModelSignature:
    """What the model takes and gives."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema
    from mlflow.types.schema import Array, DataType, Object, Property

    text, yes_or_no, number, count = DataType.string, DataType.boolean, DataType.double, DataType.long
    source = Object([Property("document", text), Property("page", count), Property("score", number)])
    given = [("answer", text), ("abstained", yes_or_no), ("sources", Array(source)), ("prediction", Array(text))]
    given += [("score", number), ("answered_by", text)]
    return ModelSignature(Schema([ColSpec(text, "question")]), Schema([ColSpec(kind, name) for name, kind in given]))


def log_and_register(index: Index, settings: Settings, metrics: dict[str, float], model_name: str) -> int:
    """Log the chain to the active run and register it as a new version with alias `challenger`.

    Args:
        index: The documents.
        settings: How they are asked; kept with the model.
        metrics: Logged as metrics.
        model_name: Full name of the registered model (catalog.schema.model).

    Returns:
        The number of the new version.
    """
    import mlflow

    package = Path(__file__).parent
    mlflow.log_params({**asdict(settings), "embedder": index.embedder, "chunks": len(index.chunks), "pages": len(index.pages)})
    mlflow.log_metrics(metrics)
    with tempfile.TemporaryDirectory() as folder:
        index.save(Path(folder) / "index.npz")
        logged = mlflow.pyfunc.log_model(
            name="chatbot",
            python_model=str(package / "chain.py"),
            code_paths=[str(package)],
            artifacts={"index": str(Path(folder) / "index.npz")},
            model_config=asdict(settings),
            signature=signature(),
            resources=_resources(settings),
            # Named here, so that MLflow need not start a process to find them out.
            pip_requirements=[f"{name}=={version(name)}" for name in PACKAGES],
        )
    number = int(mlflow.register_model(logged.model_uri, model_name).version)
    client = mlflow.MlflowClient()
    client.update_model_version(model_name, str(number), _description(settings))
    client.set_registered_model_alias(model_name, CHALLENGER, str(number))
    return number


def _resources(settings: Settings) -> list[Any]:
    """The endpoints that the model asks; its own endpoint gets the right to do so."""
    from mlflow.models.resources import DatabricksServingEndpoint

    return [DatabricksServingEndpoint(name) for name in (settings.embedding_endpoint, settings.language_endpoint) if name]


def _description(settings: Settings) -> str:
    answers = f"language model {settings.language_endpoint}" if settings.language_endpoint else EXTRACTIVE
    return f"Answers questions about the PDF documents with document and page ({answers})."


def allow_queries(client: WorkspaceClient, endpoint: str, application: str) -> None:
    """Let a service principal ask an endpoint; whoever else may do so still may.

    Args:
        client: The workspace.
        endpoint: Name of the endpoint.
        application: Application id of the service principal.
    """
    from databricks.sdk.service import serving

    level = serving.ServingEndpointPermissionLevel.CAN_QUERY
    entry = serving.ServingEndpointAccessControlRequest(service_principal_name=application, permission_level=level)
    found = client.serving_endpoints.get(endpoint)
    client.serving_endpoints.update_permissions(str(found.id), access_control_list=[entry])


def take_back(workspace: Workspace, request: PromotionRequest, done: Promotion) -> None:
    """Undo a promotion whose endpoint then did not answer.

    The champion before is champion again and the endpoint serves it. Where there was none, alias and endpoint are removed, so that the
    next version is the first. A version that was champion before stays it: there is nothing to undo.

    Args:
        workspace: Where it was made.
        request: What was asked for.
        done: What was done.

    Raises:
        ModelsError: The way back failed; it tells what is in place now.
    """
    from bundleflow_models import promotion
    from bundleflow_models.verdict.record import TAG_MODEL_CHAMPION

    if not done.changed or done.previous == done.champion:
        return
    if done.previous is not None:
        promotion.rollback(workspace, promotion.RollbackRequest(request.model, request.endpoint, request.by, pace=request.pace))
        return
    workspace.registry.delete_alias(request.model, "champion")
    workspace.registry.delete_model_tag(request.model, TAG_MODEL_CHAMPION)
    if request.endpoint:
        workspace.endpoints.delete(request.endpoint)
