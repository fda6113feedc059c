"""How the cost of following grows: with the number of runs in one process, and with the number of a run's tasks."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from bundleflow.adapters.workspace import Workspace
from bundleflow.records.run import RunPage, RunRecord, TaskRecord
from bundleflow.runs.follow import Follower
from bundleflow.runs.many import follow_many
from bundleflow.runs.options import FollowOptions

PAGE = 100
LOOKS = 6
OPTIONS = FollowOptions(poll_s=0.001, poll_max_s=0.002)


@dataclass(frozen=True)
class Busy(Workspace):
    """A workspace whose runs of `tasks` tasks end at their last look, every page of them being asked in turn."""

    tasks: int = 1
    calls: dict[int, int] = field(default_factory=dict)

    def connect(self) -> None:
        """There is nothing to load."""

    def task_output(self, task: TaskRecord) -> TaskRecord:
        """There is nothing to be had."""
        return task

    def run_page(self, run_id: int, page: str = "", *, history: bool = False) -> RunPage:
        """One page of the run, which ends after some looks at each of its pages."""
        self.calls[run_id] = self.calls.get(run_id, 0) + 1
        pages = -(-self.tasks // PAGE)
        number = int(page or 0)
        ended = self.calls[run_id] > (LOOKS - 1) * pages
        life, result = ("TERMINATED", "SUCCESS") if ended else ("RUNNING", "")
        keys = range(number * PAGE, min(self.tasks, (number + 1) * PAGE))
        tasks = tuple(TaskRecord(f"t{each}", life_cycle_state=life, result_state=result) for each in keys)
        return RunPage(
            RunRecord(run_id, life_cycle_state=life, result_state=result, tasks=tasks), str(number + 1) if number + 1 < pages else ""
        )


def processor_seconds(workspace: Busy, runs: int) -> float:
    """Processor time of following some runs to their ends."""
    before = time.process_time()
    outcomes = follow_many(workspace, range(1, runs + 1), options=OPTIONS, tell=lambda _: None)
    assert all(outcome.run.succeeded for outcome in outcomes)
    return time.process_time() - before


def test_fifty_runs_cost_the_calls_of_fifty_runs() -> None:
    one, fifty = Busy({}), Busy({})
    single, many = processor_seconds(one, 1), processor_seconds(fifty, 50)
    print(f"one run: {single * 1000:.1f} ms, fifty runs: {many * 1000:.1f} ms, ratio {many / single:.1f}")
    assert sum(fifty.calls.values()) == 50 * one.calls[1]


def test_a_run_of_a_thousand_tasks_costs_ten_calls_a_round() -> None:
    small, large = Busy({}, tasks=100), Busy({}, tasks=1000)
    single, many = processor_seconds(small, 1), processor_seconds(large, 1)
    print(f"100 tasks: {single * 1000:.1f} ms, 1,000 tasks: {many * 1000:.1f} ms, ratio {many / single:.1f}")
    assert large.calls[1] <= 10 * small.calls[1] + 10
    follower = Follower(Busy({}, tasks=1000), 1, options=OPTIONS, tell=lambda _: None)
    follower.step()
    assert len(follower.run.tasks) == PAGE, "one step is one call"
