"""Reading act's log: lines as act 0.2.89 writes them, secrets gone before anything is kept."""

import json
from pathlib import Path

import pytest

from rehearsal.actions import follow, outcome
from rehearsal.actions.follow import Follower
from rehearsal.actions.masking import Masker
from rehearsal.actions.model import JobSpec, RenderedRun

SECRET = "hunter22-is-secret"


def line(**fields: object) -> str:
    base = {"job": "call/cd/call~first   ", "jobID": "first", "level": "info", "matrix": {}, "msg": "", "time": "2026-01-01T00:00:00Z"}
    return json.dumps({**base, **fields})


@pytest.fixture
def follower() -> Follower:
    return Follower(Masker(), {"call~first", "mat"})


def test_a_job_from_begin_to_end(follower: Follower):
    for text in (
        line(msg="⭐ Run Main Wait", step="Wait", stepID=["0"], stage="Main"),
        line(msg="rehearsal-job=1013\r\n", raw_output=True, step="Wait", stepID=["0"]),
        line(stepResult="success", step="Wait", stepID=["0"], stage="Main", executionTime=2_000_000_000),
        line(command="set-output", name="said", arg="hi", stepID=["s"]),
        line(command="set-output", name="inner", arg="no", stepID=["s", "i"]),
        line(command="summary", content="# one\n"),
        line(command="warning", arg="one\ntwo", kvPairs={"file": "a.py", "line": "3", "title": "T"}, level="warning"),
        line(msg="hello\r\n", raw_output=True, stepID=["1"]),
        line(stepResult="success", step="inner", stepID=["s", "i"], stage="Main"),
        line(stepResult="failure", step="echo a\necho b", stepID=["1"], stage="Main", executionTime=1),
        line(msg="exit status 3", level="error", stepID=["1"]),
        line(jobResult="failure", msg="🏁  Job failed", time="2026-01-01T00:00:05Z"),
    ):
        job = follower.line(text)
        assert job is not None
    assert (job.log_name, job.job_id, job.result) == ("call~first", 1013, "failure")
    assert [(step.name, step.conclusion, step.duration_s) for step in job.steps] == [("Wait", "success", 2.0), ("echo a", "failure", 1e-9)]
    assert job.outputs == {"said": "hi"}
    assert job.summaries == ["# one\n"]
    note = job.annotations[0]
    assert (note.level, note.message, note.title, note.path, note.line) == ("warning", "one\ntwo", "T", "a.py", 3)
    assert list(job.tail) == ["rehearsal-job=1013", "warning: one\ntwo", "hello", "exit status 3"]
    assert job.started_at
    assert job.ended_at
    assert (job.ended_at - job.started_at).total_seconds() == 5


def test_masked_values_are_gone_before_they_are_kept(follower: Follower):
    follower.line(line(command="add-mask", arg=SECRET, msg=f"::add-mask::{SECRET}", raw=SECRET))
    for text in (
        line(msg=f"it is {SECRET}\n", raw_output=True),
        line(command="summary", content=f"# {SECRET}"),
        line(command="error", arg=SECRET, kvPairs={"title": SECRET, "file": SECRET}),
        line(command="set-output", name="leak", arg=f"x{SECRET}", stepID=["s"]),
        line(stepResult="success", step=f"echo {SECRET}", stepID=["1"], stage="Main"),
    ):
        job = follower.line(text)
    assert SECRET not in repr(job)
    assert job.secret_outputs == ["leak"], "GitHub drops such an output; act passes it on"


def test_the_whole_log_of_each_job_is_kept_masked_up_to_a_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(follow, "TAIL_LINES", 1)
    monkeypatch.setattr(follow, "KEPT_BYTES", 40)
    kept = Follower(Masker(), {"call~first", "mat"}, tmp_path / "logs" / "7-1")
    kept.line(line(command="add-mask", arg=SECRET))
    for text in ("one", f"two {SECRET}", "three", "x" * 30, "not any more", "neither"):
        kept.line(line(msg=f"{text}\r\n", raw_output=True))
        kept.line(line(job="mat (../1)", jobID="mat", matrix={"v": "../1"}, msg="of another\n", raw_output=True))
    logs = {path.name: path.read_text().splitlines() for path in (tmp_path / "logs" / "7-1").iterdir()}
    assert logs["1-call~first.log"] == ["one", "two ***", "three", "The rest is left out: a log is kept up to 40 bytes."]
    assert len(logs) == 1


