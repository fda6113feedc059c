"""MLflow's own REST API (runs, metrics, logged models, search, ...), passed on to MLflow's server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rehearsal.workspace.api import experiments as experiments_api
from rehearsal.workspace.api import run_artifacts
from rehearsal.workspace.errors import ApiError, not_imitated
from rehearsal.workspace.services import Services
from rehearsal.workspace.tracking import Experiments

if TYPE_CHECKING:
    import httpx

PATHS = ("/api/2.0/mlflow", "/api/3.0/mlflow", "/api/2.0/mlflow-artifacts")
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
ANSWER_SECONDS = 60.0
PASSED_HEADERS = ("content-type", "accept")


def routes(services: Services) -> list[Route]:
    """Experiments, files of runs, then everything else of MLflow."""
    known = Experiments(services)
    passing = Passing(services, known)
    services.on_stop.append(passing.close)
    own = [*experiments_api.routes(services, known), *run_artifacts.routes(services, known)]
    return [*own, *(Route(f"{path}/{{rest:path}}", passing.answer, methods=METHODS) for path in PATHS)]


class Passing:
    """Passes requests on to MLflow's server.

    Args:
        services: The workspace's inner side.
        experiments: Makes sure that MLflow knows the workspace's experiments.
    """

    def __init__(self, services: Services, experiments: Experiments) -> None:
        self.services, self.experiments = services, experiments
        self.client: httpx.AsyncClient | None = None

    async def answer(self, request: Request) -> Response:
        """Pass one request on and give back MLflow's answer.

        Raises:
            ApiError: MLflow has no such path, or does not answer.
        """
        import httpx

        url = await self.experiments.mlflow()
        self.client = self.client or httpx.AsyncClient(timeout=ANSWER_SECONDS, trust_env=False)
        headers = {name: request.headers[name] for name in PASSED_HEADERS if name in request.headers}
        content = await request.body()
        try:
            got = await self.client.request(
                request.method, url + request.url.path, params=request.url.query, content=content, headers=headers
            )
        except httpx.HTTPError as problem:
            raise ApiError("TEMPORARILY_UNAVAILABLE", f"MLflow's server did not answer: {type(problem).__name__}: {problem}") from problem
        if got.status_code in {404, 405} and not _is_error(got.content):
            raise not_imitated(request.method, request.url.path)
        return Response(got.content, status_code=got.status_code, media_type=got.headers.get("content-type"))

    async def close(self) -> None:
        """Close the connections to MLflow."""
        if self.client is not None:
            await self.client.aclose()


def _is_error(content: bytes) -> bool:
    """Whether an answer is an error of MLflow's API, not a page that says that there is no such path."""
    try:
        return "error_code" in json.loads(content)
    except (ValueError, TypeError):
        return False
