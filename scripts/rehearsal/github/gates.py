"""Environment gates: a job comes to one, waits for the timer and a reviewer, and is let through or sent away."""

from __future__ import annotations

import time

from rehearsal.github import access, deployments, environments, rules, runs
from rehearsal.github.errors import GitHubError, no_permission, not_found
from rehearsal.github.model import Environment, Repository
from rehearsal.github.model_actions import Approval, Deployment, Gate, Job, Run, Token
from rehearsal.github.state import State

LONGEST_SLICE_SECONDS = 0.5
"""A wait looks again at least this often, since the clock may be moved on without anybody being told."""


def request(state: State, job_id: int, *, deployment: bool) -> Gate:
    """Let a job come to its environment's gate (see `GitHub.request_deployment`)."""
    job = state.job(job_id)
    run = state.run(job.run_id)
    repository = state.repository(run.repository)
    if not job.environment:
        raise GitHubError(422, f"Job {job_id} ({job.name}) names no environment.")
    if job.gate_id is not None:
        return look(state, job.gate_id)
    environment = environments.ensure(state, repository, job.environment)
    gate = Gate(
        id=state.new_id(),
        repository=run.repository,
        run_id=run.id,
        run_attempt=run.run_attempt,
        job_id=job_id,
        environment=environment.name,
        created_at=state.stamp(),
        opens_at=state.clock.now() + environment.wait_timer * 60,
        needs_review=bool(environment.reviewers),
    )
    state.gates[gate.id] = gate
    job.gate_id = gate.id
    refusal = branch_refusal(repository, environment, run.ref)
    if refusal:
        gate.state, gate.reason = "refused", refusal
        return gate
    if deployment:
        gate.deployment_id = deployments.of_job(state, job, run).id
    look(state, gate.id)
    if gate.state == "waiting":
        runs.set_job_status(state, job, "waiting")
    return gate


def branch_refusal(repository: Repository, environment: Environment, ref: str) -> str:
    """Give the sentence that GitHub shows where a reference may not deploy to an environment; empty where it may."""
    kind, name = "branch", ref.removeprefix("refs/heads/")
    if ref.startswith("refs/tags/"):
        kind, name = "tag", ref.removeprefix("refs/tags/")
    elif not ref.startswith("refs/heads/"):
        name = ref.removeprefix("refs/")
    if environment.protected_branches:
        allowed = kind == "branch" and bool(rules.active(repository, name))
    elif environment.branches is not None:
        patterns = environment.branches if kind == "branch" else environment.tags
        allowed = any(environments.matches(pattern.removeprefix("refs/"), name) for pattern in patterns)
    else:
        allowed = True
    if allowed:
        return ""
    return f'{kind.capitalize()} "{name}" is not allowed to deploy to {environment.name} due to environment protection rules.'


def look(state: State, gate_id: int) -> Gate:
    """Give a gate; one whose timer is over and that needs no review any more is opened."""
    gate = state.gates.get(gate_id)
    if gate is None:
        raise not_found()
    if gate.state == "waiting" and not gate.needs_review and state.clock.now() >= gate.opens_at:
        _open(state, gate)
    return gate


def _open(state: State, gate: Gate) -> None:
    gate.state = "open"
    job = state.job(gate.job_id)
    if job.status == "waiting":
        runs.set_job_status(state, job, "queued")


def wait(state: State, gate_id: int, timeout: float) -> Gate:
    """Wait for a gate's decision (see `GitHub.wait_for_gate`); the lock is held once and let go while waiting."""
    end = time.monotonic() + timeout
    while True:
        gate = look(state, gate_id)
        left = end - time.monotonic()
        if gate.state != "waiting" or left <= 0:
            return gate
        state.wait(min(left, LONGEST_SLICE_SECONDS))


def pending(state: State, full_name: str, run_id: int | None = None) -> list[Gate]:
    """Give the gates that wait in a repository, or of one run."""
    gates = [look(state, gate_id) for gate_id in list(state.gates)]
    return [g for g in gates if g.state == "waiting" and g.repository == full_name and run_id in (None, g.run_id)]


def may_review(run: Run, environment: Environment, login: str) -> str:
    """Give the reason why somebody may not answer at a gate; empty where they may."""
    if login not in environment.reviewers:
        return f"{login} is not a required reviewer of the environment {environment.name}."
    if environment.prevent_self_review and login == run.triggering_actor:
        return f"{login} started this run, and {environment.name} does not let anybody approve their own deployment."
    return ""


def review(state: State, run_id: int, names: list[str], token: Token, answer: str, comment: str) -> list[Deployment]:
    """Answer for a required reviewer (see `GitHub.review_gate`).

    Raises:
        GitHubError: 403 for a token that is not a person's; 422 where nothing waits, the answer is none, or who answers may not.
    """
    run = state.run(run_id)
    if token.kind != "user":
        raise no_permission()
    access.require(state, token, state.repository(run.repository), "metadata")
    if answer not in ("approved", "rejected"):
        raise GitHubError(422, "Invalid request.\n\nstate is none of approved, rejected.")
    waiting = [gate for gate in pending(state, run.repository, run_id) if gate.environment in names and gate.needs_review]
    if not waiting:
        raise GitHubError(422, "There are no pending deployment requests to approve or reject")
    repository = state.repository(run.repository)
    for gate in waiting:
        reason = may_review(run, environments.get(repository, gate.environment), token.login)
        if reason:
            raise GitHubError(422, f"You are not allowed to review this deployment. {reason}")
    run.approvals.append(Approval(sorted({g.environment for g in waiting}), answer, token.login, comment, run.run_attempt, state.stamp()))
    for gate in waiting:
        gate.needs_review, gate.reviewed_by = False, token.login
        if answer == "rejected":
            gate.state, gate.reason = "rejected", f"{token.login} rejected the deployment to {gate.environment}."
        look(state, gate.id)
    return [state.deployments[g.deployment_id] for g in waiting if g.deployment_id is not None]


def bypass(state: State, run_id: int, name: str, token: Token) -> list[Gate]:
    """Start the waiting jobs as an administrator (see `GitHub.bypass_gate`)."""
    run = state.run(run_id)
    repository = state.repository(run.repository)
    environment = environments.get(repository, name)
    access.require(state, token, repository, "administration:write")
    if not environment.can_admins_bypass:
        raise GitHubError(403, f"Administrators may not bypass the protection rules of {environment.name}.")
    waiting = [gate for gate in pending(state, run.repository, run_id) if gate.environment == environment.name]
    if not waiting:
        raise GitHubError(422, "There are no pending deployment requests to approve or reject")
    for gate in waiting:
        gate.needs_review, gate.bypassed_by = False, token.login
        _open(state, gate)
    return waiting


def close_for(state: State, job: Job) -> None:
    """Close the gate of a job that is over while it still waits."""
    gate = state.gates.get(job.gate_id or 0)
    if gate and gate.state == "waiting":
        gate.state, gate.reason = "cancelled", "The job ended before the deployment was reviewed."
