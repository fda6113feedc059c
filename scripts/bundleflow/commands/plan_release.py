"""`bundleflow plan-release`: evidence of the stage before, then the plan to be approved, made by an identity that only reads."""

from __future__ import annotations

import argparse
from pathlib import Path

from bundleflow.adapters.git import commit_of, tree_of
from bundleflow.adapters.github import GitHubApi
from bundleflow.adapters.github_release import ReleaseApi
from bundleflow.commands.context import JobContext, add_stage_arguments, load_job, print_json, tell
from bundleflow.commands.go_ahead import by_hand, stage_standing
from bundleflow.commands.policy_step import apply_policy
from bundleflow.commands.stage_plan import check_identity, plan_stage
from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow.records.evidence import Evidence
from bundleflow.releases.approved_plan import ApprovedPlan, write_approved_plan
from bundleflow.releases.digest import hide_secrets, masked
from bundleflow.releases.evidence import find_evidence, kit_repository
from bundleflow.releases.preview import bundle_id
from bundleflow.releases.standing import Standing, check_branch_is_here, check_not_held, held_by, way_back
from bundleflow.releases.weaker_gate import weaker_gate_note
from bundleflow.report.markdown import code, escape, link
from bundleflow.report.markdown_plan import PlanSection, plan_markdown

SUMMARY_LIMIT = 900_000

