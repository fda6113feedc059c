"""`bundleflow model approve`: writes a person's approval, given on GitHub, where the model's deployment job looks for it."""

from __future__ import annotations

import argparse

from bundleflow.commands.model_arguments import add_model_arguments

EXAMPLES = """example, in a job with the stage's `model-environment`:
  BUNDLEFLOW_CANDIDATES="$CANDIDATES" bundleflow model approve classifier --stage prod

`bundleflow model promote` approves, lets the deployment job's run go on, and follows it; this only approves."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the action."""
    add_model_arguments(parser, several=False)
    parser.add_argument("--version", type=int, default=0, metavar="N", help="the version (default: the one with alias `challenger`)")


def run(args: argparse.Namespace) -> int:
    """Approve one version with its verdict."""
    from bundleflow.adapters.preload import GITHUB, preload
    from bundleflow.commands.context import print_json, tell
    from bundleflow.commands.model_context import approval_for, load_model_job, models_workspace, placed_models
    from bundleflow.commands.model_steps import approve_version, candidates
    from bundleflow.models.candidates import READY, read_candidates, refusal
    from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason

    job = load_model_job(args, gated=True)
    preload(GITHUB)
    (placed,) = placed_models(job, [args.model])
    if not placed.by_workspace:
        raise BundleflowError(
            f"Model `{args.model}` is promoted by GitHub: the approval of the promoting job is all it needs.",
            fix="Use `bundleflow model promote`.",
            reason=FailureReason.FLOW_MISMATCH,
            exit_code=ExitCode.USAGE,
        )
    workspace = models_workspace(job)
    shown = [each for each in read_candidates(job.env.get("BUNDLEFLOW_CANDIDATES") or "[]") if each.key == args.model]
    candidate = shown[0] if shown else candidates(job, workspace, [placed], args.version)[0].candidate
    if candidate.state != READY:
        raise refusal(candidate)
    approval = approval_for(job, candidate.verdict)
    task = approve_version(workspace, placed, candidate, approval)
    tell(f"{placed.name} version {candidate.version}: approved ({task}); repair run {candidate.run} to go on")
    if args.json:
        print_json({"model": placed.name, "version": candidate.version, "verdict": candidate.verdict, "by": approval.by, "tag": task})
    return 0
