"""Workflow runs and their jobs: filed, started, finished, and what people ask of them through the API."""

from __future__ import annotations

from dataclasses import dataclass, field

from rehearsal.github import access, environments, events, workflows
from rehearsal.github.errors import GitHubError
from rehearsal.github.model import Repository
from rehearsal.github.model_actions import CheckRun, Event, Job, ReferencedWorkflow, Run, RunRequest, Step, Token
from rehearsal.github.state import State

CONCLUSIONS = ("success", "failure", "neutral", "cancelled", "skipped", "timed_out", "action_required")


@dataclass(frozen=True)
class Workflow:
    """What a run is a run of."""

    name: str
    path: str
    title: str = ""
    referenced: list[ReferencedWorkflow] = field(default_factory=list)


@dataclass(frozen=True)
class JobSpec:
    """What a job is filed with (see `GitHub.add_job`)."""

    name: str
    key: str
    environment: str
    labels: list[str]
    workflow_ref: str
    workflow_sha: str
    concurrency_group: str


def create(state: State, event: Event, workflow: Workflow) -> Run:
    """File a run for an event (see `GitHub.create_run`)."""
    repository = state.repository(event.repository)
    workflow_id = workflows.workflow_id(state, repository, workflow.path)
    number = sum(1 for other in state.runs.values() if other.workflow_id == workflow_id) + 1
    pull = event.payload.get("pull_request") if event.name == "pull_request" else None
    head_repository = event.repository
    branch, head_sha = event.ref.split("/", 2)[-1], event.sha
    if pull:
        branch, head_sha = pull["head"]["ref"], pull["head"]["sha"]
        head_repository = (pull["head"]["repo"] or {}).get("full_name", event.repository)
    now = state.stamp()
    run = Run(
        id=state.new_id(),
        repository=event.repository,
        name=workflow.name,
        path=workflow.path,
        event=event.name,
        head_branch=branch,
        head_sha=head_sha,
        sha=event.sha,
        ref=event.ref,
        actor=event.actor,
        triggering_actor=event.actor,
        run_number=number,
        created_at=now,
        updated_at=now,
        workflow_id=workflow_id,
        display_title=workflow.title or _title(event, workflow.name),
        run_started_at=now,
        pull_requests=[pull["number"]] if pull and head_repository == event.repository else [],
        referenced_workflows=list(workflow.referenced),
        head_repository=head_repository,
        event_payload=event.payload,
        event_number=event.number,
    )
    if event.waits_for_approval:
        run.status, run.conclusion = "completed", "action_required"
    state.runs[run.id] = run
    if not event.waits_for_approval:
        _emit(state, repository, run, "requested")
    return run


def _title(event: Event, name: str) -> str:
    pull = event.payload.get("pull_request")
    if pull:
        return str(pull["title"])
    commit = event.payload.get("head_commit")
    return str(commit["message"]).split("\n", 1)[0] if commit else name


def _emit(state: State, repository: Repository, run: Run, action: str) -> None:
    from rehearsal.github.render import actions as render

    payload = {"workflow_run": render.run(state, run), "workflow": {"name": run.name, "path": run.path, "id": run.workflow_id}}
    token = access.person(run.triggering_actor)
    events.emit_on_default_branch(state, repository, token, "workflow_run", action, payload)


def add_job(state: State, run_id: int, spec: JobSpec) -> Job:
    """File a job and its check run (see `GitHub.add_job`)."""
    run = state.run(run_id)
    if run.status == "completed":
        raise GitHubError(422, f"Run {run_id} is over ({run.conclusion}); begin its next attempt first.")
    repository = state.repository(run.repository)
    environment = environments.ensure(state, repository, spec.environment).name if spec.environment else ""
    own = f"{run.repository}/{run.path}@{run.ref}"
    job = Job(
        id=state.new_id(),
        run_id=run_id,
        run_attempt=run.run_attempt,
        name=spec.name,
        created_at=state.stamp(),
        environment=environment,
        labels=spec.labels,
        workflow_ref=spec.workflow_ref or own,
        workflow_sha=spec.workflow_sha or run.sha,
        key=spec.key,
        concurrency_group=spec.concurrency_group,
    )
    state.jobs[job.id] = job
    address = state.html_url(run.repository, "actions", "runs", run_id, "job", job.id)
    state.checks[job.id] = CheckRun(
        job.id, run.repository, spec.name, run.head_sha, "github-actions", details_url=address, run_id=run_id
    )  # fmt: skip
    return job


