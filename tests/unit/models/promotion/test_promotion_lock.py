"""The lock of a promotion: kept by who lives, lost by who is silent, and what a dead holder left is undone by somebody."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from promotion_world import MODEL, Killed, World, request, world
from test_promotion import back, go
from test_promotion_back import BEFORE, prepared, promoted, steps

from bundleflow_models.errors import ModelsError
from bundleflow_models.promotion.lock import SILENCE_S, Lock, lock_path


def end_of(work: Callable[[], Any]) -> BaseException | None:
    """How a piece of work ended; None: well."""
    try:
        work()
    except (ModelsError, KeyboardInterrupt) as error:
        return error
    return None


def test_a_lock_of_a_living_holder_is_kept_and_one_of_a_dead_holder_is_not() -> None:
    made = prepared()

    def meet(name: str, _: int) -> None:
        if name == "ask":
            made.dead = True
            raise Killed

    made.meet = meet
    with pytest.raises((Killed, ModelsError)):
        promoted(made)
    made.meet, made.dead = (lambda *_: None), False
    made.later(SILENCE_S - 1)
    with pytest.raises(ModelsError, match="run 1 since 2026-01-05 12:00:00 UTC \\(10 min\\)") as caught:
        back(made)
    assert caught.value.code == "locked"
    made.later(2)
    assert "had been cut off" in back(made).notes[0]
    assert made.state() == BEFORE


WAITS = {"endpoint", "ask", "read lock"}
"""What a promotion does while it waits: there it may be silent for long. What is written already cannot be called back."""


@pytest.mark.parametrize("end", ["goes on", "Ctrl-C", "an error"])
def test_a_holder_that_lost_its_lock_leaves_what_the_next_one_did(end: str) -> None:
    """While it is silent another one undoes what it began and promotes version 3."""
    seen = 0
    for point in range(1, steps(promoted) + 1):
        made = world(3)
        second, third = made.judged(2, champion=1), made.judged(3, champion=1)
        made.calls.clear()
        finished: list[Any] = []

        def meet(
            name: str, number: int, point: int = point, made: World = made, third: str = third, finished: list[Any] = finished
        ) -> None:
            if number != point or name not in WAITS or made.alias("champion") != 2:
                return
            made.meet = lambda *_: None
            made.later(SILENCE_S + 1)
            go(made, request(3, third))
            finished.append(made.picture())
            made.calls.clear()
            if end == "Ctrl-C":
                raise KeyboardInterrupt
            if end == "an error":
                raise ModelsError("endpoint-failed", "No answer.", fix="")

        made.meet = meet
        error = end_of(lambda made=made, second=second: go(made, request(2, second)))
        if not finished:
            assert error is None, point
            continue
        seen += 1
        if end == "Ctrl-C":
            assert isinstance(error, KeyboardInterrupt)
        else:
            assert isinstance(error, ModelsError)
            assert (error.code, "was taken away" in error.cause) == ("locked", True), (point, error)
        ((aliases, shares), _, tags, files) = finished[0]
        assert (aliases, shares, files) == ({"champion": 3, "previous-champion": 1}, {"3": 100}, set())
        assert tags[3]["bundleflow_promoted_verdict"] == third
        assert "bundleflow_promoted_at" not in tags[2]
        assert made.picture() == finished[0], (point, made.calls)
    assert seen > 5


def test_a_lock_that_is_lost_on_the_way_back_ends_it_there() -> None:
    made = world(3)
    second, third = made.judged(2, champion=1), made.judged(3, champion=1)
    made.answers[2] = ["another flower", 1]
    finished: list[Any] = []

    def meet(name: str, _: int) -> None:
        if name == "endpoint" and made.alias("champion") == 1 and (made.shares() or {}).get("2"):
            made.meet = lambda *_: None
            made.later(SILENCE_S + 1)
            go(made, request(3, third))
            finished.append(made.picture())

    made.meet = meet
    with pytest.raises(ModelsError, match="was taken away") as caught:
        go(made, request(2, second))
    assert caught.value.code == "locked"
    assert made.picture() == finished[0]


def cut_off() -> World:
    """A model whose promotion to version 2 was killed while a tenth of the traffic went there; its lock is old enough to be taken."""
    made = world(3)
    made.digest = made.judged(2, champion=1)

    def meet(name: str, _: int) -> None:
        if name == "ask":
            made.dead = True
            raise Killed

    made.meet = meet
    with pytest.raises((Killed, ModelsError)):
        promoted(made)
    made.meet, made.dead = (lambda *_: None), False
    assert made.state() == ({"champion": 2, "previous-champion": 1}, {"1": 90, "2": 10})
    made.later(SILENCE_S + 1)
    made.calls.clear()
    return made


def test_what_a_dead_holder_left_goes_to_the_one_that_gets_its_lock() -> None:
    """Another one tries at each point of taking it over: one of the two holds the lock, and knows what has to be undone."""

    def lock(made: World, holder: str) -> Lock:
        return Lock(made.workspace().files, MODEL, holder, tell=lambda _: None, clock=lambda: made.now)

    whole = cut_off()
    left = lock(whole, "first").take()
    assert left["champion"] == 1
    for point in range(1, len(whole.calls) + 1):
        made = cut_off()
        got: list[Any] = []

        def meet(_: str, number: int, point: int = point, made: World = made, got: list[Any] = got) -> None:
            if number == point:
                made.meet = lambda *_: None
                end_of(lambda: got.append(lock(made, "second").take()))

        made.meet = meet
        end_of(lambda made=made, got=got: got.append(lock(made, "first").take()))
        assert got == [left], (point, whole.calls[point - 1])
        assert json.loads(made.files[lock_path(MODEL)])["journal"] == left


def test_what_a_dead_holder_left_outlives_the_death_of_the_next_one() -> None:
    whole = cut_off()
    back(whole)
    for point in range(1, len(whole.calls) + 1):
        made = cut_off()

        def meet(_: str, number: int, point: int = point, made: World = made) -> None:
            if number == point:
                made.dead = True
                raise Killed

        made.meet = meet
        with pytest.raises((Killed, ModelsError)):
            back(made)
        made.meet, made.dead = (lambda *_: None), False
        made.later(SILENCE_S + 1)
        for path in [path for path in made.files if ".after-" in path]:  # what the message tells people to delete
            del made.files[path]
        if any(json.loads(content)["journal"] for content in made.files.values()):
            back(made)
        assert made.state() == BEFORE, (point, whole.calls[point - 1])


def test_an_unreadable_lock_is_named() -> None:
    made = prepared()
    made.files[lock_path(MODEL)] = b"{}"
    with pytest.raises(ModelsError, match="cannot be read") as caught:
        promoted(made)
    assert (caught.value.code, made.state()) == ("locked", BEFORE)