EXAMPLES = """example, in a job with `environment: {name: production-plan, deployment: false}`:
  BUNDLEFLOW_STAGE=prod BUNDLEFLOW_ENVIRONMENT=production BUNDLEFLOW_PLAN_ENVIRONMENT=production-plan \\
  BUNDLEFLOW_PLAN_DIR=plan bundleflow plan-release"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add_stage_arguments(parser)
    parser.add_argument("--plan-environment", help="GitHub environment of this job (BUNDLEFLOW_PLAN_ENVIRONMENT)")
    parser.add_argument("--plan-dir", help="folder to write the plan to (BUNDLEFLOW_PLAN_DIR)")
    parser.add_argument("--resume", action="store_true", help="go on although the last deployment failed (BUNDLEFLOW_RESUME=true)")
    parser.add_argument(
        "--force-lock", action="store_true", help="let the deployment take the bundle's lock from its holder (BUNDLEFLOW_FORCE_LOCK=true)"
    )


def run(args: argparse.Namespace) -> int:
    """Check the evidence, plan, and write what is to be approved."""
    job = load_job(args)
    _check_plan_environment(job, args.plan_environment or job.env.get("BUNDLEFLOW_PLAN_ENVIRONMENT") or "")
    tree = tree_of()
    force_lock = by_hand(job, args.force_lock, "BUNDLEFLOW_FORCE_LOCK", "force-lock")
    now, resumed_by = _check_turn(job, resume=by_hand(job, args.resume, "BUNDLEFLOW_RESUME", "resume"))
    evidence = _evidence(job, tree)
    made = plan_stage(job, tree)
    apply_policy(job, made.plan, deploying=False)
    check_identity(job, made)
    notes = [f"Commit {code(commit_of()[:12])}, tree {code(tree[:12])}, planned by {code(made.identity or 'unknown')}."]
    if evidence:
        notes.append(
            f"Evidence: stage {code(evidence.stage)} was deployed from the same content by "
            f"{link(f'run {evidence.run_id}', evidence.run_url)} ({escape(evidence.job_name)})."
        )
    notes += _notes(job, resumed_by, force_lock)
    section = PlanSection.of(f"target {job.stage.target}, to be approved", made.plan, made.state, made.digest, tuple(notes))
    text = plan_markdown(section, hide=hide_secrets, limit=SUMMARY_LIMIT)
    folder = Path(args.plan_dir or job.env.get("BUNDLEFLOW_PLAN_DIR") or "bundleflow-plan")
    approved = ApprovedPlan(
        stage=job.stage.name,
        digest=made.digest,
        identity=made.identity,
        commit=commit_of(),
        plan=masked(made.canonical),
        last_deployment=now.newest_id,
        resumed_by=resumed_by,
        force_lock=force_lock,
        evidence_run=evidence.run_id if evidence else 0,
    )
    write_approved_plan(folder, approved)
    (folder / "plan.md").write_text(text + "\n", encoding="utf-8")
    job.runner.summary(text)
    job.runner.output("digest", made.digest)
    job.runner.output("bundle-id", bundle_id(job.bundle))  # one run may plan several bundles, and each plan is an artifact of its own
    tell(f"plan of target {job.stage.target}: {made.plan.summary}; digest {made.digest}")
    if args.json:
        print_json(
            {
                "stage": job.stage.name,
                "target": job.stage.target,
                "digest": made.digest,
                "plan": str(made.plan.summary),
                "evidence": evidence,
                "resumed_by": resumed_by,
                "force_lock": force_lock,
            }
        )
    return 0


def _check_turn(job: JobContext, *, resume: bool) -> tuple[Standing, str]:
    """Where the stage stands, and who said go after a failure; refuses a release that is held or not the newest."""
    github = ReleaseApi.from_env(job.env)
    reference = job.env.get("GITHUB_REF") or ""
    check_branch_is_here(github, reference, commit_of())
    now = stage_standing(job, github)
    if not resume:
        back = way_back(now, stage=job.stage.name, branch=reference.removeprefix("refs/heads/"))
        check_not_held(github, now, stage=job.stage.name, way_back=back)
        return now, ""
    return now, (job.env.get("GITHUB_TRIGGERING_ACTOR") or job.env.get("GITHUB_ACTOR") or "somebody") if held_by(github, now) else ""


def _notes(job: JobContext, resumed_by: str, force_lock: bool) -> list[str]:
    """What who approves must know beyond the plan, as Markdown."""
    notes = []
    if resumed_by:
        notes.append(f"> [!WARNING]\n> The last deployment of this stage failed; {code(resumed_by)} said that releases may go on.")
    if force_lock:
        notes.append("> [!CAUTION]\n> **The deployment takes the bundle's lock away** from whoever holds it (`force-lock`).")
    if job.stage.approval.one_identity:
        why = escape(job.stage.approval.one_identity)
        notes.append(f"> [!WARNING]\n> **one-identity**: the plan was made by the identity that deploys. {why}")
    if job.stage.approval.weaker_gate:
        notes.append(f"> [!WARNING]\n> {weaker_gate_note(job.stage.approval.weaker_gate)}")
    return notes


def _check_plan_environment(job: JobContext, given: str) -> None:
    expected = job.stage.plan_environment or job.stage.environment
    if given.lower() != expected.lower():
        raise BundleflowError(
            f"The plan of stage `{job.stage.name}` is to be made in environment `{expected}`, and the job names `{given}`.",
            fix=f"Call the workflow with `plan-environment: {expected}`, or correct `plan-environment` of the stage in {job.flow.path}.",
            reason=FailureReason.FLOW_MISMATCH,
            exit_code=ExitCode.USAGE,
        )


def _evidence(job: JobContext, tree: str) -> Evidence | None:
    """Evidence of the stage that this one requires; None when it requires none."""
    if job.stage.requires is None:
        return None
    github = GitHubApi.from_env(job.env)
    kit = kit_repository(github.workflow_run(int(job.env.get("GITHUB_RUN_ID") or 0)))
    evidence = find_evidence(
        github,
        stage=job.stage.requires,
        tree=tree,
        kit=kit,
        branch=job.env.get("BUNDLEFLOW_MAIN_BRANCH") or "main",
        workflow=job.env.get("BUNDLEFLOW_STAGING_WORKFLOW") or "cd-staging.yml",
    )
    tell(f"evidence: {evidence.run_url} deployed stage {evidence.stage} from tree {tree[:12]}")
    return evidence
