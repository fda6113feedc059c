"""Reading the CLI's plan JSON: recorded plans of small bundles, and what must be refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bundleflow.records.errors import BundleflowError, FailureReason
from bundleflow.records.plan import ABSENT, Action
from bundleflow.releases.read_plan import read_plan, read_plan_file

PLANS = Path(__file__).parents[2] / "data" / "plans"


@pytest.mark.parametrize(
    ("name", "text", "destructive", "drifted"),
    [
        ("first-deployment", "4 to add, 0 to change, 0 to delete, 0 unchanged", 0, 0),
        ("nothing-to-do", "0 to add, 0 to change, 0 to delete, 4 unchanged", 0, 0),
        ("one-field", "0 to add, 1 to change, 0 to delete, 0 unchanged", 0, 0),
        ("drift", "0 to add, 1 to change, 0 to delete, 0 unchanged", 0, 1),
        ("permissions-drift", "0 to add, 1 to change, 0 to delete, 1 unchanged", 0, 1),
        ("recreate-schema", "2 to add, 0 to change, 2 to delete, 0 unchanged", 2, 0),
        ("new-id", "0 to add, 2 to change, 0 to delete, 0 unchanged", 0, 0),
        ("delete", "0 to add, 0 to change, 1 to delete, 1 unchanged", 1, 0),
        ("selected", "1 to add, 0 to change, 0 to delete, 0 unchanged, 2 not selected", 0, 0),
    ],
)
def test_recorded_plans_are_summarised(name: str, text: str, destructive: int, drifted: int) -> None:
    summary = read_plan_file(PLANS / f"{name}.json").summary
    assert (str(summary), summary.destructive, summary.drifted) == (text, destructive, drifted)


def test_a_change_keeps_what_is_absent_apart_from_null() -> None:
    entry = read_plan_file(PLANS / "drift.json").entries[0]
    tag = next(change for change in entry.changes if change.path == "tags['hand']")
    assert (tag.old, tag.new, tag.remote) == (ABSENT, ABSENT, "made")
    assert tag.drift
    kept = next(change for change in entry.changes if change.path == "timeout_seconds")
    assert kept.action is Action.SKIP
    assert not kept.drift


def test_a_change_of_the_bundle_is_not_drift() -> None:
    entry = read_plan_file(PLANS / "one-field.json").entries[0]
    assert entry.effective_changes
    assert not entry.drift


def test_a_first_plan_has_no_lineage() -> None:
    assert read_plan_file(PLANS / "first-deployment.json").lineage is None
    assert read_plan_file(PLANS / "drift.json").serial == 1


@pytest.mark.parametrize(
    ("data", "word"),
    [
        ([], "no `plan`"),
        ({"plan": {}, "plan_version": 3}, "version 3"),
        ({"plan": {"resources.jobs.a": {"action": "update"}}, "cli_version": "1.13.0"}, "terraform"),
        ({"plan": {"resources.jobs.a": {"action": "explode"}}, "plan_version": 2}, "`explode`"),
        ({"plan": {"jobs.a": {"action": "create"}}, "plan_version": 2}, "`jobs.a`"),
        ({"plan": {"resources.jobs.a": {"action": "update", "changes": {"x": {"action": "bend"}}}}, "plan_version": 2}, "x"),
    ],
)
def test_what_is_not_known_is_refused_by_name(data: Any, word: str) -> None:
    with pytest.raises(BundleflowError) as caught:
        read_plan(data)
    assert word in caught.value.cause
    assert caught.value.reason is FailureReason.CLI_FAILED
    assert caught.value.fix


def test_a_file_that_is_no_plan_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleflowError, match=r"none\.json"):
        read_plan_file(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(BundleflowError, match="is not JSON"):
        read_plan_file(tmp_path / "bad.json")
    (tmp_path / "empty.json").write_text(json.dumps({"plan_version": 2, "cli_version": "1.13.0", "plan": {}}))
    assert read_plan_file(tmp_path / "empty.json").summary.empty
