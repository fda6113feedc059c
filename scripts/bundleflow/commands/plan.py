"""`bundleflow plan`: one target's plan for people or machines; `bundleflow plan render FILE` shows a saved one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bundleflow.adapters.databricks_cli import DatabricksCli
from bundleflow.adapters.runner import Runner
from bundleflow.commands.context import add_bundle_arguments, bundle_folder, print_json
from bundleflow.commands.steps import planned_with_state
from bundleflow.records.errors import BundleflowError, ExitCode
from bundleflow.records.plan import ABSENT, Plan
from bundleflow.releases.digest import hide_secrets
from bundleflow.releases.models_wheel import wheel_variables
from bundleflow.releases.read_plan import read_plan_file
from bundleflow.report.markdown import COMMENT_LIMIT
from bundleflow.report.markdown_plan import PlanSection, plan_markdown
from bundleflow.report.terminal import plan_text

SUMMARY_LIMIT = 900_000

EXAMPLES = """examples:
  bundleflow plan --target staging
  databricks bundle plan -o json > plan.json && bundleflow plan render plan.json --markdown"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add_bundle_arguments(parser)
    parser.add_argument("action", nargs="?", choices=["render"], help="`render FILE` shows a plan that was saved as JSON")
    parser.add_argument("file", nargs="?", type=Path, help="a plan saved by `databricks bundle plan -o json`")
    parser.add_argument("-t", "--target", help="target of the bundle (default: the bundle's own default)")
    parser.add_argument("--markdown", action="store_true", help="print Markdown fit for a comment on GitHub")


def run(args: argparse.Namespace) -> int:
    """Plan, or render a saved plan."""
    state: Mapping[str, Any]
    if args.action == "render":
        if args.file is None:
            raise BundleflowError(
                "`plan render` needs the file of a plan.", fix="`bundleflow plan render FILE.json`", exit_code=ExitCode.USAGE
            )
        plan, state, title = read_plan_file(args.file), {}, str(args.file)
    else:
        runner = Runner.here()
        plan, state = planned_with_state(runner, DatabricksCli(bundle_folder(args), target=args.target, variables=wheel_variables()))
        title = f"target {args.target or 'default'}"
        runner.summary(plan_markdown(PlanSection.of(title, plan, state), hide=hide_secrets, limit=SUMMARY_LIMIT))
        runner.output("plan-summary", str(plan.summary))
        runner.output("has-changes", "false" if plan.summary.empty else "true")
    if args.json:
        print_json(plan_data(plan))
    elif args.markdown:
        print(plan_markdown(PlanSection.of(title, plan, state), hide=hide_secrets, limit=COMMENT_LIMIT))
    else:
        print(plan_text(plan, title, hide=hide_secrets, colour=sys.stdout.isatty()))
    return 0


def plan_data(plan: Plan) -> dict[str, Any]:
    """A plan as plain values: counts, and each changed resource with its field changes; secrets masked."""

    def value(path: str, given: Any) -> dict[str, Any]:
        return {} if given is ABSENT else {"value": hide_secrets(path, given)}

    return {
        "summary": {**plan.summary.__dict__, "text": str(plan.summary)},
        "cli_version": plan.cli_version,
        "lineage": plan.lineage,
        "serial": plan.serial,
        "resources": [
            {
                "key": entry.key,
                "action": str(entry.action),
                "destructive": entry.action.destructive,
                "gone": entry.gone,
                "changes": [
                    {
                        "path": change.path,
                        "action": str(change.action),
                        "reason": change.reason,
                        "drift": change.drift,
                        "old": value(change.path, change.old),
                        "new": value(change.path, change.new),
                        "remote": value(change.path, change.remote),
                    }
                    for change in entry.effective_changes
                ],
            }
            for entry in plan.changed
        ],
    }
