"""`bundleflow doctor`: checks repository, GitHub and workspace for what stops a deployment; says what is wrong, why, and the exact fix."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason

if TYPE_CHECKING:
    from bundleflow.doctor.check import Check, Result
    from bundleflow.doctor.situation import Situation

EXAMPLES = """examples:
  bundleflow doctor                        what can be said without any login
  bundleflow doctor my-project --offline   the same, and nobody is asked
  GITHUB_TOKEN=$(gh auth token) bundleflow doctor
                                           environments, rules, checks too
  DATABRICKS_HOST=... bundleflow doctor --stage staging
                                           and the workspace of one stage
  bundleflow doctor --only required-checks --only pins
                                           some checks
  bundleflow doctor --json > doctor.json   for machines

Nothing is changed anywhere. A check that needs what is not here is told as not
made, with the reason; it never counts as passed.

exit code: 0 no finding of severity error (warnings and checks that were not
made do not count), 1 there is one, 2 wrong use."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("dir", metavar="DIR", nargs="?", type=Path, default=Path(), help="root of the repository (default: .)")
    parser.add_argument("--stage", help="stage whose workspace the login in the environment leads to (BUNDLEFLOW_STAGE)")
    parser.add_argument("--environment", help="GitHub environment that the job names (BUNDLEFLOW_ENVIRONMENT)")
    parser.add_argument("--offline", action="store_true", help="ask neither GitHub nor the workspace (BUNDLEFLOW_OFFLINE=true)")
    parser.add_argument("--only", metavar="CHECK", action="append", default=[], help="make this check only; may be repeated")
    parser.add_argument("--list", action="store_true", help="list the checks and make none")
    parser.add_argument("--json", action="store_true", help="print the result as JSON on standard output")


def run(args: argparse.Namespace) -> int:
    """Make the checks, tell each as it is made, sum up."""
    from bundleflow.commands.context import print_json
    from bundleflow.doctor.check import examine
    from bundleflow.doctor.registry import CHECKS
    from bundleflow.doctor.tell import data, worst

    checks = _chosen(CHECKS, args.only)
    if args.list:
        for check in checks:
            print(f"{check.id:<21} {check.title}")
        return ExitCode.OK
    # What a token may not read is told by the check; PyGithub would log each refusal as well.
    logging.getLogger("github").setLevel(logging.ERROR)
    situation = _situation(args)
    _begin_imports(situation)
    results: list[Result] = []
    with _Progress(quiet=args.json, total=len(checks)) as progress:
        for result in examine(progress.watch(checks), situation):
            results.append(result)
            progress.tell(result)
    if args.json:
        print_json(data(results))
    _sum_up(results, quiet=args.json)
    return ExitCode.FAILED if worst(results) == "error" else ExitCode.OK


def _chosen(checks: Sequence[Check], only: Sequence[str]) -> Sequence[Check]:
    from bundleflow.records.schema_problems import did_you_mean

    known = [check.id for check in checks]
    for name in only:
        if name not in known:
            fix = did_you_mean(name, known) or "`bundleflow doctor --list` lists the checks."
            raise BundleflowError(f"There is no check `{name}`.", fix=fix, exit_code=ExitCode.USAGE)
    return [check for check in checks if not only or check.id in only]


def _situation(args: argparse.Namespace) -> Situation:
    from bundleflow.doctor.situation import Situation

    if not args.dir.is_dir():
        raise BundleflowError(f"There is no folder {args.dir}.", fix="Give the root of a repository.", exit_code=ExitCode.USAGE)
    stage = args.stage or os.environ.get("BUNDLEFLOW_STAGE") or ""
    environment = args.environment or os.environ.get("BUNDLEFLOW_ENVIRONMENT") or ""
    offline = args.offline or os.environ.get("BUNDLEFLOW_OFFLINE") == "true"
    situation = Situation(args.dir.resolve(), os.environ, offline, stage, environment)
    flow = situation.flow_or_problem
    if stage and not isinstance(flow, BundleflowError):
        flow.stage(stage)  # a stage that does not exist is wrong use, not a finding
    return situation


def _begin_imports(situation: Situation) -> None:
    """Load what asks GitHub and the workspace while the project's own files are looked at."""
    from bundleflow.adapters.preload import GITHUB, SDK, preload

    if not situation.offline:
        preload(*([GITHUB] if os.environ.get("GITHUB_TOKEN") or os.environ.get("GH_TOKEN") else []), *([SDK] if situation.host else []))


class _Progress:
    """Tells each result as it is there, and on a terminal which check is being made.

    Args:
        quiet: Whether standard output belongs to machines; then people are told on standard error.
        total: How many checks there are.
    """

    def __init__(self, *, quiet: bool, total: int) -> None:
        self._stream = sys.stderr if quiet else sys.stdout
        self._colour = self._stream.isatty() and not os.environ.get("NO_COLOR")
        # A runner may give a job a terminal, and keeps every line: there is nothing to overwrite in a log.
        self._on_terminal = sys.stderr.isatty() and os.environ.get("GITHUB_ACTIONS") != "true"
        self._total, self._number = total, 0
        self._area, self._told = "", ""

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._clear()

    def watch(self, checks: Sequence[Check]) -> Sequence[Check]:
        """The checks; on a terminal, with a line that says which one is being made."""
        self._show(checks[0] if checks else None)
        self._checks = checks
        return checks

    def tell(self, result: Result) -> None:
        """Tell one result."""
        from bundleflow.doctor.tell import area_line, result_lines

        self._clear()
        self._number += 1
        if result.check.area.value != self._area:
            self._area, self._told = result.check.area.value, ""
            print(area_line(result.check.area, colour=self._colour), file=self._stream)
        for line in result_lines(result, told=self._told, colour=self._colour):
            print(line, file=self._stream, flush=True)
        self._told = result.not_made
        self._show(self._checks[self._number] if self._number < self._total else None)

    def _show(self, check: Check | None) -> None:
        if self._on_terminal and check:
            print(f"[{self._number + 1}/{self._total}] {check.title} ...", end="", file=sys.stderr, flush=True)

    def _clear(self) -> None:
        if self._on_terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def _sum_up(results: Sequence[Result], *, quiet: bool) -> None:
    from bundleflow.adapters.runner import Runner
    from bundleflow.doctor.finding import Severity
    from bundleflow.doctor.tell import LEGEND, markdown, sum_lines, worst

    print("\n" + "\n".join([LEGEND, *sum_lines(results)]), file=sys.stderr if quiet else sys.stdout)
    runner = Runner.here()
    for result in results:
        for finding in result.findings:
            if finding.severity is not Severity.NOTE:
                runner.annotate(
                    "error" if finding.severity is Severity.ERROR else "warning",
                    f"{finding.what}\n{finding.fix}",
                    title=f"bundleflow doctor: {result.check.id}",
                )
    runner.summary(markdown(results))
    runner.output("worst", str(worst(results) or ""))
    if worst(results) is Severity.ERROR:
        runner.output("failure-reason", FailureReason.DOCTOR_FAILED)
    runner.output("errors", str(sum(finding.severity is Severity.ERROR for result in results for finding in result.findings)))
