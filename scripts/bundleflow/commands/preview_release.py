"""`bundleflow preview-release`: plans the next stage by an identity that only reads, for people who look at the release pull request."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path

from bundleflow.adapters.git import commit_of, tree_of
from bundleflow.adapters.runner import Runner
from bundleflow.commands.context import JobContext, add_stage_arguments, bundle_folder, flow_path, print_json, require_login, tell
from bundleflow.commands.stage_plan import StagePlan, check_identity, plan_stage
from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow.records.flow import Flow, Stage, load_flow
from bundleflow.releases.digest import hide_secrets
from bundleflow.releases.policy import denial, judge
from bundleflow.releases.preview import Preview, artifact_name, write_preview
from bundleflow.report.markdown import code, escape, link
from bundleflow.report.markdown_plan import PlanSection, plan_markdown
from bundleflow.report.markdown_policy import policy_markdown

PULL_REQUEST_LIMIT = 30_000
SUMMARY_LIMIT = 900_000
TOLD = frozenset(
    {
        FailureReason.VALIDATION_FAILED,
        FailureReason.POLICY_DENIED,
        FailureReason.PLAN_DEPENDS_ON_IDENTITY,
        FailureReason.FLOW_MISMATCH,
    }
)
"""What the release would be refused for now: that is what a preview is there to say, so it is told and does not fail the job."""

EXAMPLES = """example, in a job with `environment: {name: production-plan, deployment: false}`, after stage staging was deployed:
  BUNDLEFLOW_STAGE=staging BUNDLEFLOW_PLAN_ENVIRONMENT=production-plan BUNDLEFLOW_PLAN_DIR=preview bundleflow preview-release"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add_stage_arguments(parser)
    parser.add_argument("--plan-environment", help="GitHub environment of this job (BUNDLEFLOW_PLAN_ENVIRONMENT)")
    parser.add_argument("--plan-dir", help="folder to write the preview to (BUNDLEFLOW_PLAN_DIR)")


def run(args: argparse.Namespace) -> int:
    """Plan the stage that requires the deployed one, and write what the release pull request shows."""
    env = os.environ
    flow = load_flow(flow_path(args, env))
    deployed = flow.stage(args.stage or env.get("BUNDLEFLOW_STAGE") or "")
    environment = args.plan_environment or env.get("BUNDLEFLOW_PLAN_ENVIRONMENT") or ""
    stage = next_stage(flow, deployed.name, environment)
    require_login(env, environment)
    job = JobContext(flow, stage, bundle_folder(args, env), env, Runner.here())
    preview = _preview(job)
    write_preview(Path(args.plan_dir or env.get("BUNDLEFLOW_PLAN_DIR") or "bundleflow-preview"), preview)
    job.runner.output("digest", preview.digest)
    job.runner.output("artifact", artifact_name(job.bundle, preview))
    if args.json:
        print_json({"stage": stage.name, "target": stage.target, "digest": preview.digest, "refused": bool(preview.refused)})
    return 0


def next_stage(flow: Flow, deployed: str, environment: str) -> Stage:
    """The stage that is released from the one that was deployed, and whose plan is made in this job's environment.

    Raises:
        BundleflowError: `flow-mismatch` when there is none, or more than one.
    """
    wanted = [
        each for each in flow.stages.values() if each.requires == deployed and (each.plan_environment or "").lower() == environment.lower()
    ]
    if environment and len(wanted) == 1:
        return wanted[0]
    many = f"Several stages require `{deployed}` and plan in `{environment}`: {', '.join(f'`{each.name}`' for each in wanted)}."
    none = f"No stage of {flow.path} requires `{deployed}` and has `plan-environment: {environment or '...'}`."
    raise BundleflowError(
        many if wanted else none,
        fix="Call cd-staging.yml with `plan-environment:` of the one stage that is released from this one, or leave that input out: "
        "then the release pull request shows no plan.",
        reason=FailureReason.FLOW_MISMATCH,
        exit_code=ExitCode.USAGE,
    )


def _preview(job: JobContext) -> Preview:
    """Plan and judge; what a release would be refused for is told in the preview.

    Raises:
        BundleflowError: The plan could not be made for a reason that lies outside the bundle.
    """
    try:
        made = plan_stage(job, tree_of())
    except BundleflowError as error:
        return _refused(job, Preview(job.stage.name, "", ""), error)
    verdict = judge(made.plan, job.flow.policy)
    text = _text(job, made, PULL_REQUEST_LIMIT)
    policy = policy_markdown(verdict)
    job.runner.summary(f"{_text(job, made, SUMMARY_LIMIT)}\n\n{policy}")
    tell(f"preview of target {job.stage.target}: {made.plan.summary}; digest {made.digest}")
    preview = Preview(job.stage.name, made.digest, f"{text}\n\n{policy}".rstrip())
    try:
        check_identity(job, made)
        denied = denial(verdict)
        if denied:
            raise denied
    except BundleflowError as error:
        return _refused(job, preview, error)
    return preview


def _refused(job: JobContext, preview: Preview, error: BundleflowError) -> Preview:
    if error.reason not in TOLD:
        raise error
    text = (
        f"> [!CAUTION]\n> **The release would be refused now** ({code(str(error.reason))}): {escape(error.cause, 500)}\n>\n"
        f"> {escape(error.fix, 500)}"
    )
    job.runner.summary(text)
    job.runner.annotate("warning", f"{error.cause}\n{error.fix}".strip(), title=f"bundleflow: stage {job.stage.name}: {error.reason}")
    tell(f"the release of stage {job.stage.name} would be refused now: {error.cause}")
    return replace(preview, refused=text)


def _text(job: JobContext, made: StagePlan, limit: int) -> str:
    note = f"As things stand now, for commit {code(commit_of()[:12])}, planned by {code(made.identity or 'unknown')}, which only reads."
    section = PlanSection.of(f"target {job.stage.target}", made.plan, made.state, made.digest, (note,))
    pointer = link("The run's summary has the whole plan.", job.runner.run_url) if job.runner.run_url else ""
    return plan_markdown(section, hide=hide_secrets, limit=limit, pointer=pointer)
