"""Concurrency groups and gates, as GitHub's documentation of `concurrency` describes them."""

from hypothesis import given
from hypothesis import strategies as st

from rehearsal.actions.schedule import Group, Schedule, State

PLAIN = Group("deploy")
QUEUE = Group("deploy", queue_all=True)


def test_without_groups_everything_starts():
    schedule = Schedule()
    for key in ("a", "b"):
        assert schedule.enter(key, []) == []
        assert schedule.try_start(key) == State.RUNNING


def test_one_of_a_group_runs_and_the_next_follows_when_it_leaves():
    schedule = Schedule()
    schedule.enter("a", [PLAIN])
    assert schedule.try_start("a") == State.RUNNING
    schedule.enter("b", [PLAIN])
    assert schedule.try_start("b") == State.WAITING
    schedule.leave("a")
    assert schedule.try_start("b") == State.RUNNING


def test_a_newcomer_takes_the_place_of_the_one_that_waits_but_not_of_the_one_that_runs():
    schedule = Schedule()
    schedule.enter("a", [PLAIN])
    schedule.try_start("a")
    schedule.enter("b", [PLAIN])
    assert schedule.enter("c", [PLAIN]) == ["b"]
    assert schedule.entry("b").state == State.CANCELLED
    assert "superseded by c" in schedule.entry("b").reason
    assert schedule.entry("a").state == State.RUNNING
    schedule.leave("a")
    assert schedule.try_start("c") == State.RUNNING


def test_a_newer_release_supersedes_one_that_waits_at_the_gate():
    schedule = Schedule()
    schedule.enter("old", [PLAIN], gated=True)
    assert schedule.try_start("old") == State.WAITING
    assert schedule.enter("new", [PLAIN], gated=True) == ["old"]
    schedule.open_gate("new")
    assert schedule.try_start("new") == State.RUNNING


def test_a_running_deployment_is_not_cancelled_by_one_whose_gate_opens():
    schedule = Schedule()
    schedule.enter("a", [PLAIN])
    schedule.try_start("a")
    assert schedule.enter("b", [PLAIN], gated=True) == []
    schedule.open_gate("b")
    assert schedule.try_start("b") == State.WAITING
    schedule.leave("a")
    assert schedule.try_start("b") == State.RUNNING


def test_with_queue_max_none_is_lost_and_the_order_is_kept():
    schedule = Schedule()
    keys = ["a", "b", "c", "d"]
    assert [schedule.enter(key, [QUEUE]) for key in keys] == [[], [], [], []]
    order = []
    for _ in keys:
        for key in reversed(keys):
            if key not in order and schedule.try_start(key) == State.RUNNING:
                order.append(key)
                schedule.leave(key)
                break
    assert order == keys


def test_one_at_a_gate_does_not_hold_up_the_queue():
    schedule = Schedule()
    schedule.enter("gated", [QUEUE], gated=True)
    schedule.enter("free", [QUEUE])
    assert schedule.try_start("free") == State.RUNNING
    schedule.open_gate("gated")
    assert schedule.try_start("gated") == State.WAITING
    schedule.leave("free")
    assert schedule.try_start("gated") == State.RUNNING


def test_cancel_in_progress_stops_the_one_that_runs():
    schedule = Schedule()
    group = Group("check-7", cancel_in_progress=True)
    schedule.enter("a", [group])
    schedule.try_start("a")
    assert schedule.enter("b", [group]) == ["a"]
    assert schedule.try_start("b") == State.WAITING, "it waits until the other has ended"
    schedule.leave("a")
    assert schedule.try_start("b") == State.RUNNING


def test_names_of_groups_are_compared_without_case():
    schedule = Schedule()
    schedule.enter("a", [Group("Deploy")])
    schedule.try_start("a")
    schedule.enter("b", [Group("deploy")])
    assert schedule.try_start("b") == State.WAITING


def test_groups_do_not_wait_for_each_other():
    schedule = Schedule()
    schedule.enter("a", [Group("one")])
    schedule.enter("b", [Group("two")])
    assert schedule.try_start("a") == schedule.try_start("b") == State.RUNNING


def test_jobs_of_one_run_share_the_place_of_their_run():
    schedule = Schedule()
    schedule.enter("run", [PLAIN])
    schedule.try_start("run")
    assert schedule.enter("run", [PLAIN]) == []
    assert schedule.try_start("run") == State.RUNNING


def test_leaving_all_of_a_run_frees_its_groups():
    schedule = Schedule()
    schedule.enter("7.1.(run)", [PLAIN])
    schedule.try_start("7.1.(run)")
    schedule.enter("8.1.(run)", [PLAIN])
    schedule.leave_all("7.1.")
    assert schedule.try_start("8.1.(run)") == State.RUNNING


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["enter", "gated", "open", "start", "leave"])), max_size=60))
def test_never_do_two_run_in_one_group(moves):
    schedule = Schedule()
    known = set()
    for key, move in moves:
        if move in {"enter", "gated"}:
            schedule.enter(key, [QUEUE], gated=move == "gated")
            known.add(key)
        elif key in known:
            {"open": schedule.open_gate, "start": schedule.try_start, "leave": schedule.leave}[move](key)
        assert sum(schedule.entry(each).state == State.RUNNING for each in known) <= 1
