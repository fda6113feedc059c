"""What stands behind a release as data: evidence of an earlier stage, the approval, the deployment's record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Evidence:
    """A deploying job of an earlier stage that succeeded on the same content.

    Args:
        stage: Name of that stage.
        run_id: GitHub's id of the workflow run.
        run_url: Its page.
        job_name: Name of the deploying job.
        sha: Commit that it deployed.
        tree: Root tree of that commit, equal to the one to release.
        event: `push` or `workflow_dispatch`.
        workflow: Path of the kit's workflow, with its commit.
        finished_at: When the job ended, ISO 8601.
    """

    stage: str
    run_id: int
    run_url: str
    job_name: str
    sha: str
    tree: str
    event: str
    workflow: str
    finished_at: str = ""


@dataclass(frozen=True)
class Approval:
    """A person's approval of this workflow run at the gate of an environment; GitHub does not say when.

    `weaker`: it was given to the release's pull request under the branch's rules, before the plan was made.
    """

    environment: str
    approver: str
    comment: str = ""
    weaker: bool = False


@dataclass(frozen=True)
class DeploymentRecord:
    """What the kit files as a GitHub deployment with task `bundleflow`: for people and for rollback, not as proof.

    Args:
        stage: Stage of the flow file.
        environment: GitHub environment.
        target: Target of the bundle.
        sha: Commit that was deployed.
        tree: Its root tree.
        digest: Digest of the plan that was applied.
        cli_version: Version of the Databricks CLI.
        kit_version: Version of bundleflow.
        bundle: Folder of the bundle.
        run_url: The workflow run.
        job_runs: Pages of the job runs that followed, by job key.
        approved_by: Who approved it; empty where there is no gate.
        weaker_gate: Whether that was by the rules of the branch instead of required reviewers.
        run_id: GitHub's id of the workflow run.
        resumed_by: Who said that releases may go on after one that failed; empty when none had.
    """

    stage: str
    environment: str
    target: str
    sha: str
    tree: str
    digest: str
    cli_version: str
    kit_version: str
    bundle: str = "."
    run_url: str = ""
    job_runs: tuple[tuple[str, str], ...] = ()
    approved_by: str = ""
    weaker_gate: bool = False
    run_id: int = 0
    resumed_by: str = ""

    def payload(self) -> dict[str, Any]:
        """The record as the payload of GitHub's deployment."""
        from dataclasses import asdict

        return {**asdict(self), "job_runs": dict(self.job_runs), "format": 1}
