"""Entry point `verdict` of the wheel: judges a version as a task of kind `python_wheel`; a version that is not passed fails the task."""

from __future__ import annotations

import argparse
import sys

from bundleflow_models.errors import ModelsError
from bundleflow_models.verdict.gate import load_gate
from bundleflow_models.verdict.text import verdict_text
from bundleflow_models.verdict.versions import evaluate_version


def main() -> None:
    """Judge the version that the task's parameters name.

    Raises:
        SystemExit: 1 refused, 2 wrong use, 3 undecided.
    """
    parser = argparse.ArgumentParser(prog="verdict", description="Judges a model's version.")
    parser.add_argument("--model", required=True, help="full name of the registered model (catalog.schema.model)")
    parser.add_argument("--version", required=True, help="the version to judge")
    parser.add_argument("--gate", required=True, help="the gate file")
    parser.add_argument("--holdout", help="a CSV or Parquet file, or a table (default: the gate's own table)")
    args = parser.parse_args()
    try:
        verdict = evaluate_version(load_gate(args.gate), args.model, args.version, args.holdout)
    except ModelsError as error:
        print(error, file=sys.stderr)
        raise SystemExit(error.outcome.exit_code) from error
    print(verdict_text(verdict))
    if verdict.result.exit_code:
        raise SystemExit(verdict.result.exit_code)
