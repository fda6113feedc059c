"""Ways back: roll-back, and promotions that are stopped or killed at any point."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from promotion_world import MODEL, Killed, World, request, world
from test_promotion import back, go

from bundleflow.commands import model_rollback
from bundleflow_models.errors import ModelsError
from bundleflow_models.promotion import Approval
from bundleflow_models.promotion.lock import SILENCE_S, lock_path


def test_rollback_and_again() -> None:
    made = world(3)
    for number in (2, 3):
        go(made, request(number, made.judged(number, champion=number - 1)))
        made.later(60)
    done = back(made)
    assert (done.champion, done.previous) == (2, 3)
    assert made.state() == ({"champion": 2, "previous-champion": 1}, {"2": 100})
    assert made.tags(3)["bundleflow_rolled_back_by"] == "run 2"
    assert back(made).champion == 1
    assert made.state() == ({"champion": 1}, {"1": 100})
    with pytest.raises(ModelsError, match="has no alias `previous-champion`") as caught:
        back(made)
    assert caught.value.code == "model-missing"


def test_rollback_when_the_previous_champion_was_deleted() -> None:
    made = world()
    go(made, request(2, made.judged(2, champion=1)))
    made.delete_version(1)
    with pytest.raises(ModelsError, match="that version was deleted"):
        back(made)
    assert made.state() == ({"champion": 2}, {"2": 100})


def test_rollback_to_a_version_that_does_not_load() -> None:
    made = world()
    go(made, request(2, made.judged(2, champion=1)))
    before = made.state()
    made.broken = {1}
    with pytest.raises(ModelsError, match="UPDATE_FAILED"):
        back(made)
    assert made.state() == before


def steps(of: Callable[[World], None]) -> int:
    """How many calls an undisturbed piece of work makes."""
    made = prepared()
    of(made)
    return len(made.calls)


def prepared() -> World:
    made = world()
    made.digest = made.judged(2, champion=1)
    made.calls.clear()
    return made


def promoted(made: World) -> None:
    go(made, request(2, made.digest))


BEFORE: Any = ({"champion": 1}, {"1": 100})
AFTER: Any = ({"champion": 2, "previous-champion": 1}, {"2": 100})


def test_stopped_at_any_point_everything_is_as_before() -> None:
    for point in range(1, steps(promoted) + 1):
        made = prepared()

        def meet(_: str, number: int, point: int = point, made: World = made) -> None:
            if number == point:
                made.meet = lambda *_: None
                raise KeyboardInterrupt

        made.meet = meet
        with pytest.raises(KeyboardInterrupt):
            promoted(made)
        made.meet = lambda *_: None
        done = made.tags(2).get("bundleflow_promoted_at") is not None and made.alias("champion") == 2
        assert made.state() == (AFTER if done else BEFORE), (point, made.calls)
        assert made.models[MODEL].tags.get("bundleflow_champion") == ("2" if done else None)
        assert all(not json.loads(content)["journal"] for content in made.files.values())
        made.later(SILENCE_S + 1)  # only a stop while the lock is given back leaves it
        promoted(made)
        assert made.state() == AFTER, point


@pytest.mark.parametrize("repair", ["rollback", "promotion", "rollback by force"])
def test_killed_at_any_point_it_is_repaired(repair: str) -> None:
    for point in range(1, steps(promoted) + 1):
        made = prepared()

        def meet(_: str, number: int, point: int = point, made: World = made) -> None:
            if number == point:
                made.dead = True
                raise Killed

        made.meet = meet
        with pytest.raises((Killed, ModelsError)):
            promoted(made)
        made.meet, made.dead = (lambda *_: None), False
        cut_off = bool(made.files) and bool(json.loads(made.files[lock_path(MODEL)])["journal"])
        finished = made.alias("champion") == 2 and not cut_off
        if repair != "rollback by force":
            made.later(SILENCE_S + 1)
        if repair == "promotion":
            promoted(made)
            assert made.state() == AFTER, (point, made.calls)
        elif cut_off or finished:
            back(made, force_lock=repair == "rollback by force")
            assert made.state() == BEFORE, (point, made.calls)
        assert not made.files or not (cut_off or finished)


def test_going_back_that_fails_keeps_the_lock_and_says_how_to_go_on() -> None:
    made = prepared()
    made.answers[2] = ["another flower", 1]
    answers = iter(["done", "no answer"])

    def meet(name: str, _: int) -> None:
        if name == "update" and next(answers, "") == "no answer":
            raise ModelsError("outside-trouble", "The workspace did not answer.", fix="")

    made.meet = meet
    with pytest.raises(ModelsError, match="Going back failed as well") as caught:
        promoted(made)
    assert caught.value.code == "endpoint-failed"
    assert made.files
    with pytest.raises(ModelsError, match="is being changed by"):
        back(made)
    # Exactly what the message says, by the command's own options.
    said = re.search("`bundleflow model rollback ([^`]*)`", caught.value.fix)
    assert said
    parser = argparse.ArgumentParser()
    model_rollback.add_arguments(parser)
    given = parser.parse_args(["classifier", *said[1].split()])
    back(made, force_lock=given.force_lock)
    assert made.state() == BEFORE
    assert not made.files


def test_rollback_of_an_alias_that_was_moved_back_by_hand_only_switches_the_endpoint() -> None:
    made = world()
    go(made, request(2, made.judged(2, champion=1)))
    made.later(60)
    made.set_aliases(champion=1, previous_champion=1)
    (aliases, _), *noted = made.picture()
    done = back(made)
    assert (done.champion, done.previous, done.changed) == (1, 1, True)
    assert "moved back to version 1 by hand" in done.notes[-1]
    assert "only the endpoint was switched" in done.notes[-1]
    assert made.picture() == ((aliases, {"1": 100}), *noted)


def test_rollback_of_an_alias_that_was_moved_by_hand_that_fails_changes_nothing() -> None:
    made = world()
    go(made, request(2, made.judged(2, champion=1)))
    made.set_aliases(champion=1, previous_champion=1)
    made.broken = {1}
    before = made.picture()
    with pytest.raises(ModelsError, match="UPDATE_FAILED"):
        back(made)
    assert made.picture() == before


def test_a_promotion_that_fails_leaves_the_records_of_the_versions_earlier_one() -> None:
    made = world(3)
    go(made, request(2, made.judged(2, champion=1)))
    made.later(60)
    go(made, request(3, made.judged(3, champion=2)))
    made.later(60)
    digest = made.judged(2, champion=3)
    before = made.picture()
    assert before[2][2]["bundleflow_replaced"] == "1"
    made.broken = {2}
    with pytest.raises(ModelsError, match="UPDATE_FAILED"):
        go(made, request(2, digest))
    assert made.picture() == before
    made.broken = set()

    def stop(name: str, _: int) -> None:
        if name == "set_model_tag":
            made.meet = lambda *_: None
            raise KeyboardInterrupt

    made.meet = stop
    with pytest.raises(KeyboardInterrupt):
        go(made, request(2, digest))
    kept = {key: value for key, value in made.tags(2).items() if not key.startswith("bundleflow_approved")}
    assert kept == {key: value for key, value in before[2][2].items() if not key.startswith("bundleflow_approved")}


def test_a_rollback_that_fails_leaves_the_records_of_both_versions() -> None:
    made = world()
    go(made, request(2, made.judged(2, champion=1)))
    made.later(60)
    before = made.picture()

    def stop(name: str, _: int) -> None:
        if name == "set_version_tag" and "bundleflow_rolled_back_at" in made.tags(2):
            made.meet = lambda *_: None
            raise KeyboardInterrupt

    made.meet = stop
    with pytest.raises(KeyboardInterrupt):
        back(made)
    assert made.picture() == before


def test_a_version_that_is_promoted_again_is_not_one_that_was_rolled_back() -> None:
    made = world()
    go(made, request(2, made.judged(2, champion=1)))
    made.later(60)
    back(made)
    assert "bundleflow_rolled_back_at" in made.tags(2)
    made.later(60)
    go(made, request(2, made.judged(2, champion=1)))
    assert not [key for key in made.tags(2) if "rolled_back" in key]
    assert made.tags(2)["bundleflow_replaced"] == "1"


def test_a_version_that_replaces_nothing_does_not_name_what_it_replaced_before() -> None:
    made = world()
    go(made, request(2, made.judged(2, champion=1)))
    made.set_aliases()
    made.later(60)
    go(made, request(2, made.judged(2, champion=None)))
    assert "bundleflow_replaced" not in made.tags(2)


def test_an_approval_that_nobody_had_to_give() -> None:
    made = prepared()
    digest = made.digest
    go(made, replace(request(2, digest), approval=Approval("", "none", digest)))
    assert (made.tags(2)["bundleflow_approved_by"], made.tags(2)["bundleflow_approved_where"]) == ("none", "none")
