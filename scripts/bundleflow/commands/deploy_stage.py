"""`bundleflow deploy-stage`: one stage in one process: checked, planned, compared with what was approved, deployed, run, recorded."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field, replace
from pathlib import Path

from bundleflow import __version__
from bundleflow.adapters.git import commit_of, tree_of
from bundleflow.adapters.github import GitHubApi
from bundleflow.adapters.preload import GITHUB, SDK, preload
from bundleflow.commands.context import JobContext, add_stage_arguments, load_job, print_json, tell
from bundleflow.commands.policy_step import apply_policy
from bundleflow.commands.steps import StageRuns, planned, planning_identity, run_jobs, validated, warn
from bundleflow.records.errors import BundleflowError, FailureReason
from bundleflow.records.evidence import Approval, DeploymentRecord
from bundleflow.records.plan import CanonicalPlan, Plan
from bundleflow.releases.approved_plan import difference, read_approved_plan
from bundleflow.releases.deployment_record import begin_record, finish_record
from bundleflow.releases.digest import canonical_plan, digest, hide_secrets
from bundleflow.releases.gate import verify_gate
from bundleflow.report.markdown import code, link
from bundleflow.report.markdown_plan import PlanSection, plan_markdown

SUMMARY_PLAN_LIMIT = 400_000

EXAMPLES = """example, in a job with `environment: staging`:
  BUNDLEFLOW_STAGE=staging BUNDLEFLOW_ENVIRONMENT=staging bundleflow deploy-stage

