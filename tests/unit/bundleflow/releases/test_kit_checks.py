"""What a plan must pass: resolved references, known fields, independence of who plans."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from bundleflow.adapters.cli_messages import Diagnostic
from bundleflow.records.accepted import Accepted, AcceptedWarning
from bundleflow.records.errors import BundleflowError, FailureReason
from bundleflow.records.plan import Action, FieldChange, Plan, PlanEntry
from bundleflow.releases.checks import (
    check_identity_independent,
    check_remarks,
    check_resolved,
    check_schedules,
    remarks,
    running_schedules,
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
    unchanged = {"resources": {"jobs": {"j": {"name": "${var.nme}", "tags": {"a": "${resources.jobs.k.id}"}}}}}
    with pytest.raises(BundleflowError, match=r"jobs\.j\.name: \$\{var\.nme\}") as caught:
        check_resolved(Plan(2, "1.13.0"), unchanged)
    assert caught.value.details.count("\n") == 0
    for name in sorted(path.stem for path in PLANS.glob("*.json")):
        check_resolved(read_plan_file(PLANS / f"{name}.json"))


UNKNOWN = Diagnostic("Warning", "unknown field: nme", file="databricks.yml", line=7, column=9, path="resources.jobs.j")
OTHER = Diagnostic("Warning", "Single node cluster is not correctly configured", "a long text", path="resources.jobs.j.job_clusters[0]")


def accepted(**entry: Any) -> Accepted:
    return Accepted(Path("accepted.yml"), (AcceptedWarning(**{"target": "dev", "reason": "known", **entry}),))


def test_every_warning_counts_and_recommendations_do_not() -> None:
    check_remarks(remarks([replace(UNKNOWN, severity="Recommendation")], "dev"), Accepted(), "dev")
    with pytest.raises(BundleflowError, match=r"databricks\.yml:7:9: unknown field: nme") as caught:
        check_remarks(remarks([UNKNOWN, UNKNOWN, OTHER], "dev"), Accepted(), "dev")
    assert caught.value.reason is FailureReason.VALIDATION_FAILED
    assert len(caught.value.details.splitlines()) == 2


def test_before_a_deployment_only_unknown_fields_count() -> None:
    check_remarks(remarks([OTHER], "dev"), Accepted(), "dev", only_unknown_fields=True)
    with pytest.raises(BundleflowError):
        check_remarks(remarks([OTHER, UNKNOWN], "dev"), Accepted(), "dev", only_unknown_fields=True)


@pytest.mark.parametrize(
    ("entry", "passes"),
    [
        ({"text": "unknown field: nme"}, True),
        ({"text": "unknown field: nme at resources.jobs.j"}, True),
        ({"text": "unknown field"}, False),
        ({"pattern": "unknown field: .* at resources\\.jobs\\.\\w+"}, True),
        ({"pattern": "unknown field"}, False),
        ({"text": "unknown field: nme", "target": "*"}, True),
        ({"text": "unknown field: nme", "target": "prod"}, False),
        ({"text": "unknown field: nme", "expires": date(2020, 1, 1)}, False),
        ({"text": "unknown field: nme", "expires": date(2999, 1, 1)}, True),
    ],
)
def test_what_is_accepted_passes_and_nothing_else(entry: dict[str, Any], passes: bool) -> None:
    found = remarks([UNKNOWN], "dev")
    if passes:
        check_remarks(found, accepted(**entry), "dev")
    else:
        with pytest.raises(BundleflowError):
            check_remarks(found, accepted(**entry), "dev")


@pytest.mark.parametrize(
    ("resource", "runs"),
    [
        ({"jobs": {"j": {"schedule": {"quartz_cron_expression": "0 0 * * * ?"}}}}, "resources.jobs.j.schedule"),
        ({"jobs": {"j": {"trigger": {"pause_status": "UNPAUSED", "periodic": {}}}}}, "resources.jobs.j.trigger"),
        ({"jobs": {"j": {"continuous": {"pause_status": "UNPAUSED"}}}}, "resources.jobs.j.continuous"),
        ({"alerts": {"a": {"schedule": {"pause_status": "UNPAUSED"}}}}, "resources.alerts.a.schedule"),
        ({"pipelines": {"p": {"continuous": True}}}, "resources.pipelines.p.continuous"),
        ({"jobs": {"j": {"schedule": {"pause_status": "PAUSED"}}}}, ""),
        ({"pipelines": {"p": {"continuous": False}}}, ""),
        ({"jobs": {"j": {"name": "j"}}, "schemas": None}, ""),
    ],
)
def test_what_would_run_by_itself_in_a_test_deployment_is_refused(resource: dict[str, Any], runs: str) -> None:
    found = running_schedules({"resources": resource}, "test")
    assert [each.path for each in found] == ([runs] if runs else [])
    if runs:
        with pytest.raises(BundleflowError, match=re.escape(runs)) as caught:
            check_schedules(found, Accepted(), "test")
        assert caught.value.reason is FailureReason.VALIDATION_FAILED
        assert "trigger_pause_status: PAUSED" in caught.value.fix
        check_schedules(found, accepted(target="test", text=f"runs by itself in a test deployment at {runs}"), "test")


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
