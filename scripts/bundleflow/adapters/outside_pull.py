"""Pull requests that GitHub gives no identity: those of forks and of Dependabot, told by the event and not by what is missing.

Source: GitHub's pages "GITHUB_TOKEN reference" (a pull request of a fork: at most read, `id-token` none) and "Troubleshooting Dependabot
on GitHub Actions" (runs by `dependabot[bot]` are treated as if they came from a fork).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from bundleflow.adapters.databricks_cli import auth_type
from bundleflow.adapters.runner import Runner

Outside = Literal["", "fork", "dependabot"]
DEPENDABOT = "dependabot[bot]"


def outside_pull(runner: Runner) -> Outside:
    """Why this job has no identity although nobody did anything wrong.

    Empty for every other job: where it lacks a login all the same, that is `auth-failed`. So a branch of the repository itself cannot get
    past a check by dropping its token, and a fork that an administrator gives tokens is checked like everybody else.

    Args:
        runner: The runner, with the event that GitHub wrote.
    """
    pull = runner.event.get("pull_request")
    if not runner.is_actions or runner.env.get("GITHUB_EVENT_NAME") != "pull_request" or not isinstance(pull, Mapping):
        return ""
    if _can_log_in(runner.env):
        return ""
    if _from_fork(pull):
        return "fork"
    author = pull.get("user")
    by_dependabot = isinstance(author, Mapping) and author.get("login") == DEPENDABOT and runner.env.get("GITHUB_ACTOR") == DEPENDABOT
    return "dependabot" if by_dependabot else ""


def _can_log_in(env: Mapping[str, str]) -> bool:
    """Whether the job is offered anything to log in with."""
    needed = {
        "github-oidc": "ACTIONS_ID_TOKEN_REQUEST_URL",
        "oauth-m2m": "DATABRICKS_CLIENT_SECRET",
        "pat": "DATABRICKS_TOKEN",
    }
    way = auth_type(env)
    return bool(way) and (way not in needed or bool(env.get(needed[way])))


def _from_fork(pull: Mapping[str, Any]) -> bool:
    """Whether the head is in another repository than the base; one that was deleted meanwhile is none of ours either."""
    head, base = pull.get("head"), pull.get("base")
    if not isinstance(head, Mapping) or not isinstance(base, Mapping) or "repo" not in head or not isinstance(base.get("repo"), Mapping):
        return False
    repository = head["repo"]
    return repository is None or (isinstance(repository, Mapping) and repository.get("id") != base["repo"].get("id"))
