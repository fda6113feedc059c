"""Runs tasks and the services they need (Spark, MLflow, model server): the executor as the workspace sees it.

Nothing heavy is imported here. Processes start at their first need, or at once by `warm`.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rehearsal.executor.forks import Fork, ForkServerProcess
from rehearsal.executor.protocol import TaskResult, TaskSpec
from rehearsal.executor.sources import wants_libraries

SERVICE_START_SECONDS = 90.0
KILL_GRACE_SECONDS = 2.0
TASKS_AT_ONCE = max(4, 2 * (os.cpu_count() or 1))
# What a task may see of the server's own environment; everything else (tokens, GitHub's variables) is left out.
PASSED_ON = (
    "PATH", "LANG", "LANGUAGE", "LC_ALL", "TZ", "TMPDIR", "JAVA_HOME", "BUNDLEFLOW_SPARK_JARS", "SYSTEMROOT", "LD_LIBRARY_PATH",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
    "GIT_CONFIG_COUNT", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "SSL_CERT_FILE",
    "BUNDLEFLOW_REHEARSAL",  # by it the rehearsal's watchdog finds what a task left running
)  # fmt: skip


class ServiceError(RuntimeError):
    """A process that tasks need (Spark, MLflow, model server) did not start; the message says which and why."""


class Executor:
    """Runs tasks in processes forked from a server that has their libraries loaded.

    Args:
        data: Data folder of the workspace; the executor's own files go below `data/executor`.
        catalogs: Returns the names of all catalogs at this moment.
        spark_remote: URL of a Spark Connect cluster to use instead of the local Sail server, or None.
    """

    def __init__(self, data: Path, catalogs: Callable[[], Sequence[str]], spark_remote: str | None = None) -> None:
        self.data = data
        self.folder = data / "executor"
        self.catalogs = catalogs
        self.spark_remote = spark_remote
        self.home = self.folder / "home"
        environment = self._base_environment()
        self.light = ForkServerProcess("light", self.folder, environment)
        self.full = ForkServerProcess("full", self.folder, environment)
        self._room = asyncio.Semaphore(TASKS_AT_ONCE)
        self._running: dict[str, ForkServerProcess | None] = {}  # None: about to start
        self._killed: set[str] = set()
        self._services: dict[str, asyncio.Task[dict[str, Any]]] = {}
        self._service_forks: dict[str, Fork] = {}
        self._service_count = 0

    def _base_environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        bin_folder = str(Path(sys.executable).parent)
        return {
            **kept,
            "PATH": f"{bin_folder}{os.pathsep}{kept.get('PATH', os.defpath)}",
            "HOME": str(self.home),
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]).strip(os.pathsep),
            "PYTHONUNBUFFERED": "1",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "true",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_PYTHON_REFRESH": "quiet",
            "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(min(4, os.cpu_count() or 1))),
            "MPLBACKEND": "agg",
        }

    async def warm(self) -> None:
        """Start the fork servers, Spark and MLflow now; returns when all of them are ready.

        Raises:
            ServiceError: one of them did not start.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        await asyncio.gather(self.light.start(), self.full.start())
        await asyncio.gather(self._sail(), self.mlflow_url())
        await asyncio.wait_for(self.full.loaded.wait(), SERVICE_START_SECONDS)

    async def run(self, spec: TaskSpec) -> TaskResult:
        """Run one task to its end and return how it ended; never raises for what the task does.

        Raises:
            ServiceError: Spark or MLflow did not start.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        folder = Path(spec.folder)
        folder.mkdir(parents=True, exist_ok=True)
        async with self._room:
            self._running[spec.id] = None
            try:
                return await self._run_placed(spec, folder)
            finally:
                self._running.pop(spec.id, None)
                self._killed.discard(spec.id)

    async def _run_placed(self, spec: TaskSpec, folder: Path) -> TaskResult:
        server, environment = await self._place(spec)
        if spec.id in self._killed:
            return TaskResult("killed")
        self._running[spec.id] = server
        fork = await server.fork(spec.id, "task", spec.to_json(), folder, environment, folder)
        if spec.id in self._killed:  # while the fork was asked for, so that nothing was there to be killed
            await server.kill(spec.id)
        try:
            status = await fork.exit
        except asyncio.CancelledError:
            await server.kill(spec.id)
            raise
        return self._outcome(spec, status)

    async def kill(self, task_id: str) -> None:
        """End a running task: SIGTERM to its processes, SIGKILL after a short while. A task not yet started never starts."""
        self._killed.add(task_id)
        server = self._running.get(task_id)
        if server is None:
            return
        fork = server.forks.get(task_id)
        await server.kill(task_id, signal.SIGTERM)
        if fork is not None:
            done, _ = await asyncio.wait([fork.exit], timeout=KILL_GRACE_SECONDS)
            if not done:
                await server.kill(task_id)

    async def mlflow_url(self) -> str:
        """Return the loopback URL of MLflow's own server (started when it is not there).

        Raises:
            ServiceError: it did not start within its time limit.
        """
        answer = await self._service("mlflow", self.full, {"folder": str(self.data / "mlflow")})
        return str(answer["url"])

    async def serving_url(self) -> str:
        """Return the loopback URL of the one process that serves models (started when it is not there).

        Raises:
            ServiceError: it did not start within its time limit.
        """
        answer = await self._service("serving", self.full, {"folder": str(self.folder / "serving")})
        return str(answer["url"])

    async def close(self) -> None:
        """End every process; returns when they are gone."""
        for task in self._services.values():
            task.cancel()
        await asyncio.gather(self.light.close(), self.full.close())

    async def _place(self, spec: TaskSpec) -> tuple[ForkServerProcess, dict[str, str]]:
        """Choose the server to fork from: the loaded one, unless it is still loading and the source needs none of it."""
        heavy = await asyncio.to_thread(wants_libraries, spec)
        server = self.full if heavy or self.full.loaded.is_set() else self.light
        environment = {**self._base_environment(), **spec.environment}
        environment.update(
            DATABRICKS_HOST=spec.host,
            DATABRICKS_TOKEN=spec.token,
            DATABRICKS_RUNTIME_VERSION="17.3",
            DATABRICKS_CONFIG_FILE=os.devnull,
            MLFLOW_TRACKING_URI="databricks",
            MLFLOW_REGISTRY_URI="databricks-uc",
            MLFLOW_USE_DATABRICKS_SDK_MODEL_ARTIFACTS_REPO_FOR_UC="true",
            MLFLOW_ENABLE_DB_SDK="false",
        )
        if heavy:
            environment["SPARK_REMOTE"] = await self._sail()
        return server, environment

    def _outcome(self, spec: TaskSpec, status: int) -> TaskResult:
        file = Path(spec.folder) / "result.json"
        written = TaskResult.from_json(json.loads(file.read_text("utf-8"))) if file.is_file() else None
        if spec.id in self._killed:
            # What a task made before it was ended (tables, task values) stays, as on Databricks.
            return replace(written, status="killed", error="", trace="") if written else TaskResult("killed")
        if written is not None and (status == 0 or written.status == "failed"):
            return written
        what = f"signal {-status}" if status < 0 else f"exit code {status}"
        tail = spec.log.read_text("utf-8", "replace")[-2000:] if spec.log.is_file() else ""
        return TaskResult("failed", error=f"The task's process ended with {what} before it could report.", trace=tail)

    async def _sail(self) -> str:
        """Return SPARK_REMOTE of a Spark server that knows all catalogs of this moment; an older one ends with its last task."""
        if self.spark_remote:
            return self.spark_remote
        names = sorted({"main", *self.catalogs()} - {"system"})  # `system` is built into Sail
        key = "sail:" + ",".join(names)
        answer = await self._service(key, self.light, {"role": "sail", "catalogs": names, "folder": str(self.data / "spark")})
        await self._retire_sails(key)
        return f"sc://127.0.0.1:{answer['port']}"

    async def _retire_sails(self, current: str) -> None:
        """End Spark servers that know fewer catalogs than the current one, once no task is running that may use them."""
        if len(self._running) > 1:
            return  # the one that asks is about to start and uses the current server
        for name in [name for name in self._services if name.startswith("sail:") and name != current]:
            del self._services[name]
            fork = self._service_forks.pop(name, None)
            if fork is not None:
                await self.light.kill(fork.id, signal.SIGTERM)

    async def _service(self, name: str, server: ForkServerProcess, payload: dict[str, Any]) -> dict[str, Any]:
        task = self._services.get(name)
        fork = self._service_forks.get(name)
        ended = fork is not None and fork.exit.done()
        if task is None or ended or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = self._services[name] = asyncio.create_task(self._start_service(name, server, payload))
        return await asyncio.shield(task)

    async def _start_service(self, name: str, server: ForkServerProcess, payload: dict[str, Any]) -> dict[str, Any]:
        self.home.mkdir(parents=True, exist_ok=True)
        role = str(payload.pop("role", name))
        folder = Path(payload["folder"])
        self._service_count += 1
        number = self._service_count
        fork = await server.fork(f"service-{role}-{number}", role, payload, folder, self._base_environment(), folder)
        self._service_forks[name] = fork
        try:
            report = await asyncio.wait_for(fork.reports.get(), SERVICE_START_SECONDS)
        except TimeoutError as error:
            await server.kill(fork.id)
            raise ServiceError(f"{role} was not ready after {SERVICE_START_SECONDS:.0f} s; see {folder}/log.txt") from error
        if report.get("event") != "ready":
            tail = (folder / "log.txt").read_text("utf-8", "replace")[-1000:]
            raise ServiceError(f"{role} ended before it was ready (status {report.get('status')}): {tail}")
        return report
