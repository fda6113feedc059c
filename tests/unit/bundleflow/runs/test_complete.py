"""What completes a run's report: whatever a workspace answers becomes a note, and never fails the step that ran the job."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from databricks.sdk.service.jobs import BaseRun, RunLifeCycleState, RunState
from databricks.sdk.service.sql import StatementState

from bundleflow.adapters import workspace_answers
from bundleflow.adapters.runner import Runner
from bundleflow.adapters.workspace_answers import StatementFailedError
from bundleflow.adapters.workspace_runs import JobFacts, RunsWorkspace, deployment_of
from bundleflow.commands import run_report
from bundleflow.records.run import Attempt, Compute, DeploymentRecord, Iterations, Lineage, RunRecord, TaskRecord
from bundleflow.runs import complete as completing
from bundleflow.runs.complete import CLUSTERS_AT_MOST, Wanted, complete

RUN = RunRecord(
    7,
    3,
    "iris",
    "training",
    life_cycle_state="TERMINATED",
    result_state="SUCCESS",
    start_ms=1000,
    end_ms=2000,
    tasks=(TaskRecord("turns", 8, "for_each", "TERMINATED", "SUCCESS", start_ms=1000, end_ms=2000),),
)


class Scripted(RunsWorkspace):
    """A workspace with a bundle's job, an earlier run, and the metadata that a test gives."""

    metadata = b"{}"

    def turns(self, task_run_id: int) -> tuple[Attempt, ...]:
        raise AttributeError("'list' object has no attribute 'get'")

    def job_facts(self, job_id: int) -> JobFacts:
        return JobFacts("/state/metadata.json", "robot")

    def deployment(self, metadata_path: str, run_start_ms: int) -> DeploymentRecord:
        return deployment_of(self.metadata)

    def cluster(self, compute: Compute) -> Compute:
        return replace(compute, node_type="n")

    def run_before(self, job_id: int, run_id: int, start_ms: int) -> int:
        return 0


@pytest.mark.parametrize("content", [b'{"config":null}', b"{}", b"[]", b"", b"7", b"no json", b'{"config":[' + b"[" * 100_000])
def test_metadata_of_any_shape_is_a_note_that_names_what_was_read(content: bytes) -> None:
    workspace = Scripted({})
    workspace.__dict__["metadata"] = content
    found = complete(workspace, RUN, Wanted())
    assert found.deployment is None
    assert found.run_as == "robot"
    turns, metadata = found.notes
    assert turns.startswith("Could not read the iterations of task `turns`: ")
    assert metadata.startswith("Could not read the metadata of the deployment: ")


def test_metadata_with_parts_of_another_shape_is_read_as_far_as_it_goes() -> None:
    assert deployment_of(b'{"config":{"bundle":[],"workspace":"x"}}') == DeploymentRecord()


def test_clusters_that_were_not_read_are_counted() -> None:
    tasks = [replace(RUN.tasks[0], key=f"t{each}", kind="notebook", compute=Compute("cluster", "", f"c{each}")) for each in range(23)]
    found = complete(Scripted({}), replace(RUN, tasks=tuple(tasks), deployment=DeploymentRecord()), Wanted())
    assert found.notes == (f"The details of {23 - CLUSTERS_AT_MOST} clusters were not read.",)
    assert sum(task.compute.node_type == "n" for task in found.tasks) == CLUSTERS_AT_MOST


