"""The driver with act underneath: events start runs, jobs wait for gates and queues, tokens are each job's own."""

from __future__ import annotations

import hashlib
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from rehearsal.actions import kit
from rehearsal.actions.driver import Driver, Settings, git
from rehearsal.actions.masking import Masker
from rehearsal.actions.runner import WorkflowRun
from rehearsal.github.server import Server
from rehearsal.github.world import GitHub

from .conftest import World

REPOSITORY = "team/iris"
JOB = "runs-on: ubuntu-24.04, steps: "


class Play:
    """A repository with a driver; `push` commits the world's project to a branch."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.github = GitHub(folder / "github")
        self.server = Server(self.github)
        self.server.start()
        for login in ("owner", "developer", "reviewer"):
            self.github.add_user(login)
        bare = self.github.create_repository(REPOSITORY, admin="owner").path
        for login in ("developer", "reviewer"):
            self.github.grant(REPOSITORY, login, "write")
        git(["init", "--quiet", "--initial-branch", "main", str(world.project)])
        git(["-C", str(world.project), "remote", "add", "origin", str(bare)])
        (folder / "kit").mkdir()
        for name in ("home", "tmp"):
            (folder / name).mkdir()
        sources = world.sources()
        sources.kit_copy = folder / "kit"
        kit.prepare(sources)
        environment = {
            "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(folder / "home"),
            "TMPDIR": str(folder / "tmp"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "ACT_DISABLE_VERSION_CHECK": "1",
            "HTTP_PROXY": "http://127.0.0.1:9",
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "NO_PROXY": "127.0.0.1",
        }
        act = Path(sys.executable).with_name("act")
        settings = Settings(REPOSITORY, folder / "actions", world.kit, folder / "kit", "2" * 40, act, environment, run_limit_s=60)
        self.masker = Masker()
        self.told: list[str] = []
        self.driver = Driver(self.github, settings, self.masker, self.told.append)

    def push(self, branch: str = "main", note: str = "") -> None:
        clone = str(self.world.project)
        (self.world.project / "note").write_text(note, encoding="utf-8")
        git(["-C", clone, "add", "--all"])
        person = ["-c", "user.name=developer", "-c", "user.email=developer@example.com"]
        git(["-C", clone, *person, "commit", "--quiet", "--allow-empty", "-m", f"change {note}"])
        git(["-C", clone, "push", "--quiet", "origin", f"HEAD:refs/heads/{branch}"])
        self.github.refs_changed(REPOSITORY, "developer")

    def runs(self) -> list[WorkflowRun]:
        assert self.driver.wait_idle(60)
        return [run for _, run in sorted(self.driver.runs.items())]

    def only_run(self) -> WorkflowRun:
        (run,) = self.runs()
        return run

    def eventually(self, condition: Callable[[], object]) -> None:
        until = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < until, self.told
            time.sleep(0.02)

    def close(self) -> None:
        self.driver.close()
        self.server.stop()


@pytest.fixture
def play(world: World, tmp_path: Path) -> Iterator[Play]:
    made = Play(world, tmp_path / "play")
    yield made
    made.close()


def test_a_push_plays_the_called_workflow_with_the_jobs_own_values(play: Play):
    play.github.set_environment(REPOSITORY, "staging")
    play.github.set_variable(REPOSITORY, "WORD", "hello", "staging")
    play.push()
    run = play.only_run()
    assert (run.conclusion, run.problem) == ("success", "")
    first, second = run.jobs
    assert (first.name, first.environment, first.conclusion) == ("call / deploy to staging", "staging", "success")
    assert first.permissions == {"contents": "read", "id-token": "write"}
    assert first.log
    assert first.log.outputs["said"] == "hello"
    text = "\n".join(first.log.tail)
    assert "has-token=yes" in text
    assert f"sha={run.rendered.jobs[0].workflow_sha} token=***" in text
    assert f"ref=refs/heads/main repo={REPOSITORY} oidc={play.server.url}/_oidc/token/" in text
    assert second.log
    assert second.log.summaries == ["# said hello\n"]
    assert second.log.annotations[0].message == "one\ntwo"


def test_secrets_reach_the_steps_that_read_them_and_no_other(play: Play):
    """Of the repository: as a caller hands them on. Of the environment: where a step of the job names them."""
    nasty = 'it\'s \\ "quoted" $HOME #1 \\n' + "x" * 20
    callee = play.world.kit / ".github/workflows/callee.yml"
    look = """      - shell: python3 {0}
        env: {GIVEN: "${{ secrets.token }}", OWN: "${{ secrets.PASSWORD }}"}
        run: |
          import hashlib, os
          for name in ("GIVEN", "OWN"):
              print(name, hashlib.sha256(os.environ[name].encode()).hexdigest())
          print("seen", sorted(name for name, value in os.environ.items() if "x" * 20 in value))
          files = ["/dev/fd/" + name for name in os.listdir("/dev/fd")]
          print("files", [name for name in files if os.path.isfile(name) and open(name, "rb").read()])
