"""The digest: the same for the same plan in any order, another for any change that matters, blind only to the closed list."""

from __future__ import annotations

import copy
import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundleflow.records.plan import ABSENT, Action, CanonicalPlan, FieldChange, Plan, PlanEntry
from bundleflow.records.secret import is_secret
from bundleflow.records.volatile import VOLATILE_PATHS
from bundleflow.releases.approved_plan import ApprovedPlan, difference, read_approved_plan, write_approved_plan
from bundleflow.releases.digest import canonical_plan, digest, hide_secrets, masked
from bundleflow.releases.read_plan import read_plan

PLANS = Path(__file__).parents[2] / "data" / "plans"
NAMES = sorted(path.stem for path in PLANS.glob("*.json"))

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8), lambda inner: st.lists(inner, max_size=3), max_leaves=5
)
sides = st.just(ABSENT) | values
changes = st.builds(
    FieldChange, path=st.text("abc._[]'=", min_size=1, max_size=8), action=st.sampled_from(list(Action)), old=sides, new=sides, remote=sides
)
entries = st.builds(
    PlanEntry,
    key=st.builds("resources.{}.{}".format, st.sampled_from(["jobs", "schemas"]), st.text("abc", min_size=1, max_size=3)),
    action=st.sampled_from(list(Action)),
    changes=st.lists(changes, max_size=4, unique_by=lambda change: change.path).map(tuple),
    new_state=st.dictionaries(st.text("xyz", min_size=1, max_size=3), values, max_size=3),
)
plans = st.builds(
    Plan, version=st.just(2), cli_version=st.just("1.13.0"), entries=st.lists(entries, max_size=5, unique_by=lambda e: e.key).map(tuple)
)


def load(name: str) -> dict[str, Any]:
    data = json.loads((PLANS / f"{name}.json").read_text())
    assert isinstance(data, dict)
    return data


def fingerprint(data: dict[str, Any], **context: Any) -> str:
    return digest(canonical_plan(read_plan(data), target="prod", tree="t" * 40, **context))


def shuffled(value: Any, chance: random.Random) -> Any:
    """The same JSON with its mappings in another order."""
    if isinstance(value, dict):
        items = [(key, shuffled(each, chance)) for key, each in value.items()]
        chance.shuffle(items)
        return dict(items)
    return [shuffled(each, chance) for each in value] if isinstance(value, list) else value


@given(plan=plans, seed=st.integers())
def test_order_does_not_matter(plan: Plan, seed: int) -> None:
    chance = random.Random(seed)
    mixed = [replace(entry, changes=tuple(chance.sample(entry.changes, len(entry.changes)))) for entry in plan.entries]
    chance.shuffle(mixed)
    other = replace(plan, entries=tuple(mixed))
    assert digest(canonical_plan(plan, target="t", tree="x")) == digest(canonical_plan(other, target="t", tree="x"))


@pytest.mark.parametrize("name", NAMES)
def test_order_of_the_json_does_not_matter(name: str) -> None:
    data = load(name)
    assert fingerprint(data) == fingerprint(shuffled(data, random.Random(7)))


@given(plan=plans, extra=changes, where=st.integers(min_value=0))
def test_another_change_gives_another_digest(plan: Plan, extra: FieldChange, where: int) -> None:
    touched = [entry for entry in plan.entries if entry.action is not Action.SKIP]
    if not touched or extra.action is Action.SKIP:
        return
    entry = touched[where % len(touched)]
    if any(change.path == extra.path for change in entry.changes):
        return
    changed = replace(entry, changes=(*entry.changes, extra))
    other = replace(plan, entries=tuple(changed if each is entry else each for each in plan.entries))
    assert digest(canonical_plan(plan, target="t", tree="x")) != digest(canonical_plan(other, target="t", tree="x"))


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("one-field", ["resources.jobs.prices", "action"], "recreate"),
        ("drift", ["resources.jobs.prices", "changes", "max_concurrent_runs", "remote"], 8),
        ("drift", ["resources.jobs.prices", "changes", "max_concurrent_runs", "new"], 2),
        ("first-deployment", ["resources.jobs.model_training", "new_state", "value", "max_concurrent_runs"], 2),
        ("recreate-schema", ["resources.schemas.gold", "new_state", "value", "comment"], "other"),
        ("permissions-first", ["resources.jobs.j.permissions", "new_state", "vars", "object_id"], "/jobs/${resources.jobs.k.id}"),
    ],
)
def test_what_is_deployed_is_in_the_digest(name: str, path: list[str], value: Any) -> None:
    data = load(name)
    other = copy.deepcopy(data)
    place = other["plan"]
    for key in path[:-1]:
        place = place[key]
    assert place[path[-1]] != value
    place[path[-1]] = value
    assert fingerprint(data) != fingerprint(other)


def test_target_tree_and_cli_version_are_in_the_digest() -> None:
    plan = canonical_plan(read_plan(load("one-field")), target="prod", tree="a")
    others = [replace(plan, target="dev"), replace(plan, tree="b"), replace(plan, cli_version="1.12.0")]
    assert len({digest(each) for each in [plan, *others]}) == 4


def test_unchanged_resources_and_remote_state_are_not_in_the_digest() -> None:
    data = load("drift")
    other = copy.deepcopy(data)
    other["plan"]["resources.jobs.prices"]["remote_state"]["created_time"] = "2026-02-02T00:00:00Z"
    other["plan"]["resources.jobs.other"] = {"action": "skip"}
    other["serial"] = 99
    assert fingerprint(data) == fingerprint(other)


