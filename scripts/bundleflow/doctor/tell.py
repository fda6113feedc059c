"""Results for people: lines for a terminal of 80 columns, Markdown for a job summary, and plain data for machines."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bundleflow.doctor.check import Area, Result, Status
from bundleflow.doctor.finding import Finding, Severity
from bundleflow.report.markdown import code, escape, fold, table, visible
from bundleflow.report.terminal import inert

WIDTH = 80
MARKS: Mapping[Status, str] = {Status.PASSED: "ok", Status.NOT_MADE: "--", Status.NOT_NEEDED: "  "}
_BETWEEN_BACKTICKS = re.compile(r"`[^`]*`")
_KEPT = "\ue000"
"""Stands for a space at which no line may be broken; a character for private use, which is in no name."""
_COLOURS = {Severity.ERROR: "31", Severity.WARNING: "33", Severity.NOTE: "36"}
_SIGNS = {Severity.ERROR: "❌", Severity.WARNING: "⚠️", Severity.NOTE: ""}


def worst(results: Sequence[Result]) -> Severity | None:
    """The most serious severity among all findings; None without any."""
    found = {finding.severity for result in results for finding in result.findings}
    return next((each for each in Severity if each in found), None)


def result_lines(result: Result, *, told: str = "", colour: bool) -> Iterator[str]:
    """One check as lines of at most `WIDTH` columns; what must be copied (a command) is not broken.

    Args:
        result: The result.
        told: Why the check before it was not made: the same reason is not told twice.
        colour: Whether a terminal shows it.
    """
    serious = [each for each in result.findings if each.severity is not Severity.NOTE]
    mark = MARKS.get(result.status, "")
    if serious:
        mark = "!!" if any(each.severity is Severity.ERROR for each in serious) else " !"
    shade = {"ok": "32", "!!": "31", " !": "33", "--": "2", "  ": "2"}[mark]
    yield _coloured(f"{mark}  {result.check.id:<21} {result.check.title}", shade, colour)
    for finding in result.findings:
        yield from _finding_lines(finding, colour=colour)
    if result.not_made and result.not_made != told:
        yield from _wrapped("not made: ", result.not_made)
    if result.status is Status.NOT_NEEDED:
        yield from _wrapped("not needed: ", result.not_needed)
    if serious:
        yield from _wrapped("docs: ", result.check.url)


def _finding_lines(finding: Finding, *, colour: bool) -> Iterator[str]:
    head, *rest = _wrapped(f"{finding.severity}: ", finding.what)
    word = f"{finding.severity}:"
    yield head.replace(word, _coloured(word, _COLOURS[finding.severity], colour), 1)
    yield from rest
    if finding.why:
        yield from _wrapped("why: ", finding.why)
    if finding.fix:
        yield from _wrapped("fix: ", finding.fix)


def _wrapped(label: str, text: str) -> Iterator[str]:
    """A text below its check, word by word.

    What is to be copied stays whole, however long: names and commands between backticks, and every line but the first.
    """
    first, later = f"      {label}", " " * (6 + len(label))
    head, *rest = inert(visible(text)).split("\n")
    whole = _BETWEEN_BACKTICKS.sub(lambda found: found[0].replace(" ", _KEPT), head)
    lines = textwrap.wrap(whole, WIDTH, initial_indent=first, subsequent_indent=later, break_long_words=False, break_on_hyphens=False)
    yield from (line.replace(_KEPT, " ") for line in lines or [first.rstrip()])
    yield from (f"{later}{line}".rstrip() for line in rest)


def _coloured(text: str, shade: str, colour: bool) -> str:
    return f"\033[{shade}m{text}\033[0m" if colour else text


LEGEND = "ok passed   !! error    ! warning   -- not made, for the reason last given"


def sum_lines(results: Sequence[Result]) -> tuple[str, str]:
    """What came out: the findings, and what became of the checks."""
    findings = [finding.severity for result in results for finding in result.findings]
    count = {status: sum(result.status is status for result in results) for status in Status}
    partly = sum(bool(result.not_made) and result.status is Status.FOUND for result in results)
    checks = [
        f"{count[Status.PASSED]} passed",
        f"{count[Status.FOUND]} with findings",
        f"{count[Status.NOT_MADE]} not made" + (f" ({partly} more in part)" if partly else ""),
        f"{count[Status.NOT_NEEDED]} not needed",
    ]
    found = f"{_many(findings.count(Severity.ERROR), 'error')}, {_many(findings.count(Severity.WARNING), 'warning')}"
    return found, f"{_many(len(results), 'check')}: {', '.join(checks)}"


def _many(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def markdown(results: Sequence[Result]) -> str:
    """The results for a job summary: findings first, the rest folded."""
    parts = [f"### Doctor: {'. '.join(sum_lines(results))}"]
    rows = [
        (_SIGNS[finding.severity], f"[{result.check.id}]({result.check.url})", _cell(finding.what), _cell(finding.why), _cell(finding.fix))
        for severity in (Severity.ERROR, Severity.WARNING)
        for result in results
        for finding in result.findings
        if finding.severity is severity
    ]
    if rows:
        parts.append("\n".join(table(("", "check", "what", "why", "fix"), rows)))
    missing = [(code(result.check.id), _cell(result.not_made)) for result in results if result.not_made]
    if missing:
        parts.append("**Not made** (nobody knows, so nothing passed):\n\n" + "\n".join(table(("check", "why not"), missing)))
    notes = [(code(r.check.id), _cell(f.what), _cell(f.fix)) for r in results for f in r.findings if f.severity is Severity.NOTE]
    passed = ", ".join(code(result.check.id) for result in results if result.status is Status.PASSED)
    more = "\n\n".join([f"Passed: {passed or 'none'}", "\n".join(table(("check", "note", ""), notes)) if notes else ""]).strip()
    parts.append(fold("What passed, and notes", more))
    return "\n\n".join(parts)


def _cell(text: str) -> str:
    """A text with names between backticks, for a table."""
    parts = visible(" ".join(text.split())).split("`")
    return "".join(code(part) if number % 2 else escape(part) for number, part in enumerate(parts) if part)


def data(results: Sequence[Result]) -> dict[str, Any]:
    """The results for machines."""
    return {
        "checks": [
            {
                "id": result.check.id,
                "title": result.check.title,
                "area": result.check.area.value,
                "status": result.status.value,
                "docs": result.check.url,
                "not_made": result.not_made,
                "not_needed": result.not_needed,
                "findings": [
                    {"severity": each.severity.value, "what": each.what, "why": each.why, "fix": each.fix} for each in result.findings
                ],
            }
            for result in results
        ],
        "worst": worst(results),
        "summary": list(sum_lines(results)),
    }


def area_line(area: Area, *, colour: bool) -> str:
    """The heading above the checks of an area."""
    return _coloured(f"\n{area.value}", "1", colour)
