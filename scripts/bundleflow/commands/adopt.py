"""`bundleflow adopt`: proposes the flow file and the callers for an existing bundle, shows them, and writes them when told yes."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bundleflow.records.errors import BundleflowError, ExitCode

if TYPE_CHECKING:
    from bundleflow.adoption.files import ProposedFile
    from bundleflow.adoption.proposal import Proposal

EXAMPLES = """examples:
  bundleflow adopt                        read the repository here, show what would be written, ask
  bundleflow adopt my-repository --yes    write it without asking
  bundleflow adopt --dry-run              only show it
  bundleflow adopt --run daily_load       run this job after each deployment

Nothing that is there is ever changed, neither databricks.yml nor a workflow; what is missing there is said. Nothing is committed."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("dir", metavar="DIR", nargs="?", type=Path, default=Path(), help="root of the repository (default: .)")
    parser.add_argument("--yes", action="store_true", help="write without asking")
    parser.add_argument("--dry-run", action="store_true", help="show, and write nothing")
    parser.add_argument("--run", metavar="JOB", action="append", default=[], help="job to run after each deployment; may be repeated")
    parser.add_argument("--checklist", action="store_true", help="print what a person must click on GitHub and Databricks, as Markdown")
    parser.add_argument("--json", action="store_true", help="print the result as JSON on standard output")


def run(args: argparse.Namespace) -> int:
    """Propose, show, write."""
    from bundleflow.adoption.files import State, by_state, proposed_files, write_new
    from bundleflow.adoption.proposal import propose
    from bundleflow.adoption.survey import survey
    from bundleflow.commands.context import print_json

    root = repository_root(args.dir)
    proposal = propose(survey(root), args.run)
    files = proposed_files(proposal, _sha())
    if args.checklist:
        print(_checklist(proposal))
        return ExitCode.OK
    groups = by_state(files)
    _show(proposal, files)
    written: list[str] = []
    if groups[State.NEW] and not args.dry_run and (args.yes or _agreed(len(groups[State.NEW]))):
        written = write_new(root, files)
        _tell_written(args.dir, written)
    if args.json:
        print_json(_data(proposal, files, written))
    return ExitCode.OK


def repository_root(given: Path) -> Path:
    """The folder to work in: the top of its repository, or a folder that is in none.

    Raises:
        BundleflowError: There is no such folder, or its repository begins above it, where GitHub looks for `.github/workflows`.
    """
    from bundleflow.adapters.git import top_of

    if not given.is_dir():
        raise BundleflowError(f"There is no folder {given}.", fix="Give the root of a repository.", exit_code=ExitCode.USAGE)
    root = given.resolve()
    top = top_of(root)
    if top is not None and top != root:
        raise BundleflowError(
            f"{given} is a folder inside of a repository: the repository begins at {top}, and GitHub reads workflows only there.",
            fix=f"Give {shlex.quote(str(top))}; where this folder is to be a repository of its own, run `git init` in it first.",
            exit_code=ExitCode.USAGE,
        )
    return root


def _sha() -> str:
    """The kit's commit: on a runner the workflow says it, because an action's checkout is no git repository."""
    from bundleflow.adoption.kit import kit_sha

    return kit_sha(os.environ)


def _checklist(proposal: Proposal) -> str:
    from bundleflow.adoption.checklist import Place, checklist

    return checklist(proposal, Place.of(proposal.survey.root, os.environ))


def _show(proposal: Proposal, files: Sequence[ProposedFile]) -> None:
    """The diff and the notes, for people; on standard error, so that --json stays alone on standard output."""
    from bundleflow.adoption.files import State
    from bundleflow.adoption.present import fitted

    found = proposal.survey.bundles
    say(f"Found {len(found)} bundle{'s' if len(found) != 1 else ''}: {', '.join(each.folder for each in found)}")
    for stage in fitted(proposal).stages:
        say(f"  {stage.name:<8} {stage.why}")
    say("")
    for each in files:
        if each.state is State.SAME:
            say(f"{each.path} is there already: left as it is")
            continue
        if each.state is State.DIFFERS:
            say(f"{each.path} is there and says something else: left as it is. This would be proposed:")
        for line in each.diff():
            say(line, colour={"+": "32", "-": "31", "@": "36"}.get(line[:1], ""))
        say("")
    for note in proposal.notes:
        say(f"note: {note.subject}: {note.text}")
        for line in note.add.splitlines():
            say(f"      {line}")


def say(text: str, colour: str = "") -> None:
    """A line for people, without control characters of what others named; coloured on a terminal only."""
    from bundleflow.report.markdown import visible
    from bundleflow.report.terminal import inert

    line = inert(" ".join(visible(text).split("\n")))
    coloured = colour and sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    print(f"\x1b[{colour}m{line}\x1b[0m" if coloured else line, file=sys.stderr, flush=True)


def _agreed(count: int) -> bool:
    if not sys.stdin.isatty():
        raise BundleflowError(
            f"There is no terminal to ask on, so the {count} files above were not written.",
            fix="Add --yes to write them, or --dry-run to look only.",
            exit_code=ExitCode.USAGE,
        )
    print(f"Write {count} file{'s' if count != 1 else ''}? [y/N] ", end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline().strip().lower()
    if answer not in ("y", "yes"):
        say("Nothing was written.")
    return answer in ("y", "yes")


def _tell_written(folder: Path, written: Sequence[str]) -> None:
    from bundleflow.adapters.git import top_of

    where, paths = shlex.quote(str(folder)), " ".join(shlex.quote(each) for each in written)
    has_git = top_of(folder) is not None
    say(f"Wrote {len(written)} files. Nothing was committed.")
    say("")
    say("Next:")
    say(f"  bundleflow rehearse {where}    play a change's way to production on this machine")
    say(f"  bundleflow adopt {where} --checklist    what to click on GitHub and Databricks")
    say("Take it back:" if has_git else "This folder is no git repository yet. Take it back:")
    say(f"  git -C {where} clean -f -- {paths}" if has_git else f"  cd {where} && rm -- {paths}")


def _data(proposal: Proposal, files: Sequence[ProposedFile], written: Sequence[str]) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "bundles": list(proposal.bundles),
        "stages": [asdict(stage) for stage in proposal.stages],
        "environments": list(proposal.environments),
        "files": [{"path": each.path, "state": str(each.state), "diff": "\n".join(each.diff())} for each in files],
        "written": list(written),
        "notes": [asdict(note) for note in proposal.notes],
    }
