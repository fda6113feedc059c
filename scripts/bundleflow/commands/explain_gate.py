"""`bundleflow explain-gate`: why a job behind a gate never began, which that job itself cannot say."""

from __future__ import annotations

import argparse
import os

from bundleflow.adapters.github import GitHubApi
from bundleflow.commands.context import print_json
from bundleflow.releases.gate import why_not_begun

EXAMPLES = """example, in a job after the gated one:
  BUNDLEFLOW_ENVIRONMENT=production bundleflow explain-gate"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--environment", help="GitHub environment of the gated job (BUNDLEFLOW_ENVIRONMENT)")
    parser.add_argument("--json", action="store_true", help="print the reason as JSON on standard output")


def run(args: argparse.Namespace) -> int:
    """Say it: the command fails with the reason that it finds."""
    environment = args.environment or os.environ.get("BUNDLEFLOW_ENVIRONMENT") or ""
    error = why_not_begun(GitHubApi.from_env(), environment, int(os.environ.get("GITHUB_RUN_ID") or 0))
    if args.json:
        print_json({"reason": str(error.reason), "cause": error.cause, "fix": error.fix})
    raise error
