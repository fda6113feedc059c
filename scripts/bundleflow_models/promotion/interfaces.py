"""What the promotion needs of a workspace, in three small parts; `workspace.py` gives them by the official SDK."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from bundleflow_models.promotion.records import EndpointState, ModelState, VersionState


class Registry(Protocol):
    """Registered models. No write of it has a precondition: whoever writes last wins."""

    def model(self, name: str) -> ModelState:
        """A registered model with its aliases and tags.

        Raises:
            ModelsError: `model-missing`.
        """

    def version(self, name: str, number: int) -> VersionState:
        """A version with its tags.

        Raises:
            ModelsError: `model-missing`.
        """

    def set_alias(self, name: str, alias: str, number: int) -> None:
        """Let an alias point to a version."""

    def delete_alias(self, name: str, alias: str) -> None:
        """Take an alias away; one that is not there is no error."""

    def set_model_tag(self, name: str, key: str, value: str) -> None:
        """Set a tag of a model."""

    def delete_model_tag(self, name: str, key: str) -> None:
        """Take a tag of a model away; one that is not there is no error."""

    def set_version_tag(self, name: str, number: int, key: str, value: str) -> None:
        """Set a tag of a version."""

    def delete_version_tag(self, name: str, number: int, key: str) -> None:
        """Take a tag of a version away; one that is not there is no error."""

    def connect(self, model: ModelState, job: str) -> None:
        """Let each new version of a model start a job; an empty id ends that."""

    def artifact(self, run_id: str, path: str) -> bytes | None:
        """A file of an MLflow run; None when it has no such file."""


class Endpoints(Protocol):
    """Serving endpoints."""

    def get(self, name: str) -> EndpointState | None:
        """An endpoint; None when there is none of that name."""

    def create(self, name: str, config: Mapping[str, Any]) -> None:
        """Make an endpoint, which is ready later."""

    def update(self, name: str, config: Mapping[str, Any]) -> None:
        """Replace the whole configuration; the one in force goes on serving until the new one is ready."""

    def delete(self, name: str) -> None:
        """Remove an endpoint; one that is not there is no error."""

    def ask(self, name: str, request: Mapping[str, Any], entity: str = "") -> Mapping[str, Any]:
        """Send rows to an endpoint.

        Args:
            name: The endpoint.
            request: Body, such as `{"dataframe_split": {"columns": [...], "data": [[...]]}}`.
            entity: Name of the served entity that has to answer; empty: as the traffic is split.

        Raises:
            ModelsError: `endpoint-failed`: it gave an error, or no answer.
        """


class Files(Protocol):
    """Files of the workspace, where the locks are."""

    def create(self, path: str, content: bytes) -> bool:
        """Write a file that must not be there; gives whether it was written."""

    def replace(self, path: str, content: bytes) -> None:
        """Write a file."""

    def read(self, path: str) -> bytes | None:
        """Read a file; None when it is not there."""

    def delete(self, path: str) -> None:
        """Remove a file; one that is not there is no error."""
