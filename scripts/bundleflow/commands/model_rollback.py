"""`bundleflow model rollback`: makes the previous champion champion again, and repairs what a killed promotion left."""

from __future__ import annotations

import argparse

from bundleflow.commands.model_arguments import add_model_arguments

EXAMPLES = """examples:
  bundleflow model rollback classifier --stage prod
  bundleflow model rollback classifier --stage prod --force-lock     # its holder is known to be dead

The endpoint goes back too. A promotion that was cut off is undone instead, and nothing else happens."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the action."""
    add_model_arguments(parser, several=False)
    parser.add_argument("--force-lock", action="store_true", help="take the model's lock also from a holder that gives signs of life")


def run(args: argparse.Namespace) -> int:
    """Roll a model back."""
    from bundleflow.commands.context import print_json, tell
    from bundleflow.commands.model_context import load_model_job, models_workspace, pace, placed_models, promoter_name
    from bundleflow.commands.models_error import models_errors
    from bundleflow.report.markdown_model import promotion_markdown
    from bundleflow_models.promotion import RollbackRequest, rollback

    job = load_model_job(args, gated=True)
    (placed,) = placed_models(job, [args.model])
    workspace = models_workspace(job)
    with models_errors():
        request = RollbackRequest(placed.name, placed.endpoint, promoter_name(job), force_lock=args.force_lock, pace=pace(job))
        done = rollback(workspace, request, tell=tell)
    job.runner.summary(promotion_markdown(done, title="Rolled back"))
    job.runner.output("champion", str(done.champion or ""))
    if args.json:
        print_json(done.as_dict())
    return 0
