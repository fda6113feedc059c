"""The bar below the lines: what it says, and that nobody but a terminal gets it."""

from __future__ import annotations

import io
from functools import partial

from bundleflow.records.run import RunRecord, TaskRecord
from bundleflow.runs.progress import CLEAR, Counts, Progress, bar_line


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run(run_id: int, *results: str) -> RunRecord:
    made = [TaskRecord(f"t{n}", life_cycle_state="TERMINATED" if each else "RUNNING", result_state=each) for n, each in enumerate(results)]
    return RunRecord(run_id, life_cycle_state="RUNNING", tasks=tuple(made))


def test_the_bar_counts_tasks_runs_and_failures() -> None:
    one = bar_line({1: Counts(4, 1, 0, final=False)}, 65, 100)
    assert one == "[######..................]  1/4 tasks  0:01:05"
    many = bar_line({1: Counts(4, 4, 1, final=True), 2: Counts(0, 0, 0, final=False)}, 3723, 100)
    assert many == "[########################]  4/4 tasks  1/2 runs  1 failed  1:02:03"
    assert len(bar_line({1: Counts(4, 1, 0, final=False)}, 65, 20)) == 19


def test_lines_stand_above_the_bar() -> None:
    stream = Terminal()
    progress = Progress.on(stream, partial(print, file=stream), {"TERM": "xterm"})
    progress.show(run(7, "SUCCESS", ""))
    progress.line("b: RUNNING")
    progress.close()
    parts = stream.getvalue().split(CLEAR)
    assert parts[1].startswith("[####")
    assert parts[2] == "b: RUNNING\n"
    assert parts[3].startswith("[####")
    assert parts[4] == ""


def test_there_is_no_bar_without_a_terminal() -> None:
    on_actions = {"TERM": "xterm", "GITHUB_ACTIONS": "true"}
    for stream, env in ((io.StringIO(), {"TERM": "xterm"}), (Terminal(), {"TERM": "dumb"}), (Terminal(), on_actions)):
        progress = Progress.on(stream, partial(print, file=stream), env)
        progress.show(run(7, "SUCCESS"))
        progress.line("a: SUCCESS")
        progress.close()
        assert stream.getvalue() == "a: SUCCESS\n"
