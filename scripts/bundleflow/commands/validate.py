"""`bundleflow validate`: one target of a bundle, findings as annotations."""

from __future__ import annotations

import argparse

from bundleflow.adapters.databricks_cli import DatabricksCli
from bundleflow.adapters.runner import Runner
from bundleflow.commands.context import add_bundle_arguments, bundle_folder, print_json, tell
from bundleflow.commands.steps import validated
from bundleflow.releases.checks import unresolved_references
from bundleflow.releases.digest import hide_secrets
from bundleflow.releases.models_wheel import wheel_variables

EXAMPLES = """example:
  bundleflow validate --target dev --strict"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add_bundle_arguments(parser)
    parser.add_argument("-t", "--target", help="target of the bundle (default: the bundle's own default)")
    parser.add_argument("--strict", action="store_true", help="let warnings fail")


def run(args: argparse.Namespace) -> int:
    """Validate."""
    cli = DatabricksCli(bundle_folder(args), target=args.target, variables=wheel_variables())
    configuration = validated(Runner.here(), cli, strict=args.strict)
    open_references = list(unresolved_references({name: configuration.get(name) for name in ("workspace", "resources")}))
    for line in open_references:
        tell(f"warning: not resolved: {line}")
    if args.json:
        print_json({"valid": True, "unresolved": open_references, "configuration": hide_secrets("", configuration)})
    else:
        tell(f"target {args.target or 'default'} is valid")
    return 0
