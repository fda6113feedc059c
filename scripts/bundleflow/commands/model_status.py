"""`bundleflow model status`: who is champion, what could be promoted, what waits for approval, and what serves."""

from __future__ import annotations

import argparse
from typing import Any

from bundleflow.commands.model_arguments import add_model_arguments

EXAMPLES = """examples:
  bundleflow model status --stage prod
  bundleflow model status classifier --stage prod --version 7 --require    # fails unless version 7 could be promoted now"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the action."""
    add_model_arguments(parser)
    parser.add_argument("--version", type=int, default=0, metavar="N", help="the candidate (default: the version with alias `challenger`)")
    parser.add_argument("--require", action="store_true", help="fail when a model has no candidate that could be promoted now")


def run(args: argparse.Namespace) -> int:
    """Show where models stand; output `candidates`: what the promoting job may promote."""
    from bundleflow.commands.context import print_json
    from bundleflow.commands.model_context import keys_of, load_model_job, models_workspace, placed_models
    from bundleflow.commands.model_steps import candidates
    from bundleflow.commands.models_error import models_errors
    from bundleflow.models.candidates import CHAMPION, READY, refusal, write_candidates
    from bundleflow.models.standing import standing

    job = load_model_job(args, gated=False)
    version = args.version or int(job.env.get("BUNDLEFLOW_MODEL_VERSION") or 0)
    placed = placed_models(job, keys_of(job, args.model))
    workspace = models_workspace(job)
    found = candidates(job, workspace, placed, version)
    with models_errors():
        rows = [standing(workspace, each, one.candidate) for each, one in zip(placed, found, strict=True)]
    job.runner.output("candidates", write_candidates([each.candidate for each in found]))
    if args.json:
        print_json(rows)
    else:
        print("\n".join(_lines(row) for row in rows))
    kept = [each.candidate for each in found if each.candidate.state not in (READY, CHAMPION)]
    if args.require and kept:
        raise refusal(kept[0])
    return 0


def _lines(row: dict[str, Any]) -> str:
    champion = f"version {row['champion']}" if row["champion"] is not None else "none"
    lines = [
        f"{row['name']}  (promoted by {row['promoter']})",
        f"  champion   {champion}{', moved by hand' if row['moved_by_hand'] else ''}",
    ]
    lines.append(f"  before     {('version ' + str(row['previous_champion'])) if row['previous_champion'] else 'none'}")
    lines.append(f"  candidate  {('version ' + str(row['version'])) if row['version'] else 'none'}: {row['state']} {row['why']}".rstrip())
    if row["verdict"]:
        lines.append(f"  verdict    {row['verdict']}")
    if row["endpoint"]:
        shares = ", ".join(f"{name} {share} %" for name, share in row["endpoint"]["traffic"].items())
        lines.append(f"  endpoint   {row['endpoint']['name']}: {row['endpoint']['state']} {shares}".rstrip())
    if row["lock"]:
        lines.append(f"  lock       held by {row['lock']['holder']} since {row['lock']['since']}, last sign of life {row['lock']['seen']}")
    return "\n".join(lines)
