"""A task's Spark session: tables of the workspace's catalog attached, new ones recorded, paths translated."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from rehearsal.executor.environment import TaskEnvironment
from rehearsal.executor.lineage import Lineage
from rehearsal.executor.spark_catalog import Catalog
from rehearsal.executor.sql_shim import SqlShim

SETTINGS = {"spark.sql.sources.default": "delta", "spark.sql.session.timeZone": "UTC"}


class SparkTask:
    """One session of one task.

    Args:
        environment: The task.
        session: A session that the user's code opened; without it one is opened.
    """

    def __init__(self, environment: TaskEnvironment, session: Any = None) -> None:
        began = time.monotonic()
        self.environment = environment
        self.session = session or _open(environment)
        self.lineage = Lineage(self._complete, environment.files, environment.paths.logical)
        self.catalog = Catalog(self.session, environment)
        self._quiet = True
        for name, value in {**SETTINGS, "spark.sql.warehouse.dir": str(Path(environment.spec.data) / "spark" / "warehouse")}.items():
            self.session.conf.set(name, value)
        self.shim = SqlShim(self)
        self.session.sql = self.shim.sql
        self.session.stop = lambda: environment.say("spark.stop(): the session ends with the task.")
        self.attach()
        self._quiet = False
        environment.seconds["spark"] = time.monotonic() - began

    def attach(self) -> None:
        """Make the workspace's schemas and tables known to the session."""
        before, self._quiet = self._quiet, True
        self.catalog.attach()
        self._quiet = before

    def record(self) -> None:
        """Take note of the tables that were made, changed or dropped since the last time."""
        before, self._quiet = self._quiet, True
        self.catalog.record(self.lineage.writes(), everything=self.lineage.unclear)
        self.catalog.record_schemas(self.lineage.made_schemas, self.lineage.dropped_schemas)
        self._quiet = before

    def on_execute_plan(self, request: Any) -> Any:
        """Observe a plan before it is sent, and translate the path it writes to (a hook of the Spark Connect client)."""
        if self._quiet:
            return request
        operation = request.plan.command.write_operation
        if request.plan.HasField("command") and operation.path:
            operation.path = self.environment.paths.for_spark(operation.path)
        self.lineage.observe(request.plan)
        return request

    def _complete(self, parts: list[str]) -> str:
        if len(parts) >= 3:
            return ".".join(parts).lower()
        before, self._quiet = self._quiet, True
        try:
            catalog = self.session.catalog.currentCatalog()
            schema = self.session.catalog.currentDatabase() if len(parts) == 1 else parts[0]
        finally:
            self._quiet = before
        return f"{catalog}.{schema}.{parts[-1]}".lower()

    def close(self) -> None:
        """Record what the task made and let the server forget the session."""
        self.record()
        self.session.client.close()


def _open(environment: TaskEnvironment) -> Any:
    from pyspark.sql import SparkSession

    teach_builder(environment)
    environment.opening = True
    try:
        return SparkSession.builder.getOrCreate()
    finally:
        environment.opening = False


def teach_builder(environment: TaskEnvironment) -> None:
    """Let every session that is opened in this process be the task's own (with its tables attached)."""
    from pyspark.sql.connect import plan
    from pyspark.sql.connect.session import SparkSession

    builder = SparkSession.Builder
    if getattr(builder, "_bundleflow_taught", False):
        return
    real_create = builder.create

    def create(self: Any) -> Any:
        self._registerHook(lambda _: environment)
        session = real_create(self)
        if not environment.opening:
            environment.adopt(session)
        return session

    builder.create = create
    builder._bundleflow_taught = True
    real_source = plan.DataSource.__init__

    def source(self: Any, *args: Any, **kwargs: Any) -> None:
        real_source(self, *args, **kwargs)
        if self._paths:
            self._paths = [environment.paths.for_spark(path) for path in self._paths]

    plan.DataSource.__init__ = source
