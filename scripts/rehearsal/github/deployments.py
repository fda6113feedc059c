"""Deployment records and their statuses, by the API or by a job's environment."""

from __future__ import annotations

from rehearsal.github import events, merging, rules
from rehearsal.github.errors import GitHubError, invalid, not_found
from rehearsal.github.gitstore import GitStore
from rehearsal.github.model import Json, Repository
from rehearsal.github.model_actions import Deployment, DeploymentStatus, Job, Run, Token
from rehearsal.github.state import ACTIONS_BOT, State

STATES = ("error", "failure", "inactive", "in_progress", "queued", "pending", "success")
MAX_DESCRIPTION_CHARACTERS = 140


def get(state: State, repository: Repository, deployment_id: int) -> Deployment:
    """Give a deployment; raises 404."""
    found = state.deployments.get(deployment_id)
    if found is None or found.repository != repository.full_name:
        raise not_found()
    return found


def _description(resource: str, fields: Json) -> str:
    text = fields.get("description") or ""
    if len(text) > MAX_DESCRIPTION_CHARACTERS:
        raise invalid(resource, "description", "custom", f"description is too long (maximum is {MAX_DESCRIPTION_CHARACTERS} characters)")
    return str(text)


def create(state: State, full_name: str, token: Token, fields: Json) -> Deployment | str:
    """File a deployment.

    Args:
        state: The state.
        full_name: The repository.
        token: Who files it.
        fields: The body of `POST /deployments`.

    Returns:
        The deployment; or the message of a 202, where `auto_merge` merged the default branch in and nothing was filed.

    Raises:
        GitHubError: 422 for a reference that is not there; 409 for a merge conflict or a context that has not passed.
    """
    repository = state.repository(full_name)
    ref = fields.get("ref")
    if not ref or not isinstance(ref, str):
        raise invalid("Deployment", "ref", "missing_field")
    store = GitStore(repository.path)
    sha = store.resolve(ref)
    if sha is None:
        raise GitHubError(422, f"No ref found for: {ref}")
    if fields.get("auto_merge", True):
        merged = _auto_merge(state, repository, token, ref, sha)
        if merged:
            return merged
    _check_contexts(state, repository, sha, ref, fields.get("required_contexts"))
    environment = str(fields.get("environment") or "production")
    now = state.stamp()
    made = Deployment(
        id=state.new_id(),
        repository=repository.full_name,
        sha=sha,
        ref=ref,
        task=str(fields.get("task") or "deploy"),
        environment=environment,
        creator=token.login,
        created_at=now,
        updated_at=now,
        original_environment=environment,
        description=_description("Deployment", fields),
        payload=fields.get("payload", {}),
        transient_environment=bool(fields.get("transient_environment", False)),
        production_environment=bool(fields.get("production_environment", environment == "production")),
        app=token.app,
    )
    state.deployments[made.id] = made
    _emit(state, repository, token, "deployment", made, {})
    return made


def _auto_merge(state: State, repository: Repository, token: Token, ref: str, sha: str) -> str:
    store = GitStore(repository.path)
    default = store.resolve(f"refs/heads/{repository.default_branch}")
    branch = ref.removeprefix("refs/heads/")
    if default is None or store.resolve(f"refs/heads/{branch}") is None or store.is_ancestor(default, sha):
        return ""
    try:
        merging.merge_branches(state, repository.full_name, token, branch, repository.default_branch, "")
    except GitHubError as error:
        raise GitHubError(409, f"Conflict merging {repository.default_branch} into {branch}.") from error
    return f"Auto-merged {repository.default_branch} into {branch} on deployment."


def _check_contexts(state: State, repository: Repository, sha: str, ref: str, required: list[str] | None) -> None:
    states = rules.context_states(state, repository, sha)
    names = list(states) if required is None else required
    bad = [{"contexts": name, "state": states.get(name, "expected")} for name in names if states.get(name) != "success"]
    if bad:
        details = [{"resource": "Deployment", "field": "required_contexts", "code": "invalid", "message": str(each)} for each in bad]
        raise GitHubError(409, f"Conflict: Commit status checks failed for {ref}.", details)