def set_job_status(state: State, job: Job, status: str) -> None:
    """Set a job's status, its check run's with it, and its run's."""
    job.status = status
    check = state.checks[job.id]
    check.status = status
    check.started_at, check.completed_at, check.conclusion = job.started_at, job.completed_at, job.conclusion
    run = state.run(job.run_id)
    if run.status == "completed":
        return
    statuses = {each.status for each in state.jobs_of(run.id, run.run_attempt)}
    for status_of_run in ("in_progress", "waiting", "pending", "queued"):
        if status_of_run in statuses:
            run.status = status_of_run
            break
    run.updated_at = state.stamp()


def start_job(state: State, job_id: int) -> Job:
    """Say that a job runs (see `GitHub.start_job`)."""
    from rehearsal.github import deployments, gates

    job = state.job(job_id)
    if job.status == "completed":
        raise GitHubError(422, f"Job {job_id} is over ({job.conclusion}).")
    if job.gate_id is not None and gates.look(state, job.gate_id).state != "open":
        gate = state.gates[job.gate_id]
        raise GitHubError(422, f"Job {job_id} may not start: the gate of `{gate.environment}` is {gate.state}. {gate.reason}".strip())
    job.started_at = job.started_at or state.stamp()
    set_job_status(state, job, "in_progress")
    deployments.follow_job(state, job, "in_progress")
    return job


def finish_job(state: State, job_id: int, conclusion: str, steps: list[Step] | None) -> Job:
    """Say how a job ended (see `GitHub.finish_job`)."""
    from rehearsal.github import deployments, gates

    if conclusion not in CONCLUSIONS:
        raise GitHubError(422, f"`{conclusion}` is none of {', '.join(CONCLUSIONS)}.")
    job = state.job(job_id)
    job.started_at = job.started_at or state.stamp()
    job.completed_at = state.stamp()
    job.conclusion = conclusion
    if steps is not None:
        job.steps = steps
    set_job_status(state, job, "completed")
    access.revoke_job_tokens(state, job_id)
    gates.close_for(state, job)
    deployments.follow_job(state, job, "success" if conclusion == "success" else "inactive" if conclusion == "skipped" else "failure")
    return job


def finish(state: State, run_id: int, conclusion: str) -> Run:
    """Say that a run is over (see `GitHub.finish_run`)."""
    run = state.run(run_id)
    jobs = state.jobs_of(run_id, run.run_attempt)
    unfinished = [job.name for job in jobs if job.status != "completed"]
    if unfinished:
        raise GitHubError(422, f"Run {run_id} cannot be over: {', '.join(unfinished)} is not.")
    run.status, run.conclusion, run.updated_at = "completed", conclusion or _conclusion({job.conclusion for job in jobs}), state.stamp()
    _emit(state, state.repository(run.repository), run, "completed")
    return run


def _conclusion(of_jobs: set[str | None]) -> str:
    for worse in ("cancelled", "failure", "timed_out"):
        if worse in of_jobs:
            return "failure" if worse == "timed_out" else worse
    return "skipped" if of_jobs == {"skipped"} else "success"


def next_attempt(state: State, run_id: int) -> Run:
    """Begin a run's next attempt; one that only waited for its approval begins its first."""
    run = state.run(run_id)
    if run.status != "completed":
        raise GitHubError(403, "This workflow is already running")
    if run.conclusion != "action_required":
        run.run_attempt += 1
    run.status, run.conclusion = "queued", None
    run.run_started_at = run.updated_at = state.stamp()
    return run


def request(state: State, run_id: int, token: Token, kind: str) -> RunRequest:
    """Take a request about a run and hand it to the director.

    Raises:
        GitHubError: 403 without write access; 409 where a run is over and cannot be cancelled; 403 where it cannot be approved or rerun.
    """
    run = state.run(run_id)
    repository = state.repository(run.repository)
    access.require(state, token, repository, "actions:write")
    if kind in ("cancel", "force-cancel") and run.status == "completed":
        raise GitHubError(409, "Cannot cancel a workflow run that is completed.")
    if kind == "approve":
        if token.kind != "user":
            raise GitHubError(403, "Resource not accessible by integration")
        if run.conclusion != "action_required":
            raise GitHubError(403, "This run is not from a fork pull request or queued for approval")
        run.triggering_actor = token.login
        next_attempt(state, run_id)
        _emit(state, repository, run, "requested")
    if kind.startswith("rerun"):
        if run.status != "completed":
            raise GitHubError(403, "This workflow is already running")
        run.triggering_actor = token.login
    message = RunRequest(kind, run.repository, run_id, token.login)
    state.post(message)
    return message
