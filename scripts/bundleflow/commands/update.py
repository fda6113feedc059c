"""`bundleflow update`: brings a repository to the kit of this checkout: pins moved, the template's changes merged, the rest explained."""

from __future__ import annotations

import argparse
import difflib
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bundleflow.records.errors import BundleflowError, ExitCode

if TYPE_CHECKING:
    from bundleflow.adoption.update import Update

EXAMPLES = """examples:
  git -C path/to/bundleflow pull            bring the kit up to date; what follows needs no network
  bundleflow update                         show what would change here, ask
  bundleflow update my-project --yes        write it; exit code 1 when something is left to merge by hand
  bundleflow update --dry-run               only show it

Nothing is committed. Files with changes that git does not hold are not touched."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("dir", metavar="DIR", nargs="?", type=Path, default=Path(), help="root of the repository (default: .)")
    parser.add_argument("--yes", action="store_true", help="write without asking")
    parser.add_argument("--dry-run", action="store_true", help="show, and write nothing")
    parser.add_argument("--json", action="store_true", help="print the result as JSON on standard output")


def run(args: argparse.Namespace) -> int:
    """Plan, show, write."""
    import os

    from bundleflow.adoption.kit import kit_sha
    from bundleflow.adoption.update import Outcome, apply_update, plan_update, uncommitted
    from bundleflow.commands.adopt import repository_root, say
    from bundleflow.commands.context import print_json

    root, sha = repository_root(args.dir), kit_sha(os.environ)
    update = plan_update(root, sha)
    _show(update, sha)
    pending = [each for each in update.files if each.outcome is not Outcome.KEPT]
    written: list[str] = []
    if pending and not args.dry_run:
        dirty = uncommitted(root, update)
        if dirty:
            raise BundleflowError(
                f"{dirty[0]} has changes that git does not hold{f' (and {len(dirty) - 1} more files)' if len(dirty) > 1 else ''}.",
                fix="Commit them first: then `git restore` can take the update back.",
                exit_code=ExitCode.USAGE,
                details="\n".join(dirty),
            )
        if args.yes or _agreed():
            written = apply_update(root, update)
            _tell_written(args.dir, update, written)
    if args.json:
        print_json(_data(update, sha, written))
    if not pending:
        say("Everything is up to date.")
    return ExitCode.FAILED if any(each.outcome is Outcome.CONFLICT for each in update.files) else ExitCode.OK


def _show(update: Update, sha: str) -> None:
    from bundleflow.commands.adopt import say

    made = f" (template `{update.template}`, made from {update.before[:12]})" if update.template else ""
    say(f"To bundleflow {sha[:12]}{made}:")
    for each in update.files:
        say(f"{each.outcome:<9} {each.path}{f': {each.why}' if each.why else ''}")
        if each.new is not None or each.outcome == "deleted":
            old, new = (each.old or "").splitlines(), (each.new or "").splitlines()
            for line in difflib.unified_diff(old, new, f"a/{each.path}", f"b/{each.path}", lineterm="", n=1):
                say(f"  {line}", colour={"+": "32", "-": "31", "@": "36"}.get(line[:1], ""))
    for note in update.notes:
        say(f"note: {note}")


def _agreed() -> bool:
    if not sys.stdin.isatty():
        raise BundleflowError(
            "There is no terminal to ask on, so nothing was written.",
            fix="Add --yes to write it, or --dry-run to look only.",
            exit_code=ExitCode.USAGE,
        )
    print("Write this? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _tell_written(folder: Path, update: Update, written: list[str]) -> None:
    from bundleflow.adoption.update import Outcome
    from bundleflow.commands.adopt import say

    where = shlex.quote(str(folder))
    say(f"Wrote {len(written)} files. Nothing was committed.")
    conflicts = [each.path for each in update.files if each.outcome is Outcome.CONFLICT]
    if conflicts:
        say(f"To merge by hand: {', '.join(conflicts)} (between <<<<<<< and >>>>>>>).")
    new = {each.path for each in update.files if each.outcome is Outcome.NEW}
    known = [shlex.quote(each) for each in written if each not in new]
    say("Take it back:")
    if known:
        say(f"  git -C {where} restore -- {' '.join(known)}")
    if new:
        say(f"  git -C {where} clean -f -- {' '.join(shlex.quote(each) for each in sorted(new))}")


def _data(update: Update, sha: str, written: list[str]) -> dict[str, Any]:
    return {
        "kit": sha,
        "template": update.template,
        "before": update.before,
        "files": [{"path": each.path, "outcome": str(each.outcome), "why": each.why} for each in update.files],
        "notes": list(update.notes),
        "written": written,
    }
