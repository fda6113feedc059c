"""Smoke checks: is what was deployed there and does it answer as the flow file says?"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bundleflow.records.errors import BundleflowError, FailureReason
from bundleflow.records.release_rules import Expectation, SmokeCheck

ANSWER_KEPT = 500


@dataclass(frozen=True)
class SmokeResult:
    """What a check found: `problem` is empty when it passed."""

    check: SmokeCheck
    answer: str
    problem: str = ""


Ask = Callable[[SmokeCheck], Any]
"""Gives the answer of the deployed thing; raises BundleflowError when there is none."""


def run_checks(checks: Sequence[SmokeCheck], ask: Ask, report: Callable[[SmokeResult], None]) -> None:
    """Make the checks in order; stops at the first that fails.

    Args:
        checks: The stage's checks.
        ask: Asks the deployed thing.
        report: Takes each result, also the one that failed.

    Raises:
        BundleflowError: `smoke-failed`; trouble outside the project keeps its own reason.
    """
    for check in checks:
        try:
            answer = ask(check)
        except BundleflowError as error:
            report(SmokeResult(check, "", error.cause))
            if error.reason is FailureReason.OUTSIDE_TROUBLE:
                raise
            raise _failed(check, error.cause, error.details) from error
        problem = unmet(check.expect, answer)
        report(SmokeResult(check, shown(answer), problem))
        if problem:
            raise _failed(check, problem, shown(answer))


def unmet(expect: Expectation, answer: Any) -> str:
    """What an answer lacks, in words; empty when it is as expected."""
    text = shown(answer, None)
    if expect.contains and expect.contains not in text:
        return f"the answer does not contain `{expect.contains}`"
    number = _number(answer)
    if isinstance(expect.equals, str) and text != expect.equals:
        return f"the answer is not `{expect.equals}`"
    wanted = [expect.at_least, expect.at_most, None if isinstance(expect.equals, str) else expect.equals]
    if number is None and any(each is not None for each in wanted):
        return "the answer is not a number"
    if number is not None and expect.equals is not None and not isinstance(expect.equals, str) and number != expect.equals:
        return f"the answer is not {expect.equals:g}"
    if number is not None and expect.at_least is not None and not number >= expect.at_least:
        return f"the answer is less than {expect.at_least:g}"
    if number is not None and expect.at_most is not None and not number <= expect.at_most:
        return f"the answer is more than {expect.at_most:g}"
    return ""


def shown(answer: Any, limit: int | None = ANSWER_KEPT) -> str:
    """An answer as text: JSON unless it is text already."""
    text = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False, sort_keys=True)
    return text if limit is None or len(text) <= limit else text[:limit] + "…"


def _number(answer: Any) -> float | None:
    """The answer as a number: warehouses and notebooks give numbers as text. Not-a-number is none, so no bound lets it pass."""
    if isinstance(answer, bool) or not isinstance(answer, int | float | str):
        return None
    try:
        value = float(answer)
    except ValueError:
        return None
    return None if math.isnan(value) else value


def _failed(check: SmokeCheck, problem: str, details: str) -> BundleflowError:
    return BundleflowError(
        f"Smoke check `{check}` failed: {problem}",
        fix="The deployment is in place: look at what the check asked, and go back if users are affected.",
        reason=FailureReason.SMOKE_FAILED,
        details=details,
    )
