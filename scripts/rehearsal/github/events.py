"""Events: what starts workflows on GitHub, with the webhook payload, and the rule that `GITHUB_TOKEN` starts (almost) nothing."""

from __future__ import annotations

from collections.abc import Mapping

from rehearsal.github import workflows
from rehearsal.github.errors import GitHubError, invalid
from rehearsal.github.gitstore import ZERO, GitStore
from rehearsal.github.model import Json, PullRequest, Repository
from rehearsal.github.model_actions import Event, Token
from rehearsal.github.render import code, people
from rehearsal.github.state import State

DISPATCHES = ("workflow_dispatch", "repository_dispatch")
APPROVAL_ACTIONS = ("opened", "synchronize", "reopened")
MAX_INPUTS = 25
MAX_CLIENT_PAYLOAD_KEYS = 10
MAX_EVENT_TYPE_CHARACTERS = 100
MAX_PUSH_COMMITS = 2048


def emit(
    state: State,
    repository: Repository,
    token: Token,
    name: str,
    action: str,
    where: tuple[str, str],
    payload: Json,
    *,
    first_time: bool = False,
) -> Event:
    """Record an event and queue it for subscribers.

    Args:
        state: The state.
        repository: Where it happens.
        token: Who caused it.
        name: The event's name in `on:`.
        action: The activity type, or empty.
        where: `GITHUB_REF` and `GITHUB_SHA`.
        payload: The payload, without `action`, `repository` and `sender`, which are added.
        first_time: True for a pull request from a fork by somebody new, whose runs wait for an approval.
    """
    by_job = token.kind == "job"
    approval = name == "pull_request" and action in APPROVAL_ACTIONS and (by_job or first_time)
    full: Json = {"action": action} if action else {}
    full.update(payload)
    full["repository"] = people.repository(state, repository)
    full["sender"] = people.user(state, token.login)
    event = Event(
        name=name,
        action=action,
        repository=repository.full_name,
        ref=where[0],
        sha=where[1],
        payload=full,
        actor=token.login,
        number=len(state.events) + 1,
        starts_workflows=not by_job or name in DISPATCHES or approval,
        waits_for_approval=approval,
    )
    state.events.append(event)
    state.post(event)
    return event


def default_branch_ref(repository: Repository) -> tuple[str, str]:
    """Give the default branch's reference and commit, where events without a branch of their own run."""
    ref = f"refs/heads/{repository.default_branch}"
    sha = GitStore(repository.path).resolve(ref)
    if sha is None:
        raise GitHubError(409, "Git Repository is empty.")
    return ref, sha


def emit_on_default_branch(state: State, repository: Repository, token: Token, name: str, action: str, payload: Json) -> None:
    """Emit an event that runs on the default branch; none where that branch is not there (yet), since nothing could run."""
    try:
        where = default_branch_ref(repository)
    except GitHubError:
        return
    emit(state, repository, token, name, action, where, payload)


def push(state: State, repository: Repository, token: Token, ref: str, before: str, after: str) -> Event:
    """Emit a `push` (`before` or `after` is 40 zeros where the reference is new or deleted)."""
    store = GitStore(repository.path)
    created, deleted = before == ZERO, after == ZERO
    commits: list[Json] = []
    forced = False
    if not deleted:
        known = [] if created else [f"^{before}"]
        commits = [code.simple_commit(c) for c in reversed(store.log(after, *known, limit=1 if created else MAX_PUSH_COMMITS))]
        forced = not created and not store.is_ancestor(before, after)
    payload = {
        "ref": ref,
        "before": before,
        "after": after,
        "base_ref": None,
        "created": created,
        "deleted": deleted,
        "forced": forced,
        "compare": state.html_url(repository.full_name, "compare", f"{before[:12]}...{after[:12]}"),
        "commits": commits,
        "head_commit": commits[-1] if commits else None,
        "pusher": {"name": token.login, "email": state.add_user(token.login).email},
    }
    sha = after if not deleted else default_branch_ref(repository)[1]
    return emit(state, repository, token, "push", "", (ref, sha), payload)


def pull_request(state: State, repository: Repository, token: Token, action: str, request: PullRequest, extra: Json | None = None) -> Event:
    """Emit a `pull_request` event; its commit is the test merge, or for a merged one the base branch's."""
    where = (f"refs/pull/{request.number}/merge", request.merge_commit_sha or request.head_sha)
    if request.merged_at:
        where = (f"refs/heads/{request.base_ref}", where[1])
    fork = request.head_repository != repository.full_name
    merged_before = any(other.user == request.user and other.merged_at for other in repository.pulls.values())
    writer = repository.roles.get(request.user, "none") in ("write", "maintain", "admin")
    payload = {"number": request.number, "pull_request": code.full_pull(state, repository, request, "unknown", []), **(extra or {})}
    first_time = fork and not merged_before and not writer
    return emit(state, repository, token, "pull_request", action, where, payload, first_time=first_time)


def dispatch_workflow(state: State, full_name: str, token: Token, workflow: str, ref: str, inputs: Mapping[str, object]) -> Event:
    """Emit a `workflow_dispatch` after GitHub's checks (see `GitHub.dispatch_workflow`)."""
    repository = state.repository(full_name)
    if len(inputs) > MAX_INPUTS:
        raise invalid("WorkflowDispatch", "inputs", "custom", f"at most {MAX_INPUTS} inputs")
    store = GitStore(repository.path)
    full_ref = next((r for r in (ref, f"refs/heads/{ref}", f"refs/tags/{ref}") if r.startswith("refs/") and store.resolve(r)), None)
    if full_ref is None:
        raise GitHubError(422, f"No ref found for: {ref}")
    sha = store.resolve(full_ref) or ""
    path = workflow if workflow.startswith(workflows.FOLDER) else f"{workflows.FOLDER}/{workflow}"
    if workflow.isdigit():
        path = workflows.find(state, repository, workflow).path
    texts = {name: value if isinstance(value, str) else _text(value) for name, value in inputs.items()}
    workflows.check_dispatch(repository, path, ref, sha, texts)
    payload: Json = {"inputs": texts or None, "ref": full_ref, "workflow": path}
    return emit(state, repository, token, "workflow_dispatch", "", (full_ref, sha), payload)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def dispatch(state: State, full_name: str, token: Token, event_type: str, client_payload: Json) -> Event:
    """Emit a `repository_dispatch`."""
    repository = state.repository(full_name)
    if not event_type or len(event_type) > MAX_EVENT_TYPE_CHARACTERS:
        raise invalid("RepositoryDispatch", "event_type")
    if len(client_payload) > MAX_CLIENT_PAYLOAD_KEYS:
        raise invalid("RepositoryDispatch", "client_payload", "custom", "No more than 10 properties are allowed; 11 or more were supplied.")
    payload = {"branch": repository.default_branch, "client_payload": client_payload}
    return emit(state, repository, token, "repository_dispatch", event_type, default_branch_ref(repository), payload)


def schedule(state: State, full_name: str, cron: str) -> Event:
    """Emit a `schedule` on the default branch; its actor is the repository's first administrator."""
    repository = state.repository(full_name)
    actor = next((login for login, role in repository.roles.items() if role == "admin"), repository.owner)
    token = Token("", "user", actor)
    return emit(state, repository, token, "schedule", "", default_branch_ref(repository), {"schedule": cron})
