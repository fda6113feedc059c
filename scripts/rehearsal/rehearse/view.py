"""Looks at the imitated workspace through its API, as an administrator would: deployments, job runs, outputs, models."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import httpx

_LIMIT_S = 30.0


@dataclass(frozen=True)
class DeployedJob:
    """A job that a bundle deployed: its key in the bundle, its id, and the folder of its deployment."""

    key: str
    job_id: int
    name: str
    root: str


_OWN = re.compile(r"-(?:pr\d+|run)-\d+")
"""The suffix that a pull request's own deployment has in every name and path."""


def own_suffix(path: str) -> str:
    """Give the suffix of a pull request's own deployment that a path holds, or an empty text."""
    found = _OWN.search(path)
    return found[0] if found else ""


@dataclass(frozen=True)
class ModelVersion:
    """A version of a registered model that an alias points at."""

    model: str
    version: int


@dataclass
class WorkspaceView:
    """A client of the imitated workspace.

    Args:
        url: The workspace's address.
        token: The operator's token.
    """

    url: str
    token: str
    _client: httpx.Client = field(init=False)
    _warehouse: str = field(init=False, default="")

    def __post_init__(self) -> None:
        self._client = httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.token}"}, timeout=_LIMIT_S, trust_env=False)

    def get(self, path: str, **query: str | int | bool) -> dict[str, Any]:
        """Send a GET request.

        Raises:
            httpx.HTTPStatusError: The answer is an error.
        """
        parameters = {key: (str(value).lower() if isinstance(value, bool) else value) for key, value in query.items()}
        answer = self._client.get(path, params=parameters)
        answer.raise_for_status()
        data: dict[str, Any] = answer.json()
        return data

    def _all(self, path: str, key: str, **query: str | int | bool) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        page = self.get(path, **query)
        found += page.get(key, [])
        while page.get("next_page_token"):
            page = self.get(path, page_token=str(page["next_page_token"]), **query)
            found += page.get(key, [])
        return found

    def jobs(self, target: str, *, suffixed: bool = False) -> list[DeployedJob]:
        """List the jobs of a target's deployment.

        Args:
            target: The target's name, as the deployment's own metadata has it.
            suffixed: Those of its deployments per pull request (the suffix stands in their paths) instead.
        """
        found = []
        known: dict[str, dict[str, Any]] = {}
        for job in self._all("/api/2.2/jobs/list", "jobs", limit=100):
            settings = job.get("settings", {})
            path = str((settings.get("deployment") or {}).get("metadata_file_path", ""))
            if not path or bool(own_suffix(path)) != suffixed:
                continue
            if path not in known:
                known[path] = self._metadata(path)
            if (known[path].get("bundle") or {}).get("target") != target:
                continue
            jobs = (known[path].get("resources") or {}).get("jobs") or {}
            keys = {str(each.get("id")): key for key, each in jobs.items()}
            root = path.removesuffix("/metadata.json").removesuffix("/state")
            found.append(DeployedJob(keys.get(str(job["job_id"]), ""), int(job["job_id"]), str(settings.get("name")), root))
        return found

    def _metadata(self, metadata_path: str) -> dict[str, Any]:
        """Give what a deployment says of itself in the workspace; empty where it is gone."""
        answer = self._client.get("/api/2.0/workspace/export", params={"path": metadata_path, "direct_download": "true", "format": "AUTO"})
        if answer.status_code == 404:
            return {}
        answer.raise_for_status()
        found: dict[str, Any] = json.loads(answer.content).get("config") or {}
        return found

    def runs(self) -> list[dict[str, Any]]:
        """List all job runs with their tasks, newest first."""
        return self._all("/api/2.2/jobs/runs/list", "runs", expand_tasks=True, limit=25)

    def lineage(self, run_id: int) -> list[tuple[str, str, str]]:
        """Give what a run's tasks read and wrote: key of the task, `read` or `write`, name of the table, file or model."""
        found = self.get("/_local/jobs/lineage", run_id=run_id)["tables"]
        return [(str(row["task_key"]), str(row["direction"]), str(row["table"])) for row in found]

    def send(self, method: str, path: str, /, **values: object) -> dict[str, Any]:
        """Send a request that changes something, its values as JSON.

        Raises:
            httpx.HTTPStatusError: The answer is an error.
        """
        answer = self._client.request(method, path, json=values or None)
        answer.raise_for_status()
        data: dict[str, Any] = answer.json()
        return data

    def start(self, job_id: int, parameters: Mapping[str, str] = MappingProxyType({})) -> int:
        """Run a job with parameters; gives the run's id."""
        return int(self.send("POST", "/api/2.2/jobs/run-now", job_id=job_id, job_parameters=dict(parameters))["run_id"])

    def wait_for_all(self, limit_s: float = 120.0) -> None:
        """Wait until no run of any job goes on.

        Raises:
            TimeoutError: One runs on after `limit_s` seconds.
        """
        for run in self.runs():
            if not run_result(run):
                self.wait(int(run["run_id"]), limit_s)

    def fire(self, job_id: int) -> tuple[int, str]:
        """Let a job's schedule fire now; gives the run's id and when it fires next."""
        answer = self._client.post("/_local/jobs/fire", json={"job_id": job_id})
        answer.raise_for_status()
        return int(answer.json()["run_id"]), str(answer.json()["next_fire_time"])

    def repair(self, run_id: int) -> None:
        """Run the failed tasks of an ended run again, and what depends on them."""
        self._client.post("/api/2.2/jobs/runs/repair", json={"run_id": run_id, "rerun_all_failed_tasks": True}).raise_for_status()

    def job_settings(self, target: str) -> dict[int, str]:
        """Give the jobs of a target's deployment: id → settings as JSON, without what each deployment writes anew."""
        found = {}
        for job in self.jobs(target):
            settings = self.get("/api/2.2/jobs/get", job_id=job.job_id).get("settings", {})
            found[job.job_id] = json.dumps(settings, sort_keys=True)
        return found

    def change_job(self, job_id: int, settings: dict[str, object]) -> None:
        """Change a job behind the bundle's back, as somebody does in the workspace's pages."""
        self._client.post("/api/2.2/jobs/update", json={"job_id": job_id, "new_settings": settings}).raise_for_status()

    def wait(self, run_id: int, limit_s: float = 120.0) -> dict[str, Any]:
        """Wait for a run's end.

        Raises:
            TimeoutError: It runs on after `limit_s` seconds.
        """
        until = time.monotonic() + limit_s
        while time.monotonic() < until:
            run = self.get("/api/2.2/jobs/runs/get", run_id=run_id)
            if run_result(run):
                return run
            time.sleep(0.1)
        raise TimeoutError(f"run {run_id} of the imitated workspace did not end within {limit_s:g} s")

    def query(self, statement: str) -> list[list[str | None]]:
        """Give the rows of an SQL query, every value as text.

        Raises:
            httpx.HTTPStatusError: The query is wrong, or a table of it is not there.
        """
        if not self._warehouse:
            made = self._client.post("/api/2.0/sql/warehouses", json={"name": "looks of a rehearsal", "cluster_size": "2X-Small"})
            made.raise_for_status()
            self._warehouse = str(made.json()["id"])
        asked = {"statement": statement, "warehouse_id": self._warehouse, "wait_timeout": "30s"}
        answer = self._client.post("/api/2.0/sql/statements", json=asked, timeout=2 * _LIMIT_S)
        answer.raise_for_status()
        said: dict[str, Any] = answer.json()
        if said["status"]["state"] != "SUCCEEDED":
            problem = str(said["status"].get("error", said["status"]))
            raise httpx.HTTPStatusError(problem, request=answer.request, response=answer)
        rows: list[list[str | None]] = (said.get("result") or {}).get("data_array") or []
        return rows

    def break_requests(self, path: str, status: int, message: str) -> None:
        """Let all requests whose path fits a glob fail, until `mend_requests`."""
        body = {"error_code": "INTERNAL_ERROR", "message": message}
        fault = {"path": path, "status": status, "times": 0, "body": body}
        self.send("POST", "/_local/faults", faults=[fault])

    def mend_requests(self) -> None:
        """End all ordered faults."""
        self.send("DELETE", "/_local/faults")

    def mails(self) -> list[dict[str, Any]]:
        """Give every mail of the workspace's mailbox, opened, oldest first."""
        found: list[dict[str, Any]] = self.get("/_local/mail")["mails"]
        return found

    def output(self, task_run_id: int) -> dict[str, Any]:
        """Give the output of one task."""
        return self.get("/api/2.2/jobs/runs/get-output", run_id=task_run_id)

    def exists(self, path: str) -> bool:
        """Say whether there is a file or folder of the workspace at a path."""
        answer = self._client.get("/api/2.0/workspace/get-status", params={"path": path})
        if answer.status_code != 404:
            answer.raise_for_status()
        return answer.status_code == 200

    def make_folder(self, path: str) -> None:
        """Make a folder of the workspace, as somebody does in its pages."""
        self._client.post("/api/2.0/workspace/mkdirs", json={"path": path}).raise_for_status()

    def schemas(self, catalog: str) -> list[str]:
        """List the names of a catalog's schemas."""
        return [str(each["name"]) for each in self._all("/api/2.1/unity-catalog/schemas", "schemas", catalog_name=catalog)]

    def champions(self, catalogs: tuple[str, ...]) -> list[ModelVersion]:
        """List the versions that alias `champion` points at, for the models of some catalogs."""
        found = []
        for model in self._all("/api/2.1/unity-catalog/models", "registered_models"):
            if model.get("catalog_name") in catalogs:
                name = str(model["full_name"])
                answer = self._client.get(f"/api/2.1/unity-catalog/models/{name}/aliases/champion")
                if answer.status_code == 200:
                    found.append(ModelVersion(name, int(answer.json()["version"])))
        return found

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def run_result(run: dict[str, Any]) -> str:
    """Give a run's result state, such as `SUCCESS`; empty while it runs."""
    state = run.get("state") or {}
    if state.get("result_state"):
        return str(state["result_state"])
    return str(state.get("life_cycle_state")) if state.get("life_cycle_state") in {"SKIPPED", "INTERNAL_ERROR"} else ""