def test_masks_hide_every_line_and_longer_values_first():
    masker = Masker()
    masker.add("first-line\nsecond-line")
    masker.add("first")
    assert masker.text("a first-line b second-line c first") == "a *** b *** c ***"
    masker.add("ab")
    assert masker.text("ab") == "ab", "too short to be hidden without hiding everything"
    assert masker.value({"first": ["first-line"]}) == {"***": ["***"]}


def test_jobs_of_a_matrix_are_told_apart(follower: Follower):
    for number, value in ((1, "a"), (2, "b")):
        follower.line(line(job=f"cd/mat-{number}", matrix={"x": value}, jobResult="success"))
    assert {job.instance: job.log_name for job in follower.jobs.values()} == {"cd/mat-1": "mat", "cd/mat-2": "mat"}


def test_skipped_unsupported_and_refused(follower: Follower):
    follower.line(line(job="cd/mat", level="debug", msg="Skipping job 'mat' due to 'github.event_name == 'x''"))
    follower.line(line(job="cd/call~first", msg="🚧  Skipping unsupported platform -- Try running with `-P x=...`"))
    follower.line(json.dumps({"level": "error", "msg": "the file is refused"}))
    follower.line("not json")
    assert follower.skipped == {"mat": "github.event_name == 'x'"}
    assert follower.unsupported == ["call~first"]
    assert follower.errors == ["the file is refused", "not json"]
    assert follower.jobs == {}


def spec(path: str, needs: tuple[str, ...] = (), condition: str = "", *, matrix: bool = False) -> JobSpec:
    return JobSpec(
        path=path, name=path, needs=needs, condition=condition, labels=("ubuntu-24.04",), permissions={}, timeout_s=60,
        has_matrix=matrix, has_environment=False, deployment=True, workflow_ref="", workflow_sha="",
    )  # fmt: skip


def judged(
    jobs: list[JobSpec], started: dict[str, str], skipped: dict[str, str] | None = None, *, cancelled: bool = False
) -> dict[str, str]:
    run = RenderedRun("cd", "cd.yml", Path("not-looked-at"), jobs)
    verdicts = outcome.unstarted(run, started, skipped or {}, ["bad"], cancelled=cancelled)
    return {path: verdict.conclusion for path, verdict in verdicts.items()}


@pytest.mark.parametrize(
    ("jobs", "started", "skipped", "expected"),
    [
        ([spec("a"), spec("b", ("a",))], {"a": "failure"}, {}, {"b": "skipped"}),
        ([spec("a"), spec("b", ("a",), "always()")], {"a": "failure"}, {}, {"b": "missing"}),
        ([spec("a"), spec("b", ("a",))], {"a": "success"}, {}, {"b": "missing"}),
        ([spec("a"), spec("b", ("a",))], {}, {"a": "false"}, {"a": "skipped", "b": "skipped"}),
        ([spec("c/a"), spec("b", ("c",))], {"c/a": "failure"}, {}, {"b": "skipped"}),
        ([spec("c/a"), spec("c/b", ("c/a",))], {}, {"c": "github.ref == 'x'"}, {"c/a": "skipped", "c/b": "skipped"}),
        ([spec("bad")], {}, {}, {"bad": "missing"}),
        ([spec("m", matrix=True)], {}, {}, {"m": "missing"}),
        ([spec("a"), spec("b", ("a",))], {"a": "success"}, {"b": "success()"}, {"b": "missing"}),
    ],
)
def test_jobs_that_did_not_start(jobs: list[JobSpec], started: dict[str, str], skipped: dict[str, str], expected: dict[str, str]):
    assert judged(jobs, started, skipped) == expected


def test_a_cancelled_runs_jobs_are_cancelled():
    assert judged([spec("a"), spec("b", ("a",))], {"a": "cancelled"}, cancelled=True) == {"b": "cancelled"}
