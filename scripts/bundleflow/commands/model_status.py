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
    from bundleflow.records.errors import BundleflowError, ExitCode
    from bundleflow.report.markdown import visible
    from bundleflow.report.terminal import inert

    job = load_model_job(args, gated=False)
    placed = placed_models(job, keys_of(job, args.model))
    version = args.version or asked_version(job.env.get("BUNDLEFLOW_MODEL_VERSION", ""))
    if version and len(placed) > 1:
        raise BundleflowError(
            f"Version {version} was asked for, and of {len(placed)} models: {', '.join(f'`{each.key}`' for each in placed)}.",
            fix="Name the model, too: each has versions of its own.",
            exit_code=ExitCode.USAGE,
        )
    workspace = models_workspace(job)
    found = candidates(job, workspace, placed, version)
    with models_errors():
        rows = [standing(workspace, each, one.candidate) for each, one in zip(placed, found, strict=True)]
    job.runner.output("candidates", write_candidates([each.candidate for each in found]))
    if args.json:
        print_json(rows)
    else:
        # What checks found and who holds a lock is written by others; a runner must find no command in it.
        print(inert("\n".join(visible(line.replace("\n", " ")) for row in rows for line in _lines(row))))
    kept = [each.candidate for each in found if each.candidate.state not in (READY, CHAMPION)]
    if args.require and kept:
        raise refusal(kept[0])
    return 0


def asked_version(text: str) -> int:
    """The version that a workflow's input asks for; 0 for none.

    Raises:
        BundleflowError: It is no number (exit code 2).
    """
    from bundleflow.records.errors import BundleflowError, ExitCode

    if text.strip() and not text.strip().isdecimal():
        raise BundleflowError(
            f"`version` is {text.strip()[:60]!r}, which is no version of a model.",
            fix="Give the number alone, such as 7; leave it out for the version with alias `challenger`.",
            exit_code=ExitCode.USAGE,
        )
    return int(text.strip() or 0)


def _lines(row: dict[str, Any]) -> list[str]:
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
    return lines
