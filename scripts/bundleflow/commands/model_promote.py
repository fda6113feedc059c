"""`bundleflow model promote`: makes the approved challenger champion, then switches its endpoint."""

from __future__ import annotations

import argparse

from bundleflow.commands.model_arguments import add_model_arguments

EXAMPLES = """examples:
  bundleflow model promote classifier --stage staging
  BUNDLEFLOW_CANDIDATES="$CANDIDATES" bundleflow model promote --stage prod    # in the gated job: exactly what the job before showed

A stage with a `model-environment` promotes only in the gated job of promote-model.yml or cd-prod.yml."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the action."""
    add_model_arguments(parser)
    parser.add_argument("--version", type=int, default=0, metavar="N", help="the version (default: the one with alias `challenger`)")


def run(args: argparse.Namespace) -> int:
    """Promote models."""
    from bundleflow.adapters.preload import GITHUB, preload
    from bundleflow.commands.context import print_json
    from bundleflow.commands.model_context import keys_of, load_model_job, models_workspace, placed_models
    from bundleflow.commands.model_steps import candidates, promote_candidate
    from bundleflow.models.candidates import read_candidates
    from bundleflow.records.errors import BundleflowError, FailureReason

    job = load_model_job(args, gated=True)
    preload(GITHUB)
    shown = read_candidates(job.env.get("BUNDLEFLOW_CANDIDATES") or "[]")
    if job.stage.model_environment and not shown:
        raise BundleflowError(
            f"Models of stage `{job.stage.name}` are promoted as they were shown for approval, and nothing was shown.",
            fix="Pass the output `candidates` of the job before as BUNDLEFLOW_CANDIDATES, as promote-model.yml and cd-prod.yml do.",
            reason=FailureReason.NOT_APPROVED,
        )
    keys = [each.key for each in shown] or keys_of(job, args.model)
    placed = placed_models(job, keys)
    workspace = models_workspace(job)
    found = list(shown) or [each.candidate for each in candidates(job, workspace, placed, args.version)]
    done = []
    for each, candidate in zip(placed, found, strict=True):
        result = promote_candidate(job, workspace, each, candidate)
        done.append(result.as_dict())
        job.runner.output("champion", str(result.champion))
    if args.json:
        print_json(done)
    return 0
