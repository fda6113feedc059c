"""A serving endpoint of the workspace, asked by its name; MLflow's client logs in as the job or the serving model does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Endpoint:
    """A serving endpoint.

    Args:
        name: Its name.
    """

    name: str

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send a request.

        Args:
            request: The body, as the endpoint's task wants it.
        """
        from mlflow.deployments import get_deploy_client

        answer: dict[str, Any] = get_deploy_client("databricks").predict(endpoint=self.name, inputs=request)
        return answer
