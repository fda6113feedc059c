"""Starts jobs on a local workspace through the official SDK and waits for them."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from databricks.sdk.service import jobs
from databricks.sdk.service.jobs import Run, RunOutput, RunTask, Task, TaskDependency
from databricks.sdk.service.workspace import ImportFormat
from local_workspace import LocalWorkspace

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

END_SECONDS = 90.0
ENDED = ("TERMINATED", "SKIPPED", "INTERNAL_ERROR")


@dataclass
class Jobs:
    """A workspace with a folder for code."""

    workspace: LocalWorkspace
    client: WorkspaceClient
    folder: str

    @classmethod
    def on(cls, workspace: LocalWorkspace) -> Jobs:
        client = workspace.client()
        return cls(workspace, client, f"/Workspace/Users/{client.current_user.me().user_name}")

    def upload(self, name: str, text: str) -> str:
        """Store code; the path as a task names it (a notebook without extension)."""
        path = f"{self.folder}/{name}"
        self.client.workspace.upload(path, io.BytesIO(text.encode()), format=ImportFormat.AUTO, overwrite=True)
        return path.removesuffix(".py") if text.startswith("# Databricks notebook source") else path

    def python(self, key: str, text: str, *after: str, parameters: list[str] | None = None, **more: Any) -> Task:
        path = self.upload(f"{key}.py", text)
        body = jobs.SparkPythonTask(python_file=path, parameters=parameters)
        return Task(task_key=key, spark_python_task=body, depends_on=[TaskDependency(name) for name in after] or None, **more)

    def notebook(self, key: str, text: str, *after: str, parameters: dict[str, str] | None = None, **more: Any) -> Task:
        path = self.upload(f"{key}.py", "# Databricks notebook source\n" + text)
        body = jobs.NotebookTask(notebook_path=path, base_parameters=parameters)
        return Task(task_key=key, notebook_task=body, depends_on=[TaskDependency(name) for name in after] or None, **more)

    def create(self, *tasks: Task, **settings: Any) -> int:
        settings.setdefault("name", "a job")
        job_id = self.client.jobs.create(tasks=list(tasks), **settings).job_id
        assert job_id is not None
        return job_id

    def run(self, *tasks: Task, start: dict[str, Any] | None = None, **settings: Any) -> Run:
        """Make a job of the tasks, run it and wait for its end."""
        return self.end(self.start(self.create(*tasks, **settings), **(start or {})))

    def start(self, job_id: int, **more: Any) -> int:
        return self.client.jobs.run_now(job_id, **more).response.run_id

    def end(self, run_id: int) -> Run:
        return self.until(run_id, lambda run: str(life(run)) in ENDED)

    def until(self, run_id: int, reached: Any) -> Run:
        limit = time.monotonic() + END_SECONDS
        while time.monotonic() < limit:
            run = self.client.jobs.get_run(run_id, include_history=True)
            if reached(run):
                return run
            time.sleep(0.03)
        raise AssertionError(f"run {run_id} did not get there in {END_SECONDS} s: {run.state}")

    def output(self, run: Run, key: str) -> RunOutput:
        run_id = last(run, key).run_id
        assert run_id is not None
        return self.client.jobs.get_run_output(run_id)

    def log(self, run: Run, key: str) -> str:
        status, text = self.workspace.call("GET", f"/_local/jobs/log?run_id={last(run, key).run_id}")
        assert status == 200
        return text.decode() if isinstance(text, bytes) else str(text)


def life(run: Run | RunTask) -> str:
    assert run.state is not None
    assert run.state.life_cycle_state is not None
    return run.state.life_cycle_state.value


def result(run: Run | RunTask) -> str:
    assert run.state is not None
    return run.state.result_state.value if run.state.result_state else ""


def last(run: Run, key: str) -> RunTask:
    return [task for task in run.tasks or [] if task.task_key == key][-1]


def results(run: Run) -> dict[str, str]:
    return {str(task.task_key): result(task) for task in run.tasks or []}
