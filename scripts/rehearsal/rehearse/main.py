"""The command `bundleflow rehearse`: arguments in, a played story, a table, a report and an exit code out."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason

if TYPE_CHECKING:
    from rehearsal.rehearse.result import JobRecord, Rehearsal
    from rehearsal.rehearse.stage import Wishes
    from rehearsal.rehearse.terminal import Terminal
    from rehearsal.scenarios.model import Story

DEFAULT_REPORT = "rehearsal-report.html"

EPILOG = """examples:
  bundleflow rehearse                          the Iris project, from dev to production
  bundleflow rehearse .                        the project in this folder
  bundleflow rehearse --scenario all --json    every story, the result as JSON

exit codes: 0 everything expected happened, 1 it did not, 2 wrong use or configuration, 3 trouble outside the project
"""


def parser() -> argparse.ArgumentParser:
    """Make the parser of the command's arguments."""
    from rehearsal.scenarios import STORIES

    told = "".join(f"  {story.name:<24}  {story.title}\n" for story in STORIES.values())
    made = argparse.ArgumentParser(
        prog="bundleflow rehearse",
        description="Plays a project's way to production on this machine: its own workflows, with stand-ins for GitHub and Databricks.",
        epilog=f"scenarios:\n{told}\n{EPILOG}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("directory", nargs="?", metavar="DIR", type=Path, help="the project's folder; it is copied, and not changed")
    made.add_argument("--template", metavar="NAME", help="rehearse a template instead of a folder (default: the scenario's own)")
    made.add_argument(
        "--scenario",
        metavar="NAME",
        default="green",
        help="what to play, from the list below; several with commas, or `all` (default: green)",
    )
    made.add_argument("--json", action="store_true", help="print the result as JSON on standard output; progress goes to standard error")
    made.add_argument("--report", metavar="FILE.html", type=Path, help=f"where the report is written (default: {DEFAULT_REPORT})")
    made.add_argument("--keep", metavar="DIR", type=Path, help="keep the rehearsal's folder there: repository, workspace, logs")
    made.add_argument("--open", action="store_true", help="open the report in the browser")
    made.add_argument("--cli", metavar="PATH", type=Path, help="use the real Databricks CLI (1.9 or newer) instead of the stand-in")
    made.add_argument("--spark-remote", metavar="URL", default="", help="use a Spark Connect cluster (sc://...) instead of Sail")
    return made


def main(argv: Sequence[str]) -> int:
    """Run the command.

    Args:
        argv: The arguments after `bundleflow rehearse`.

    Returns:
        The exit code; only 0 says that every expectation held.

    Raises:
        BundleflowError: Wrong use, a project that cannot be rehearsed, or trouble outside of it.
    """
    args = parser().parse_args(list(argv))
    _check(args)
    from rehearsal.rehearse import terminal

    screen = terminal.Terminal(sys.stderr if args.json else sys.stdout)
    if args.spark_remote:
        screen.first_line(terminal.FIRST_LINE_SPARK)
    else:
        screen.first_line(terminal.FIRST_LINE_REAL_CLI if args.cli else terminal.FIRST_LINE)
    try:
        return _rehearse(args, screen)
    except KeyboardInterrupt:
        print("interrupted: everything that was started has been ended", file=sys.stderr)
        return 130
    except (OSError, subprocess.SubprocessError) as error:
        raise _trouble(error) from error


def _check(args: argparse.Namespace) -> None:
    from rehearsal import scenarios

    if args.directory and args.template:
        raise BundleflowError(
            "Both a folder and --template were given.",
            fix="Give one: `bundleflow rehearse DIR`, or `bundleflow rehearse --template iris`.",
            exit_code=ExitCode.USAGE,
        )
    scenarios.choose(args.scenario)
    if args.cli and not args.cli.is_file():
        raise BundleflowError(
            f"--cli {args.cli}: there is no such program.",
            fix="Give the path of the Databricks CLI's program, or leave --cli out to use the stand-in.",
            exit_code=ExitCode.USAGE,
        )
    if args.spark_remote and not args.spark_remote.startswith("sc://"):
        raise BundleflowError(
            f"--spark-remote {args.spark_remote}: not the address of a Spark Connect cluster.",
            fix="Write it as sc://HOST:PORT.",
            exit_code=ExitCode.USAGE,
        )


def _trouble(error: OSError | subprocess.SubprocessError) -> BundleflowError:
    full = isinstance(error, OSError) and error.errno == 28
    stderr = getattr(error, "stderr", "") or ""
    return BundleflowError(
        "There is no space left in the rehearsal's folder." if full else f"The rehearsal could not go on: {error}",
        fix="Free some space, or set TMPDIR to a folder on another disk." if full else "See the details; nothing was left running.",
        reason=FailureReason.OUTSIDE_TROUBLE,
        exit_code=ExitCode.TROUBLE,
        details=stderr if isinstance(stderr, str) else stderr.decode(errors="replace"),
    )


def _rehearse(args: argparse.Namespace, screen: Terminal) -> int:
    from rehearsal import scenarios
    from rehearsal.rehearse import several, stage

    stage.interrupt_on_signals()
    begun = time.monotonic()
    wishes = stage.Wishes(args.directory, keep=args.keep, cli=args.cli, spark_remote=args.spark_remote)
    dealt = several.deal(scenarios.choose(args.scenario), wishes, args.template)
    result = several.join([_play(each, stories, screen) for each, stories in dealt])
    result.duration_s = time.monotonic() - begun
    result.kept = str(args.keep.resolve()) if args.keep else ""
    report = _write_report(args, result)
    result.next_commands = _next(args, report)
    if args.json:
        print(json.dumps(result.as_dict(), indent=1))
    screen.table(result, report, _failures(result))
    if args.open and report:
        import webbrowser

        webbrowser.open(Path(report).as_uri())
    return ExitCode.OK if result.ok else ExitCode.FAILED


def _play(wishes: Wishes, stories: list[Story], screen: Terminal) -> tuple[float, Rehearsal]:
    """Play stories on one stage; gives the moment at which it was begun, and the result."""
    from rehearsal.rehearse import collect
    from rehearsal.rehearse.player import Player
    from rehearsal.rehearse.setting_up import Director
    from rehearsal.rehearse.stage import Stage

    began = datetime.now(UTC)
    screen.tell(f"setting the stage for {wishes.directory or 'template ' + wishes.template}")
    stage = Stage(wishes, screen.tell)
    try:
        screen.tell(f"the stage is set: {stage.project.repository}, workspace {stage.workspace_url}")
        player = Player(stage, screen.tell)
        director = Director(stage, player, stories, screen.tell)
        played = [scenario for story in stories for scenario in director.play(story, screen.scene)]
        result = collect.rehearsal(stage, player, played, began)
        ended = time.monotonic()
    finally:
        stage.close()
    result.timings["taking the stage down"] = time.monotonic() - ended
    return stage.started, result


def _write_report(args: argparse.Namespace, result: Rehearsal) -> str:
    from bundleflow.report.html import rehearsal_page, write_page

    path = (args.report or Path(DEFAULT_REPORT)).resolve()
    write_page(path, rehearsal_page(result))
    return str(path)


def _failures(result: Rehearsal) -> list[str]:
    jobs = [(run, job) for run in result.workflow_runs for job in run.jobs if job.conclusion not in {"success", "skipped"}]
    lines = [f"{run.name} / {job.name}: {job.conclusion}: {_reason(job)}" for run, job in jobs]
    title = "Jobs that were stopped, as they should be:" if result.ok else "Jobs that did not succeed:"
    return ["", title, *lines] if lines else []


def _reason(job: JobRecord) -> str:
    """Give the first error that the job pinned to its run, else the last thing that it said."""
    errors = [note.message.splitlines()[0] for note in job.annotations if note.level == "error" and note.message]
    said = [line for line in job.log_tail.splitlines() if line.strip() and not line.startswith("exit status")]
    return (errors or said[-1:] or ["it said nothing"])[0]


def _next(args: argparse.Namespace, report: str) -> list[str]:
    again = f"bundleflow rehearse {args.directory}" if args.directory else "bundleflow rehearse"
    own = "bundleflow lint" if args.directory else "bundleflow new iris my-project"
    show = "open" if sys.platform == "darwin" else "xdg-open"
    return [f"{show} {report}", f"{again} --keep stage    (keeps repository, workspace and logs to look at)", own]
