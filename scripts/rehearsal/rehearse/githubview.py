"""Looks at the imitated GitHub for the story's checks."""

from __future__ import annotations

from rehearsal.actions.driver import git
from rehearsal.github.model_actions import Deployment
from rehearsal.github.world import GitHub

KIT_TASK = "bundleflow"
"""`task` of the deployment records that the kit files beside GitHub's own."""


def as_remote(github: GitHub) -> dict[str, str]:
    """Give the environment in which git finds the imitated GitHub's repositories by their addresses on github.com."""
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{github.state.data}/repositories/.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/",
    }


def open_pulls(github: GitHub, repository: str, base: str) -> list[int]:
    """Give the numbers of the open pull requests into a branch."""
    with github.state.locked():
        found = github.repository(repository)
        return sorted(number for number, pull in found.pulls.items() if pull.base_ref == base and found.issues[number].state == "open")


def kit_deployments(github: GitHub, repository: str, environment: str) -> list[Deployment]:
    """Give the kit's deployment records for an environment, oldest first."""
    with github.state.locked():
        every = sorted(github.state.deployments.values(), key=lambda each: each.id)
    return [each for each in every if (each.repository, each.environment, each.task) == (repository, environment, KIT_TASK)]


def latest_state(deployment: Deployment) -> str:
    """Give the state that a deployment record says last."""
    newest = max(deployment.statuses, key=lambda status: status.id, default=None)
    return newest.state if newest else "no status"


def branch_head(github: GitHub, repository: str, branch: str) -> str:
    """Give the commit that a branch points at."""
    return git(["-C", str(github.repository(repository).path), "rev-parse", f"refs/heads/{branch}"]).strip()
