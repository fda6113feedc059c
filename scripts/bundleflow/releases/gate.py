"""Checks by GitHub's API that a person approved this very run at the gate of the environment, before anything is deployed."""

from __future__ import annotations

from bundleflow.adapters.github import GitHubApi, GitHubError
from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow.records.evidence import Approval


def verify_gate(github: GitHubApi, *, environment: str, run_id: int, attempt: int) -> Approval:
    """Verify that this attempt of this run was approved.

    Args:
        github: The repository.
        environment: Environment of the deploying job.
        run_id: GitHub's id of this workflow run.
        attempt: Number of this attempt, from 1.

    Returns:
        The newest approval.

    Raises:
        BundleflowError: `not-approved`: the environment has no required reviewers, nobody approved, somebody rejected, or the run is
            at another attempt.
    """
    try:
        gate = github.gate(environment)
    except GitHubError as error:
        if error.status != 404:
            raise
        raise _refused(
            f"There is no environment `{environment}`, so nothing holds a deployment back.",
            f"Make the environment `{environment}` with required reviewers (Settings, Environments).",
        ) from error
    if not gate.reviewers:
        raise _refused(
            f"Environment `{environment}` has no required reviewers: its gate holds nobody back.",
            f"Add required reviewers to the environment `{environment}` (Settings, Environments, {environment}, Required reviewers).",
        )
    current = github.workflow_run(run_id).attempt
    if current != attempt:
        raise _refused(
            f"This is attempt {attempt} of the run, and GitHub is at attempt {current}.", "Let the newer attempt do the deployment."
        )
    reviews = [review for review in github.reviews(run_id) if environment in review.environments]
    if any(review.state == "rejected" for review in reviews) and not any(review.state == "approved" for review in reviews):
        who = next(review.user for review in reviews if review.state == "rejected")
        raise _refused(f"`{who}` rejected the deployment to `{environment}`.", "Start a new run when the objection is met.")
    approved = [review for review in reviews if review.state == "approved" and not review.user_is_bot and review.user]
    if not approved:
        raise _refused(
            f"Nobody approved this run for `{environment}` (an administrator may have bypassed the gate).",
            "Have a required reviewer approve the run; do not let administrators bypass the rules of this environment.",
        )
    return Approval(environment, approved[-1].user, approved[-1].comment)


def _refused(cause: str, fix: str) -> BundleflowError:
    return BundleflowError(cause, fix=fix, reason=FailureReason.NOT_APPROVED, exit_code=ExitCode.FAILED)
