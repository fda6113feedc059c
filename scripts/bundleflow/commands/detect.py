"""`bundleflow detect`: which bundles of the repository a change touches."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from bundleflow.adapters.git import changed_files
from bundleflow.adapters.runner import Runner
from bundleflow.commands.context import flow_path, print_json
from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow.records.flow import FLOW_FILE, load_flow

EVERYWHERE = (FLOW_FILE, ".github/workflows/")
"""A change of these concerns every bundle."""

EXAMPLES = """example:
  bundleflow detect --base origin/main --head HEAD --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--base", required=True, help="commit or branch that the change is for")
    parser.add_argument("--head", default="HEAD", help="commit or branch with the change (default: HEAD)")
    parser.add_argument("--flow", help=f"the flow file (BUNDLEFLOW_FLOW; default: {FLOW_FILE})")
    parser.add_argument("--json", action="store_true", help="print the result as JSON on standard output")


def run(args: argparse.Namespace) -> int:
    """Print the bundles that changed."""
    path = flow_path(args)
    bundles = find_bundles(path.parent, load_flow(path).bundles)
    files = changed_files(args.base, args.head, path.parent)
    changed = changed_bundles(bundles, files)
    runner = Runner.here()
    runner.output("bundles", json.dumps(changed))
    runner.output("any", "true" if changed else "false")
    if args.json:
        print_json({"bundles": bundles, "changed": changed, "files": list(files)})
    else:
        print("\n".join(changed))
    return 0


def find_bundles(root: Path, patterns: Iterable[str]) -> list[str]:
    """Folders with a bundle that the flow file's `bundles` name, relative to the repository's root, sorted.

    Raises:
        BundleflowError: `flow-invalid` when a pattern finds none.
    """
    found: set[str] = set()
    for pattern in patterns:
        folders = [root] if pattern in (".", "./") else [each for each in root.glob(pattern) if each.is_dir()]
        here = {folder.relative_to(root).as_posix() for folder in folders if (folder / "databricks.yml").is_file()}
        if not here:
            raise BundleflowError(
                f"`{pattern}` of `bundles` in the flow file finds no folder with a `databricks.yml`.",
                fix="Name the bundle's folder relative to the repository's root, or a glob such as `bundles/*`.",
                reason=FailureReason.FLOW_INVALID,
                exit_code=ExitCode.USAGE,
            )
        found |= here
    return sorted(found)


def changed_bundles(bundles: Sequence[str], files: Iterable[str]) -> list[str]:
    """The bundles that the changed files belong to; a file belongs to the innermost bundle above it.

    A file that belongs to none (shared code) and what concerns every bundle count for all.
    """
    folders = sorted(bundles, key=len, reverse=True)
    changed: set[str] = set()
    for file in files:
        owner = next((folder for folder in folders if folder == "." or PurePosixPath(file).is_relative_to(folder)), None)
        if owner is None or file == FLOW_FILE or file.startswith(EVERYWHERE[1:]):
            return sorted(bundles)
        changed.add(owner)
    return sorted(changed)
