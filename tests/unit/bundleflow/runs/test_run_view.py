"""A run put together from its pages: what is read next, what is never read again, and when all is known."""

from __future__ import annotations

from bundleflow.records.run import RunPage, RunRecord, TaskRecord
from bundleflow.runs.view import RunView


def tasks(page: int, result: str, attempt: int = 0) -> tuple[TaskRecord, ...]:
    life = "TERMINATED" if result else "RUNNING"
    return tuple(TaskRecord(f"t{page}{each}", life_cycle_state=life, result_state=result, attempt=attempt) for each in range(3))


def page(number: int, result: str, *, final: str = "", last: int = 2, attempt: int = 0) -> RunPage:
    life = "TERMINATED" if final else "RUNNING"
    run = RunRecord(7, life_cycle_state=life, result_state=final, tasks=tasks(number, result, attempt))
    return RunPage(run, f"p{number + 1}" if number < last else "")


def test_pages_are_found_one_by_one_then_read_in_turn_without_the_settled_ones() -> None:
    view = RunView(7)
    asked = []
    for number, result in ((0, ""), (1, "SUCCESS"), (2, "")):
        asked.append(view.next_page())
        assert not view.whole
        view.take(page(number, result))
    assert asked == ["", "p1", "p2"]
    assert (view.whole, view.open_pages, len(view.run.tasks)) == (True, 2, 9)
    for number, token in ((0, ""), (2, "p2"), (0, ""), (2, "p2")):
        assert view.next_page() == token
        view.take(page(number, ""))


def test_after_the_end_open_pages_are_read_once_more() -> None:
    view = RunView(7)
    for number, result in ((0, ""), (1, "SUCCESS"), (2, "FAILED")):
        view.next_page()
        view.take(page(number, result))
    assert view.next_page() == ""
    view.take(page(0, "SUCCESS", final="FAILED"))
    assert not view.ended, "the failed task of the last page may have been tried again"
    assert view.next_page() == "p2"
    view.take(page(2, "SUCCESS", final="SUCCESS", attempt=1))
    assert view.ended
    assert all(task.result_state == "SUCCESS" for task in view.run.tasks)


def test_a_task_that_moved_to_a_settled_page_is_found_again() -> None:
    view = RunView(7)
    view.next_page()
    view.take(RunPage(RunRecord(7, life_cycle_state="RUNNING", tasks=tasks(0, "")), "p1"))
    view.next_page()
    view.take(RunPage(RunRecord(7, life_cycle_state="RUNNING", tasks=tasks(1, "SUCCESS"))))
    view.next_page()
    ended = RunRecord(7, life_cycle_state="TERMINATED", result_state="SUCCESS", tasks=tasks(0, "SUCCESS")[:2])
    view.take(RunPage(ended, "p1"))
    assert not view.ended
    asked = []
    for found in (tasks(0, "SUCCESS")[:2], (*tasks(0, "SUCCESS")[2:], *tasks(1, "SUCCESS"))):
        asked.append(view.next_page())
        view.take(RunPage(RunRecord(7, life_cycle_state="TERMINATED", result_state="SUCCESS", tasks=found), "" if asked[-1] else "p1"))
    assert sorted(asked) == ["", "p1"]
    assert view.ended


def test_an_older_attempt_does_not_hide_a_newer_one() -> None:
    view = RunView(7)
    view.next_page()
    view.take(RunPage(RunRecord(7, life_cycle_state="RUNNING", tasks=tasks(0, "", attempt=1)), "p1"))
    view.next_page()
    view.take(RunPage(RunRecord(7, life_cycle_state="RUNNING", tasks=tasks(0, "FAILED"))))
    assert {task.state for task in view.run.tasks} == {"RUNNING"}


def test_a_refused_token_begins_again_and_keeps_what_is_known() -> None:
    view = RunView(7)
    for number in range(3):
        view.next_page()
        view.take(page(number, "SUCCESS"))
    view.begin_again()
    assert (view.next_page(), view.whole, len(view.run.tasks)) == ("", False, 9)


def test_a_run_without_tasks_ends() -> None:
    view = RunView(7, "train")
    view.next_page()
    view.take(RunPage(RunRecord(7, life_cycle_state="SKIPPED", result_state="")))
    assert view.ended
    assert view.run.key == "train"
