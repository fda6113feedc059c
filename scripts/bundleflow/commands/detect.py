"""`bundleflow detect`: which bundles of the repository a change touches, as a matrix."""

from __future__ import annotations

import argparse
import json

from bundleflow.adapters.git import changed_files, files_of
from bundleflow.adapters.runner import Runner
from bundleflow.commands.context import flow_path, print_json
from bundleflow.records.flow import FLOW_FILE, load_flow
from bundleflow.releases.bundle_reach import Touched, bundles_in, find_bundles, outside_paths, touched_bundles

EXAMPLES = """examples:
  bundleflow detect --base origin/main            the bundles that this branch touches
  bundleflow detect --base main --head HEAD --json
  bundleflow detect                               all bundles"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--base", default="", help="commit or branch that the change is for (default: none, which gives all bundles)")
    parser.add_argument("--head", default="HEAD", help="commit or branch with the change (default: HEAD)")
    parser.add_argument("--flow", help=f"the flow file (BUNDLEFLOW_FLOW; default: {FLOW_FILE})")
    parser.add_argument("--json", action="store_true", help="print the result as JSON on standard output")


def run(args: argparse.Namespace) -> int:
    """Print the bundles that changed."""
    path = flow_path(args)
    root, flow = path.parent, load_flow(path)
    bundles = find_bundles(root, flow.bundles)
    files = changed_files(args.base, args.head, root) if args.base else ()
    touched = Touched(tuple(bundles))
    if args.base:
        reach = {bundle: outside_paths(root, bundle) for bundle in bundles}
        gone = bundles_in(files_of(args.base, root), flow.bundles) - set(bundles)
        touched = Touched(tuple(touched_bundles(bundles, files, reach, flow.shared, gone)), tuple(sorted(gone)))
    _report(touched)
    if args.json:
        print_json({"bundles": bundles, "changed": touched.bundles, "deleted": touched.deleted, "files": list(files)})
    else:
        print("\n".join(touched.bundles))
    return 0


def _report(touched: Touched) -> None:
    runner = Runner.here()
    runner.output("bundles", json.dumps(touched.bundles))
    runner.output("deleted", json.dumps(touched.deleted))
    runner.output("any", "true" if touched.bundles else "false")
    for folder in touched.deleted:
        runner.annotate(
            "warning",
            f"The change takes the bundle in `{folder}` away. What it has deployed stays in the workspaces, and nothing here plans it any "
            f"more. Destroy it from the commit before (`databricks bundle destroy --target TARGET` in `{folder}`), or leave it on purpose.",
            title="bundleflow: a bundle is gone",
        )