With BUNDLEFLOW_APPROVED_DIGEST and BUNDLEFLOW_PLAN_DIR, the deployment happens only if this run was approved and the plan is still
the approved one."""


@dataclass
class Deployment:
    """What a deployment has come to so far."""

    plan: Plan | None = None
    digest: str = ""
    approval: Approval | None = None
    record: int | None = None
    runs: StageRuns = field(default_factory=StageRuns)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add_stage_arguments(parser)
    parser.add_argument("--approved-digest", help="deploy only a plan with this digest (BUNDLEFLOW_APPROVED_DIGEST)")
    parser.add_argument("--plan-dir", help="folder with the approved plan (BUNDLEFLOW_PLAN_DIR)")


def run(args: argparse.Namespace) -> int:
    """Deploy a stage."""
    job = load_job(args)
    preload(GITHUB, *([SDK] if job.stage.run else []))
    approved = args.approved_digest or job.env.get("BUNDLEFLOW_APPROVED_DIGEST") or ""
    plan_dir = Path(args.plan_dir or job.env.get("BUNDLEFLOW_PLAN_DIR") or ".")
    done = Deployment()
    if job.stage.plan_environment or approved:
        done.approval = _verify_approval(job, approved)
    configuration = validated(job.runner, job.cli(), strict=False)
    done.plan = planned(job.runner, job.cli(), configuration)
    apply_policy(job, done.plan, deploying=True)
    identity = planning_identity(configuration)
    tree = tree_of()
    canonical = canonical_plan(done.plan, target=job.stage.target, tree=tree, identity=identity)
    done.digest = digest(canonical)
    if approved:
        done.digest = _compare(done.plan, canonical, approved, plan_dir, identity)
    job.runner.output("digest", done.digest)
    _report_plan(job, done)
    _deploy(job, done, tree)
    if args.json:
        print_json(
            {
                "stage": job.stage.name,
                "target": job.stage.target,
                "digest": done.digest,
                "plan": str(done.plan.summary),
                "runs": [each.as_dict() for each in done.runs.runs],
            }
        )
    return 0


def _verify_approval(job: JobContext, approved: str) -> Approval:
    if not approved:
        raise BundleflowError(
            f"Stage `{job.stage.name}` has a `plan-environment`: it is deployed only by an approved plan, and no digest was given.",
            fix="Deploy it by the workflow cd-prod.yml, which plans, waits for approval, and deploys what was approved.",
            reason=FailureReason.NOT_APPROVED,
        )
    github = GitHubApi.from_env(job.env)
    attempt = int(job.env.get("GITHUB_RUN_ATTEMPT") or 1)
    approval = verify_gate(github, environment=job.stage.environment, run_id=int(job.env.get("GITHUB_RUN_ID") or 0), attempt=attempt)
    tell(f"approved for {approval.environment} by {approval.approver}")
    return approval


def _compare(plan: Plan, canonical: CanonicalPlan, approved: str, plan_dir: Path, identity: str) -> str:
    """The digest that was approved, when this plan has it."""
    # The second form counts where the bundle itself names the deploying identity as owner: then the approved plan shows it as well.
    own = canonical_plan(plan, target=canonical.target, tree=canonical.tree, identity=identity, own_owner=True)
    if approved in (digest(canonical), digest(own)):
        tell(f"the plan is the approved one ({approved[:12]})")
        return approved
    lines = difference(read_approved_plan(plan_dir).plan, canonical).lines or ("values that are kept out of sight differ",)
    raise BundleflowError(
        f"The plan is not the one that was approved any more: {lines[0]}" + (f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""),
        fix="Look at what changed, then run the whole workflow again: it makes a new plan and asks for approval anew.",
        reason=FailureReason.PLAN_CHANGED,
        details="\n".join(lines),
    )


def _report_plan(job: JobContext, done: Deployment) -> None:
    assert done.plan is not None
    notes = (f"Approved by {code(done.approval.approver)}.",) if done.approval else ()
    section = PlanSection(f"target {job.stage.target}", done.plan, done.digest, notes)
    job.runner.summary(plan_markdown(section, hide=hide_secrets, limit=SUMMARY_PLAN_LIMIT))
    tell(f"plan of target {job.stage.target}: {done.plan.summary}; digest {done.digest[:12]}")


def _deploy(job: JobContext, done: Deployment, tree: str) -> None:
    """Deploy and run, with GitHub's record around it."""
    assert done.plan is not None
    record = DeploymentRecord(
        stage=job.stage.name,
        environment=job.stage.environment,
        target=job.stage.target,
        sha=commit_of(),
        tree=tree,
        digest=done.digest,
        cli_version=done.plan.cli_version,
        kit_version=__version__,
        bundle=job.bundle,
        run_url=job.runner.run_url,
        approved_by=done.approval.approver if done.approval else "",
    )
    github = GitHubApi.from_env(job.env) if job.runner.is_actions else None
    done.record = begin_record(github, record) if github else None
    try:
        with job.runner.group(f"databricks bundle deploy -t {job.stage.target}"), job.runner.no_commands():
            job.cli().deploy()
        if job.stage.run:
            run_jobs(job, job.cli().summary(), done.runs)
    except BaseException:
        _finish(job, github, replace(record, job_runs=done.runs.urls()), done, success=False)
        raise
    _finish(job, github, replace(record, job_runs=done.runs.urls()), done, success=True)


def _finish(job: JobContext, github: GitHubApi | None, record: DeploymentRecord, done: Deployment, *, success: bool) -> None:
    if github is None or done.record is None:
        return
    try:
        finish_record(github, done.record, success=success, log_url=record.run_url, description=_outcome(record, success=success))
    except BundleflowError as error:
        # What is deployed is deployed: the record's last word is not worth a second, misleading failure.
        warn(job.runner, error, "The deployment's record could not be finished")
    pages = "".join(f"\n- {link(key, url)}" for key, url in record.job_runs)
    state = "✅ Deployed" if success else "❌ Failed"
    job.runner.summary(f"**{state}** {code(record.stage)} from {code(record.sha[:12])}{pages}")


def _outcome(record: DeploymentRecord, *, success: bool) -> str:
    word = "deployed" if success else "failed"
    return f"{word}; job runs: {len(record.job_runs)}"
