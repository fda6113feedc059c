"""`bundleflow model connect`: lets each new version of a model start its deployment job."""

from __future__ import annotations

import argparse

from bundleflow.commands.model_arguments import add_model_arguments

EXAMPLES = """examples:
  bundleflow model connect --stage staging               # every model that names a deployment job
  bundleflow model connect classifier --stage prod

A deployment of a stage does this by itself."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the action."""
    add_model_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Connect models to their deployment jobs."""
    from bundleflow.commands.context import print_json
    from bundleflow.commands.model_context import load_model_job, placed_models
    from bundleflow.commands.model_steps import connect
    from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason

    job = load_model_job(args, gated=False)
    keys = args.model or [key for key, model in job.flow.models.items() if model.deployment_job]
    for key in keys:
        model = job.flow.models.get(key)
        if model is not None and model.deployment_job is None:
            raise BundleflowError(
                f"Model `{key}` of {job.flow.path} names no `deployment-job`.",
                fix="Name one and write `promoter: workspace`; a model that GitHub promotes is connected to none.",
                reason=FailureReason.FLOW_MISMATCH,
                exit_code=ExitCode.USAGE,
            )
    done = connect(job, placed_models(job, keys))
    if args.json:
        print_json(done)
    return 0
