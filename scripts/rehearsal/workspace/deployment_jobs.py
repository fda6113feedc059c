"""Deployment jobs: a new version of a connected model starts a job, whose run stops at its approval.

Source: https://docs.databricks.com/aws/en/mlflow/deployment-job
"""

from __future__ import annotations

from rehearsal.workspace.errors import does_not_exist, invalid
from rehearsal.workspace.http import Json
from rehearsal.workspace.jobs.engine import Engine, Start
from rehearsal.workspace.jobs.model import JobRun
from rehearsal.workspace.services import Services

PARAMETERS = ("model_name", "model_version")
RUNS_LOOKED_AT = 200


class DeploymentJobs:
    """The jobs that registered models are connected to.

    Args:
        services: The workspace.
        engine: Runs jobs.
    """

    def __init__(self, services: Services, engine: Engine) -> None:
        self.services, self.engine, self.store = services, engine, engine.store
        services.deployment_jobs = self

    def check(self, job_id: str) -> None:
        """Check that a model can be connected to a job; an empty id ends a connection.

        Raises:
            ApiError: There is no such job.
        """
        if job_id and not job_id.isdigit():
            raise invalid(f"deployment_job_id must be a job's id, not {job_id!r}")
        if job_id and self.store.job(int(job_id)) is None:
            raise does_not_exist(f"Job {job_id} does not exist.")

    def model_state(self, model: Json) -> str:
        """How the connection of a model stands."""
        if not model.get("deployment_job_id"):
            return "NOT_SET_UP"
        job = self.store.job(int(model["deployment_job_id"]))
        if job is None:
            return "NOT_FOUND"
        known = {each["name"] for each in job.settings.get("parameters") or []}
        return "CONNECTED" if known >= set(PARAMETERS) else "REQUIRED_PARAMETERS_CHANGED"

    def version_state(self, model: Json, number: int) -> Json | None:
        """How the run for a version stands; None where no job is connected."""
        state = self.model_state(model)
        if state == "NOT_SET_UP":
            return None
        shown: Json = {"job_id": str(model["deployment_job_id"]), "job_state": state, "run_state": "NO_VALID_DEPLOYMENT_JOB_FOUND"}
        run = self._run(model, number) if state == "CONNECTED" else None
        if run is not None:
            run_state, task = progress(run)
            shown |= {"run_id": str(run.run_id), "run_state": run_state, "current_task_name": task}
        return shown

    def started_by(self, model: Json, number: int) -> None:
        """Start the job for a new version, with the rights of the model's owner."""
        if self.model_state(model) != "CONNECTED":
            return
        job = self.store.job(int(model["deployment_job_id"]))
        assert job is not None
        values = {"model_name": str(model["full_name"]), "model_version": str(number)}
        self.engine.start(job, Start(str(model["owner"]), self.engine.run_as_of(job), parameters=values, queue=True))

    def _run(self, model: Json, number: int) -> JobRun | None:
        """The newest run for a version, whether it was started by the version or by hand."""
        runs = self.store.runs({"job_id": int(model["deployment_job_id"])}, RUNS_LOOKED_AT, 0)
        wanted = (str(model["full_name"]).lower(), str(number))
        found = [run for run in runs if (run.parameters.get(PARAMETERS[0], "").lower(), run.parameters.get(PARAMETERS[1])) == wanted]
        return max(found, key=lambda run: run.start_ms, default=None)


def progress(run: JobRun) -> tuple[str, str]:
    """State of a deployment job's run as a version shows it, and the task that it is at."""
    latest = run.latest()
    if run.state.active:
        now = [key for key, task in latest.items() if task.state.life_cycle == "RUNNING"]
        return ("RUNNING" if run.state.life_cycle == "RUNNING" else "PENDING"), now[0] if now else ""
    if run.state.result.startswith("SUCCESS"):
        return "SUCCEEDED", ""
    failed = [key for key, task in latest.items() if task.state.result not in ("", "SUCCESS", "EXCLUDED", "UPSTREAM_FAILED")]
    at = failed[0] if failed else ""
    # The task of an approval fails until somebody approves: the workspace shows that as waiting.
    waits = len(failed) == 1 and at.casefold().startswith("approval")
    return "APPROVAL" if waits else "FAILED", at
