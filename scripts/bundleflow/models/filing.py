"""The promotion's own deployment on GitHub (task `bundleflow-model`): filed before the model is changed, finished after it."""

from __future__ import annotations

from typing import Any

from bundleflow.adapters.github import GitHubApi
from bundleflow.records.evidence import Approval as GateApproval
from bundleflow_models.promotion import Approval

TASK = "bundleflow-model"
FORMAT = 1


def begin(github: GitHubApi, *, sha: str, environment: str, payload: dict[str, Any], description: str, run_url: str) -> int:
    """File a promotion as in progress, so that a missing right shows before anything is changed.

    Args:
        github: The repository.
        sha: Commit of the run.
        environment: GitHub environment of the job.
        payload: What is promoted, by whom approved.
        description: One line for people.
        run_url: The workflow run.

    Returns:
        GitHub's id of the deployment.

    Raises:
        GitHubError: GitHub refused.
    """
    number = github.create_deployment(
        ref=sha, environment=environment, task=TASK, payload={**payload, "format": FORMAT}, description=description[:140]
    )
    github.set_deployment_state(number, "in_progress", log_url=run_url)
    return number


def finish(github: GitHubApi, number: int, *, success: bool, description: str, run_url: str) -> None:
    """Say how a promotion ended.

    Raises:
        GitHubError: GitHub refused.
    """
    github.set_deployment_state(number, "success" if success else "failure", log_url=run_url, description=description[:140])


def github_approval(gate: GateApproval, verdict: str, run_url: str) -> Approval:
    """A person's approval at GitHub's gate, as the engine records it."""
    return Approval(by=gate.approver, where="github", verdict=verdict, link=run_url, comment=gate.comment)
