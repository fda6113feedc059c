"""What a run report asks the workspace for besides the run: iterations, the run before, clusters, deployment, warehouses; by the SDK."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from bundleflow.adapters.workspace_answers import AnsweringWorkspace
from bundleflow.records.run import Attempt, Compute, DeploymentRecord
from bundleflow.records.run_json import cluster_of, turns_of

PAGES_AT_MOST = 20
"""Pages of a for-each task's iterations that are read, 100 iterations each."""
METADATA_LIMIT = 5_000_000
RUNS_BEFORE = 25
"""How many earlier runs are looked through for one that was not skipped; more than one page of the API holds none."""


@dataclass(frozen=True)
class JobFacts:
    """What a job says of itself.

    Args:
        metadata_path: Workspace file with the metadata of the bundle deployment it belongs to; empty for none.
        run_as: User name of the identity that its runs work as.
    """

    metadata_path: str
    run_as: str


class RunsWorkspace(AnsweringWorkspace):
    """The workspace as far as run reports ask it."""

    def turns(self, task_run_id: int) -> tuple[Attempt, ...]:
        """The iterations of a for-each task, at most `PAGES_AT_MOST` pages of them.

        Args:
            task_run_id: Run id of the task.
        """
        from databricks.sdk.service.jobs import JobsAPI

        pages, token = [], ""
        with self._asking(f"read the iterations of run {task_run_id}"):
            for _ in range(PAGES_AT_MOST):
                found = JobsAPI.get_run(self._client.jobs, task_run_id, page_token=token or None)
                pages.append(found.as_dict())
                token = found.next_page_token or ""
                if not token:
                    break
        return turns_of(pages)

    def run_before(self, job_id: int, run_id: int, start_ms: int) -> int:
        """Id of the job's last ended run that started before another one and was not skipped; 0 when there is none.

        Args:
            job_id: The job.
            run_id: The other run.
            start_ms: When that started.
        """
        from databricks.sdk.service.jobs import RunLifeCycleState

        with self._asking(f"list the runs of job {job_id}"):
            runs = self._client.jobs.list_runs(job_id=job_id, completed_only=True, start_time_to=start_ms, limit=RUNS_BEFORE)
            ran = (run for run in islice(runs, RUNS_BEFORE) if not (run.state and run.state.life_cycle_state is RunLifeCycleState.SKIPPED))
            return next((run.run_id for run in ran if run.run_id and run.run_id != run_id), 0)

    def cluster(self, compute: Compute) -> Compute:
        """A cluster with node type, size and runtime.

        Args:
            compute: Names it by `cluster_id`.
        """
        with self._asking(f"read cluster `{compute.cluster_id}`"):
            return cluster_of(self._client.clusters.get(compute.cluster_id).as_dict(), compute)

    def job_facts(self, job_id: int) -> JobFacts:
        """What a job says of itself."""
        with self._asking(f"read job {job_id}"):
            job = self._client.jobs.get(job_id)
        deployment = job.settings.deployment if job.settings else None
        return JobFacts((deployment.metadata_file_path if deployment else "") or "", job.run_as_user_name or "")

    def deployment(self, metadata_path: str, run_start_ms: int) -> DeploymentRecord:
        """The bundle deployment that a file of metadata describes.

        Args:
            metadata_path: The file (`metadata.json`, which `databricks bundle deploy` writes beside its state).
            run_start_ms: Start of the run that is reported; a later deployment is told.

        Raises:
            BundleflowError: It cannot be read.
            ValueError: It is no such file.
        """
        with self._asking(f"read {metadata_path}"):
            changed = self._client.workspace.get_status(metadata_path).modified_at or 0
            with self._client.workspace.download(metadata_path) as stream:
                content = stream.read(METADATA_LIMIT)
        found = deployment_of(content)
        if changed > run_start_ms > 0:
            return replace(
                found, note="The bundle was deployed again after this run began; commit and branch are those of that deployment."
            )
        return found

    def running_warehouse(self) -> str:
        """Id of an SQL warehouse that is running and may be used; empty when there is none."""
        with self._asking("list SQL warehouses"):
            found = [each for each in self._client.warehouses.list() if each.id and each.state and each.state.value == "RUNNING"]
        # A serverless one answers soonest; the rest in the order of their names, so that the choice is always the same.
        found.sort(key=lambda each: (not each.enable_serverless_compute, each.name or ""))
        return (found[0].id or "") if found else ""


def deployment_of(content: bytes) -> DeploymentRecord:
    """What a deployment's `metadata.json` says.

    Raises:
        ValueError: It is no such file.
    """
    data = json.loads(content)
    config = data.get("config") if isinstance(data, Mapping) else None
    if not isinstance(config, Mapping):
        raise ValueError("it has no mapping `config`, so it is no metadata.json of a bundle")
    bundle, workspace = (_mapping(config, name) for name in ("bundle", "workspace"))
    git = _mapping(bundle, "git")
    return DeploymentRecord(
        bundle=str(bundle.get("name") or ""),
        target=str(bundle.get("target") or ""),
        commit=str(git.get("commit") or ""),
        branch=str(git.get("branch") or ""),
        origin=str(git.get("origin_url") or ""),
        path=str(workspace.get("file_path") or ""),
    )


def _mapping(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = data.get(name)
    return value if isinstance(value, Mapping) else {}
