"""`bundleflow model verdict`: scores challenger and champion on the hold-out, decides by the gate file, writes the verdict down."""

from __future__ import annotations

import argparse
import os
import sys

from bundleflow.commands.models_error import models_errors
from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow_models.verdict.record import Result, Verdict

EXAMPLES = """examples:
  bundleflow model verdict --model dev.iris.classifier --version 3 --gate gates/iris.yml
  bundleflow model verdict --model dev.iris.classifier --version 3 --gate gates/iris.yml --holdout holdout.parquet --dry-run --json

exit codes: 0 passed, 1 refused, 2 wrong use, 3 could not decide"""

SUMMARY_LIMIT = 100_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--model", required=True, metavar="NAME", help="full name of the registered model (catalog.schema.model)")
    parser.add_argument("--version", required=True, metavar="N", help="the version to judge")
    parser.add_argument("--gate", required=True, metavar="FILE", help="the gate file")
    parser.add_argument("--holdout", metavar="NAME", help="a CSV or Parquet file, or a table (default: the table of the gate file)")
    parser.add_argument("--training", metavar="NAME", help="the same for the training rows (default: what the training run recorded)")
    parser.add_argument("--champion-alias", default="champion", metavar="ALIAS", help="alias of the champion (default: champion)")
    parser.add_argument("--dry-run", action="store_true", help="write nothing to MLflow; such a verdict promotes nothing")
    parser.add_argument("--json", action="store_true", help="print the verdict as JSON on standard output")


def run(args: argparse.Namespace) -> int:
    """Judge a version."""
    from bundleflow_models.verdict import evaluate_version, load_gate

    with models_errors():
        gate = load_gate(args.gate)
        if not args.version.isdecimal():
            raise BundleflowError(
                f"`{args.version[:40]}` is no version.", fix="Give the version's number: `--version 3`.", exit_code=ExitCode.USAGE
            )
        # MLflow's client tries for minutes otherwise before it says that nobody answers.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
        verdict = evaluate_version(
            gate,
            args.model,
            int(args.version),
            args.holdout,
            args.training,
            champion_alias=args.champion_alias,
            write=not args.dry_run,
        )
    show(verdict, as_json=args.json)
    _raise_unless_passed(verdict)
    return 0


def show(verdict: Verdict, *, as_json: bool) -> None:
    """Tell a verdict everywhere it is looked for: terminal, job summary, outputs of the step."""
    from bundleflow.adapters.runner import Runner
    from bundleflow.commands.context import print_json
    from bundleflow.report.markdown_verdict import verdict_markdown
    from bundleflow.report.terminal import inert
    from bundleflow_models.verdict.text import verdict_text

    runner = Runner.here()
    runner.summary(verdict_markdown(verdict, limit=SUMMARY_LIMIT))
    for name, value in (("verdict", str(verdict.result)), ("verdict-sha256", verdict.sha256), ("verdict-run", verdict.run)):
        runner.output(name, value)
    if as_json:
        print_json({**verdict.as_dict(), "sha256": verdict.sha256})
        return
    for line in verdict_text(verdict, colour=sys.stdout.isatty()).split("\n"):
        print(inert(line))


def _raise_unless_passed(verdict: Verdict) -> None:
    if verdict.result is Result.PASSED:
        return
    refused = verdict.result is Result.REFUSED
    first = verdict.failed[0]
    raise BundleflowError(
        f"Version {verdict.version} of {verdict.model} is {verdict.result} ({', '.join(dict.fromkeys(verdict.codes))}): {first.text}",
        fix=first.fix,
        reason=FailureReason.VERDICT_REFUSED if refused else FailureReason.VERDICT_UNDECIDED,
        exit_code=ExitCode.FAILED if refused else ExitCode.TROUBLE,
    )
