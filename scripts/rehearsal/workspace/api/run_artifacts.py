"""Files of MLflow runs by signed addresses, as clients without MLflow read them: each address is for one file and a short time."""

from __future__ import annotations

import secrets
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from rehearsal.workspace.errors import ApiError, does_not_exist, invalid
from rehearsal.workspace.http import Json, body, ok, required
from rehearsal.workspace.services import Services
from rehearsal.workspace.tracking import Experiments

SIGNED = "/_local/run-artifacts"
VALID_MS = 600_000
ANSWER_SECONDS = 30.0
KEPT = 10_000


def routes(services: Services, experiments: Experiments) -> list[Route]:
    """Routes of signed addresses and what they lead to.

    Args:
        services: The workspace's inner side.
        experiments: Knows MLflow's server.
    """
    signed: dict[str, tuple[Path, int]] = {}

    async def credentials(request: Request) -> Response:
        values = await body(request)
        run_id, paths = str(required(values, "run_id")), required(values, "path")
        folder = await _folder(experiments, run_id)
        infos = []
        for path in paths if isinstance(paths, list) else [paths]:
            if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
                raise invalid(f"Invalid path: {path}")
            token = secrets.token_urlsafe(24)
            while len(signed) >= KEPT:
                signed.pop(next(iter(signed)))
            signed[token] = (folder / str(path), services.clock() + VALID_MS)
            address = f"{services.url}{SIGNED}/{token}"
            infos.append({"run_id": run_id, "path": path, "signed_uri": address, "type": "AWS_PRESIGNED_URL", "headers": []})
        return ok({"credential_infos": infos})

    async def download(request: Request) -> Response:
        path, until = signed.get(request.path_params["token"], (Path(), 0))
        if until < services.clock():
            return Response("Request has expired", status_code=403)
        return FileResponse(path) if path.is_file() else Response("The specified key does not exist.", status_code=404)

    return [
        Route("/api/2.0/mlflow/artifacts/credentials-for-read", credentials, methods=["POST"]),
        Route(f"{SIGNED}/{{token}}", download, methods=["GET"]),
    ]


async def _folder(experiments: Experiments, run_id: str) -> Path:
    """Where the files of a run lie."""
    import httpx

    async with httpx.AsyncClient(timeout=ANSWER_SECONDS, trust_env=False) as client:
        response = await client.get(f"{await experiments.mlflow()}/api/2.0/mlflow/runs/get", params={"run_id": run_id})
    if response.status_code == 404:
        raise does_not_exist(f"Run '{run_id}' not found.")
    if response.status_code != 200:
        raise ApiError("TEMPORARILY_UNAVAILABLE", f"MLflow's server answered {response.status_code}.")
    found: Json | Any = response.json()
    return Path(unquote(urlsplit(str(found["run"]["info"]["artifact_uri"])).path))
