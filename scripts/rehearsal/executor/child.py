"""What a forked process does, by its role."""

from __future__ import annotations

import atexit
import json
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

Report = Callable[[dict[str, Any]], None]


def run(role: str, payload: dict[str, Any], pipe: int) -> int:
    """Do the work of a role and return the exit code.

    Args:
        role: `task`, `sail`, `mlflow` or `serving`.
        payload: The role's own data.
        pipe: File descriptor on which JSON lines are reported.

    Raises:
        ValueError: the role is unknown.
    """

    def report(message: dict[str, Any]) -> None:
        os.write(pipe, json.dumps(message).encode() + b"\n")

    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()  # forked children would otherwise all draw the same numbers
    if role == "task":
        from rehearsal.executor.task import run_task

        code = run_task(payload, report)
        finish()
        return code
    if role == "sail":
        from rehearsal.executor.spark_server import serve as serve_spark

        return serve_spark(payload, report)
    if role == "mlflow":
        from rehearsal.executor.mlflow_server import serve as serve_mlflow

        return serve_mlflow(payload, report)
    if role == "serving":
        from rehearsal.executor.model_server import serve as serve_models

        return serve_models(payload, report)
    msg = f"Unknown role {role!r}"
    raise ValueError(msg)


def finish() -> None:
    """Do what the interpreter does at its end: wait for threads that are not daemons, run the exit functions."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
