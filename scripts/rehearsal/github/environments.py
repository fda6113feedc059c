"""Environments: their gates, and the variables and secrets of repositories and environments."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rehearsal.github.access import has_role
from rehearsal.github.errors import GitHubError, invalid, not_found
from rehearsal.github.model import Environment, Repository
from rehearsal.github.state import State

MAX_REVIEWERS = 6
MAX_WAIT_MINUTES = 43_200
MAX_NAME_CHARACTERS = 255


@dataclass(frozen=True)
class Gatekeeping:
    """An environment's gate, as `Environment` has it."""

    reviewers: list[str]
    prevent_self_review: bool
    wait_timer: int
    branches: list[str] | None
    tags: list[str]
    protected_branches: bool
    can_admins_bypass: bool


def get(repository: Repository, name: str) -> Environment:
    """Give an environment by name (in any case of letters); raises 404."""
    for each in repository.environments.values():
        if each.name.lower() == name.lower():
            return each
    raise not_found()


def ensure(state: State, repository: Repository, name: str) -> Environment:
    """Give an environment; one that is not there is made without any rule, as GitHub does for a job that names it."""
    try:
        return get(repository, name)
    except GitHubError:
        if not name or len(name) > MAX_NAME_CHARACTERS:
            raise invalid("Environment", "name") from None
    made = Environment(state.new_id(), name, state.stamp())
    repository.environments[name] = made
    return made


def configure(state: State, full_name: str, name: str, gate: Gatekeeping) -> Environment:
    """Make an environment or set its gate anew (see `GitHub.set_environment`)."""
    repository = state.repository(full_name)
    if len(gate.reviewers) > MAX_REVIEWERS:
        raise invalid("Environment", "reviewers", "custom", f"at most {MAX_REVIEWERS} reviewers")
    for login in gate.reviewers:
        state.add_user(login)
        if not has_role(state, repository, login, "read"):
            raise invalid("Environment", "reviewers", "custom", f"{login} needs at least read access to {full_name}")
    if not 0 <= gate.wait_timer <= MAX_WAIT_MINUTES:
        raise invalid("Environment", "wait_timer", "custom", f"0 to {MAX_WAIT_MINUTES} minutes")
    if gate.protected_branches and gate.branches is not None:
        raise invalid(
            "Environment", "deployment_branch_policy", "custom", "protected_branches and custom_branch_policies exclude each other"
        )
    if gate.tags and gate.branches is None:
        raise invalid("Environment", "deployment_branch_policy", "custom", "tags need custom branch policies")
    environment = ensure(state, repository, name)
    environment.reviewers = gate.reviewers
    environment.prevent_self_review = gate.prevent_self_review
    environment.wait_timer = gate.wait_timer
    environment.branches = gate.branches
    environment.tags = gate.tags
    environment.protected_branches = gate.protected_branches
    environment.can_admins_bypass = gate.can_admins_bypass
    return environment


def add_policy(state: State, environment: Environment, name: str, kind: str) -> int:
    """Let branches or tags of a pattern deploy; gives the policy's id."""
    if environment.branches is None:
        raise not_found()
    patterns = environment.branches if kind == "branch" else environment.tags
    if name not in patterns:
        patterns.append(name)
    return policy_id(state, environment, kind, name)


def policy_id(state: State, environment: Environment, kind: str, name: str) -> int:
    """Give the id of a branch or tag policy."""
    key = f"{kind}:{name}"
    if key not in environment.policy_ids:
        environment.policy_ids[key] = state.new_id()
    return environment.policy_ids[key]


def policies(state: State, environment: Environment) -> list[tuple[int, str, str]]:
    """Give the policies as id, pattern, `branch` or `tag`."""
    names = [("branch", name) for name in environment.branches or []] + [("tag", name) for name in environment.tags]
    return [(policy_id(state, environment, kind, name), name, kind) for kind, name in names]


def matches(pattern: str, name: str) -> bool:
    """Say whether a shell-like pattern matches a branch: `*` stops at `/`, `**/` is any depth (Ruby's fnmatch, says GitHub)."""
    out, at = "", 0
    while at < len(pattern):
        if pattern.startswith("**/", at):
            out, at = out + "(?:.*/)?", at + 3
        elif pattern[at] == "*":
            out, at = out + "[^/]*", at + 1
        elif pattern[at] == "?":
            out, at = out + "[^/]", at + 1
        else:
            out, at = out + re.escape(pattern[at]), at + 1
    return re.fullmatch(out, name) is not None


_VARIABLE_NAME = re.compile(r"[A-Z_][A-Z0-9_]*", re.IGNORECASE)


def check_variable_name(name: str) -> str:
    """Give a variable's or secret's name in capitals, as GitHub keeps it; 422 for one that is not allowed."""
    if not _VARIABLE_NAME.fullmatch(name) or name.upper().startswith("GITHUB_"):
        raise GitHubError(422, f"`{name}` may contain only letters, digits and _, may not begin with a digit or with GITHUB_")
    return name.upper()


def set_variable(state: State, full_name: str, name: str, value: str, environment: str) -> None:
    """Set a variable of the repository or of an environment."""
    repository = state.repository(full_name)
    holder = ensure(state, repository, environment).variables if environment else repository.variables
    holder[check_variable_name(name)] = value


def set_secret(state: State, full_name: str, name: str, value: str, environment: str) -> None:
    """Set a secret of the repository or of an environment."""
    repository = state.repository(full_name)
    holder = ensure(state, repository, environment).secrets if environment else repository.secrets
    holder[check_variable_name(name)] = value
