"""Who may do what: people by role, tokens by permission, and what a starting job is given."""

from __future__ import annotations

from collections.abc import Mapping

from rehearsal.github import oidc
from rehearsal.github.errors import GitHubError, invalid, no_permission, not_found
from rehearsal.github.model import ROLES, Repository
from rehearsal.github.model_actions import JobCredentials, Run, Token
from rehearsal.github.state import ACTIONS_BOT, State

PERMISSION_KEYS = (
    "actions",
    "artifact-metadata",
    "attestations",
    "checks",
    "contents",
    "deployments",
    "discussions",
    "id-token",
    "issues",
    "models",
    "packages",
    "pages",
    "pull-requests",
    "security-events",
    "statuses",
)
"""The keys of `permissions:`; nothing else can be given to `GITHUB_TOKEN`."""

JOB_TOKEN_SECONDS = 24 * 3600

_ROLE_TO_WRITE = {"issues": "read", "pull-requests": "read", "administration": "admin", "environments": "admin"}
_ROLE_TO_READ = {"administration": "admin", "variables": "write", "environments": "write"}


def person(login: str) -> Token:
    """Give the standing of a person who acts without the API."""
    return Token("", "user", login)


def user_token(state: State, login: str) -> str:
    """Make a person's token."""
    return state.issue_token("ghp", Token("", "user", state.user(login).login))


def app_token(state: State, slug: str, repository: str, permissions: Mapping[str, str]) -> str:
    """Make an installation token of an app."""
    bot = state.add_user(f"{slug}[bot]", "Bot")
    token = Token("", "app", bot.login, state.repository(repository).full_name, dict(permissions), app=slug)
    return state.issue_token("ghs", token)


def role(state: State, repository: Repository, login: str) -> str:
    """Give somebody's role in a repository."""
    known = repository.roles.get(login)
    if known:
        return known
    if login == repository.owner or (state.open_user and login == state.open_user):
        return "admin"
    return "none" if repository.private else "read"


def has_role(state: State, repository: Repository, login: str, least: str) -> bool:
    """Say whether somebody has at least a role."""
    return ROLES.index(role(state, repository, login)) >= ROLES.index(least)


def sees(state: State, token: Token | None, repository: Repository) -> bool:
    """Say whether a repository is there for a token (None: nobody is logged in)."""
    if not repository.private:
        return True
    if token is None:
        return False
    if token.kind == "user":
        return has_role(state, repository, token.login, "read")
    if token.kind == "app-login":
        return any(repository.full_name in names for names in state.apps[int(token.app)].installations.values())
    return token.repository == repository.full_name


def allows(state: State, token: Token | None, repository: Repository, need: str) -> bool:
    """Say whether a token may do something.

    Args:
        state: The state.
        token: Whose; None = nobody is logged in.
        repository: Where.
        need: `key:read` or `key:write` with a key of `permissions:`, of an app (`administration`, ...), or `metadata`.
    """
    key, _, level = need.partition(":")
    if not sees(state, token, repository):
        return False
    if token is None:
        return level == "read" or key == "metadata"
    if token.kind == "user":
        least = _ROLE_TO_READ.get(key, "read") if level == "read" else _ROLE_TO_WRITE.get(key, "write")
        return has_role(state, repository, token.login, "read" if key == "metadata" else least)
    if key == "metadata":
        return True
    if token.repository != repository.full_name:
        return level == "read" and not repository.private
    granted = token.permissions.get(key, "none")
    return granted == "write" or granted == level


def require(state: State, token: Token | None, repository: Repository, *needs: str) -> None:
    """Refuse, as GitHub does, a token that has none of the named permissions.

    Raises:
        GitHubError: 404 where the repository may not be seen, 401 without a token, 403 without the permission.
    """
    if not sees(state, token, repository):
        raise not_found()
    if any(allows(state, token, repository, need) for need in needs):
        return
    if token is None:
        raise GitHubError(401, "Requires authentication")
    if token.kind == "user":
        admin = any(need.startswith(("administration", "environments")) for need in needs)
        raise GitHubError(403, "Must have admin rights to Repository." if admin else "Must have push access to repository")
    raise no_permission(*needs)


def checked_permissions(permissions: Mapping[str, str]) -> dict[str, str]:
    """Give permissions without the keys that say `none`; 422 names a key or value that GitHub does not know."""
    for key, level in permissions.items():
        if key not in PERMISSION_KEYS or level not in ("none", "read", "write"):
            raise invalid("WorkflowJob", f"permissions.{key}", "custom", f"`{key}: {level}` is not a permission of GITHUB_TOKEN")
    return {key: level for key, level in permissions.items() if level != "none"}


def from_fork(run: Run) -> bool:
    """Say whether a run belongs to a pull request from a fork."""
    return run.event == "pull_request" and run.head_repository != run.repository


def job_credentials(state: State, job_id: int, permissions: Mapping[str, str] | None) -> JobCredentials:
    """Give a starting job its token, OIDC address, variables and secrets (see `GitHub.job_credentials`)."""
    job = state.job(job_id)
    run = state.run(job.run_id)
    repository = state.repository(run.repository)
    if permissions is None:
        default = repository.default_workflow_permissions
        permissions = dict.fromkeys(("contents", "packages"), default) if default == "read" else dict.fromkeys(PERMISSION_KEYS, "write")
        permissions.pop("id-token", None)
    granted = checked_permissions(permissions)
    if from_fork(run):
        granted = {key: "read" for key in granted if key != "id-token"}
    expires = state.clock.now() + JOB_TOKEN_SECONDS
    token = Token("", "job", ACTIONS_BOT, run.repository, granted, run.id, job.id, expires, app="github-actions")
    value = state.issue_token("ghs", token)
    url, oidc_token = ("", "")
    if granted.get("id-token") == "write":
        url = oidc.request_url(state, job)
        oidc_token = state.issue_token("oidc", Token("", "oidc", ACTIONS_BOT, run.repository, {}, run.id, job.id, expires))
    environment = repository.environments.get(job.environment)
    variables = {**repository.variables, **(environment.variables if environment else {})}
    secrets: dict[str, str] = {}
    if not from_fork(run):
        secrets = {**repository.secrets, **(environment.secrets if environment else {})}
    return JobCredentials(value, url, oidc_token, granted, variables, secrets)


def revoke_job_tokens(state: State, job_id: int) -> None:
    """Make a job's tokens worth nothing."""
    for value in [value for value, token in state.tokens.items() if token.job_id == job_id]:
        del state.tokens[value]
