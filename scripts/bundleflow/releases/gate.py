"""Checks by GitHub's API that a person approved this very run at the gate of the environment, before anything is deployed."""

from __future__ import annotations

from dataclasses import dataclass

from bundleflow.adapters.github import GitHubApi, GitHubError
from bundleflow.adapters.github_release import ReleaseApi
from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow.records.evidence import Approval
from bundleflow.records.github import Review
from bundleflow.records.release_rules import ApprovalRule
from bundleflow.releases.evidence import DEPLOYING_JOB
from bundleflow.releases.independence import people_behind
from bundleflow.releases.refusal import refused
from bundleflow.releases.weaker_gate import ShownPlan, verify_weaker_gate


@dataclass(frozen=True)
class GatedRun:
    """The run that wants to deploy.

    Args:
        environment: Environment of the deploying job.
        run_id: GitHub's id of this workflow run.
        attempt: Number of this attempt, from 1.
        sha: Commit that is to be deployed.
        branch: Branch that it stands on.
        workflow: File name of the caller's workflow, such as `cd-prod.yml`.
        plan: The plan that is to be deployed, and where it was shown before.
        job: Name of the job that stands behind the gate; its attempts that came through are counted.
    """

    environment: str
    run_id: int
    attempt: int
    sha: str
    branch: str
    workflow: str
    plan: ShownPlan
    job: str = DEPLOYING_JOB


def verify_gate(github: ReleaseApi, run: GatedRun, rule: ApprovalRule) -> Approval:
    """Verify that this attempt of this run was approved, by somebody who may.

    Args:
        github: The repository.
        run: The run.
        rule: What the flow file asks.

    Returns:
        The newest approval that counts.

    Raises:
        BundleflowError: `not-approved`: the environment has no required reviewers (and the flow file allows no weaker gate), lets any
            branch deploy, nobody approved this attempt, somebody rejected it, or who approved is behind the release. `plan-changed`: by
            the weaker gate another plan was approved.
    """
    reviewers = _reviewers(github, run.environment)
    current = github.workflow_run(run.run_id).attempt
    if current != run.attempt:
        raise refused(
            f"This is attempt {run.attempt} of the run, and GitHub is at attempt {current}.", "Let the newer attempt do the deployment."
        )
    _check_branch(github, run)
    if not reviewers and not rule.weaker_gate:
        raise refused(
            f"Environment `{run.environment}` has no required reviewers: its gate holds nobody back.",
            f"Add required reviewers to the environment `{run.environment}` (Settings, Environments, {run.environment}, Required "
            "reviewers). Where GitHub does not offer them, say so in the flow file: `approval: {weaker-gate: ...}`.",
        )
    if reviewers:
        approvals = _approvals(github, run)
    else:
        approvals = [verify_weaker_gate(github, run.environment, branch=run.branch, sha=run.sha, why=rule.weaker_gate, shown=run.plan)]
    if not rule.independent:
        return approvals[-1]
    involved = people_behind(github, environment=run.environment, run_id=run.run_id, sha=run.sha, branch=run.branch, workflow=run.workflow)
    free = [each for each in approvals if each.approver.lower() not in involved]
    if not free:
        who = approvals[-1].approver
        raise refused(
            f"`{who}` approved, and {involved[who.lower()]}; stage approval is to be independent.",
            "Start a new run and have a required reviewer approve it who neither wrote a commit since the last release nor merged it.",
        )
    return free[-1]


def why_not_begun(github: GitHubApi, environment: str, run_id: int) -> BundleflowError:
    """Why the job behind the gate of an environment ended before its first step.

    Args:
        github: The repository.
        environment: Environment of the gated job.
        run_id: GitHub's id of the workflow run.

    Returns:
        `not-approved` with who rejected it; `outside-trouble` when nobody did.
    """
    rejected = [each for each in github.reviews(run_id) if environment in each.environments and each.state == "rejected"]
    if rejected:
        return _rejected(rejected[-1], environment)
    return BundleflowError(
        f"The deploying job ended before its first step, and nobody rejected it at the gate of `{environment}`.",
        fix=f"Look at the job on the run's page: the branch may not deploy to `{environment}` (its deployment branches), or the runner was "
        "lost.",
        reason=FailureReason.OUTSIDE_TROUBLE,
        exit_code=ExitCode.TROUBLE,
    )


def _rejected(review: Review, environment: str) -> BundleflowError:
    said = f" (“{review.comment[:200]}”)" if review.comment else ""
    return refused(f"`{review.user}` rejected the deployment to `{environment}`{said}.", "Start a new run when the objection is met.")


def _reviewers(github: ReleaseApi, environment: str) -> tuple[str, ...]:
    try:
        return github.gate(environment).reviewers
    except GitHubError as error:
        if error.status != 404:
            raise
        raise refused(
            f"There is no environment `{environment}`, so nothing holds a deployment back.",
            f"Make the environment `{environment}` with required reviewers (Settings, Environments).",
        ) from error


def _check_branch(github: ReleaseApi, run: GatedRun) -> None:
    """Whoever may push a branch could otherwise deploy it with this environment's identity."""
    patterns = github.branch_patterns(run.environment)
    if patterns is None or any(not pattern.strip("*/") for pattern in patterns):
        raise refused(
            f"Environment `{run.environment}` lets any branch deploy.",
            f"Limit it to the branch that is released from (Settings, Environments, {run.environment}, Deployment branches and tags).",
        )


def _approvals(github: ReleaseApi, run: GatedRun) -> list[Approval]:
    """The approvals by people, of this attempt.

    GitHub names no attempt in them. Each attempt that came through the gate took one, so there must be as many as such attempts:
    one less, and an administrator let one of them through.
    """
    reviews = [review for review in github.reviews(run.run_id) if run.environment in review.environments]
    given = [review for review in reviews if review.state == "approved" and not review.user_is_bot and review.user]
    if not given and (rejected := [review for review in reviews if review.state == "rejected"]):
        raise _rejected(rejected[-1], run.environment)
    fix = "Have a required reviewer approve the run; do not let administrators bypass the rules of this environment."
    if not given:
        raise refused(f"Nobody approved this run for `{run.environment}` (an administrator may have bypassed the gate).", fix)
    jobs = github.jobs_of_all_attempts(run.run_id) if run.attempt > 1 else ()
    before = {job.attempt for job in jobs if _is_called(job.name, run.job) and job.on_runner and job.attempt < run.attempt}
    if len(given) <= len(before):
        raise refused(
            f"Attempt {run.attempt} of this run was approved by nobody: attempts of it passed the gate of `{run.environment}` "
            f"{len(before) + 1} times, and people approved {len(given)} time{'s' if len(given) != 1 else ''}.",
            f"Start a new run. {fix}",
        )
    return [Approval(run.environment, review.user, review.comment) for review in given[len(before) :]]


def _is_called(name: str, job: str) -> bool:
    return name.rpartition("/")[2].strip() == job
