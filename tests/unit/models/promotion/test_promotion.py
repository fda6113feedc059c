"""Promotion and rollback: what is checked, what is changed, and that a failure at any point changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from promotion_world import ENDPOINT, GATE, GATE_FILE, MODEL, PACE, World, request, world

from bundleflow_models.errors import ModelsError
from bundleflow_models.promotion import Promotion, PromotionRequest, RollbackRequest, promote, rollback
from bundleflow_models.verdict.gate import load_gate
from bundleflow_models.verdict.record import VERDICT_ARTIFACT


def quiet(_: str) -> None:
    """People are told elsewhere."""


def go(made: World, asked: PromotionRequest) -> Promotion:
    return promote(made.workspace(), asked, tell=quiet)


def back(made: World, **changed: Any) -> Promotion:
    return rollback(made.workspace(), RollbackRequest(MODEL, ENDPOINT, "run 2", pace=PACE, **changed), tell=quiet)


def refused(made: World, asked: PromotionRequest, code: str) -> ModelsError:
    """A promotion that is refused, and leaves everything as it was."""
    before, endpoint = made.state(), made.endpoints.get(ENDPOINT)
    with pytest.raises(ModelsError) as caught:
        go(made, asked)
    assert caught.value.code == code, caught.value
    assert made.state() == before
    assert not made.files
    if endpoint is not None:
        assert made.endpoints[ENDPOINT].ready == endpoint.ready
    return caught.value


def test_a_challenger_becomes_champion_and_serves() -> None:
    made = world()
    digest = made.judged(2, champion=1)
    done = go(made, request(2, digest))
    assert (done.champion, done.previous, done.verdict, done.changed) == (2, 1, digest, True)
    assert made.state() == ({"champion": 2, "previous-champion": 1}, {"2": 100})
    assert made.served == [{"1": 90, "2": 10}, {"2": 100}]
    assert not made.files
    tags = made.tags(2)
    assert (tags["bundleflow_approved_by"], tags["bundleflow_approved_where"]) == ("reviewer", "github")
    assert (tags["bundleflow_approved_verdict"], tags["bundleflow_promoted_verdict"]) == (digest, digest)
    assert (tags["bundleflow_replaced"], tags["bundleflow_promoted_by"]) == ("1", "run 1")
    assert made.models[MODEL].tags["bundleflow_champion"] == "2"


def test_the_candidate_is_like_what_served_before() -> None:
    made = world()
    go(made, request(2, made.judged(2, champion=1)))
    config = made.endpoints[ENDPOINT].config
    assert config["served_entities"] == [{"name": "classifier-2", "entity_name": MODEL, "entity_version": "2", "workload_size": "Medium"}]
    assert config["auto_capture_config"] == {"catalog_name": "prod", "schema_name": "logs", "enabled": True}


def test_the_first_champion_of_a_model_without_an_endpoint() -> None:
    made = world(1, champion=None)
    done = go(made, request(1, made.judged(1, champion=None)))
    assert (done.champion, done.previous) == (1, None)
    assert made.state() == ({"champion": 1}, {"1": 100})


def test_a_model_that_is_not_served() -> None:
    made = world(served=False)
    assert go(made, request(2, made.judged(2, champion=1), endpoint=None)).changed
    assert made.state() == ({"champion": 2, "previous-champion": 1}, None)


def test_a_champion_that_serves_is_left_alone() -> None:
    made = world()
    digest = made.judged(2, champion=1)
    go(made, request(2, digest))
    before = made.state()
    again = go(made, request(2, digest))
    assert (again.changed, again.previous) == (False, 1)
    assert made.state() == before


def test_an_endpoint_that_fell_behind_the_champion_is_brought_up() -> None:
    made = world()
    digest = made.judged(2, champion=1)
    go(made, request(2, digest))
    made.serve(v1=100)
    assert go(made, request(2, digest)).changed
    assert made.state() == ({"champion": 2, "previous-champion": 1}, {"2": 100})


@pytest.mark.parametrize(
    ("judge", "code", "said"),
    [
        (lambda made: "", "no-verdict", "There is no verdict on version 2"),
        (lambda made: made.judged(2, champion=1, decision="refused"), "verdict-refused", "is `refused`"),
        (lambda made: made.judged(2, champion=1, decision="undecided"), "verdict-undecided", "nothing was decided"),
        (lambda made: made.judged(2, champion=None), "champion-changed", "it compared with no champion, and now version 1 is champion"),
        (lambda made: made.judged(2, champion=3), "champion-changed", "it compared with version 3, and now version 1 is champion"),
        (lambda made: made.judged(2, champion=1, version="1"), "no-verdict", "not the one that the tags"),
        (lambda made: made.judged(2, champion=1, model="dev.iris.classifier"), "no-verdict", "not the one that the tags"),
    ],
)
def test_without_a_passed_verdict_nothing_happens(judge: Callable[[World], str], code: str, said: str) -> None:
    made = world(3)
    assert said in refused(made, request(2, judge(made)), code).cause


def test_a_changed_or_lost_verdict_is_none() -> None:
    made = world()
    digest = made.judged(2, champion=1)
    data = json.loads(made.artifacts[("run-2", VERDICT_ARTIFACT)])
    made.artifacts[("run-2", VERDICT_ARTIFACT)] = json.dumps({**data, "holdout_rows": 500}).encode()
    assert "was changed" in refused(made, request(2, digest), "no-verdict").cause
    made.artifacts[("run-2", VERDICT_ARTIFACT)] = b"[]"
    assert "cannot be read" in refused(made, request(2, digest), "no-verdict").cause
    del made.artifacts[("run-2", VERDICT_ARTIFACT)]
    assert "is gone" in refused(made, request(2, digest), "no-verdict").cause


def test_a_verdict_does_not_outlive_a_change_of_the_champion() -> None:
    """The champion was changed and changed back: the version judged against it then is judged again."""
    made = world(3)
    second, third = made.judged(2, champion=1), made.judged(3, champion=1)
    made.later(60)
    go(made, request(2, second))
    back(made)
    assert made.alias("champion") == 1
    assert "the champion was changed at" in refused(made, request(3, third), "champion-changed").cause
    assert "the champion was changed at" in refused(made, request(2, second), "champion-changed").cause
    made.later(60)
    assert go(made, request(3, made.judged(3, champion=1))).champion == 3


def test_an_approval_is_of_one_verdict() -> None:
    made = world()
    old = made.judged(2, champion=1)
    new = made.judged(2, champion=1, holdout_rows=40)
    assert old[:12] in refused(made, request(2, old), "not-approved").cause
    assert "none" in refused(made, request(2, ""), "not-approved").cause
    assert go(made, request(2, new)).champion == 2


def test_only_the_gate_file_in_force_lets_a_version_through() -> None:
    made = world()
    lax = load_gate({**GATE_FILE, "floors": {"f1_macro": {"min": 0.01}}})
    other = made.judged(2, champion=1, gate_sha256=lax.sha256)
    cause = refused(made, request(2, other, gate=GATE), "no-verdict").cause
    assert lax.sha256[:12] in cause
    assert GATE.sha256[:12] in cause
    assert go(made, request(2, made.judged(2, champion=1), gate=GATE)).champion == 2


@pytest.mark.parametrize("source", ["file easy.csv", "given by the caller", "table prod.iris.easy", ""])
def test_only_the_table_that_the_gate_names_is_the_hold_out(source: str) -> None:
    made = world()
    digest = made.judged(2, champion=1, holdout_source=source)
    cause = refused(made, request(2, digest, gate=GATE), "no-verdict").cause
    assert "`prod`.`iris`.holdout" in cause
    assert (source or "unknown") in cause
    assert go(made, request(2, made.judged(2, champion=1, holdout_source="table prod.iris.holdout"), gate=GATE)).champion == 2


def test_a_gate_without_a_table_leaves_the_hold_out_to_who_judges() -> None:
    made = world()
    free = load_gate({**GATE_FILE, "holdout": {"label": "y"}})
    digest = made.judged(2, champion=1, gate_sha256=free.sha256, holdout_source="given by the caller")
    assert go(made, request(2, digest, gate=free)).champion == 2


def test_a_version_that_is_not_there() -> None:
    made = world()
    digest = made.judged(2, champion=1)
    made.versions[(MODEL, 2)] = replace(made.versions[(MODEL, 2)], status="PENDING_REGISTRATION")
    assert "PENDING_REGISTRATION" in refused(made, request(2, digest), "model-missing").cause
    made.delete_version(2)
    assert "does not exist" in refused(made, request(2, digest), "model-missing").cause


def test_an_alias_moved_by_hand_is_said() -> None:
    made = world(3)
    go(made, request(2, made.judged(2, champion=1)))
    made.set_aliases(champion=1)
    made.later(60)
    done = go(made, request(3, made.judged(3, champion=1)))
    assert "moved by hand" in done.notes[0]
    assert (done.champion, done.previous) == (3, 1)


def test_a_deleted_champion_is_no_champion() -> None:
    made = world(3)
    made.delete_version(1)
    assert "no version is champion" in refused(made, request(2, made.judged(2, champion=1)), "champion-changed").cause
    assert go(made, request(2, made.judged(2, champion=None))).previous is None
    assert made.state() == ({"champion": 2}, {"2": 100})


def test_of_two_at_once_one_wins() -> None:
    made = world(3)
    second, third = made.judged(2, champion=1), made.judged(3, champion=1)
    met: list[ModelsError] = []

    def meet(name: str, _: int) -> None:
        if name == "set_alias champion":
            made.meet = lambda *_: None
            with pytest.raises(ModelsError) as caught:
                promote(made.workspace(), request(3, third), tell=quiet)
            met.append(caught.value)

    made.meet = meet
    assert go(made, request(2, second)).champion == 2
    assert met[0].code == "locked"
    assert "run 1 since 2026-01-05 12:00:00 UTC (0 s)" in met[0].cause
    assert refused(made, request(3, third), "champion-changed")


@pytest.mark.parametrize("at", ["set_alias champion", "ask", "update"])
def test_a_writer_without_the_lock_is_found_and_left_alone(at: str) -> None:
    made = world(3)
    digest = made.judged(2, champion=1)

    def meet(name: str, _: int) -> None:
        if name == at and made.alias("champion") == 2:
            made.meet = lambda *_: None
            made.set_aliases(champion=3, previous_champion=1)

    made.meet = meet
    if at == "set_alias champion":  # between the write and its reading back

        def after(name: str, _: int) -> None:
            if name == "model" and made.alias("champion") == 2:
                made.meet = lambda *_: None
                made.set_aliases(champion=3, previous_champion=1)

        made.meet = after
    with pytest.raises(ModelsError) as caught:
        go(made, request(2, digest))
    assert caught.value.code == "champion-changed"
    assert "set to version 3 by somebody who did not take the lock" in caught.value.cause
    assert made.alias("champion") == 3
    assert made.shares() == {"1": 100}
    assert not made.files


@pytest.mark.parametrize("broken", ["does not load", "answers otherwise", "gives an error", "is removed"])
def test_a_candidate_that_fails_leaves_routes_and_aliases_as_they_were(broken: str) -> None:
    made = world()
    digest = made.judged(2, champion=1)
    if broken == "does not load":
        made.broken = {2}
    if broken == "answers otherwise":
        made.answers[2] = ["another flower", 2 / 3]
    if broken in ("gives an error", "is removed"):

        def meet(name: str, _: int) -> None:
            if name == "ask":
                made.meet = lambda *_: None
                if broken == "is removed":
                    made.endpoints.pop(ENDPOINT)
                raise ModelsError("endpoint-failed", "No answer.", fix="")

        made.meet = meet
    refused(made, request(2, digest), "endpoint-failed")
    assert made.alias("previous-champion") is None


def test_a_first_endpoint_that_fails_is_removed_again() -> None:
    made = world(1, champion=None)
    digest = made.judged(1, champion=None)
    made.answers[1] = ["another flower", 1]
    refused(made, request(1, digest), "endpoint-failed")
    assert ENDPOINT not in made.endpoints


def test_an_endpoint_of_several_models_is_refused() -> None:
    made = world()
    made.serve(v1=100)
    config = dict(made.endpoints[ENDPOINT].config)
    config["served_entities"] = [*config["served_entities"], {"name": "b", "entity_name": "prod.iris.other", "entity_version": "1"}]
    made.endpoints[ENDPOINT] = replace(made.endpoints[ENDPOINT], config=config)
    assert "prod.iris.other" in refused(made, request(2, made.judged(2, champion=1)), "flow-mismatch").cause


def test_without_rows_only_the_state_is_checked_and_that_is_said() -> None:
    made = world()
    done = go(made, request(2, made.judged(2, champion=1, probe=False)))
    assert "only the state was checked" in done.notes[0]
    assert made.calls.count("ask") == 0


def test_somebody_elses_update_is_waited_for() -> None:
    made = world()
    digest = made.judged(2, champion=1)
    made.workspace().endpoints.update(ENDPOINT, made.endpoints[ENDPOINT].config)
    assert go(made, request(2, digest)).champion == 2
    assert made.shares() == {"2": 100}
