"""`bundleflow model copy`: copies a version to another model, without what was judged and approved."""

from __future__ import annotations

import argparse
import os

from bundleflow.commands.context import print_json, require_login, tell
from bundleflow.commands.models_error import models_errors
from bundleflow.records.errors import BundleflowError, ExitCode

EXAMPLES = """example, from staging's catalog to production's:
  bundleflow model copy staging.iris.classifier 7 prod.iris.classifier

The copy has the alias `challenger`. It is judged on production's hold-out and approved anew: `bundleflow model verdict`, then
`bundleflow model promote`. Copying needs MLflow (a task in the workspace has it)."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the action."""
    parser.add_argument("source", help="full name of the model that has the version (catalog.schema.model)")
    parser.add_argument("version", help="the version")
    parser.add_argument("to", help="full name of the model that gets the copy")
    parser.add_argument("--json", action="store_true", help="print the result as JSON on standard output")


def run(args: argparse.Namespace) -> int:
    """Copy a version."""
    from bundleflow.adapters.workspace import Workspace
    from bundleflow_models.promotion import open_workspace
    from bundleflow_models.promotion.copying import copy_version

    for name in (args.source, args.to):
        if len(name.split(".")) != 3:
            raise BundleflowError(
                f"`{name[:100]}` is no full name of a model.", fix="Write it as `catalog.schema.model`.", exit_code=ExitCode.USAGE
            )
    if not args.version.isdecimal():
        raise BundleflowError(f"`{args.version[:40]}` is no version.", fix="Give the version's number.", exit_code=ExitCode.USAGE)
    require_login(os.environ, "this shell")
    with models_errors():
        registry = open_workspace(Workspace.from_env().sdk()).registry
        copied = copy_version(registry, args.source, int(args.version), args.to)
    tell(f"{args.to}: version {copied} is a copy of {args.source} version {args.version}; it is to be judged and approved anew")
    if args.json:
        print_json({"model": args.to, "version": copied, "from": args.source, "from_version": int(args.version)})
    return 0
