"""Two identities plan the same permissions: the right that the CLI adds for whoever plans is no part of what is approved."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from bundleflow.records.errors import BundleflowError, FailureReason
from bundleflow.records.plan import ABSENT, Action, FieldChange, Plan, PlanEntry
from bundleflow.releases.checks import check_managers_named
from bundleflow.releases.digest import canonical_plan, digest, masked

OWNED = {"jobs", "pipelines"}
Levels = Mapping[str, str]


def planned_by(identity: str, named: Levels, remote: Levels | None = None, group: str = "jobs", before: Levels | None = None) -> Plan:
    """What the CLI plans for a resource's permissions (its rule in one place), as `identity`.

    Args:
        identity: Who plans.
        named: What the bundle names: principal to level.
        remote: What is in the workspace; None before the first deployment.
        group: Type of the resource.
        before: What was deployed last, if it is not what is in the workspace.
    """
    own = "IS_OWNER" if group in OWNED else "CAN_MANAGE"
    wanted = {**named} if "IS_OWNER" in named.values() else {**named, identity: own}
    state = {"object_id": "1", "__embed__": [grant(who, level) for who, level in wanted.items()]}
    key = f"resources.{group}.x.permissions"
    if remote is None:
        return Plan(2, "1.13.0", (PlanEntry(key, Action.CREATE, new_state=state),))
    old = remote if before is None else before
    changes = tuple(
        FieldChange(
            f"[service_principal_name='{who}']",
            Action.UPDATE,
            old=grant(who, old[who]) if who in old else ABSENT,
            new=grant(who, wanted[who]) if who in wanted else ABSENT,
            remote=grant(who, remote[who]) if who in remote else ABSENT,
        )
        for who in sorted({*remote, *wanted, *old})
        if remote.get(who) != wanted.get(who)
    )
    action = Action.UPDATE if changes else Action.SKIP
    return Plan(2, "1.13.0", (PlanEntry(key, action, changes, state if changes else {}),))


def grant(who: str, level: str) -> dict[str, str]:
    return {"level": level, "service_principal_name": who}


def agrees(named: Levels, remote: Levels | None, group: str, before: Levels | None = None) -> bool:
    """Whether the deploying identity finds the digest that was approved."""
    shown = canonical_plan(planned_by("plan-sp", named, remote, group, before), target="t", tree="x", identity="plan-sp")
    again = planned_by("deploy-sp", named, remote, group, before)
    return digest(canonical_plan(again, target="t", tree="x", identity="deploy-sp", like=masked(shown))) == digest(shown)


VIEW = {"team": "CAN_VIEW"}
NAMED = {"team": "CAN_VIEW", "deploy-sp": "CAN_MANAGE"}


@pytest.mark.parametrize(
    ("named", "remote", "group"),
    [
        (VIEW, None, "jobs"),
        (VIEW, None, "experiments"),
        (VIEW, {"team": "CAN_VIEW", "deploy-sp": "IS_OWNER"}, "jobs"),
        (NAMED, None, "jobs"),
        (NAMED, None, "experiments"),
        (NAMED, {"team": "CAN_VIEW", "deploy-sp": "IS_OWNER"}, "jobs"),
        (NAMED, {"team": "CAN_VIEW", "deploy-sp": "CAN_MANAGE"}, "experiments"),
        (NAMED, {"deploy-sp": "CAN_MANAGE"}, "model_serving_endpoints"),
        ({"deploy-sp": "IS_OWNER", "team": "CAN_VIEW"}, None, "jobs"),
        ({"deploy-sp": "IS_OWNER", "team": "CAN_VIEW"}, {"deploy-sp": "IS_OWNER"}, "pipelines"),
    ],
)
def test_what_two_identities_plan_is_one_plan(named: Levels, remote: Levels | None, group: str) -> None:
    assert agrees(named, remote, group)


@pytest.mark.parametrize("group", ["jobs", "experiments"])
def test_a_right_that_was_taken_away_by_hand_comes_back_as_planned(group: str) -> None:
    level = "IS_OWNER" if group == "jobs" else "CAN_MANAGE"
    assert agrees(NAMED, VIEW, group, before={**VIEW, "deploy-sp": level})


@pytest.mark.parametrize("group", ["jobs", "experiments"])
def test_a_grant_to_somebody_else_counts(group: str) -> None:
    def made(named: Levels) -> str:
        remote = {"team": "CAN_VIEW", "deploy-sp": "IS_OWNER" if group == "jobs" else "CAN_MANAGE"}
        return digest(canonical_plan(planned_by("plan-sp", named, remote, group), target="t", tree="x", identity="plan-sp"))

    assert len({made(NAMED), made({**NAMED, "stranger": "CAN_MANAGE"}), made({"deploy-sp": "CAN_MANAGE"})}) == 3


def test_an_entry_of_the_approved_plan_lends_nothing_but_the_own_right() -> None:
    shown = canonical_plan(planned_by("plan-sp", {**NAMED, "stranger": "CAN_MANAGE"}), target="t", tree="x", identity="plan-sp")
    now = canonical_plan(planned_by("deploy-sp", NAMED), target="t", tree="x", identity="deploy-sp", like=masked(shown))
    assert digest(now) != digest(shown)


def test_a_plan_that_would_lock_out_who_deployed_is_refused_with_the_way_out() -> None:
    unnamed = planned_by("plan-sp", VIEW, {"team": "CAN_VIEW", "deploy-sp": "CAN_MANAGE"}, "experiments")
    with pytest.raises(BundleflowError, match=r"experiments\.x\.permissions: deploy-sp") as caught:
        check_managers_named(unnamed, "plan-sp", "prod")
    assert caught.value.reason is FailureReason.PLAN_DEPENDS_ON_IDENTITY
    assert "at the top of the bundle" in str(caught.value.fix)


@pytest.mark.parametrize(
    "plan",
    [
        planned_by("plan-sp", VIEW, None, "experiments"),
        planned_by("plan-sp", NAMED, {"team": "CAN_VIEW", "deploy-sp": "CAN_MANAGE"}, "experiments"),
        planned_by("plan-sp", VIEW, {"team": "CAN_VIEW", "deploy-sp": "IS_OWNER"}, "jobs"),
        planned_by("deploy-sp", VIEW, {"team": "CAN_VIEW", "deploy-sp": "CAN_MANAGE", "former": "CAN_MANAGE"}, "experiments"),
    ],
)
def test_a_plan_that_agrees_is_let_through(plan: Plan) -> None:
    check_managers_named(plan, "deploy-sp" if "former" in str(plan) else "plan-sp", "prod")
