"""The Spark server: Sail with one memory catalog for each catalog of Unity Catalog."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any


def catalog_list(names: list[str]) -> str:
    """Return Sail's catalog setting; every catalog begins with the schema `default`, as on Databricks."""
    entries = ", ".join(f'{{name="{name}", type="memory", initial_database=["default"]}}' for name in names)
    return f"[{entries}]"


def default_catalog(names: list[str]) -> str:
    """Return the catalog that names without a catalog belong to."""
    return "main" if "main" in names else names[0]


def serve(payload: dict[str, Any], report: Callable[[dict[str, Any]], None]) -> int:
    """Start Sail on a free loopback port, report it, and serve until SIGTERM.

    Args:
        payload: `catalogs` (names) and `folder` (for table data).
        report: Receives `{"event": "ready", "port": N}`.
    """
    names = payload["catalogs"] or ["main"]
    Path(payload["folder"]).mkdir(parents=True, exist_ok=True)
    os.environ.update(
        SAIL_CATALOG__LIST=catalog_list(names),
        SAIL_CATALOG__DEFAULT_CATALOG=default_catalog(names),
        SAIL_SPARK__SESSION_TIMEOUT_SECS="86400",
        RUST_LOG="error",
    )
    from pysail.spark import SparkConnectServer

    server = SparkConnectServer("127.0.0.1", 0)
    server.start(background=True)
    address = server.listening_address
    if address is None:
        return 1
    report({"event": "ready", "port": address[1]})
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    return 0
