"""Branch rules: which are active for a branch, and what of them a pull request does not yet fulfil."""

from __future__ import annotations

from typing import Any

from rehearsal.github import reviews
from rehearsal.github.access import has_role
from rehearsal.github.environments import matches
from rehearsal.github.errors import invalid
from rehearsal.github.gitstore import GitStore
from rehearsal.github.model import Json, PullRequest, Repository, Rule
from rehearsal.github.state import State

BEHIND = "The head branch is not up to date with the base branch."

KINDS: dict[str, Json | None] = {
    "creation": None,
    "deletion": None,
    "update": {"update_allows_fetch_and_merge": False},
    "non_fast_forward": None,
    "required_linear_history": None,
    "pull_request": {
        "allowed_merge_methods": ["merge", "squash", "rebase"],
        "dismiss_stale_reviews_on_push": False,
        "require_code_owner_review": False,
        "require_last_push_approval": False,
        "required_approving_review_count": 0,
        "required_review_thread_resolution": False,
    },
    "required_status_checks": {
        "required_status_checks": [],
        "strict_required_status_checks_policy": False,
        "do_not_enforce_on_create": False,
    },
}
"""The rules that hold here, with the defaults of their parameters; GitHub's other types are refused by name."""


def add(state: State, full_name: str, kind: str, branches: list[str], parameters: Json) -> Rule:
    """Add a rule (see `GitHub.add_rule`); all rules of a repository stand in one ruleset."""
    if kind not in KINDS:
        raise invalid("Ruleset", "rules", "custom", f"rule `{kind}` is not imitated; there are {', '.join(KINDS)}")
    defaults = KINDS[kind]
    unknown = sorted(set(parameters) - set(defaults or {}))
    if unknown:
        raise invalid("Ruleset", f"rules.{kind}.parameters", "custom", f"unknown: {', '.join(unknown)}")
    repository = state.repository(full_name)
    ruleset = repository.rules[0].ruleset_id if repository.rules else state.new_id()
    rule = Rule(kind, branches, {**(defaults or {}), **parameters}, ruleset)
    repository.rules.append(rule)
    return rule


def active(repository: Repository, branch: str) -> list[Rule]:
    """Give the rules that hold for a branch (also one that is not there yet)."""
    return [rule for rule in repository.rules if any(_covers(repository, pattern, branch) for pattern in rule.branches)]


def _covers(repository: Repository, pattern: str, branch: str) -> bool:
    if pattern in ("~ALL", "~DEFAULT_BRANCH"):
        return pattern == "~ALL" or branch == repository.default_branch
    return matches(pattern.removeprefix("refs/heads/"), branch)


def context_states(state: State, repository: Repository, sha: str) -> dict[str, str]:
    """Give the state of each check run and commit status of a commit: success, pending or failure; the newest of each name."""
    found: dict[str, str] = {}
    for status in state.statuses:
        if (status.repository, status.sha) == (repository.full_name, sha):
            found[status.context] = "failure" if status.state == "error" else status.state
    for check in sorted(state.checks.values(), key=lambda each: each.id):
        if (check.repository, check.head_sha) == (repository.full_name, sha):
            done = "success" if check.conclusion in ("success", "neutral", "skipped") else "failure"
            found[check.name] = done if check.status == "completed" else "pending"
    return found


def violations(state: State, repository: Repository, request: PullRequest, method: str | None = None) -> list[str]:
    """Give what keeps a pull request from being merged by rule, in GitHub's words where they are known."""
    found: list[str] = []
    for rule in active(repository, request.base_ref):
        if rule.type == "pull_request":
            found += _review_violations(state, repository, request, rule.parameters)
            if method and method not in rule.parameters["allowed_merge_methods"]:
                found.append(f"Merge method {method} is not allowed on this branch.")
        elif rule.type == "required_status_checks":
            found += _check_violations(state, repository, request, rule.parameters)
        elif rule.type == "required_linear_history" and method == "merge":
            found.append("This branch must not contain merge commits.")
        elif rule.type == "update":
            found.append("Cannot update this protected ref.")
    return found


def _review_violations(state: State, repository: Repository, request: PullRequest, parameters: dict[str, Any]) -> list[str]:
    counted = reviews.latest(request)
    approvals = {login for login, r in counted.items() if r.state == "APPROVED" and has_role(state, repository, login, "write")}
    found = []
    if any(r.state == "CHANGES_REQUESTED" and has_role(state, repository, login, "write") for login, r in counted.items()):
        found.append("Changes have been requested.")
    needed = parameters["required_approving_review_count"]
    if len(approvals) < needed:
        found.append(f"At least {needed} approving review{' is' if needed == 1 else 's are'} required by reviewers with write access.")
    if parameters["require_last_push_approval"] and not approvals - {request.last_pusher}:
        found.append("New changes require approval from someone other than the last pusher.")
    if parameters["require_code_owner_review"]:
        from rehearsal.github import codeowners

        missing = codeowners.missing_approvals(repository, request, approvals)
        if missing:
            found.append("Waiting on code owner review from " + ", ".join(sorted(missing)) + ".")
    return found


def _check_violations(state: State, repository: Repository, request: PullRequest, parameters: dict[str, Any]) -> list[str]:
    states = context_states(state, repository, request.head_sha)
    found = []
    for check in parameters["required_status_checks"]:
        context = check["context"]
        if states.get(context) != "success":
            word = {"failure": "is failing", "pending": "is in progress"}.get(states.get(context, ""), "is expected")
            found.append(f'Required status check "{context}" {word}.')
    if parameters["strict_required_status_checks_policy"] and not GitStore(repository.path).is_ancestor(request.base_sha, request.head_sha):
        found.append(BEHIND)
    return found


def mergeable_state(state: State, repository: Repository, request: PullRequest) -> str:
    """Give `mergeable_state`: dirty, draft, blocked, behind, unstable or clean (unknown when closed)."""
    if repository.issues[request.number].state == "closed":
        return "unknown"
    if request.mergeable is False:
        return "dirty"
    if request.draft:
        return "draft"
    broken = violations(state, repository, request)
    if broken:
        return "behind" if broken == [BEHIND] else "blocked"
    states = context_states(state, repository, request.head_sha).values()
    return "unstable" if any(each != "success" for each in states) else "clean"


def check_ref_change(repository: Repository, branch: str, old: str | None, new: str | None) -> None:
    """Refuse an API call that changes a branch against its rules (422).

    Args:
        repository: Where.
        branch: Which.
        old: The present commit, None for a new branch.
        new: The commit wished for, None to delete.
    """
    store = GitStore(repository.path)
    for rule in active(repository, branch):
        refused = (
            (rule.type == "creation" and old is None)
            or (rule.type == "deletion" and new is None)
            or (rule.type == "update" and old is not None and new is not None)
            or (rule.type == "non_fast_forward" and old is not None and new is not None and not store.is_ancestor(old, new))
            or (rule.type == "pull_request" and old is not None and new is not None)
        )
        if refused:
            text = "Changes must be made through a pull request." if rule.type == "pull_request" else f"Rule `{rule.type}` forbids it."
            raise invalid("Reference", "ref", "custom", f"Repository rule violations found\n\n{text}")
