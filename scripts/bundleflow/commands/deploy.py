"""`bundleflow deploy`: plans a target, shows the plan, refuses what policy forbids, deploys. For people who compose their own pipeline."""

from __future__ import annotations

import argparse
import os

from bundleflow.adapters.databricks_cli import DatabricksCli
from bundleflow.adapters.runner import Runner
from bundleflow.commands.context import add_bundle_arguments, bundle_folder, print_json, tell
from bundleflow.commands.models_wheel_step import upload_models_wheel
from bundleflow.commands.steps import planned_with_state
from bundleflow.records.policy import DEFAULT_PROTECTED, Policy
from bundleflow.releases.digest import hide_secrets
from bundleflow.releases.models_wheel import wheel_variables
from bundleflow.releases.policy import check_policy
from bundleflow.report.markdown_plan import PlanSection, plan_markdown
from bundleflow.report.terminal import plan_text

SUMMARY_LIMIT = 400_000

EXAMPLES = """examples:
  bundleflow deploy --target dev
  bundleflow deploy --target dev --allow-destroy schemas    # this deployment may delete or re-create schemas"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add_bundle_arguments(parser)
    parser.add_argument("-t", "--target", help="target of the bundle (default: the bundle's own default)")
    parser.add_argument("--allow-destroy", action="append", default=[], metavar="TYPE", help="a resource type that may be lost this time")
    parser.add_argument("--force-lock", action="store_true", help="break another deployment's lock; only when that deployment is dead")


def run(args: argparse.Namespace) -> int:
    """Plan and deploy."""
    runner = Runner.here()
    cli = DatabricksCli(bundle_folder(args), target=args.target, variables=wheel_variables())
    plan, state = planned_with_state(runner, cli)
    title = f"target {args.target or 'default'}"
    runner.summary(plan_markdown(PlanSection.of(title, plan, state), hide=hide_secrets, limit=SUMMARY_LIMIT))
    tell(f"plan of {title}: {plan.summary}")
    if not args.json:
        print(plan_text(plan, title, hide=hide_secrets, colour=False))
    check_policy(plan, Policy(protect=tuple(each for each in DEFAULT_PROTECTED if each not in args.allow_destroy)))
    upload_models_wheel(state, os.environ)
    with runner.group(f"databricks bundle deploy -t {args.target or 'default'}"), runner.no_commands():
        cli.deploy(force_lock=args.force_lock)
    runner.output("plan-summary", str(plan.summary))
    if args.json:
        print_json({"deployed": True, "plan": str(plan.summary)})
    return 0
