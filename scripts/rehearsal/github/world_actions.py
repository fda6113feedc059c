"""The part of `GitHub` that a runner sees: workflow runs, jobs, gates, credentials and artifacts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rehearsal.github import access, artifacts, gates, runs
from rehearsal.github.model_actions import Artifact, Deployment, Event, Gate, Job, JobCredentials, ReferencedWorkflow, Run, Step
from rehearsal.github.state import State


class ActionsWorld:
    """Operations of GitHub Actions; `rehearsal.github.world.GitHub` has them all."""

    state: State

    # Workflow runs and jobs -----------------------------------------------------------------------------------------

    def create_run(
        self, event: Event, *, name: str, path: str, title: str = "", referenced_workflows: Sequence[ReferencedWorkflow] = ()
    ) -> Run:
        """File a workflow run for an event.

        Where `event.waits_for_approval`, the run is filed as completed/action_required: create no jobs, a `RunRequest("approve")`
        comes when somebody approves it, and the run is `queued` from then on.

        Args:
            event: The cause.
            name: The workflow's name.
            path: The workflow's file, `.github/workflows/x.yml`.
            title: What the run is called; by default the commit's or pull request's title.
            referenced_workflows: The reusable workflows that it calls.
        """
        with self.state.locked():
            return runs.create(self.state, event, runs.Workflow(name, path, title, list(referenced_workflows)))

    def run(self, run_id: int) -> Run:
        """Give a run."""
        with self.state.locked():
            return self.state.run(run_id)

    def jobs(self, run_id: int, attempt: int | None = None) -> list[Job]:
        """Give a run's jobs; of its latest attempt unless told."""
        with self.state.locked():
            return self.state.jobs_of(run_id, attempt or self.state.run(run_id).run_attempt)

    def add_job(
        self, run_id: int, name: str, *, key: str = "", environment: str = "", labels: Sequence[str] = ("ubuntu-24.04",),
        workflow_ref: str = "", workflow_sha: str = "", concurrency_group: str = "",
    ) -> Job:  # fmt: skip
        """File a job (`queued`) and its check run, which has the same id.

        Args:
            run_id: The run.
            name: As shown: `caller / callee` for a job of a called workflow.
            key: The job's key in the file.
            environment: The environment's name; one that is not there is made, without any rule, as GitHub does.
            labels: The runner's labels.
            workflow_ref: `owner/repo/.github/workflows/x.yml@ref` of the file with the job's steps; default: the run's own file.
            workflow_sha: That file's commit; default: the run's.
            concurrency_group: The group, where it has one.
        """
        with self.state.locked():
            spec = runs.JobSpec(name, key, environment, list(labels), workflow_ref, workflow_sha, concurrency_group)
            return runs.add_job(self.state, run_id, spec)

    def hold_job(self, job_id: int) -> Job:
        """Say that a job waits for its turn in a concurrency group (`pending`); `start_job` or `finish_job` ends that."""
        with self.state.locked():
            job = self.state.job(job_id)
            runs.set_job_status(self.state, job, "pending")
            return job

    def start_job(self, job_id: int) -> Job:
        """Say that a job runs; 422 while its gate is closed."""
        with self.state.locked():
            return runs.start_job(self.state, job_id)

    def finish_job(self, job_id: int, conclusion: str, steps: Sequence[Step] | None = None) -> Job:
        """Say how a job ended: success, failure, cancelled, skipped or timed_out; its tokens are worth nothing from now on."""
        with self.state.locked():
            return runs.finish_job(self.state, job_id, conclusion, None if steps is None else list(steps))

    def set_steps(self, job_id: int, steps: Sequence[Step]) -> None:
        """Say how far a job's steps are."""
        with self.state.locked():
            self.state.job(job_id).steps = list(steps)

    def finish_run(self, run_id: int, conclusion: str = "") -> Run:
        """Say that a run is over; without a conclusion it follows from the jobs. Fires `workflow_run`."""
        with self.state.locked():
            return runs.finish(self.state, run_id, conclusion)

    def rerun(self, run_id: int) -> Run:
        """Begin the run's next attempt (`run_attempt` + 1, queued, no jobs yet), after a `RunRequest("rerun...")`."""
        with self.state.locked():
            return runs.next_attempt(self.state, run_id)

    def approve_run(self, run_id: int, actor: str) -> None:
        """Let a run start that waits as `action_required` (write access needed); the director gets `RunRequest("approve")`."""
        with self.state.locked():
            runs.request(self.state, run_id, access.person(actor), "approve")

    def cancel_run(self, run_id: int, actor: str) -> None:
        """Ask for a run to be cancelled; the director gets `RunRequest("cancel")` and finishes the jobs."""
        with self.state.locked():
            runs.request(self.state, run_id, access.person(actor), "cancel")

    # Gates ----------------------------------------------------------------------------------------------------------

    def request_deployment(self, job_id: int, *, deployment: bool = True) -> Gate:
        """Let a job come to its environment's gate.

        With `deployment` (the default of `environment:`) GitHub's own deployment record is filed. The gate's state is at once
        `open` (nothing to wait for), `waiting` (reviewers or timer; the job is `waiting`) or `refused` (branch policy).
        """
        with self.state.locked():
            return gates.request(self.state, job_id, deployment=deployment)

    def gate(self, gate_id: int) -> Gate:
        """Give a gate in its present state."""
        with self.state.locked():
            return gates.look(self.state, gate_id)

    def wait_for_gate(self, gate_id: int, timeout: float) -> Gate:
        """Wait until a gate is decided, at most `timeout` seconds; the gate's `state` is still `waiting` if it was not."""
        with self.state.locked():
            return gates.wait(self.state, gate_id, timeout)

    def pending_gates(self, repository: str, run_id: int | None = None) -> list[Gate]:
        """Give the gates that wait."""
        with self.state.locked():
            return gates.pending(self.state, repository, run_id)

    def review_gate(self, run_id: int, environment: str, reviewer: str, state: str, comment: str = "") -> list[Deployment]:
        """Answer for a required reviewer: `approved` or `rejected` (then finish the job as failure). 403 or 422 for who may not."""
        with self.state.locked():
            return gates.review(self.state, run_id, [environment], access.person(reviewer), state, comment)

    def bypass_gate(self, run_id: int, environment: str, actor: str) -> list[Gate]:
        """Start the waiting jobs without a review, as an administrator may where the environment allows; leaves no approval."""
        with self.state.locked():
            return gates.bypass(self.state, run_id, environment, access.person(actor))

    # What a job is given, and what it leaves --------------------------------------------------------------------------

    def job_credentials(self, job_id: int, permissions: Mapping[str, str] | None) -> JobCredentials:
        """Give a starting job its token, OIDC address, variables and secrets.

        Args:
            job_id: The job.
            permissions: The `permissions:` that hold for it (`{}` = none but metadata; None = the repository's default). For a pull
                request from a fork everything is cut to read, without OIDC and secrets, as GitHub does.
        """
        with self.state.locked():
            return access.job_credentials(self.state, job_id, permissions)

    def store_artifact(self, run_id: int, name: str, folder: Path) -> Artifact:
        """Zip a folder's files (or one file) and keep them as an artifact of the run; 409 where the name is taken."""
        with self.state.locked():
            return artifacts.store(self.state, run_id, name, folder)

    def artifact_path(self, run_id: int, name: str) -> Path:
        """Give the zip file of a run's artifact; 404 where there is none."""
        with self.state.locked():
            return artifacts.find(self.state, run_id, name).path
