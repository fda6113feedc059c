"""Policy on a plan: what is protected, what an entry allows and until when, how much may be lost, what is running."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from bundleflow.records.errors import BundleflowError, FailureReason
from bundleflow.records.plan import Action, Plan, PlanEntry
from bundleflow.records.policy import DEFAULT_PROTECTED, ActiveJob, Allowance, Policy
from bundleflow.releases.policy import check_policy, jobs_at_risk, judge, unknown_allowances
from bundleflow.releases.read_plan import read_plan_file
from bundleflow.report.markdown_policy import policy_markdown

PLANS = Path(__file__).parents[2] / "data" / "plans"
TODAY = date(2026, 6, 1)


def plan(*entries: tuple[str, Action], **more: Any) -> Plan:
    return Plan(2, "1.13.0", tuple(PlanEntry(f"resources.{key}", action, **more) for key, action in entries))


def allow(resource: str, action: str = "delete", expires: date = TODAY) -> Allowance:
    return Allowance(resource, action, "moved to another bundle", expires)


def denied(found: Plan, policy: Policy, *active: ActiveJob) -> list[str]:
    return [each.rule for each in judge(found, policy, active=active, today=TODAY).denied]


@pytest.mark.parametrize("action", [Action.DELETE, Action.RECREATE])
@pytest.mark.parametrize("group", DEFAULT_PROTECTED)
def test_losing_what_is_protected_is_denied(group: str, action: Action) -> None:
    with pytest.raises(BundleflowError) as caught:
        check_policy(plan((f"{group}.x", action)), Policy())
    assert caught.value.reason is FailureReason.POLICY_DENIED
    assert f"`{group}.x`" in caught.value.cause


@pytest.mark.parametrize(
    "passing",
    [
        plan(("jobs.x", Action.DELETE)),
        plan(("schemas.x", Action.UPDATE)),
        plan(("schemas.x", Action.CREATE)),
        plan(("schemas.x.grants", Action.DELETE)),
        plan(("schemas.x", Action.DELETE), gone=True),
    ],
)
def test_what_loses_nothing_protected_passes(passing: Plan) -> None:
    assert check_policy(passing, Policy(max_deletes=1)).findings == ()


def test_a_recorded_recreation_is_denied() -> None:
    recorded = read_plan_file(PLANS / "recreate-schema.json")
    with pytest.raises(BundleflowError, match="recreate"):
        check_policy(recorded, Policy(protect=("schemas",)))
    check_policy(recorded, Policy(protect=("registered_models",)))


def test_an_entry_allows_that_resource_and_that_action_only() -> None:
    policy = Policy(allow=(allow("schemas.a"),))
    verdict = judge(plan(("schemas.a", Action.DELETE)), policy, today=TODAY)
    assert [(each.outcome, each.resource) for each in verdict.findings] == [("allowed", "schemas.a")]
    assert "moved to another bundle" in verdict.findings[0].text
    assert denied(plan(("schemas.a", Action.RECREATE)), policy) == ["protect"]
    assert denied(plan(("schemas.b", Action.DELETE)), policy) == ["protect"]


def test_an_expired_entry_is_an_error_that_names_it_whatever_the_plan() -> None:
    policy = Policy(allow=(allow("schemas.a", expires=date(2026, 5, 31)),))
    assert denied(plan(("schemas.a", Action.DELETE)), policy) == ["protect", "allow"]
    with pytest.raises(BundleflowError, match=r"for delete of `schemas\.a` expired on 2026-05-31"):
        check_policy(Plan(2, "1.13.0"), policy, today=TODAY)


def test_an_entry_for_what_no_target_has_is_said_with_the_nearest_name() -> None:
    known = [plan(("schemas.features", Action.SKIP)), plan(("jobs.train", Action.CREATE))]
    (note,) = unknown_allowances([allow("schemas.featurs"), allow("jobs.train")], known)
    assert note.outcome == "note"
    assert "`schemas.featurs`, which no target has. Did you mean `schemas.features`?" in note.text


def test_deletions_are_limited_and_allowed_ones_do_not_count() -> None:
    three = plan(("jobs.a", Action.DELETE), ("jobs.b", Action.RECREATE), ("jobs.b.permissions", Action.RECREATE), ("jobs.c", Action.DELETE))
    assert denied(three, Policy(max_deletes=2)) == ["max-deletes"]
    assert denied(three, Policy(max_deletes=3)) == []
    assert denied(three, Policy(max_deletes=2, allow=(allow("jobs.a"),))) == []
    assert denied(plan(("jobs.a", Action.DELETE)), Policy(max_deletes=0)) == ["max-deletes"]


@pytest.mark.parametrize(
    ("action", "strict", "found"),
    [
        (Action.DELETE, False, ["active-runs"]),
        (Action.RECREATE, False, ["active-runs"]),
        (Action.UPDATE, False, []),
        (Action.UPDATE, True, ["active-runs"]),
        (Action.SKIP, True, []),
    ],
)
def test_a_running_job_is_not_broken(action: Action, strict: bool, found: list[str]) -> None:
    running = ActiveJob("train", 7, (71, 72))
    assert denied(plan(("jobs.train", action)), Policy(fail_on_active_runs=strict), running) == found
    assert denied(plan(("jobs.train", action)), Policy(fail_on_active_runs=strict)) == []


def test_a_change_of_a_running_job_is_at_least_said() -> None:
    (note,) = judge(plan(("jobs.train", Action.UPDATE)), Policy(), active=[ActiveJob("train", 7, (71,))], today=TODAY).findings
    assert note.outcome == "note"
    assert "(run 71)" in note.text


@pytest.mark.parametrize(
    ("name", "jobs"),
    [("delete", ["report"]), ("one-field", ["prices"]), ("first-deployment", []), ("permissions-drift", []), ("nothing-to-do", [])],
)
def test_only_jobs_that_exist_and_are_touched_are_asked_for(name: str, jobs: list[str]) -> None:
    found = jobs_at_risk(read_plan_file(PLANS / f"{name}.json"))
    assert list(found) == jobs
    assert all(number > 0 for number in found.values())


def test_the_verdict_is_a_table_and_plain_values() -> None:
    bad = Policy(protect=("schemas",), allow=(allow("schemas.b"),))
    verdict = judge(plan(("schemas.a|<b>", Action.DELETE), ("schemas.b", Action.DELETE)), bad, today=TODAY)
    text = policy_markdown(verdict)
    assert text.startswith("**Policy: denied**")
    assert text.index("❌ denied") < text.index("✅ allowed")
    assert "schemas.a|" not in text
    data = verdict.data()
    assert data["verdict"] == "denied"
    assert data["findings"][1] == {
        "outcome": "allowed",
        "rule": "allow",
        "resource": "schemas.b",
        "action": "delete",
        "text": "delete of `schemas.b` is allowed until 2026-06-01: moved to another bundle",
    }
    assert policy_markdown(judge(plan(), bad, today=TODAY)) == ""
