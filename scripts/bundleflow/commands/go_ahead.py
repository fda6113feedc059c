"""Everything that must hold before an approved stage is deployed: it is the newest, nobody slipped in between, a person agreed to it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from bundleflow.adapters.git import commit_of
from bundleflow.adapters.github_release import ReleaseApi
from bundleflow.commands.context import JobContext, tell
from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow.records.evidence import Approval
from bundleflow.releases.approved_plan import ApprovedPlan, read_approved_plan
from bundleflow.releases.gate import GatedRun, verify_gate
from bundleflow.releases.standing import Standing, check_branch_is_here, check_plan_is_newest, standing
from bundleflow.releases.weaker_gate import ShownPlan


@dataclass(frozen=True)
class GoAhead:
    """A deployment that may begin.

    Args:
        approval: Who agreed.
        plan: What was approved, as the planning job handed it on.
        standing: What is deployed now.
    """

    approval: Approval
    plan: ApprovedPlan
    standing: Standing


def verify(job: JobContext, approved: str, plan_dir: Path) -> GoAhead:
    """Check that this run may deploy the approved plan now.

    Args:
        job: The stage.
        approved: Digest that was approved; empty when none was given.
        plan_dir: Folder with the approved plan.

    Raises:
        BundleflowError: `not-approved`, `superseded`, or `plan-changed` when nobody can say what was approved.
    """
    if not approved:
        raise BundleflowError(
            f"Stage `{job.stage.name}` has a `plan-environment`: it is deployed only by an approved plan, and no digest was given.",
            fix="Deploy it by the workflow cd-prod.yml, which plans, waits for approval, and deploys what was approved.",
            reason=FailureReason.NOT_APPROVED,
        )
    github = ReleaseApi.from_env(job.env)
    sha = commit_of()
    check_branch_is_here(github, job.env.get("GITHUB_REF") or "", sha)
    plan = read_approved_plan(plan_dir)
    now = stage_standing(job, github)
    check_plan_is_newest(now, plan.last_deployment, job.stage.name)
    run = GatedRun(
        environment=job.stage.environment,
        run_id=int(job.env.get("GITHUB_RUN_ID") or 0),
        attempt=int(job.env.get("GITHUB_RUN_ATTEMPT") or 1),
        sha=sha,
        branch=(job.env.get("GITHUB_REF") or "").removeprefix("refs/heads/"),
        workflow=caller_workflow(job),
        plan=ShownPlan(job.stage.name, job.bundle, approved, plan.evidence_run),
    )
    approval = verify_gate(github, run, job.stage.approval)
    tell(f"approved for {approval.environment} by {approval.approver}{' (weaker-gate)' if approval.weaker else ''}")
    return GoAhead(approval, plan, now)


def stage_standing(job: JobContext, github: ReleaseApi) -> Standing:
    """Where this job's stage and bundle stand."""
    return standing(github, environment=job.stage.environment, stage=job.stage.name, bundle=job.bundle)


def caller_workflow(job: JobContext) -> str:
    """File name of the caller's workflow, from GITHUB_WORKFLOW_REF (`owner/repo/.github/workflows/x.yml@ref`)."""
    found = re.search(r"/\.github/workflows/([^/@]+)@", job.env.get("GITHUB_WORKFLOW_REF") or "")
    return found[1] if found else "cd-prod.yml"


def by_hand(job: JobContext, given: bool, variable: str, what: str) -> bool:
    """Whether a special input is switched on; it counts only in a run that a person started.

    Args:
        job: The stage.
        given: Whether the command's option was given.
        variable: Environment variable that says `true` for the input.
        what: The workflow's input, for messages.

    Raises:
        BundleflowError: The run was not started by hand: then the input would be on for every run.
    """
    if not given and (job.env.get(variable) or "").lower() != "true":
        return False
    if job.runner.is_actions and job.env.get("GITHUB_EVENT_NAME") != "workflow_dispatch":
        raise BundleflowError(
            f"`{what}` is switched on in a run that nobody started by hand (event `{job.env.get('GITHUB_EVENT_NAME', '')}`).",
            fix=f"Let the caller pass `{what}: ${{{{ inputs.{what} || false }}}}` from an input of its `workflow_dispatch`.",
            reason=FailureReason.FLOW_MISMATCH,
            exit_code=ExitCode.USAGE,
        )
    return True