@pytest.mark.parametrize(("group", "path"), [(group, path) for group, paths in VOLATILE_PATHS.items() for path in sorted(paths)])
def test_each_path_of_the_closed_list_is_left_out(group: str, path: str) -> None:
    key = f"resources.{'jobs' if group == '*' else group}.x"
    real = FieldChange("name", Action.UPDATE, old="a", new="b", remote="a")
    volatile = FieldChange(path, Action.UPDATE, old="1", new="2", remote="1")
    plan = Plan(2, "1.13.0", (PlanEntry(key, Action.UPDATE, (real,)),))
    noisy = Plan(2, "1.13.0", (PlanEntry(key, Action.UPDATE, (real, volatile)),))
    only = Plan(2, "1.13.0", (PlanEntry(key, Action.UPDATE, (volatile,)),))
    assert digest(canonical_plan(plan, target="t", tree="x")) == digest(canonical_plan(noisy, target="t", tree="x"))
    assert canonical_plan(only, target="t", tree="x").entries == ()


def owners(who: str, before: str | None = None) -> Plan:
    """A plan in which the CLI makes `who` the owner, as it does for whoever deploys."""
    grants = [{"level": "CAN_VIEW", "group_name": "users"}, {"level": "IS_OWNER", "service_principal_name": who}]
    state = {"object_id": "", "__embed__": grants}
    if before is None:
        return Plan(2, "1.13.0", (PlanEntry("resources.jobs.j.permissions", Action.CREATE, new_state=state),))
    now = FieldChange(f"[service_principal_name='{who}']", Action.UPDATE, new={"level": "IS_OWNER", "service_principal_name": who})
    gone = FieldChange(
        f"[service_principal_name='{before}']",
        Action.UPDATE,
        old={"level": "IS_OWNER", "service_principal_name": before},
        remote={"level": "IS_OWNER", "service_principal_name": before},
    )
    return Plan(2, "1.13.0", (PlanEntry("resources.jobs.j.permissions", Action.UPDATE, (now, gone), state),))


def test_the_implied_owner_of_two_identities_gives_one_digest() -> None:
    planner = canonical_plan(owners("plan-sp"), target="t", tree="x", identity="plan-sp")
    deployer = canonical_plan(owners("deploy-sp"), target="t", tree="x", identity="deploy-sp")
    assert digest(planner) == digest(deployer)
    assert planner.entries


def test_an_owner_that_only_follows_who_plans_is_no_change() -> None:
    assert canonical_plan(owners("plan-sp", before="deploy-sp"), target="t", tree="x", identity="plan-sp").entries == ()


def test_an_owner_that_the_bundle_names_is_in_the_digest() -> None:
    named = canonical_plan(owners("somebody"), target="t", tree="x", identity="plan-sp")
    other = canonical_plan(owners("another"), target="t", tree="x", identity="plan-sp")
    assert digest(named) != digest(other)


def test_secrets_are_masked_but_count() -> None:
    def plan(value: str) -> CanonicalPlan:
        change = FieldChange("tasks[0].new_cluster.spark_env_vars.API_TOKEN", Action.UPDATE, old="old-secret", new=value)
        return canonical_plan(Plan(2, "1.13.0", (PlanEntry("resources.jobs.j", Action.UPDATE, (change,)),)), target="t", tree="x")

    assert digest(plan("one-secret")) != digest(plan("two-secret"))
    assert "one-secret" not in repr(masked(plan("one-secret")))
    assert "old-secret" not in repr(masked(plan("one-secret")))


def test_a_reference_to_a_secret_is_shown() -> None:
    assert not is_secret("spark_env_vars.API_TOKEN", "{{secrets/scope/key}}")
    assert is_secret("spark_env_vars.API_TOKEN", "abc")
    assert not is_secret("name", "abc")
    nested = {"spark_env_vars": {"DB_PASSWORD": "p", "HOME": "h"}, "list": [{"api_key": "k"}]}
    assert hide_secrets("cluster", nested) == {
        "spark_env_vars": {"DB_PASSWORD": "(masked)", "HOME": "h"},
        "list": [{"api_key": "(masked)"}],
    }


def test_the_plan_travels_as_a_file(tmp_path: Path) -> None:
    plan = canonical_plan(read_plan(load("nested")), target="prod", tree="a" * 40)
    approved = ApprovedPlan("prod", digest(plan), "plan-sp", "c" * 40, masked(plan))
    write_approved_plan(tmp_path / "plan", approved)
    assert read_approved_plan(tmp_path / "plan") == approved


def test_a_difference_is_told_in_words() -> None:
    approved = canonical_plan(read_plan(load("drift")), target="prod", tree="a")
    data = load("drift")
    data["plan"]["resources.jobs.prices"]["changes"]["max_concurrent_runs"]["remote"] = 9
    del data["plan"]["resources.jobs.prices"]["changes"]["tags['hand']"]
    data["plan"]["resources.jobs.new"] = {"action": "create", "new_state": {"value": {"name": "new"}}}
    lines = difference(approved, canonical_plan(read_plan(data), target="prod", tree="b")).lines
    assert "tree of the commit: approved a, now b" in lines
    assert "jobs.new: was not in the approved plan, now create" in lines
    assert "jobs.prices: max_concurrent_runs: the value in the workspace was 7 when it was approved, is 9 now" in lines
    assert "jobs.prices: tags['hand']: the approved change is not needed any more" in lines
    assert difference(approved, approved).lines == ()
