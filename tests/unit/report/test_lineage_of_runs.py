"""Lineage of a run: what stands in its way is said with its remedy, and the report is made all the same."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import pytest
import run_examples as examples

from bundleflow.adapters.workspace_answers import StatementFailedError
from bundleflow.adapters.workspace_runs import RunsWorkspace
from bundleflow.records.errors import BundleflowError
from bundleflow.records.run import Lineage, RunRecord
from bundleflow.runs.lineage import ROWS_AT_MOST, read_lineage

Rows = Sequence[Sequence[str | None]]
READ: Rows = [["a.b.c", None, "TABLE", None, None, None, "104", "100"]]


class Warehouse:
    """A workspace with a warehouse that runs, or none, and what that answers."""

    def __init__(self, answer: Rows | BundleflowError, running: str = "w1") -> None:
        self.answer, self.running = answer, running

    def running_warehouse(self) -> str:
        return self.running

    def statement_rows(self, warehouse: str, statement: str, *, row_limit: int, limit_s: float) -> Rows:
        self.limit_s = limit_s
        assert warehouse == "w1"
        assert "system.access.table_lineage" in statement
        if isinstance(self.answer, BundleflowError):
            raise self.answer
        return self.answer[:row_limit]


def asked(answer: Rows | BundleflowError, run: RunRecord, *, running: str = "w1") -> Lineage:
    return read_lineage(cast("RunsWorkspace", Warehouse(answer, running)), run, "")


@pytest.fixture(scope="module")
def run() -> RunRecord:
    return replace(examples.pipeline(), end_ms=round(1000 * (time.time() - 86_400)))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            StatementFailedError("FAILED", "[INSUFFICIENT_PERMISSIONS] User does not have USE SCHEMA on Schema 'system.access'."),
            "Grant USE SCHEMA and SELECT on `system.access`",
        ),
        (
            StatementFailedError("FAILED", "[TABLE_OR_VIEW_NOT_FOUND] The table `system`.`access`.`table_lineage` cannot be found."),
            "an account admin enables the system schema `access`",
        ),
        (StatementFailedError("CANCELED", ""), "Lineage could not be read: The statement ended with CANCELED."),
        (BundleflowError("The warehouse `w1` does not exist.", fix="Name another."), "Lineage could not be read: The warehouse `w1`"),
    ],
    ids=["no right", "not enabled", "took too long", "no such warehouse"],
)
def test_what_stands_in_the_way_is_said_with_its_remedy(run: RunRecord, error: BundleflowError, said: str) -> None:
    found = asked(error, run)
    assert found.uses == ()
    assert said in found.note


def test_no_warehouse_is_started_by_itself(run: RunRecord) -> None:
    assert "No SQL warehouse is running" in asked(READ, run, running="").note


def test_limits_are_said(run: RunRecord) -> None:
    just_now = replace(run, end_ms=round(1000 * time.time()))
    assert asked(READ, run).note == ""
    assert "has no entry of this run" in asked([], run).note
    assert "filled with a delay" in asked(READ, just_now).note
    assert "has not ended" in asked(READ, replace(run, life_cycle_state="RUNNING", result_state="")).note
    assert f"first {ROWS_AT_MOST:,} entries" in asked(list(READ) * ROWS_AT_MOST, run).note
