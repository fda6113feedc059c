"""One process that serves several models: loads them from the workspace's registry and answers as MLflow's scoring server does."""

from __future__ import annotations

import os
import socket
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

LISTEN_BACKLOG = 128


def serve(_: dict[str, Any], report: Callable[[dict[str, Any]], None]) -> int:
    """Serve on a free loopback port until SIGTERM.

    Args:
        report: Receives `{"event": "ready", "url": ...}`.
    """
    import uvicorn

    listener = socket.socket(proto=socket.IPPROTO_TCP)  # asyncio switches Nagle's algorithm off only where the protocol is named
    listener.bind(("127.0.0.1", 0))
    listener.listen(LISTEN_BACKLOG)
    report({"event": "ready", "url": f"http://127.0.0.1:{listener.getsockname()[1]}"})
    config = uvicorn.Config(Models().app(), log_level="error", access_log=False, ws="none", lifespan="off")
    uvicorn.Server(config).run(sockets=[listener])
    return 0


class Models:
    """The loaded models, each with MLflow's own scoring application."""

    def __init__(self) -> None:
        self._apps: dict[str, Any] = {}
        self._lock = threading.Lock()

    def app(self) -> Any:
        """Return the ASGI application: `POST /load/{model}/{version}`, `POST /invocations/{model}/{version}`."""
        from starlette.applications import Starlette
        from starlette.concurrency import run_in_threadpool
        from starlette.requests import Request
        from starlette.responses import JSONResponse
        from starlette.routing import Route
        from starlette.types import Receive, Scope, Send

        async def load(request: Request) -> JSONResponse:
            content = await request.json()
            began = time.monotonic()
            try:
                await run_in_threadpool(self._load, request.path_params["model"], request.path_params["version"], content)
            except Exception:
                return JSONResponse({"error": traceback.format_exc(limit=-4)}, 500)
            return JSONResponse({"seconds": time.monotonic() - began})

        class Invoke:
            """Hands a request to the model's own application."""

            def __init__(self, apps: dict[str, Any]) -> None:
                self._apps = apps

            async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
                found = self._apps.get(f"{scope['path_params']['model']}/{scope['path_params']['version']}")
                if found is None:
                    await JSONResponse({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "The model is not loaded."}, 404)(
                        scope, receive, send
                    )
                    return
                await found(
                    {**scope, "path": "/invocations", "raw_path": b"/invocations", "root_path": "", "path_params": {}}, receive, send
                )

        routes = [
            Route("/load/{model}/{version}", load, methods=["POST"]),
            Route("/invocations/{model}/{version}", Invoke(self._apps), methods=["POST"]),
        ]
        return Starlette(routes=routes)

    def _load(self, model: str, version: str, content: dict[str, Any]) -> None:
        key = f"{model}/{version}"
        with self._lock:
            if key in self._apps:
                return
            os.environ.update({str(name): str(value) for name, value in content.get("environment", {}).items()})
            os.environ.update(
                DATABRICKS_HOST=content["host"],
                DATABRICKS_TOKEN=content["token"],
                MLFLOW_TRACKING_URI="databricks",
                MLFLOW_REGISTRY_URI="databricks-uc",
                MLFLOW_USE_DATABRICKS_SDK_MODEL_ARTIFACTS_REPO_FOR_UC="true",
                MLFLOW_ENABLE_DB_SDK="false",
                DATABRICKS_CONFIG_FILE=os.devnull,
            )
            import mlflow
            from mlflow.pyfunc import scoring_server

            mlflow.set_tracking_uri("databricks")
            mlflow.set_registry_uri("databricks-uc")
            self._apps[key] = scoring_server.init(mlflow.pyfunc.load_model(f"models:/{model}/{version}"))
