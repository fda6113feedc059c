"""Following a run: lines for changes, outputs before the verdict, cancelling, time limit, results that fail."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bundleflow.adapters.workspace import Workspace
from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow.records.run import RunPage, RunRecord, TaskRecord
from bundleflow.runs.complete import whole
from bundleflow.runs.follow import RunDetachedError, follow
from bundleflow.runs.options import FollowOptions
from bundleflow.runs.outputs import OUTPUTS_AT_MOST, with_outputs
from bundleflow.runs.resolve import job_id
from bundleflow.runs.result import check_result, check_results
from bundleflow.runs.start import RunRequest, RunStopped, idempotency_token, start_and_follow

FAST = FollowOptions(poll_s=0.01, poll_max_s=0.02, time_limit_s=5)


def state(life: str, result: str = "", *tasks: TaskRecord) -> RunRecord:
    return RunRecord(7, 3, "iris", life_cycle_state=life, result_state=result, tasks=tasks, url="http://127.0.0.1/7")


def task(key: str, life: str, result: str = "", **more: Any) -> TaskRecord:
    return TaskRecord(key, run_id=hash(key) % 1000, life_cycle_state=life, result_state=result, start_ms=1000, end_ms=2000, **more)


class ScriptedWorkspace(Workspace):
    """A workspace whose runs go through given states; the last one stays."""

    def __init__(self, *states: RunRecord, on_read: Callable[[int], None] = lambda _: None) -> None:
        super().__init__({})
        self.__dict__.update(states=list(states), calls=[], on_read=on_read)

    states: list[RunRecord]
    calls: list[str]
    on_read: Callable[[int], None]

    def run_now(self, job_id: int, *, token: str, parameters: Any) -> int:
        self.calls.append(f"run-now {job_id} {token} {dict(parameters)}")
        return 7

    def connect(self) -> None:
        """There is nothing to load."""

    def run_page(self, run_id: int, page: str = "", *, history: bool = False) -> RunPage:
        self.calls.append("get")
        self.on_read(len(self.calls))
        return RunPage(self.states.pop(0) if len(self.states) > 1 else self.states[0])

    def task_output(self, task: TaskRecord) -> TaskRecord:
        self.calls.append(f"output {task.key}")
        return replace(task, output=f"output of {task.key}")

    def cancel(self, run_id: int) -> None:
        self.calls.append(f"cancel {run_id}")
        self.states[:] = [state("TERMINATED", "CANCELED")]


def test_each_change_is_one_line() -> None:
    lines: list[str] = []
    workspace = ScriptedWorkspace(
        state("PENDING", "", task("a", "PENDING")),
        state("RUNNING", "", task("a", "RUNNING")),
        state("RUNNING", "", task("a", "RUNNING")),
        state("TERMINATED", "SUCCESS", task("a", "TERMINATED", "SUCCESS")),
    )
    run = follow(workspace, 7, key="train", options=FAST, tell=lines.append)
    assert [re.sub(r"^\[.*?\] ", "", line) for line in lines] == [
        "a: PENDING", "run 7: PENDING", "a: RUNNING", "run 7: RUNNING", "a: SUCCESS (1.0 s)", "run 7: SUCCESS",
    ]  # fmt: skip
    assert run.succeeded
    assert run.tasks[0].output == "output of a"


def test_outputs_of_failed_tasks_are_read_first_and_not_of_all() -> None:
    many = [task(f"t{number}", "TERMINATED", "SUCCESS") for number in range(200)]
    workspace = ScriptedWorkspace(state("TERMINATED", "FAILED", *many, task("bad", "TERMINATED", "FAILED")))
    follow(workspace, 7, key="", options=FAST, tell=lambda _: None)
    outputs = [call for call in workspace.calls if call.startswith("output")]
    assert len(outputs) == 10
    assert outputs[0] == "output bad"


def test_outputs_are_read_while_the_run_goes_on() -> None:
    ended = [task(f"t{number}", "TERMINATED", "SUCCESS") for number in range(20)]
    workspace = ScriptedWorkspace(*[state("RUNNING", "", *ended)] * 40, state("TERMINATED", "SUCCESS", *ended))
    run = follow(workspace, 7, options=FAST, tell=lambda _: None)
    assert all(each.output for each in run.tasks)
    assert workspace.calls[:4] == ["get", "output t0", "get", "output t1"]


def test_a_look_at_a_run_that_goes_on_does_not_wait() -> None:
    workspace = ScriptedWorkspace(state("RUNNING", "", task("a", "TERMINATED", "SUCCESS"), task("b", "RUNNING")))
    run = with_outputs(workspace, whole(workspace, 7))
    assert (run.state, run.tasks[0].output) == ("RUNNING", "output of a")
    assert workspace.calls == ["get", "output a"]


def test_the_end_from_before_a_repair_is_not_taken_for_its_end() -> None:
    before = replace(state("TERMINATED", "FAILED"), end_ms=1000)
    workspace = ScriptedWorkspace(before, before, state("RUNNING"), replace(state("TERMINATED", "SUCCESS"), end_ms=2000))
    assert follow(workspace, 7, options=FAST, tell=lambda _: None, stale_end_ms=1000).succeeded
    assert workspace.calls == ["get"] * 4


def trouble(reason: FailureReason) -> BundleflowError:
    return BundleflowError("The workspace did not answer.", reason=reason)


def test_troubles_are_borne_for_a_while_and_refusals_are_not() -> None:
    def fail(calls: int) -> None:
        if calls in (2, 3):
            raise trouble(FailureReason.OUTSIDE_TROUBLE)

    lines: list[str] = []
    workspace = ScriptedWorkspace(*[state("RUNNING")] * 3, state("TERMINATED", "SUCCESS"), on_read=fail)
    assert follow(workspace, 7, options=FAST, tell=lines.append).succeeded
    assert sum("Trying again" in line for line in lines) == 1
    assert sum("answers again" in line for line in lines) == 1

    def refuse(calls: int) -> None:
        raise trouble(FailureReason.AUTH_FAILED)

    refusing = ScriptedWorkspace(state("RUNNING"), on_read=refuse)
    with pytest.raises(BundleflowError):
        follow(refusing, 7, options=FAST, tell=lambda _: None)
    assert refusing.calls == ["get"]


def test_troubles_without_end_are_told_at_last() -> None:
    def fail(calls: int) -> None:
        raise trouble(FailureReason.OUTSIDE_TROUBLE)

    workspace = ScriptedWorkspace(state("RUNNING"), on_read=fail)
    with pytest.raises(BundleflowError) as caught:
        follow(workspace, 7, options=replace(FAST, trouble_s=0.1), tell=lambda _: None)
    assert caught.value.reason is FailureReason.OUTSIDE_TROUBLE
    assert len(workspace.calls) > 2


class NoOutputs(ScriptedWorkspace):
    """A workspace that gives runs and refuses outputs."""

    reason = FailureReason.AUTH_FAILED

    def task_output(self, task: TaskRecord) -> TaskRecord:
        self.calls.append(f"output {task.key}")
        raise trouble(self.reason)


class TroubledOutputs(NoOutputs):
    """A workspace that has troubles whenever an output is read."""

    reason = FailureReason.OUTSIDE_TROUBLE


@pytest.mark.parametrize(("kind", "read", "note"), [(NoOutputs, 2, "did not answer"), (TroubledOutputs, 1, "had troubles")])
def test_an_output_that_cannot_be_read_fails_no_run_and_is_noted(kind: type[NoOutputs], read: int, note: str) -> None:
    ended = state("TERMINATED", "SUCCESS", task("a", "TERMINATED", "SUCCESS"), task("b", "TERMINATED", "SUCCESS"))
    followed, looked_at = kind(ended), kind(ended)
    for workspace, run in (
        (followed, follow(followed, 7, options=FAST, tell=lambda _: None)),
        (looked_at, with_outputs(looked_at, whole(looked_at, 7))),
    ):
        assert run.succeeded
        assert len(run.notes) == 1
        assert note in run.notes[0]
        assert sum(call.startswith("output") for call in workspace.calls) == read


def test_errors_that_were_not_read_are_counted() -> None:
    failed = [replace(task(f"t{number}", "TERMINATED", "FAILED"), run_id=number) for number in range(1, OUTPUTS_AT_MOST + 5)]
    upstream = replace(task("after", "TERMINATED", "UPSTREAM_FAILED"), run_id=99)
    workspace = ScriptedWorkspace(state("TERMINATED", "FAILED", *failed, upstream))
    assert with_outputs(workspace, whole(workspace, 7)).notes == ("The errors of 4 tasks were not read.",)
    assert follow(workspace, 7, options=FAST, tell=lambda _: None).notes == ("The errors of 24 tasks were not read.",)


def test_one_verdict_on_several_runs() -> None:
    good, bad = state("TERMINATED", "SUCCESS"), replace(state("TERMINATED", "TIMEDOUT"), run_id=9)
    check_results([good, good], FAST)
    with pytest.raises(BundleflowError, match=r"1 of 2 runs did not succeed: 9 \(TIMEDOUT\)") as caught:
        check_results([good, bad], FAST)
    assert caught.value.reason is FailureReason.RUN_TIMEOUT
    check_results([good, bad], replace(FAST, accept=frozenset({"TIMEDOUT"})))


def test_the_time_limit_leaves_the_run_alone() -> None:
    workspace = ScriptedWorkspace(state("RUNNING"))
    with pytest.raises(RunDetachedError) as caught:
        follow(workspace, 7, key="", options=replace(FAST, time_limit_s=0.1), tell=lambda _: None)
    assert caught.value.reason is FailureReason.RUN_TIMEOUT
    assert "bundleflow run watch 7" in caught.value.fix
    assert "cancel 7" not in workspace.calls


def test_a_stopped_job_cancels_the_run_that_it_started() -> None:
    def stop(calls: int) -> None:
        if calls == 3:
            raise KeyboardInterrupt

    workspace = ScriptedWorkspace(state("RUNNING"), on_read=stop)
    started: list[int] = []
    with pytest.raises(RunStopped) as caught:
        start_and_follow(workspace, RunRequest(3, "t" * 64, "train"), options=FAST, tell=lambda _: None, started=started.append)
    assert started == [7]
    assert "cancel 7" in workspace.calls
    assert (caught.value.run.state, caught.value.run.key) == ("CANCELED", "train")


def test_a_stop_while_the_start_is_answered_asks_again_with_the_same_token_and_cancels() -> None:
    class Interrupted(ScriptedWorkspace):
        def run_now(self, job_id: int, *, token: str, parameters: Any) -> int:
            run_id = super().run_now(job_id, token=token, parameters=parameters)
            if len(self.calls) == 1:
                raise KeyboardInterrupt
            return run_id

    workspace = Interrupted(state("RUNNING"))
    with pytest.raises(RunStopped):
        start_and_follow(workspace, RunRequest(3, "tok"), options=FAST, tell=lambda _: None, started=lambda _: None)
    assert workspace.calls == ["run-now 3 tok {}", "run-now 3 tok {}", "cancel 7", "get"]


def test_a_start_is_tried_again_with_the_same_token() -> None:
    class Flaky(ScriptedWorkspace):
        def run_now(self, job_id: int, *, token: str, parameters: Any) -> int:
            run_id = super().run_now(job_id, token=token, parameters=parameters)
            if len(self.calls) < 3:
                raise trouble(FailureReason.OUTSIDE_TROUBLE)
            return run_id

    workspace = Flaky(state("TERMINATED", "SUCCESS"))
    start_and_follow(workspace, RunRequest(3, "tok"), options=FAST, tell=lambda _: None, started=lambda _: None)
    assert workspace.calls[:4] == ["run-now 3 tok {}"] * 3 + ["get"]


def test_the_start_carries_token_and_parameters() -> None:
    workspace = ScriptedWorkspace(state("TERMINATED", "SUCCESS"))
    start_and_follow(workspace, RunRequest(3, "tok", "train", {"a": "1"}), options=FAST, tell=lambda _: None, started=lambda _: None)
    assert workspace.calls[0] == "run-now 3 tok {'a': '1'}"


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ("FAILED", FailureReason.RUN_FAILED),
        ("SUCCESS_WITH_FAILURES", FailureReason.RUN_FAILED),
        ("UPSTREAM_FAILED", FailureReason.RUN_FAILED),
        ("MAXIMUM_CONCURRENT_RUNS_REACHED", FailureReason.RUN_FAILED),
        ("TIMEDOUT", FailureReason.RUN_TIMEOUT),
        ("CANCELED", FailureReason.RUN_CANCELED),
        ("", FailureReason.RUN_FAILED),
    ],
)
def test_every_result_but_success_fails(result: str, reason: FailureReason) -> None:
    run = state("TERMINATED", result, task("a", "TERMINATED", result or "FAILED", error="boom\nline"))
    with pytest.raises(BundleflowError) as caught:
        check_result(run, FAST)
    assert caught.value.reason is reason
    assert "boom" in caught.value.details
    check_result(run, replace(FAST, accept=frozenset({result})) if result else replace(FAST, accept=frozenset({""})))


def test_success_passes() -> None:
    check_result(state("TERMINATED", "SUCCESS"), FAST)


def test_the_token_is_the_same_for_the_same_parts_only() -> None:
    tokens = {
        idempotency_token("team/iris", 1, 1, "prod", 5),
        idempotency_token("team/iris", 1, 2, "prod", 5),
        idempotency_token("team/iri", "s1"),
    }
    assert len(tokens) == 3
    assert idempotency_token("a", 1) == idempotency_token("a", "1")
    assert all(len(token) == 64 for token in tokens)


def test_options_come_from_the_environment() -> None:
    given = {
        "BUNDLEFLOW_POLL_SECONDS": "0.2",
        "BUNDLEFLOW_DETACH_AFTER": "1h30m",
        "BUNDLEFLOW_ALLOW_RESULTS": "success_with_failures, TIMEDOUT",
    }
    options = FollowOptions.from_env(given)
    assert (options.poll_s, options.poll_max_s, options.time_limit_s) == (0.2, 2.0, 5400.0)
    assert options.accept == {"SUCCESS_WITH_FAILURES", "TIMEDOUT"}
    assert FollowOptions.from_env(given, detach_after="90").time_limit_s == 90
    assert FollowOptions.from_env({}) == FollowOptions()
    for bad in ("0", "-1", "soon", "1h2h", "5 m"):
        for name in ("BUNDLEFLOW_POLL_SECONDS", "BUNDLEFLOW_DETACH_AFTER"):
            with pytest.raises(BundleflowError, match=name) as caught:
                FollowOptions.from_env({name: bad})
            assert caught.value.exit_code is ExitCode.USAGE
    with pytest.raises(BundleflowError, match="not a result") as caught:
        FollowOptions.from_env({}, accept=["GREAT"])
    assert "SUCCESS_WITH_FAILURES" in caught.value.fix


def test_a_job_is_found_by_its_key() -> None:
    summary = {"resources": {"jobs": {"model_training": {"id": "42"}, "later": {}}}}
    assert job_id(summary, "model_training", "dev") == 42
    with pytest.raises(BundleflowError, match="no job `model_trainin`") as caught:
        job_id(summary, "model_trainin", "dev")
    assert caught.value.fix == "Did you mean `model_training`?"
    with pytest.raises(BundleflowError, match="not deployed"):
        job_id(summary, "later", "dev")
    with pytest.raises(BundleflowError, match="no job"):
        job_id({}, "x", "dev")
