"""What a plan must pass: resolved references, known fields, independence of who plans."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bundleflow.adapters.cli_messages import Diagnostic
from bundleflow.records.errors import BundleflowError, FailureReason
from bundleflow.records.plan import Action, FieldChange, Plan, PlanEntry
from bundleflow.releases.checks import (
    check_diagnostics,
    check_identity_independent,
    check_resolved,
    unresolved_references,
)
from bundleflow.releases.digest import canonical_plan
from bundleflow.releases.read_plan import read_plan_file

PLANS = Path(__file__).parents[2] / "data" / "plans"


def plan(key: str, action: Action, **more: Any) -> Plan:
    return Plan(2, "1.13.0", (PlanEntry(key, action, **more),))


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("/Workspace/x/${bundle.target}", ["${bundle.target}"]),
        ("${var.catalgo}.${var.schema}", ["${var.catalgo}", "${var.schema}"]),
        ("${workspace.current_user.userName}", ["${workspace.current_user.userName}"]),
        ("${resources.jobs.a.id}", []),
        ("${HOME}/x and $HOME and {{job.parameters.x}} and {{secrets/a/b}}", []),
    ],
)
def test_unresolved_references_are_found(value: str, found: list[str]) -> None:
    assert list(unresolved_references({"a": [{"b": value}]})) == [f"a[0].b: {each}" for each in found]


def test_a_plan_with_an_unresolved_reference_is_no_green_plan() -> None:
    bad = plan("resources.jobs.j", Action.CREATE, new_state={"name": "${bundle.targt}"})
    with pytest.raises(BundleflowError, match=r"jobs\.j\.name: \$\{bundle\.targt\}") as caught:
        check_resolved(bad)
    assert caught.value.reason is FailureReason.VALIDATION_FAILED
    with pytest.raises(BundleflowError, match=r"workspace\.root_path"):
        check_resolved(Plan(2, "1.13.0"), {"workspace": {"root_path": "/x/${bundle.targt}"}})
    for name in sorted(path.stem for path in PLANS.glob("*.json")):
        check_resolved(read_plan_file(PLANS / f"{name}.json"))


def test_an_unknown_field_is_no_green_plan() -> None:
    known = Diagnostic("Warning", "something else")
    unknown = Diagnostic("Warning", "unknown field: nme", file="databricks.yml", line=7, column=9, path="resources.jobs.j")
    check_diagnostics([known, replace(unknown, severity="Recommendation")], "Target `dev`")
    with pytest.raises(BundleflowError, match=r"databricks\.yml:7:9: unknown field: nme"):
        check_diagnostics([known, unknown], "Target `dev`")


PLANNER = {"userName": "11111111-2222-4333-8444-555555555555", "short_name": "plan-sp"}


def identity(entry: PlanEntry | None = None, **workspace: str) -> None:
    found = canonical_plan(Plan(2, "1.13.0", (entry,) if entry else ()), target="prod", tree="t", identity=PLANNER["userName"])
    check_identity_independent(found, {"workspace": {"current_user": PLANNER, **workspace}}, "prod")


def test_a_plan_that_names_nobody_passes() -> None:
    identity(PlanEntry("resources.jobs.j", Action.CREATE, new_state={"name": "train"}), root_path="/Workspace/Shared/.bundle/iris/prod")
    check_identity_independent(canonical_plan(Plan(2, "1.13.0"), target="prod", tree="t"), {}, "prod")


@pytest.mark.parametrize(
    "entry",
    [
        PlanEntry("resources.jobs.j", Action.CREATE, new_state={"name": "[dev plan-sp] train"}),
        PlanEntry("resources.jobs.j", Action.CREATE, new_state={"run_as": {"service_principal_name": PLANNER["userName"]}}),
        PlanEntry("resources.jobs.j", Action.UPDATE, (FieldChange("name", Action.UPDATE, old="a", new="plan-sp/x", remote="a"),)),
    ],
)
def test_a_plan_that_names_its_maker_is_refused(entry: PlanEntry) -> None:
    with pytest.raises(BundleflowError) as caught:
        identity(entry)
    assert caught.value.reason is FailureReason.PLAN_DEPENDS_ON_IDENTITY


def test_a_folder_of_its_makers_is_refused() -> None:
    with pytest.raises(BundleflowError, match="root_path"):
        identity(root_path=f"/Workspace/Users/{PLANNER['userName']}/.bundle/iris/prod")


def test_a_name_that_only_begins_like_the_makers_is_no_reason() -> None:
    identity(PlanEntry("resources.jobs.j", Action.CREATE, new_state={"name": "plan-spark plan-sp2"}))
