"""What a test run gave: counts, failing tests with their places, coverage by file; read from JUnit and coverage's JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

MESSAGE_LIMIT = 2000


@dataclass(frozen=True)
class FailedTest:
    """A test that failed or broke.

    Args:
        name: Class and function, as JUnit has them.
        message: The assertion or exception, without the trace.
        file: Where it failed, relative to the repository's root; may be empty.
        line: From 1; 0 when unknown.
    """

    name: str
    message: str
    file: str = ""
    line: int = 0


@dataclass(frozen=True)
class UnitReport:
    """The outcome of one test run.

    Args:
        total: Tests that were collected.
        failed: Those that failed or broke.
        skipped: How many were skipped.
        duration_s: Seconds.
        coverage: Share of lines covered, 0 to 100; None when it was not measured.
        coverage_by_file: The same for each file.
    """

    total: int = 0
    failed: tuple[FailedTest, ...] = ()
    skipped: int = 0
    duration_s: float = 0.0
    coverage: float | None = None
    coverage_by_file: Mapping[str, float] = field(default_factory=dict)


def read_report(junit: Path, coverage: Path, root: Path) -> UnitReport:
    """Read the reports that pytest and coverage wrote.

    Args:
        junit: JUnit XML (pytest's `xunit1` family, whose test cases name file and line).
        coverage: coverage's JSON report; need not exist.
        root: The repository's root.

    Returns:
        The report; empty when pytest wrote none.
    """
    percent, by_file = _coverage(coverage)
    try:
        suites = ElementTree.parse(junit).getroot().iter("testsuite")  # noqa: S314  written by pytest a moment ago; expat limits expansion
    except (OSError, ElementTree.ParseError):
        return UnitReport(coverage=percent, coverage_by_file=by_file)
    cases = 0
    skipped = 0
    seconds = 0.0
    failed: list[FailedTest] = []
    for suite in suites:
        seconds += float(suite.get("time") or 0)
        for case in suite.iter("testcase"):
            cases += 1
            skipped += case.find("skipped") is not None
            trouble = case.find("failure")
            trouble = trouble if trouble is not None else case.find("error")
            if trouble is not None:
                failed.append(_failed(case, trouble, root))
    return UnitReport(cases, tuple(failed), skipped, seconds, percent, by_file)


def _failed(case: ElementTree.Element, trouble: ElementTree.Element, root: Path) -> FailedTest:
    text = trouble.text or ""
    file, line = case.get("file") or "", int(case.get("line") or -1) + 1
    for found, number in re.findall(r"^([^\s:]+\.py):(\d+): ", text, re.MULTILINE):
        # The last line of the trace that lies in the repository is where the reader wants to look.
        if (root / found).is_file() and not Path(found).is_absolute() and ".." not in Path(found).parts:
            file, line = found, int(number)
    name = ".".join(part for part in (case.get("classname"), case.get("name")) if part)
    return FailedTest(name, (trouble.get("message") or text)[:MESSAGE_LIMIT], file, line)


def _coverage(path: Path) -> tuple[float | None, dict[str, float]]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        by_file = {name: float(each["summary"]["percent_covered"]) for name, each in data["files"].items()}
        return float(data["totals"]["percent_covered"]), by_file
    except (OSError, ValueError, KeyError, TypeError):
        return None, {}
