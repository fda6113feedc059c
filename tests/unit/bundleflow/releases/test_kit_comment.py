"""The comment of a pull request when commits overtake each other: outdated ones say so, newer ones are never overwritten."""

from __future__ import annotations

import pytest
from github_world import REPOSITORY, World

from bundleflow.releases.comment import Stamp, mark_outdated, marker, room, sticky_comment
from bundleflow.report.markdown import COMMENT_LIMIT

OLD, NEW, NEWEST = Stamp(10, 1, "a" * 40), Stamp(11, 1, "b" * 40), Stamp(12, 1, "c" * 40)
KEY = "ci/."


@pytest.fixture
def pull(world: World) -> int:
    world.git("checkout", "-q", "-b", "feature")
    world.commit("a feature", note="x")
    world.push("feature")
    return world.github.open_pull(REPOSITORY, "developer", "feature", "main", "A feature").number


def bodies(world: World, pull: int) -> list[str]:
    return [each.body for each in world.github.comments(REPOSITORY, pull)]


def outdate(world: World, pull: int, stamp: Stamp) -> bool:
    return mark_outdated(world.api(), pull, KEY, stamp, "https://example.com/run")


def test_a_newer_commit_marks_the_comment_and_then_replaces_it(world: World, pull: int) -> None:
    assert not outdate(world, pull, OLD)
    sticky_comment(world.api(), pull, KEY, "the old plan", stamp=OLD)
    assert outdate(world, pull, NEW)
    (body,) = bodies(world, pull)
    note = "> [!WARNING]\n> **Outdated.** This is about commit `aaaaaaaaaaaa`; commit `bbbbbbbbbbbb` is being checked"
    assert body.startswith(f"{marker(KEY)}\n{NEW}\n{note}")
    assert body.endswith("\n\nthe old plan")
    assert sticky_comment(world.api(), pull, KEY, "the new plan", stamp=NEW).action == "updated"
    assert bodies(world, pull) == [f"{marker(KEY)}\n{NEW}\nthe new plan"]


def test_a_run_that_was_overtaken_changes_nothing(world: World, pull: int) -> None:
    sticky_comment(world.api(), pull, KEY, "a plan", stamp=OLD)
    outdate(world, pull, NEWEST)
    before = bodies(world, pull)
    assert sticky_comment(world.api(), pull, KEY, "a plan that comes late", stamp=NEW).action == "superseded"
    assert not outdate(world, pull, NEW)
    assert bodies(world, pull) == before


def test_the_note_is_there_once_however_often_it_is_overtaken(world: World, pull: int) -> None:
    sticky_comment(world.api(), pull, KEY, "a plan", stamp=OLD)
    outdate(world, pull, NEW)
    outdate(world, pull, NEWEST)
    (body,) = bodies(world, pull)
    assert body.count("**Outdated.**") == 1
    assert "commit `cccccccccccc` is being checked" in body


def test_the_same_commit_checked_again_is_not_outdated(world: World, pull: int) -> None:
    sticky_comment(world.api(), pull, KEY, "a plan", stamp=OLD)
    assert not outdate(world, pull, Stamp(11, 1, OLD.head))
    assert sticky_comment(world.api(), pull, KEY, "a plan", stamp=Stamp(10, 2, OLD.head)).action == "updated"


def test_a_comment_as_long_as_it_may_be_can_be_marked(world: World, pull: int) -> None:
    sticky_comment(world.api(), pull, KEY, "a" * room(KEY, OLD), stamp=OLD)
    assert outdate(world, pull, NEW)
    (body,) = bodies(world, pull)
    assert len(body) <= COMMENT_LIMIT
    assert body.endswith("aaa")


def test_a_stamp_of_somebody_else_does_not_count(world: World, pull: int) -> None:
    world.github.comment(REPOSITORY, pull, "developer", f"{marker(KEY)}\n{NEWEST}\nforged")
    assert sticky_comment(world.api(), pull, KEY, "a plan", stamp=OLD).action == "created"
    assert not mark_outdated(world.api(), pull, "ci/other", NEW, "")
    assert len(bodies(world, pull)) == 2


def test_a_token_that_may_only_read_marks_nothing(world: World, pull: int) -> None:
    sticky_comment(world.api(), pull, KEY, "a plan", stamp=OLD)
    reader = world.api({"contents": "read", "pull-requests": "read"})
    assert not mark_outdated(reader, pull, KEY, NEW, "")
    assert bodies(world, pull) == [f"{marker(KEY)}\n{OLD}\na plan"]


def test_the_head_of_the_pull_request_counts_and_not_the_merge_commit() -> None:
    env = {"GITHUB_RUN_ID": "7", "GITHUB_RUN_ATTEMPT": "2", "GITHUB_SHA": "d" * 40}
    assert Stamp.of_job(env, {"pull_request": {"head": {"sha": "e" * 40}}}) == Stamp(7, 2, "e" * 40)
    assert Stamp.of_job(env, {}) == Stamp(7, 2, "d" * 40)
    assert Stamp.of_job(env, {"pull_request": {"head": {"sha": "--> x"}}}).head == ""
