"""When a task runs after others, and what conditions say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.workspace.jobs.conditions import compare, decide, kind_of
from rehearsal.workspace.jobs.engine import downstream, selection
from rehearsal.workspace.jobs.model import JobRun

KINDS = ["success", "failed", "canceled", "excluded"]


@pytest.mark.parametrize(
    ("run_if", "upstream", "expected"),
    [
        ("ALL_SUCCESS", ["success", "success"], "RUN"),
        ("ALL_SUCCESS", ["success", "failed"], "UPSTREAM_FAILED"),
        ("ALL_SUCCESS", ["success", "canceled"], "UPSTREAM_CANCELED"),
        ("ALL_SUCCESS", ["success", "excluded"], "EXCLUDED"),
        ("NONE_FAILED", ["success", "excluded"], "RUN"),
        ("NONE_FAILED", ["excluded"], "EXCLUDED"),
        ("NONE_FAILED", ["success", "failed"], "UPSTREAM_FAILED"),
        ("AT_LEAST_ONE_SUCCESS", ["failed", "success"], "RUN"),
        ("AT_LEAST_ONE_SUCCESS", ["failed", "excluded"], "UPSTREAM_FAILED"),
        ("ALL_FAILED", ["failed", "failed"], "RUN"),
        ("ALL_FAILED", ["failed", "success"], "EXCLUDED"),
        ("AT_LEAST_ONE_FAILED", ["failed", "success"], "RUN"),
        ("AT_LEAST_ONE_FAILED", ["success"], "EXCLUDED"),
    ],
)
def test_the_rules(run_if: str, upstream: list[str], expected: str) -> None:
    assert decide(run_if, upstream) == expected


@given(st.lists(st.sampled_from(KINDS)))
def test_all_done_always_runs_and_so_does_a_task_without_upstream(upstream: list[str]) -> None:
    assert decide("ALL_DONE", upstream) == "RUN"
    assert decide("ALL_FAILED", []) == "RUN"


@given(
    st.sampled_from(["ALL_SUCCESS", "NONE_FAILED", "AT_LEAST_ONE_SUCCESS", "ALL_FAILED", "AT_LEAST_ONE_FAILED"]),
    st.lists(st.sampled_from(KINDS)),
)
def test_the_order_of_dependencies_does_not_matter(run_if: str, upstream: list[str]) -> None:
    assert decide(run_if, upstream) == decide(run_if, sorted(upstream))


def test_how_results_count_for_those_after() -> None:
    assert [kind_of(state) for state in ("SUCCESS", "FAILED", "TIMEDOUT", "UPSTREAM_FAILED", "EXCLUDED", "CANCELED")] == [
        "success", "failed", "failed", "failed", "excluded", "canceled",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("left", "operator", "right", "expected"),
    [
        ("12", "GREATER_THAN", "9", True),
        ("12", "EQUAL_TO", "12.0", False),
        ("a", "NOT_EQUAL", "b", True),
        ("2", "LESS_THAN_OR_EQUAL", "2.0", True),
    ],
)
def test_comparisons(left: str, operator: str, right: str, *, expected: bool) -> None:
    assert compare(left, operator, right) is expected


def test_a_numeric_comparison_of_words_is_refused() -> None:
    with pytest.raises(ValueError, match="compares numbers"):
        compare("many", "GREATER_THAN", "9")


TASKS: list[dict[str, Any]] = [
    {"task_key": "a"},
    {"task_key": "b", "depends_on": [{"task_key": "a"}]},
    {"task_key": "c", "depends_on": [{"task_key": "b"}]},
    {"task_key": "d"},
]


@pytest.mark.parametrize(
    ("only", "expected"),
    [([], ["a", "b", "c", "d"]), (["b"], ["b"]), (["+b"], ["a", "b"]), (["b+"], ["b", "c"]), (["+c", "d"], ["a", "b", "c", "d"])],
)
def test_selection_of_tasks(only: list[str], expected: list[str]) -> None:
    assert selection(TASKS, only) == expected


def test_dependents_of_a_repaired_task() -> None:
    run = JobRun(1, 1, "j", "JOB_RUN", "u", "u", 0, {"tasks": TASKS})
    assert downstream(run, ["b"]) == ["b", "c"]
