"""`dbutils.notebook`: leave a notebook with a value, run another one, and know where one is."""

from __future__ import annotations

import json
import os
import secrets
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from rehearsal.executor.environment import TaskEnvironment
from rehearsal.executor.errors import NotebookExit
from rehearsal.executor.protocol import TaskResult

POLL_SECONDS = 0.02


class WorkflowException(Exception):  # noqa: N818 - the name that Databricks shows
    """The notebook that was run failed or took too long."""


class _Getter:
    """Java's `Option`, as the context answers: `.get()`, `.isDefined()`, `.getOrElse(f)`."""

    def __init__(self, value: str | None) -> None:
        self._value = value

    def get(self) -> str:
        if self._value is None:
            raise ValueError("None.get")
        return self._value

    def isDefined(self) -> bool:  # noqa: N802 - Databricks' name
        return self._value is not None

    def getOrElse(self, other: Any) -> Any:  # noqa: N802 - Databricks' name
        return self._value if self._value is not None else other() if callable(other) else other


class _Tags:
    def __init__(self, values: dict[str, str]) -> None:
        self._values = values

    def get(self, name: str) -> _Getter:
        return _Getter(self._values.get(name))

    def apply(self, name: str) -> str:
        return self._values[name]


class Context:
    """`dbutils.notebook.entry_point.getDbutils().notebook().getContext()`.

    Args:
        environment: The task.
    """

    def __init__(self, environment: TaskEnvironment) -> None:
        spec = environment.spec
        about = spec.context
        self._values = {
            "apiUrl": spec.host,
            "apiToken": spec.token,
            "notebookPath": spec.path.removeprefix("/Workspace"),
            "userName": spec.user,
            "workspaceId": about.get("workspace_id"),
            "jobId": about.get("job_id"),
            "idInJob": about.get("run_id"),
            "currentRunId": about.get("task_run_id"),
            "browserHostName": spec.host.split("//")[-1],
        }
        self._tags = {
            "jobId": about.get("job_id", ""), "idInJob": about.get("run_id", ""), "multitaskParentRunId": about.get("run_id", ""),
            "runId": about.get("task_run_id", ""), "jobRunId": about.get("run_id", ""), "taskKey": about.get("task_key", ""),
            "jobName": about.get("job_name", ""), "user": spec.user, "orgId": about.get("workspace_id", ""), "jobType": "workflow",
            "browserHostName": spec.host.split("//")[-1], "notebookPath": spec.path.removeprefix("/Workspace"),
        }  # fmt: skip

    def tags(self) -> _Tags:
        """Return the tags."""
        return _Tags(self._tags)

    def toJson(self) -> str:  # noqa: N802 - Databricks' name
        """Return the context as JSON."""
        shown = {name: value for name, value in self._values.items() if name != "apiToken"}
        return json.dumps(
            {
                "currentRunId": {"id": shown["currentRunId"]},
                "tags": self._tags,
                "extraContext": {"notebook_path": shown["notebookPath"]},
                "attributes": shown,
            }
        )

    safeToJson = toJson  # noqa: N815 - Databricks' name

    def __getattr__(self, name: str) -> Any:
        if name not in self._values:
            raise AttributeError(f"The notebook's context has no {name!r} here.")
        return lambda: _Getter(self._values[name])


class NotebookUtils:
    """`dbutils.notebook`.

    Args:
        environment: The task.
    """

    def __init__(self, environment: TaskEnvironment) -> None:
        self._environment = environment

    def exit(self, value: Any = "") -> None:
        """End the notebook with a value, which `runs/get-output` shows.

        Raises:
            NotebookExit: always.
        """
        raise NotebookExit(str(value))

    def getContext(self) -> Context:  # noqa: N802 - Databricks' name
        """Return where the notebook runs."""
        return Context(self._environment)

    @property
    def entry_point(self) -> Any:
        """The way of older code to the context: `entry_point.getDbutils().notebook().getContext()`."""
        context = self.getContext()

        class Inner:
            def getDbutils(self) -> Inner:  # noqa: N802 - Databricks' name
                return self

            def notebook(self) -> Inner:
                return self

            def getContext(self) -> Context:  # noqa: N802 - Databricks' name
                return context

        return Inner()

    def run(self, path: str, timeout_seconds: int = 0, arguments: dict[str, Any] | None = None) -> str:
        """Run another notebook in a process of its own and return the value it leaves with.

        Args:
            path: Relative to this notebook's folder, or absolute.
            timeout_seconds: 0 for no limit.
            arguments: Its parameters.

        Raises:
            WorkflowException: it failed, or took too long.
        """
        spec = self._environment.spec
        target = path if path.startswith("/") else os.path.normpath(os.path.join(os.path.dirname(spec.path), path))  # noqa: PTH118, PTH120 - Databricks' paths
        number = secrets.token_hex(4)
        folder = Path(spec.folder) / f"notebook-{number}"
        folder.mkdir()
        self._environment.before_child()
        child = replace(spec, id=f"{spec.id}-{number}", tables=self._environment.tables, folder=str(folder), path=target, requirements=[],
                        parameters={name: str(value) for name, value in (arguments or {}).items()})  # fmt: skip
        log = str(folder / "log.txt")
        self._environment.report({"op": "fork", "id": child.id, "role": "task", "payload": child.to_json(), "stdout": log, "stderr": log,
                                  "env": dict(os.environ), "cwd": str(folder), "ended": str(folder / "ended")})  # fmt: skip
        return self._wait(target, folder, timeout_seconds)

    def _wait(self, target: str, folder: Path, timeout_seconds: int) -> str:
        end = time.monotonic() + timeout_seconds if timeout_seconds else float("inf")
        file = folder / "result.json"
        while not file.is_file():
            if time.monotonic() > end:
                self._environment.report({"op": "kill", "id": f"{self._environment.spec.id}-{folder.name.rsplit('-', 1)[1]}", "signal": 9})
                raise WorkflowException(f"The notebook {target} took longer than {timeout_seconds} s.")
            if (folder / "ended").exists() and not file.is_file():
                raise WorkflowException(f"The process of the notebook {target} ended before it could report.")
            time.sleep(POLL_SECONDS)
        result = TaskResult.from_json(json.loads(file.read_text("utf-8")))
        self._environment.after_child(result)
        if result.status != "success":
            raise WorkflowException(f"The notebook {target} failed: {result.error}\n{result.trace}")
        return result.result or ""
