"""When a task runs, given how the tasks before it ended; and what a condition task says."""

from __future__ import annotations

from collections.abc import Sequence

SUCCESS, FAILED, CANCELED, EXCLUDED = "success", "failed", "canceled", "excluded"

_KIND_OF_RESULT = {
    "SUCCESS": SUCCESS,
    "SUCCESS_WITH_FAILURES": SUCCESS,
    "EXCLUDED": EXCLUDED,
    "DISABLED": EXCLUDED,
    "CANCELED": CANCELED,
    "UPSTREAM_CANCELED": CANCELED,
}


def kind_of(result_state: str) -> str:
    """Return how a task that ended with this result counts for the tasks after it."""
    return _KIND_OF_RESULT.get(result_state, FAILED)


def decide(run_if: str, upstream: Sequence[str]) -> str:
    """Return `RUN`, or the result state of a task that does not run.

    Rules: https://docs.databricks.com/aws/en/jobs/run-if.

    Args:
        run_if: The task's rule, such as `ALL_SUCCESS`.
        upstream: How each dependency counts: `success`, `failed`, `canceled` or `excluded`.
    """
    if not upstream or run_if == "ALL_DONE":
        return "RUN"
    if run_if == "ALL_SUCCESS":
        return "RUN" if all(kind == SUCCESS for kind in upstream) else _why_not(upstream)
    if run_if == "NONE_FAILED":
        blocked = FAILED in upstream or CANCELED in upstream or SUCCESS not in upstream
        return _why_not(upstream) if blocked else "RUN"
    if run_if == "AT_LEAST_ONE_SUCCESS":
        return "RUN" if SUCCESS in upstream else _why_not(upstream)
    if run_if == "ALL_FAILED":
        return "RUN" if all(kind == FAILED for kind in upstream) else "EXCLUDED"
    return "RUN" if FAILED in upstream else "EXCLUDED"


def _why_not(upstream: Sequence[str]) -> str:
    if FAILED in upstream:
        return "UPSTREAM_FAILED"
    return "UPSTREAM_CANCELED" if CANCELED in upstream else "EXCLUDED"


def compare(left: str, operator: str, right: str) -> bool:
    """Return what a condition task says.

    `EQUAL_TO` and `NOT_EQUAL` compare texts; the others compare numbers.

    Raises:
        ValueError: an operand of a numeric comparison is no number, or the operator is unknown.
    """
    if operator == "EQUAL_TO":
        return left == right
    if operator == "NOT_EQUAL":
        return left != right
    try:
        a, b = float(left), float(right)
    except ValueError as error:
        raise ValueError(f"{operator} compares numbers, but got {left!r} and {right!r}.") from error
    comparisons = {"GREATER_THAN": a > b, "GREATER_THAN_OR_EQUAL": a >= b, "LESS_THAN": a < b, "LESS_THAN_OR_EQUAL": a <= b}
    if operator not in comparisons:
        raise ValueError(f"The operator {operator!r} is not known.")
    return comparisons[operator]
