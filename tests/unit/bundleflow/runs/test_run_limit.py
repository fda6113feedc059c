"""Runs that are followed in one step share the step's time limit."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bundleflow.adapters.runner import Runner
from bundleflow.commands import steps
from bundleflow.commands.context import JobContext
from bundleflow.records.flow import load_flow
from bundleflow.runs.options import FollowOptions

FLOW = "version: 1\nstages:\n  prod: {target: prod, environment: production, run: [prepare, train, predict]}\n"
SUMMARY = {"resources": {"jobs": {name: {"id": str(number)} for number, name in enumerate(("prepare", "train", "predict"), start=1)}}}


@pytest.mark.parametrize(("spent", "left"), [(0.0, 100.0), (40.0, 60.0), (99.9, 1.0), (500.0, 1.0)])
def test_a_later_run_has_what_is_left_of_the_limit(spent: float, left: float) -> None:
    assert FollowOptions(poll_s=1.0, time_limit_s=100.0).after(spent).time_limit_s == left


def test_a_stage_with_several_jobs_stays_below_the_limit_of_its_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=1000.0)
    limits: list[float] = []

    def follow(_runner: Any, _workspace: Any, request: Any, options: FollowOptions) -> Any:
        limits.append(options.time_limit_s)
        clock.now += 4000
        return SimpleNamespace(key=request.key)

    monkeypatch.setattr(steps, "time", SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.setattr(steps, "follow_request", follow)
    monkeypatch.setattr(steps, "leave_report", lambda _runner, _env, _run, **_: None)
    monkeypatch.setattr(steps, "check_result", lambda _run, _options: None)
    monkeypatch.setattr(steps.Workspace, "from_env", lambda _env: None)
    (tmp_path / "bundleflow.yml").write_text(FLOW)
    flow = load_flow(tmp_path / "bundleflow.yml")
    env = {"BUNDLEFLOW_DETACH_AFTER": "150m"}
    job = JobContext(flow, flow.stage("prod"), tmp_path, env, Runner(env, io.StringIO()))
    done = steps.StageRuns(begun=clock.now)
    clock.now += 600  # the deployment
    steps.run_jobs(job, SUMMARY, done)
    assert [run.key for run in done.runs] == ["prepare", "train", "predict"]
    assert limits == [9000 - 600, 9000 - 4600, 9000 - 8600]
