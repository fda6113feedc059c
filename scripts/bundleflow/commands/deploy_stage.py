"""`bundleflow deploy-stage`: one stage in one process: checked, planned, compared with what was approved, deployed, run, recorded."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bundleflow import __version__
from bundleflow.adapters.git import commit_of, tree_of
from bundleflow.adapters.github import GitHubApi
from bundleflow.adapters.preload import GITHUB, SDK, preload
from bundleflow.commands.context import JobContext, add_stage_arguments, load_job, print_json, tell
from bundleflow.commands.deploy_steps import AFTER, BEFORE, Deploying, take
from bundleflow.commands.go_ahead import GoAhead, by_hand, verify
from bundleflow.commands.policy_step import apply_policy
from bundleflow.commands.steps import StageRuns, planned_with_state, planning_identity, validated, warn
from bundleflow.records.errors import BundleflowError, FailureReason
from bundleflow.records.evidence import DeploymentRecord
from bundleflow.records.plan import CanonicalPlan, Plan
from bundleflow.releases.approved_plan import ApprovedPlan, difference
from bundleflow.releases.deployment_record import begin_record, finish_record
from bundleflow.releases.digest import canonical_plan, digest, hide_secrets
from bundleflow.releases.lock_wait import LIMIT_S, deploy_when_free
from bundleflow.releases.models_wheel import wheel_path
from bundleflow.releases.standing import way_back
from bundleflow.releases.weaker_gate import weaker_gate_note
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
    go: GoAhead | None = None
    force_lock: bool = False
    record: int | None = None
    runs: StageRuns = field(default_factory=StageRuns)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add_stage_arguments(parser)
    parser.add_argument("--approved-digest", help="deploy only a plan with this digest (BUNDLEFLOW_APPROVED_DIGEST)")
    parser.add_argument("--plan-dir", help="folder with the approved plan (BUNDLEFLOW_PLAN_DIR)")
    parser.add_argument(
        "--force-lock", action="store_true", help="take the bundle's lock from whoever holds it (BUNDLEFLOW_FORCE_LOCK=true)"
    )


def run(args: argparse.Namespace) -> int:
    """Deploy a stage."""
    job = load_job(args)
    preload(GITHUB, *([SDK] if job.stage.run or job.stage.smoke else []))
    approved = args.approved_digest or job.env.get("BUNDLEFLOW_APPROVED_DIGEST") or ""
    plan_dir = Path(args.plan_dir or job.env.get("BUNDLEFLOW_PLAN_DIR") or ".")
    done = Deployment()
    done.force_lock = by_hand(job, args.force_lock, "BUNDLEFLOW_FORCE_LOCK", "force-lock")
    if job.stage.plan_environment or approved:
        done.go = verify(job, approved, plan_dir)
        _check_force_is_approved(done.go.plan, done.force_lock)
    configuration = validated(job.runner, job.cli(), strict=False)
    if wheel_path(configuration):  # it is uploaded before the deployment; the SDK's import takes longer than the plan
        preload(SDK)
    done.plan, state = planned_with_state(job.runner, job.cli(), configuration, accepted=job.accepted)
    apply_policy(job, done.plan, deploying=True)
    identity = planning_identity(configuration)
    tree = tree_of()
    shown = done.go.plan.plan if done.go else None
    canonical = canonical_plan(done.plan, target=job.stage.target, tree=tree, identity=identity, like=shown)
    done.digest = digest(canonical)
    if shown:
        _compare(canonical, done.digest, approved, shown)
    job.runner.output("digest", done.digest)
    _report_plan(job, done, state)
    _deploy(Deploying(job, job.cli(), configuration, done.runs), done, tree)
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


def _check_force_is_approved(plan: ApprovedPlan, force_lock: bool) -> None:
    if force_lock and not plan.force_lock:
        raise BundleflowError(
            "Taking the lock away (`force-lock`) was not part of what was approved.",
            fix="Run the whole workflow again with `force-lock` switched on; the plan then says so to who approves.",
            reason=FailureReason.NOT_APPROVED,
        )


def _compare(canonical: CanonicalPlan, now: str, approved: str, shown: CanonicalPlan) -> None:
    if now == approved:
        tell(f"the plan is the approved one ({approved[:12]})")
        return
    lines = difference(shown, canonical).lines or ("values that are kept out of sight differ",)
    raise BundleflowError(
        f"The plan is not the one that was approved any more: {lines[0]}" + (f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""),
        fix="Look at what changed, then run the whole workflow again: it makes a new plan and asks for approval anew.",
        reason=FailureReason.PLAN_CHANGED,
        details="\n".join(lines),
    )


def _report_plan(job: JobContext, done: Deployment, state: Mapping[str, Any]) -> None:
    assert done.plan is not None
    notes = [f"Approved by {code(done.go.approval.approver)}."] if done.go else []
    if done.go and done.go.approval.weaker:
        notes.append(f"> [!WARNING]\n> {weaker_gate_note(job.stage.approval.weaker_gate)}")
    if done.force_lock:
        notes.append("> [!CAUTION]\n> **The bundle's lock is taken away** from whoever holds it (`force-lock`).")
    section = PlanSection.of(f"target {job.stage.target}", done.plan, state, done.digest, tuple(notes))
    job.runner.summary(plan_markdown(section, hide=hide_secrets, limit=SUMMARY_PLAN_LIMIT))
    tell(f"plan of target {job.stage.target}: {done.plan.summary}; digest {done.digest[:12]}")


def _deploy(deploying: Deploying, done: Deployment, tree: str) -> None:
    """Deploy, with the steps before and after it and GitHub's record around all of them."""
    assert done.plan is not None
    job = deploying.job
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
        approved_by=done.go.approval.approver if done.go else "",
        weaker_gate=bool(done.go and done.go.approval.weaker),
        run_id=int(job.env.get("GITHUB_RUN_ID") or 0),
        resumed_by=done.go.plan.resumed_by if done.go else "",
    )
    github = GitHubApi.from_env(job.env) if job.runner.is_actions else None
    done.record = begin_record(github, record) if github else None
    try:
        take(BEFORE, deploying)
        with job.runner.group(f"databricks bundle deploy -t {job.stage.target}"), job.runner.no_commands():
            wait_s = float(job.env.get("BUNDLEFLOW_LOCK_WAIT_S") or LIMIT_S)
            deploy_when_free(deploying.cli, tell=tell, force=done.force_lock, limit_s=wait_s)
        take(AFTER, deploying)
    except BaseException:
        _tell_way_back(job, done)
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


def _tell_way_back(job: JobContext, done: Deployment) -> None:
    """Say that further releases are held, and how to go back; for stages behind an approval."""
    if done.go is None:
        return
    branch = (job.env.get("GITHUB_REF") or "").removeprefix("refs/heads/")
    text = way_back(done.go.standing, stage=job.stage.name, branch=branch)
    for line in text.split("\n"):
        tell(line)
    job.runner.summary(
        f"#### Stopped, and how to go back\n\nNothing more was applied. Further releases of this stage are **held** until somebody starts "
        f"the workflow by hand with `resume`.\n\n{text}"
    )


def _outcome(record: DeploymentRecord, *, success: bool) -> str:
    word = "deployed" if success else "failed"
    return f"{word}; job runs: {len(record.job_runs)}"
