"""The kit's own deployment on GitHub (task `bundleflow`): filed before the deployment, finished after it. For people and rollback."""

from __future__ import annotations

from bundleflow.adapters.github import GitHubApi
from bundleflow.records.evidence import DeploymentRecord

TASK = "bundleflow"


def begin_record(github: GitHubApi, record: DeploymentRecord) -> int:
    """File the deployment as in progress, so that a missing right shows before anything is changed.

    Returns:
        GitHub's id of the deployment.

    Raises:
        GitHubError: GitHub refused.
    """
    deployment = github.create_deployment(
        ref=record.sha,
        environment=record.environment,
        task=TASK,
        payload=record.payload(),
        description=f"{record.stage}: target {record.target}, plan {record.digest[:12]}",
    )
    github.set_deployment_state(deployment, "in_progress", log_url=record.run_url)
    return deployment


def finish_record(github: GitHubApi, deployment: int, *, success: bool, log_url: str, description: str = "") -> None:
    """Say how the deployment ended.

    Raises:
        GitHubError: GitHub refused.
    """
    github.set_deployment_state(deployment, "success" if success else "failure", log_url=log_url, description=description)
