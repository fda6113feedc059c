"""MLflow's own tracking server on SQLite, on a free loopback port, in a process that has it loaded already."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any


def serve(payload: dict[str, Any], report: Callable[[dict[str, Any]], None]) -> int:
    """Serve MLflow's tracking API until SIGTERM; artifacts are plain files, which clients write themselves.

    Args:
        payload: `folder`: where the database and `artifacts/` lie.
        report: Receives `{"event": "ready", "url": ...}`.
    """
    folder = Path(payload["folder"])
    artifacts = folder / "artifacts"
    artifacts.mkdir(parents=True, exist_ok=True)
    # The same private variables that MLflow's own command line hands to its worker processes (mlflow/server/constants.py).
    os.environ.update(
        _MLFLOW_SERVER_FILE_STORE=f"sqlite:///{folder / 'mlflow.db'}",
        _MLFLOW_SERVER_ARTIFACT_ROOT=str(artifacts),
        _MLFLOW_SERVER_SERVE_ARTIFACTS="false",
        MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false",
    )
    from mlflow.server import app, handlers
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        """Writes no line per request, and keeps connections open."""

        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Say nothing: the workspace logs every request already."""

    handlers._get_tracking_store()  # makes or migrates the database before the first request
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    report({"event": "ready", "url": f"http://127.0.0.1:{server.server_port}"})
    server.serve_forever()
    return 0