def _emit(state: State, repository: Repository, token: Token, name: str, made: Deployment, extra: Json) -> None:
    from rehearsal.github.render import actions as render

    ref = f"refs/heads/{made.ref}" if GitStore(repository.path).resolve(f"refs/heads/{made.ref}") else made.ref
    payload = {"deployment": render.deployment(state, repository, made), **extra}
    events.emit(state, repository, token, name, "created", (ref, made.sha), payload)


def add_status(state: State, full_name: str, deployment_id: int, token: Token, fields: Json) -> DeploymentStatus:
    """Say how a deployment goes (`POST /deployments/{id}/statuses`)."""
    repository = state.repository(full_name)
    made = get(state, repository, deployment_id)
    if fields.get("state") not in STATES:
        raise invalid("DeploymentStatus", "state", "missing_field" if "state" not in fields else "invalid")
    status = DeploymentStatus(
        id=state.new_id(),
        state=fields["state"],
        creator=token.login,
        created_at=state.stamp(),
        description=_description("DeploymentStatus", fields),
        log_url=str(fields.get("log_url") or fields.get("target_url") or ""),
        environment_url=str(fields.get("environment_url") or ""),
        environment=str(fields.get("environment") or made.environment),
        app=token.app,
    )
    made.statuses.append(status)
    made.environment = status.environment
    made.updated_at = status.created_at
    if status.state == "success" and fields.get("auto_inactive", True):
        _retire_older(state, made, token)
    if status.state != "inactive":
        from rehearsal.github.render import actions as render

        rendered = render.deployment_status(state, repository, made, status)
        _emit(state, repository, token, "deployment_status", made, {"deployment_status": rendered})
    return status


def _retire_older(state: State, newest: Deployment, token: Token) -> None:
    """Set older successful deployments of the same environment inactive, unless they are transient or production (GitHub's rule)."""
    for other in state.deployments.values():
        same = (other.repository, other.environment) == (newest.repository, newest.environment) and other.id < newest.id
        keeps = other.transient_environment or other.production_environment
        if same and not keeps and other.statuses and other.statuses[-1].state == "success":
            other.statuses.append(DeploymentStatus(state.new_id(), "inactive", token.login, state.stamp(), environment=other.environment))


def of_job(state: State, job: Job, run: Run) -> Deployment:
    """File the record that GitHub makes by itself for a job with an environment."""
    now = state.stamp()
    made = Deployment(
        id=state.new_id(),
        repository=run.repository,
        sha=run.sha,
        ref=run.ref.removeprefix("refs/heads/").removeprefix("refs/tags/"),
        task="deploy",
        environment=job.environment,
        creator=run.actor,
        created_at=now,
        updated_at=now,
        original_environment=job.environment,
        production_environment=job.environment == "production",
        app="github-actions",
        job_id=job.id,
    )
    state.deployments[made.id] = made
    made.statuses.append(_job_status(state, job, "queued"))
    return made


def _job_status(state: State, job: Job, to: str) -> DeploymentStatus:
    run = state.run(job.run_id)
    log = state.html_url(run.repository, "actions", "runs", job.run_id, "job", job.id)
    return DeploymentStatus(state.new_id(), to, ACTIONS_BOT, state.stamp(), log_url=log, environment=job.environment, app="github-actions")


def follow_job(state: State, job: Job, to: str) -> None:
    """Carry a job's progress over to the record that GitHub made for it, if it did."""
    gate = state.gates.get(job.gate_id or 0)
    if gate is None or gate.deployment_id is None:
        return
    made = state.deployments[gate.deployment_id]
    made.statuses.append(_job_status(state, job, to))
    made.updated_at = state.stamp()
    if to == "success":
        _retire_older(state, made, Token("", "job", ACTIONS_BOT))
