"""Which target is taken for what, by name, mode and place in the file, and that each guess says why."""

from __future__ import annotations

import pytest

from bundleflow.adoption.roles import assign, role_of
from bundleflow.adoption.survey import Target


def targets(text: str) -> list[Target]:
    """`dev:development qa prd` → targets that cannot be isolated; `ci!` one that can."""
    found = []
    for word in text.split():
        name, _, mode = word.rstrip("!").partition(":")
        found.append(Target(name, mode, not_isolated=() if word.endswith("!") else ("shared",)))
    return found


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("dev", "dev"), ("DEV2", "dev"), ("my-sandbox", "dev"), ("development_eu", "dev"),
        ("qa", "test"), ("integration-test", "test"), ("tst", "test"),
        ("stg", "staging"), ("pre-prod", "staging"), ("non_prod", "staging"), ("preProduction", "staging"), ("UAT", "staging"),
        ("prd", "prod"), ("prod_us", "prod"), ("dataProd", "prod"), ("live", "prod"),
        ("default", ""), ("team-a", ""), ("product", ""),
    ],
)  # fmt: skip
def test_names(name: str, role: str) -> None:
    assert role_of(Target(name))[0] == role


def test_a_mode_counts_where_the_name_says_nothing() -> None:
    assert role_of(Target("eu", "production")) == ("prod", "by its `mode: production`")
    assert role_of(Target("mine", "development"))[0] == "dev"
    assert role_of(Target("dev", "production"))[0] == "dev"


@pytest.mark.parametrize(
    ("given", "dev", "staging", "prod", "own", "check"),
    [
        ("dev test! staging prod", "dev", "staging", "prod", "test", None),
        ("dev qa stg prd", "dev", "stg", "prd", None, "stg"),
        ("dev qa prd", "dev", "qa", "prd", None, "qa"),
        ("dev:development prod:production", None, "dev", "prod", None, "dev"),
        ("prod", None, None, "prod", None, "prod"),
        ("default", None, None, "default", None, "default"),
        ("dev", "dev", None, None, None, "dev"),
        ("staging", "staging", None, None, None, "staging"),
        ("a b", None, "a", "b", None, "b"),
        ("dev! prod", None, None, "prod", "dev", None),
        ("prod-us prod dev", None, "dev", "prod", None, "dev"),
        ("dev staging", "dev", None, None, None, "dev"),
        ("sandbox vor_prod live-eu:production", None, "sandbox", "live-eu", None, "sandbox"),
    ],
)
def test_roles(given: str, dev: str | None, staging: str | None, prod: str | None, own: str | None, check: str | None) -> None:
    roles = assign(targets(given))
    found = tuple(pick and pick.target.name for pick in (roles.dev, roles.staging, roles.prod, roles.own))
    assert found == (dev, staging, prod, own)
    if check != "b":  # of two names that say nothing, what a pull request is shown is the one before production
        assert (roles.check and roles.check.target.name) == check
    for pick in (roles.dev, roles.staging, roles.prod, roles.own):
        assert pick is None or pick.why


def test_production_is_never_deployed_for_a_pull_request() -> None:
    assert assign(targets("prod!")).own is None


def test_targets_without_a_stage_are_named_with_the_reason() -> None:
    left = assign(targets("dev prod prod-us demo")).left_out
    assert left["prod-us"].startswith("a second target for prod")
    assert left["demo"].startswith("no stage needs it")
