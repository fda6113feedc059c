"""`bundleflow new`: makes a project from a template of this checkout, and pins the kit's workflows to its commit."""

from __future__ import annotations

import argparse
from pathlib import Path

from bundleflow.records.errors import BundleflowError, ExitCode
from bundleflow.templates_project import new_project, templates

EXAMPLES = """examples:
  bundleflow new iris my-project                  asks what it needs to know
  bundleflow new iris my-project --defaults       asks nothing
  bundleflow new iris . --data project_name=iris-flowers --data workspace_folder=/Teams/flowers
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `bundleflow new`."""
    parser.add_argument("template", metavar="TEMPLATE", help=f"which project to start from: {', '.join(templates())}")
    parser.add_argument("dir", metavar="DIR", type=Path, help="where to make it: a new folder, or one that is empty but for .git")
    parser.add_argument("--defaults", action="store_true", help="ask nothing, take each default")
    parser.add_argument("--data", metavar="KEY=VALUE", action="append", default=[], help="answer a question; may be repeated")


def run(args: argparse.Namespace) -> int:
    """Make the project and say what to do next."""
    made = new_project(args.template, args.dir, answers=_answers(args.data), ask=not args.defaults)
    print(f"Made {made.folder} from template `{made.template}`: {made.files} files, workflows pinned to {made.kit.short}.")
    print()
    print("Next:")
    for command, why in made.next_steps:
        print(f"  {command:<52} {why}".rstrip())
    return ExitCode.OK


def _answers(given: list[str]) -> dict[str, str]:
    answers = {}
    for each in given:
        key, equals, value = each.partition("=")
        if not key or not equals:
            raise BundleflowError(
                f"`--data {each}` has no `=`.",
                fix="Write it as --data KEY=VALUE, for example --data project_name=iris-flowers.",
                exit_code=ExitCode.USAGE,
            )
        answers[key] = value
    return answers
