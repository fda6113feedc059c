"""What the workspace hands to the executor and gets back: one task and its outcome, as plain data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

KINDS = ("notebook", "spark_python", "python_wheel", "sql", "spark_jar")


@dataclass(frozen=True)
class TaskSpec:
    """One task, completely resolved: everything a forked process needs to know.

    Attributes:
        id: Run id of the task, as text; unique in the workspace.
        kind: One of `KINDS`.
        folder: Folder of this task alone; its log and its result are written there.
        data: Data folder of the workspace (`workspace/`, `volumes/`, `dbfs/` below it).
        host: URL of the workspace, for everything the task asks over HTTP.
        token: Token of the identity the task runs as. Never written to disk.
        user: Name of that identity (user name or application id).
        path: Workspace path of the notebook, Python file or SQL file; empty for wheels and JARs.
        source_root: Folder that stands for the root of relative paths when the code came from git, else empty.
        parameters: Widgets of a notebook, named parameters of a wheel, parameters of an SQL file.
        arguments: Positional arguments (`sys.argv[1:]`).
        options: What only this kind needs (`package_name`, `entry_point`, `main_class_name`, `statement`, ...).
        requirements: pip requirement lines and wheel paths of the task's libraries and environment.
        jars: Workspace paths of JAR libraries.
        maven: Coordinates of Maven libraries.
        mailbox: Host and port of the workspace's mailbox, to which all mail of the task goes; empty: there is none.
        task_values: Values that earlier tasks of the run set: task key to key to value.
        context: Names and ids for `dbutils` and references: job id, run ids, task key, workspace id, ...
        catalogs: Names of all catalogs of Unity Catalog.
        schemas: Full names (`catalog.schema`) of all schemas of Unity Catalog.
        tables: Tables of Unity Catalog by full name, in the words of its API (`data_source_format`, `storage_location`, ...).
        environment: Further environment variables (`spark_env_vars` of the cluster).
    """

    id: str
    kind: str
    folder: str
    data: str
    host: str
    token: str
    user: str
    path: str = ""
    source_root: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    arguments: list[str] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    requirements: list[str] = field(default_factory=list)
    jars: list[str] = field(default_factory=list)
    maven: list[str] = field(default_factory=list)
    mailbox: str = ""
    task_values: dict[str, dict[str, Any]] = field(default_factory=dict)
    context: dict[str, str] = field(default_factory=dict)
    catalogs: list[str] = field(default_factory=list)
    schemas: list[str] = field(default_factory=list)
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the task as JSON data (it holds the token: send it, do not store it)."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> TaskSpec:
        """Return the task that `to_json` described.

        Raises:
            TypeError: a field is missing or unknown.
        """
        return cls(**data)

    @property
    def log(self) -> Path:
        """File with what the task wrote to its standard streams, and the executor's own notes."""
        return Path(self.folder) / "log.txt"


@dataclass(frozen=True)
class TaskResult:
    """How a task ended.

    Attributes:
        status: `success`, `failed`, or `killed` (cancelled or timed out from outside).
        result: Value given to `dbutils.notebook.exit`, or None.
        error: One line such as `ValueError: no data`; empty on success.
        trace: Traceback of the user's code only; empty on success.
        notes: What the stand-in did differently from Databricks, for the run's log.
        task_values: Values set with `dbutils.jobs.taskValues.set`.
        output: Further output (`sql_output`), in the shape of `jobs/runs/get-output`.
        reads: Full names of tables and paths of volumes that were read, as observed.
        writes: The same of what was written.
        changes: What became of Unity Catalog: `schemas` and `tables` by full name; a table that was dropped is None.
        seconds: Durations measured in the process (`start`, `spark`, `run`, ...).
    """

    status: str
    result: str | None = None
    error: str = ""
    trace: str = ""
    notes: list[str] = field(default_factory=list)
    task_values: dict[str, Any] = field(default_factory=dict)
    output: dict[str, Any] = field(default_factory=dict)
    reads: list[str] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)
    changes: dict[str, dict[str, Any]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the outcome as JSON data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> TaskResult:
        """Return the outcome that `to_json` described."""
        return cls(**data)