class Step:
    """A step of a workflow that leaves a report: its annotations, its summary and its files."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.stream = folder, io.StringIO()
        files = {"GITHUB_STEP_SUMMARY": str(folder / "summary"), "GITHUB_OUTPUT": str(folder / "output")}
        self.env = {"GITHUB_ACTIONS": "true", "BUNDLEFLOW_RUN_REPORTS_DIR": str(folder / "runs"), **files}

    def leave(self, run: RunRecord) -> RunRecord:
        return run_report.leave_report(Runner(self.env, self.stream), self.env, run)

    def read(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")


@pytest.fixture
def step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Step:
    monkeypatch.setattr(RunsWorkspace, "from_env", lambda _env: Scripted({}))
    return Step(tmp_path)


def test_a_report_that_fails_is_a_warning_with_its_cause_and_nothing_more(step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> RunRecord:
        raise ZeroDivisionError("no such luck")

    monkeypatch.setattr(completing, "complete", broken)
    assert step.leave(RUN) is RUN
    warnings = [line for line in step.stream.getvalue().splitlines() if line.startswith("::warning ")]
    assert warnings == ["::warning title=run report::The run report could not be completed: ZeroDivisionError: no such luck"]
    assert "training" in step.read("summary"), "what is known is told all the same"
    assert json.loads(step.read("runs/training-7.json"))["run_id"] == 7


def test_a_report_that_cannot_be_kept_is_a_warning_and_sets_no_output(step: Step) -> None:
    (step.folder / "runs").write_text("a file")
    step.leave(RUN)
    assert "::warning title=run report::The run report could not be kept as files: The report " in step.stream.getvalue()
    assert not (step.folder / "output").exists()


def test_half_a_surrogate_pair_stands_in_every_form_of_a_report(step: Step, capsys: pytest.CaptureFixture[str]) -> None:
    task = replace(RUN.tasks[0], iterations=Iterations(1, turns=(Attempt(9),)), output="half \ud800", error="also \udfff", run_if="\ud800")
    run = replace(RUN, tasks=(task,), parameters=(("\ud800", "\ud800"),), deployment=DeploymentRecord("b", commit="\ud800"))
    step.leave(run)
    assert "::warning" not in step.stream.getvalue()
    kept = json.loads(step.read("runs/training-7.json"))
    assert kept["tasks"][0]["output"] == "half \ud800"
    assert "half \\ud800" in step.read("runs/training-7.html")
    for form in run_report.FORMATS:
        run_report._print(form, run)
        assert capsys.readouterr().out.encode("utf-8")


def test_a_workflow_waits_half_a_minute_for_lineage(step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[float] = []

    def read(_workspace: object, _run: RunRecord, _warehouse: str, limit_s: float) -> Lineage:
        limits.append(limit_s)
        return Lineage()

    monkeypatch.setattr(completing, "read_lineage", read)
    step.env["BUNDLEFLOW_LINEAGE_WAREHOUSE"] = "w1"
    step.leave(RUN)
    assert limits == [30.0]


def test_a_statement_that_takes_too_long_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, cancelled = SimpleNamespace(now=0.0), []
    running = SimpleNamespace(status=SimpleNamespace(state=StatementState.RUNNING), statement_id="s1")

    def execute(*_: object, **given: Any) -> object:
        clock.now += float(given["wait_timeout"].removesuffix("s"))
        return running

    def sleep(seconds: float) -> None:
        clock.now += seconds

    warehouse = SimpleNamespace(execute_statement=execute, get_statement=lambda _: running, cancel_execution=cancelled.append)
    workspace = RunsWorkspace({})
    workspace.__dict__["_client"] = SimpleNamespace(statement_execution=warehouse)
    monkeypatch.setattr(workspace_answers, "time", SimpleNamespace(monotonic=lambda: clock.now, sleep=sleep))
    with pytest.raises(StatementFailedError, match="it did not end within 30 s"):
        workspace.statement_rows("w1", "SELECT 1", row_limit=1, limit_s=30.0)
    assert cancelled == ["s1"]
    assert clock.now <= 32


def test_the_run_before_is_one_that_was_not_skipped() -> None:
    skipped = [BaseRun(run_id=number, state=RunState(life_cycle_state=RunLifeCycleState.SKIPPED)) for number in range(9, 1, -1)]
    ran = BaseRun(run_id=1, state=RunState(life_cycle_state=RunLifeCycleState.TERMINATED))
    jobs = SimpleNamespace(list_runs=lambda **_: iter([*skipped, ran]))
    workspace = RunsWorkspace({})
    workspace.__dict__["_client"] = cast("Any", SimpleNamespace(jobs=jobs))
    assert workspace.run_before(3, 10, 1000) == 1
