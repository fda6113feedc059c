"""`bundleflow test-unit`: the project's unit tests in their own locked environment, without any credential."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from bundleflow.adapters.child import run_child
from bundleflow.adapters.runner import Runner
from bundleflow.adapters.unit_environment import DEFAULT_REQUIREMENTS, unit_python
from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow.records.flow import FLOW_FILE, UnitTests, load_flow
from bundleflow.records.unit_report import UnitReport, read_report
from bundleflow.report.markdown import code, escape, fold, table

EXAMPLES = """examples:
  bundleflow test-unit
  bundleflow test-unit --python-version 3.12 --reports build/unit

inputs by environment: BUNDLEFLOW_FLOW, BUNDLEFLOW_PYTHON_VERSION, BUNDLEFLOW_REPORTS_DIR, RUNNER_TOOL_CACHE
what runs is said by bundleflow.yml: `tests: {unit: {path: tests/unit, requirements: requirements-test.txt}}`
"""
LIMIT_S = 1500.0
ANNOTATIONS = 20
# What tests may not see: logins, and the files by which a step talks to the runner.
SECRET = re.compile(
    r"^(DATABRICKS_.*|.*TOKEN.*|.*SECRET.*|.*PASSWORD.*|ARM_.*|AWS_.*|AZURE_.*|GOOGLE_.*|ACTIONS_.*"
    r"|GITHUB_(OUTPUT|ENV|PATH|STATE|STEP_SUMMARY))$"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--flow", default=os.environ.get("BUNDLEFLOW_FLOW") or FLOW_FILE, help="the flow file (default bundleflow.yml)")
    parser.add_argument(
        "--python-version", default=os.environ.get("BUNDLEFLOW_PYTHON_VERSION", ""), help="such as 3.12 (default: the kit's own)"
    )
    parser.add_argument("--reports", default=os.environ.get("BUNDLEFLOW_REPORTS_DIR", ""), help="folder for JUnit and coverage reports")
    parser.add_argument("--json", action="store_true", help="print the result as JSON on standard output")


def run(args: argparse.Namespace) -> int:
    """Run the unit tests of the repository in the current folder.

    Returns:
        Exit code 0 when all passed.

    Raises:
        BundleflowError: `tests-failed` when one did not, `flow-invalid` or `wrong-use` when they could not be started.
    """
    unit = load_flow(args.flow).unit_tests
    requirements = _check(unit)
    python = unit_python(requirements, args.python_version)
    with _reports(args.reports) as reports:
        status = _pytest(python, unit, reports)
        report = read_report(reports / "junit.xml", reports / "coverage.json", Path.cwd())
        (reports / ".coverage").unlink(missing_ok=True)
    if args.json:
        print(json.dumps({"exit_code": status, **asdict(report)}, indent=2))
    _tell_runner(report, status, kept=bool(args.reports))
    if status:
        raise _failed(report, status, unit)
    return ExitCode.OK


def _check(unit: UnitTests) -> Path:
    """Name what the flow file points to and is not there; the requirements file to use."""
    for key, value in (("path", unit.path), ("requirements", unit.requirements)):
        if value is not None and not Path(value).exists():
            raise BundleflowError(
                f"`tests.unit.{key}` names {value}, which does not exist{' (that is its default)' if value == UnitTests().path else ''}.",
                fix=f"Correct `{key}` in bundleflow.yml; it is relative to the repository's root.",
                reason=FailureReason.FLOW_INVALID,
                exit_code=ExitCode.USAGE,
            )
    return Path(unit.requirements) if unit.requirements else DEFAULT_REQUIREMENTS


@contextlib.contextmanager
def _reports(folder: str) -> Iterator[Path]:
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        yield Path(folder).resolve()
        return
    with tempfile.TemporaryDirectory(prefix="bundleflow-unit-") as temporary:
        yield Path(temporary)


def _pytest(python: Path, unit: UnitTests, reports: Path) -> int:
    """Run pytest; its output goes to standard error, where the runner obeys nothing of it."""
    argv = [str(python), "-m", "pytest", "-p", "no:cacheprovider", "-o", "junit_family=xunit1", f"--junitxml={reports / 'junit.xml'}"]
    if _has_coverage(python):
        argv += ["--cov", f"--cov-report=json:{reports / 'coverage.json'}", f"--cov-report=xml:{reports / 'coverage.xml'}", "--cov-report="]
    else:
        print("note: pytest-cov is not among the tests' requirements, so coverage is not measured.", file=sys.stderr)
    env = _clean(os.environ) | {"COVERAGE_FILE": str(reports / ".coverage"), "PYTHONDONTWRITEBYTECODE": "1"}
    with Runner.here().no_commands():
        try:
            return run_child([*argv, unit.path], env=env, limit_s=LIMIT_S)
        except subprocess.TimeoutExpired as error:
            raise BundleflowError(
                f"The unit tests were stopped after {LIMIT_S:.0f} s.",
                fix="Find the test that hangs (`pytest --durations=10`); integration tests do not belong here.",
                reason=FailureReason.TESTS_FAILED,
            ) from error


def _has_coverage(python: Path) -> bool:
    check = "import importlib.util as u, sys; sys.exit(0 if u.find_spec('pytest_cov') else 1)"
    return subprocess.run([str(python), "-c", check], timeout=60, check=False, capture_output=True).returncode == 0


def _clean(env: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in env.items() if not SECRET.match(key)}


def _failed(report: UnitReport, status: int, unit: UnitTests) -> BundleflowError:
    if report.failed:
        first = report.failed[0]
        cause = f"{len(report.failed)} of {report.total} unit tests failed, the first: {first.name}."
        return BundleflowError(cause, fix="See the annotations, or run the same tests by pytest.", reason=FailureReason.TESTS_FAILED)
    if status == 5:
        fix = "Correct `tests.unit.path` in bundleflow.yml, or write a test (test_*.py)."
        return BundleflowError(f"There is no test in {unit.path}.", fix=fix, reason=FailureReason.TESTS_FAILED)
    fix = "See pytest's output in the log. If pytest itself is missing, add it to the tests' requirements."
    return BundleflowError(f"pytest ended with exit code {status} before the tests were done.", fix=fix, reason=FailureReason.TESTS_FAILED)


def _tell_runner(report: UnitReport, status: int, *, kept: bool) -> None:
    runner = Runner.here()
    if kept:
        runner.output("reports", "true")
    runner.output("tests", str(report.total))
    runner.output("failures", str(len(report.failed)))
    if report.coverage is not None:
        runner.output("coverage", f"{report.coverage:.1f}")
    for each in report.failed[:ANNOTATIONS]:
        runner.annotate("error", each.message, title=f"unit test failed: {each.name}", file=each.file, line=each.line)
    runner.summary(summary(report, status))


def summary(report: UnitReport, status: int) -> str:
    """The result as Markdown for the job summary."""
    passed = report.total - len(report.failed) - report.skipped
    counts = f"{passed} passed, {len(report.failed)} failed, {report.skipped} skipped in {report.duration_s:.1f} s"
    parts = [f"### {'❌' if status else '✅'} unit tests: {counts}"]
    if report.failed:
        rows = [(code(each.name, 200), escape(each.message, 300), code(f"{each.file}:{each.line}", 200)) for each in report.failed[:100]]
        parts.append("\n".join(table(("test", "why", "where"), rows)))
    if report.coverage is not None:
        lowest = sorted(report.coverage_by_file.items(), key=lambda item: item[1])[:50]
        rows_ = [(code(name, 200), f"{percent:.0f} %") for name, percent in lowest]
        parts.append(f"Coverage: **{report.coverage:.1f} %** of lines")
        parts.append(fold("Coverage by file, lowest first", "\n".join(table(("file", "covered"), rows_))))
    return "\n\n".join(parts)