"""
    callee.write_text(callee.read_text().replace("      - if: always()\n", look + "      - if: always()\n", 1))
    caller = play.world.project / ".github/workflows/cd.yml"
    caller.write_text(caller.read_text() + "    secrets: {token: '${{ secrets.THE_TOKEN }}'}\n")
    play.github.set_environment(REPOSITORY, "staging")
    play.github.set_secret(REPOSITORY, "THE_TOKEN", nasty)
    play.github.set_secret(REPOSITORY, "UNRELATED", "u" + "x" * 20)
    play.github.set_secret(REPOSITORY, "PASSWORD", "p" + "x" * 20, "staging")
    play.github.set_secret(REPOSITORY, "ANOTHER", "a" + "x" * 20, "staging")
    play.push()
    run = play.only_run()
    assert run.jobs[0].log
    text = "\n".join(run.jobs[0].log.tail)
    assert run.conclusion == "success", text
    assert f"GIVEN {hashlib.sha256(nasty.encode()).hexdigest()}" in text
    assert f"OWN {hashlib.sha256(('p' + 'x' * 20).encode()).hexdigest()}" in text
    assert "seen ['GIVEN', 'OWN', 'REHEARSAL_SECRET_PASSWORD']" in text
    assert "files []" in text


def test_the_imitated_github_has_runs_jobs_and_checks(play: Play):
    play.github.set_environment(REPOSITORY, "staging")
    play.push()
    run = play.only_run()
    token = play.github.user_token("developer")
    answer = httpx.get(
        f"{play.server.url}/repos/{REPOSITORY}/actions/runs/{run.record.id}/jobs", headers={"Authorization": f"Bearer {token}"}
    )
    assert [(job["name"], job["conclusion"]) for job in answer.json()["jobs"]] == [
        ("call / deploy to staging", "success"),
        ("call / second", "success"),
    ]
    assert play.github.run(run.record.id).referenced_workflows[0].path.startswith("bundleflow/bundleflow/.github/workflows/callee.yml@")


def test_a_job_waits_for_its_reviewer(play: Play):
    play.github.set_environment(REPOSITORY, "staging", reviewers=["reviewer"])
    play.push()
    play.eventually(lambda: play.github.pending_gates(REPOSITORY))
    time.sleep(0.3)
    (gate,) = play.github.pending_gates(REPOSITORY)
    assert play.github.state.jobs[gate.job_id].status == "waiting"
    play.github.review_gate(gate.run_id, "staging", "reviewer", "approved")
    run = play.only_run()
    assert run.conclusion == "success"
    assert run.jobs[0].begun - run.jobs[0].arrived > 0.3


def test_a_rejected_job_runs_no_step_not_even_always(play: Play):
    play.github.set_environment(REPOSITORY, "staging", reviewers=["reviewer"])
    play.push()
    play.eventually(lambda: play.github.pending_gates(REPOSITORY))
    (gate,) = play.github.pending_gates(REPOSITORY)
    play.github.review_gate(gate.run_id, "staging", "reviewer", "rejected")
    run = play.only_run()
    assert run.conclusion == "failure"
    assert [(job.name, job.conclusion) for job in run.jobs] == [("call / deploy to staging", "failure"), ("call / second", "skipped")]
    assert run.jobs[0].log
    assert "sha=" not in "\n".join(run.jobs[0].log.tail)


def test_jobs_of_a_callers_matrix_have_a_gate_each(play: Play):
    for name in ("east", "west"):
        play.github.set_environment(REPOSITORY, name, reviewers=["reviewer"])
    text = (play.world.project / ".github" / "workflows" / "cd.yml").read_text(encoding="utf-8")
    matrix = '    strategy: {matrix: {place: [east, west]}}\n    with: {environment: "${{ matrix.place }}"}\n'
    play.world.write(".github/workflows/cd.yml", text.replace("    with: {environment: staging}\n", matrix))
    play.push()
    play.eventually(lambda: len(play.github.pending_gates(REPOSITORY)) == 2)
    run_id = play.github.pending_gates(REPOSITORY)[0].run_id
    play.github.review_gate(run_id, "east", "reviewer", "approved")
    jobs = play.github.state.jobs
    play.eventually(lambda: any(job.environment == "east" and job.status == "completed" for job in jobs.values()))
    assert [gate.environment for gate in play.github.pending_gates(REPOSITORY)] == ["west"]
    play.github.review_gate(run_id, "west", "reviewer", "approved")
    run = play.only_run()
    assert run.conclusion == "success", run.problem
    assert sorted(job.environment for job in run.jobs if job.environment) == ["east", "west"]


def test_pushes_to_other_branches_start_nothing(play: Play):
    play.push("other")
    assert play.runs() == []


def test_only_jobs_with_id_token_write_get_an_oidc_address(play: Play):
    steps = "[{run: 'echo oidc=$ACTIONS_ID_TOKEN_REQUEST_URL'}]"
    text = f"on: push\npermissions: {{}}\njobs: {{a: {{{JOB}{steps}}}, b: {{permissions: {{id-token: write}}, {JOB}{steps}}}}}\n"
    play.world.write(".github/workflows/cd.yml", text)
    play.push()
    tails = {job.spec.path: "\n".join(job.log.tail) for job in play.only_run().jobs if job.log}
    assert tails["a"].endswith("oidc=")
    assert "oidc=http://127.0.0.1" in tails["b"]


def test_artifacts_go_from_job_to_job(play: Play):
    up = "{uses: actions/upload-artifact@v7, with: {name: plan, path: out}}"
    down = "{uses: actions/download-artifact@v8, with: {name: plan, path: in}}"
    text = (
        f"on: push\njobs:\n  a: {{{JOB}[{{run: mkdir out && echo hi > out/file}}, {up}]}}\n"
        f"  b: {{needs: a, {JOB}[{down}, {{run: 'echo got=$(cat in/file)'}}]}}\n"
    )
    play.world.write(".github/workflows/cd.yml", text)
    play.push()
    run = play.only_run()
    assert run.conclusion == "success", [list(job.log.tail)[-9:] for job in run.jobs if job.log]
    assert run.jobs[1].log
    assert run.jobs[1].log.tail[-1] == "got=hi"


def test_a_job_after_a_failed_call_is_missed_by_name(play: Play):
    """act starts nothing more once a called workflow has failed; GitHub would run a job with `if: always()`."""
    play.world.write("actions/say/action.yml", "runs: {using: composite, steps: [{shell: bash, run: exit 1}]}\n", kit=True)
    sources = play.world.sources()
    sources.kit_copy = play.driver.settings.kit_copy
    kit.prepare(sources)
    text = (play.world.project / ".github" / "workflows" / "cd.yml").read_text(encoding="utf-8")
    play.world.write(".github/workflows/cd.yml", f"{text}  last: {{needs: call, if: always(), {JOB}[{{run: 'true'}}]}}\n")
    play.push()
    run = play.only_run()
    assert run.conclusion == "failure"
    assert {job.spec.path: job.conclusion for job in run.jobs} == {"call/first": "failure", "call/second": "skipped", "last": "missing"}
    assert "last: act did not start it" in run.problem


def test_a_workflow_that_github_refuses_fails_with_the_reason(play: Play):
    play.world.write(".github/workflows/cd.yml", f"on: push\njobs: {{a: {{{JOB}[{{uses: 'someone/else@v1'}}]}}}}\n")
    play.push()
    run = play.only_run()
    assert run.conclusion == "failure"
    assert "someone/else@v1" in run.problem


def test_one_of_a_group_runs_at_a_time_across_runs(play: Play):
    text = f"on: push\njobs: {{a: {{concurrency: {{group: g, queue: max}}, {JOB}[{{run: sleep 0.5}}]}}}}\n"
    play.world.write(".github/workflows/cd.yml", text)
    for number in range(3):
        play.push(note=str(number))
    jobs = [run.jobs[0] for run in play.runs()]
    assert [job.conclusion for job in jobs] == ["success"] * 3
    spans = sorted((job.begun, job.ended) for job in jobs)
    assert all(later[0] >= earlier[1] for earlier, later in pairwise(spans))


def test_a_newer_push_cancels_the_check_in_progress(play: Play):
    text = f"on: push\njobs: {{a: {{concurrency: {{group: g, cancel-in-progress: true}}, {JOB}[{{run: sleep 20}}]}}}}\n"
    play.world.write(".github/workflows/cd.yml", text)
    play.push(note="1")
    play.eventually(lambda: any(job.begun for run in play.driver.runs.values() for job in run.jobs))
    play.world.write(".github/workflows/cd.yml", text.replace("sleep 20", "sleep 0.1"))
    play.push(note="2")
    assert [run.conclusion for run in play.runs()] == ["cancelled", "success"]


def test_a_job_is_stopped_at_its_time_limit(play: Play):
    play.world.write(".github/workflows/cd.yml", f"on: push\njobs: {{a: {{timeout-minutes: 0.01, {JOB}[{{run: sleep 30}}]}}}}\n")
    play.push()
    run = play.only_run()
    assert (run.conclusion, run.jobs[0].conclusion) == ("cancelled", "timed_out")


def test_closing_ends_act_and_answers_nobody(play: Play):
    play.world.write(".github/workflows/cd.yml", f"on: push\njobs: {{a: {{{JOB}[{{run: sleep 30}}]}}}}\n")
    play.push()
    play.eventually(lambda: any(job.begun for run in play.driver.runs.values() for job in run.jobs))
    begun = time.monotonic()
    play.driver.close()
    assert time.monotonic() - begun < 10
    assert threading.active_count() < 20


def test_act_is_installed_beside_python():
    assert shutil.which(str(Path(sys.executable).with_name("act")))
