"""What a running task has: its paths, its notes, its task values, Spark when it wants it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from rehearsal.executor.file_access import FileAccess
from rehearsal.executor.model_access import ModelAccess
from rehearsal.executor.paths import PathMap
from rehearsal.executor.protocol import TaskResult, TaskSpec
from rehearsal.executor.requirements import Requirements
from rehearsal.executor.workspace_client import WorkspaceClient


class TaskEnvironment:
    """Everything around the user's code.

    Args:
        spec: The task.
        paths: Where Databricks' paths lie.
        report: Sends a message to the fork server.
    """

    def __init__(self, spec: TaskSpec, paths: PathMap, report: Callable[[dict[str, Any]], None]) -> None:
        self.spec, self.paths, self.report = spec, paths, report
        self.notes: list[str] = []
        self.task_values: dict[str, Any] = {}
        self.output: dict[str, Any] = {}
        self.seconds: dict[str, float] = {}
        self.requirements = Requirements(paths, Path(spec.data) / "executor" / "wheels", self.say)
        self._spark: Any = None
        self.opening = False
        self.files = FileAccess()
        self.models = ModelAccess()
        self._of_children: tuple[dict[str, None], dict[str, None]] = ({}, {})
        self.tables: dict[str, dict[str, Any]] = dict(spec.tables)
        self.changes: dict[str, dict[str, Any]] = {}
        self._details: dict[str, dict[str, Any]] = {}

    def say(self, line: str) -> None:
        """Write what the stand-in did differently from Databricks to the task's log, once."""
        if line not in self.notes:
            self.notes.append(line)
            sys.stdout.flush()
            sys.stderr.write(f"[rehearsal] {line}\n")

    @property
    def spark(self) -> Any:
        """The task's Spark session, opened at the first use."""
        if self._spark is None:
            from rehearsal.executor.spark_session import SparkTask

            self._spark = SparkTask(self)
        return self._spark.session

    def details(self, table: str) -> dict[str, Any]:
        """What was said about a table that Spark itself does not keep (constraints, comment, tags); the caller may add to it."""
        return self._details.setdefault(table, {})

    def publish(self, table: str) -> None:
        """Let the workspace know a table already now, because something is said about it over HTTP."""
        if table not in self.spec.tables:
            catalog, schema, name = table.split(".")
            body = {"catalog_name": catalog, "schema_name": schema, "name": name, "table_type": "MANAGED", "data_source_format": "DELTA"}
            WorkspaceClient(self.spec).post("/api/2.1/unity-catalog/tables", body, ignore=(409,))

    def adopt(self, session: Any) -> None:
        """Take a session that the user's code opened as the task's own."""
        if self._spark is None:
            from rehearsal.executor.spark_session import SparkTask

            self._spark = SparkTask(self, session)

    def on_execute_plan(self, request: Any) -> Any:
        """Hook of the Spark Connect client: let the task's session see a plan before it is sent."""
        return request if self._spark is None else self._spark.on_execute_plan(request)

    @property
    def has_spark(self) -> bool:
        """Whether there is a Spark server for this task."""
        return "SPARK_REMOTE" in os.environ

    def before_child(self) -> None:
        """Let a notebook that this one starts see the tables made so far."""
        if self._spark is not None:
            self._spark.record()

    def after_child(self, result: TaskResult) -> None:
        """See the tables that a notebook started by this one has made, and take over what it read and wrote."""
        changes = result.changes
        for own, names in zip(self._of_children, (result.reads, result.writes), strict=True):
            own.update(dict.fromkeys(names))
        for kind, entries in changes.items():
            self.changes.setdefault(kind, {}).update(entries)
        for name, table in changes.get("tables", {}).items():
            if table is None:
                self.tables.pop(name, None)
            else:
                self.tables[name] = table
        if self._spark is not None:
            self._spark.attach()

    def expect_spark(self) -> None:
        """Let a session that the user's code opens itself be the task's session, too."""
        if self.has_spark:
            from rehearsal.executor import spark_session

            spark_session.teach_builder(self)

    def reads(self) -> list[str]:
        """Full names of the tables, paths of volumes and addresses of model versions that were read."""
        tables = self._spark.lineage.reads() if self._spark else []
        return list(dict.fromkeys([*tables, *self.files.reads(), *self.models.reads(), *self._of_children[0]]))

    def observe(self, plans: Iterable[Any]) -> None:
        """Take note of plans that another program sent in the task's session."""
        for plan in plans:
            self._spark.lineage.observe(plan)

    def writes(self) -> list[str]:
        """Full names of the tables, paths of volumes and addresses of model versions that were written."""
        tables = self._spark.lineage.writes() if self._spark else []
        return list(dict.fromkeys([*tables, *self.files.writes(), *self.models.writes(), *self._of_children[1]]))

    def close(self) -> None:
        """Record tables and schemas, and end the session."""
        if self._spark is not None:
            self._spark.close()

    def result(self, status: str, value: str | None = None, error: str = "", trace: str = "") -> TaskResult:
        """Return how the task ended, with everything it left."""
        return TaskResult(status, value, error, trace, self.notes, self.task_values, self.output, [], [], {}, self.seconds)
