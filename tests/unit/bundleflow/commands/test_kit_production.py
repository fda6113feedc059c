"""Production after the gate: superseded and held releases, the way on and back, the lock, smoke checks."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from github_world import REPOSITORY
from project import Project

from bundleflow.adapters.workspace_answers import AnsweringWorkspace
from bundleflow.records.errors import BundleflowError
from bundleflow.releases.deployment_record import TASK
from rehearsal.github.model_actions import Run


class Release:
    """One run of cd-prod for the head of release."""

    def __init__(self, project: Project, **env: str) -> None:
        world = project.world
        world.push("main:release")
        world.github.set_environment(REPOSITORY, "production", reviewers=["reviewer"], branches=["release"])
        self.project = project
        self.run: Run = world.start_run("cd-prod.yml", "release")
        self.env = {"BUNDLEFLOW_PLAN_DIR": str(project.folder / f"plan{self.run.id}"), **env}

    def plan(self, **env: str) -> int:
        self.project.job("prod", "production", self.run, BUNDLEFLOW_PLAN_ENVIRONMENT="production-plan", **self.env, **env)
        code = self.project.call("plan-release")
        self.digest = self.project.outputs.get("digest", "")
        return code

    def approve(self) -> None:
        self.answer("approved")

    def answer(self, state: str) -> None:
        job = self.project.world.job(self.run, environment="production")
        self.project.world.github.request_deployment(job.id)
        self.project.world.github.review_gate(self.run.id, "production", "reviewer", state, "go")

    def deploy(self, **env: str) -> int:
        self.project.job("prod", "production", self.run, BUNDLEFLOW_APPROVED_DIGEST=self.digest, **self.env, **env)
        return self.project.call("deploy-stage")

    def over(self) -> None:
        github = self.project.world.github
        for job in github.jobs(self.run.id):
            if job.status != "completed":
                github.finish_job(job.id, "cancelled")
        github.finish_run(self.run.id)


def good(project: Project, **env: str) -> Release:
    """A release whose evidence is there; planned and approved."""
    project.world.staged()
    release = Release(project, **env)
    assert release.plan() == 0
    release.approve()
    return release


def failed(project: Project) -> Release:
    """A release whose deployment failed."""
    release = good(project)
    project.cli.answer("deploy", stderr="Error: nope\n", code=1)
    assert release.deploy() == 1
    project.cli.answer("deploy")
    return release


def records(project: Project) -> list[Any]:
    return list(project.world.api().kit_deployments("production", TASK, 10))


def test_a_rejected_release_has_its_reason_told_by_the_job_after_it(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project.world.staged()
    release = Release(project)
    assert release.plan() == 0
    release.answer("rejected")
    project.job("prod", "production", release.run, {"actions": "read"})
    assert project.call("explain-gate") == 1
    assert project.outputs["failure-reason"] == "not-approved"
    assert "rejected the deployment to `production`" in project.summary.replace("\\", "")
    assert "::error title=bundleflow%3A not-approved::" in capsys.readouterr().err


# Superseded


def test_a_newer_commit_on_release_supersedes_the_one_that_waits(project: Project) -> None:
    release = good(project)
    world = project.world
    old = world.git("rev-parse", "HEAD")
    world.commit("newer", other="x")
    world.push("main")
    world.push("main:release")
    world.git("checkout", "-q", old)
    before = len(project.cli.calls)
    assert release.deploy() == 1
    assert project.outputs["failure-reason"] == "superseded"
    assert len(project.cli.calls) == before
    assert records(project) == []
    assert release.plan() == 1
    assert project.outputs["failure-reason"] == "superseded"


def test_a_plan_older_than_the_last_deployment_is_made_anew(project: Project) -> None:
    first, second = good(project), good(project)
    assert second.deploy() == 0
    assert first.deploy() == 1
    assert project.outputs["failure-reason"] == "superseded"
    assert project.cli.commands.count("deploy") == 1
    third = good(project)
    assert third.deploy() == 0


def test_deployments_of_another_bundle_or_by_people_supersede_nothing(project: Project) -> None:
    release = good(project)
    github = project.world.github
    sha = project.world.git("rev-parse", "HEAD")
    person = project.world.api()
    other = {"stage": "prod", "bundle": "other"}
    person.create_deployment(ref=sha, environment="production", task=TASK, payload=other, description="")
    token = github.user_token("developer")
    by_hand = type(person)(REPOSITORY, token, person.api_url)
    by_hand.create_deployment(ref=sha, environment="production", task=TASK, payload={"stage": "prod", "bundle": "."}, description="")
    assert release.deploy() == 0


# Held


def test_a_failed_deployment_holds_further_releases_and_prints_the_way_back(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert good(project).deploy() == 0
    was = project.world.git("rev-parse", "HEAD")
    project.world.commit("worse", other="x")
    project.world.push("main")
    failed(project)
    assert project.outputs["failure-reason"] == "deploy-failed"
    restore = f"git restore --source={was} --staged --worktree -- :/"
    assert restore in project.summary
    assert restore in capsys.readouterr().err
    assert "**held**" in project.summary
    release = Release(project)
    planned = project.cli.commands.count("plan")
    assert release.plan() == 1
    assert project.outputs["failure-reason"] == "held"
    assert restore in project.summary
    assert project.cli.commands.count("plan") == planned
    assert project.call("status") == 0
    assert "further releases are held" in capsys.readouterr().out


def test_the_way_back_that_is_printed_restores_the_very_tree(project: Project) -> None:
    assert good(project).deploy() == 0
    world = project.world
    tree = world.tree()
    was = world.git("rev-parse", "HEAD")
    world.commit("worse", other="x", **{"file.txt": "changed"})
    world.git("restore", f"--source={was}", "--staged", "--worktree", "--", ":/")
    world.git("commit", "-q", "-m", "back")
    assert world.tree() == tree


def test_somebody_says_go_by_hand_and_that_is_recorded(project: Project) -> None:
    failed(project)
    release = Release(project, GITHUB_EVENT_NAME="workflow_dispatch", GITHUB_TRIGGERING_ACTOR="release-manager")
    assert release.plan(BUNDLEFLOW_RESUME="true") == 0
    assert "`release-manager` said that releases may go on" in project.summary
    release.approve()
    assert release.deploy() == 0
    assert records(project)[0].payload["resumed_by"] == "release-manager"
    assert Release(project).plan() == 0, "the hold ends with a deployment that succeeds"


def test_a_push_cannot_say_go(project: Project) -> None:
    failed(project)
    assert Release(project, GITHUB_EVENT_NAME="push").plan(BUNDLEFLOW_RESUME="true") == 2
    assert project.outputs["failure-reason"] == "flow-mismatch"


def test_a_person_who_files_a_success_does_not_end_the_hold(project: Project) -> None:
    failed(project)
    newest = records(project)[0]
    person = type(project.world.api())(REPOSITORY, project.world.github.user_token("developer"), project.world.api().api_url)
    person.set_deployment_state(newest.id, "success")
    number = person.create_deployment(ref=newest.sha, environment="production", task=TASK, payload=newest.payload, description="")
    person.set_deployment_state(number, "success")
    assert Release(project).plan() == 1
    assert project.outputs["failure-reason"] == "held"


def test_a_runner_that_was_killed_holds_releases_once_its_run_is_over(project: Project) -> None:
    first = good(project)
    payload = {"stage": "prod", "bundle": ".", "run_id": first.run.id}
    number = project.world.api().create_deployment(
        ref=project.world.git("rev-parse", "HEAD"), environment="production", task=TASK, payload=payload, description=""
    )
    project.world.api().set_deployment_state(number, "in_progress")
    assert Release(project).plan() == 0, "it is still at work"
    first.over()
    assert Release(project).plan() == 1
    assert project.outputs["failure-reason"] == "held"


# The lock

LOCKED = "Error: Failed to acquire deployment lock: deploy lock acquired by somebody@example.com at 2026-01-02 03:04:05.6 +0000 UTC.\n"


def test_a_lock_that_stays_is_shown_with_holder_and_age(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project.cli.answer("deploy", stderr=LOCKED, code=1)
    project.job("staging", "staging", project.world.start_run("cd-staging.yml"), BUNDLEFLOW_LOCK_WAIT_S="0")
    assert project.call("deploy-stage") == 1
    assert project.outputs["failure-reason"] == "locked"
    assert "lock is held by somebody@example.com, since 2026-01-02 03:04:05 UTC (" in capsys.readouterr().err


def test_forcing_the_lock_is_approved_with_the_plan(project: Project) -> None:
    release = good(project, GITHUB_EVENT_NAME="workflow_dispatch")
    assert release.deploy(BUNDLEFLOW_FORCE_LOCK="true") == 1
    assert project.outputs["failure-reason"] == "not-approved"
    forced = Release(project, GITHUB_EVENT_NAME="workflow_dispatch", BUNDLEFLOW_FORCE_LOCK="true")
    assert forced.plan() == 0
    assert "takes the bundle's lock away" in project.summary
    forced.approve()
    assert forced.deploy() == 0
    assert "--force-lock" in project.cli.calls[-1]["argv"]


def test_a_push_cannot_force_the_lock(project: Project) -> None:
    run = project.world.start_run("cd-staging.yml")
    project.job("staging", "staging", run, BUNDLEFLOW_FORCE_LOCK="true", GITHUB_EVENT_NAME="push")
    assert project.call("deploy-stage") == 2
    assert project.outputs["failure-reason"] == "flow-mismatch"
    assert project.cli.calls == []


# Smoke checks


class Endpoint:
    """A workspace that answers one serving endpoint and statements."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Any]] = {}
        self.asked: list[tuple[str, Any]] = []
        parent = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                path = self.path.rstrip("/")
                parent.asked.append((path, body))
                status, answer = parent.answers.get(path, (404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such thing"}))
                text = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)


@pytest.fixture
def endpoint() -> Any:
    found = Endpoint()
    yield found
    found.stop()


def with_smoke(project: Project, checks: str) -> None:
    flow = Path("bundleflow.yml")
    flow.write_text(flow.read_text().replace("environment: staging,", f"environment: staging, smoke: {checks},"))


STATEMENT = "/api/2.0/sql/statements"
ASK = "/serving-endpoints/iris/invocations"
CHECKS = (
    "[{endpoint: iris, request: {dataframe_records: [{x: 1}]}, expect: {contains: setosa}},"
    " {sql: select count(*) from t, warehouse: abc, expect: {at-least: 1}}]"
)


def smoke(project: Project, endpoint: Endpoint, count: str) -> int:
    endpoint.answers[ASK] = (200, {"predictions": ["setosa"]})
    endpoint.answers[STATEMENT] = (
        200,
        {"statement_id": "1", "status": {"state": "SUCCEEDED"}, "result": {"data_array": [[count]]}},
    )
    with_smoke(project, CHECKS)
    project.job("staging", "staging", project.world.start_run("cd-staging.yml"), DATABRICKS_HOST=endpoint.url)
    return project.call("deploy-stage")


def test_smoke_checks_ask_what_was_deployed(project: Project, endpoint: Endpoint) -> None:
    assert smoke(project, endpoint, "3") == 0
    assert [path for path, _ in endpoint.asked] == [ASK, STATEMENT]
    assert endpoint.asked[0][1] == {"dataframe_records": [{"x": 1}]}
    assert (endpoint.asked[1][1]["statement"], endpoint.asked[1][1]["warehouse_id"]) == ("select count(*) from t", "abc")
    assert project.summary.count("- ✅") == 2


def test_a_smoke_check_that_fails_fails_the_stage_after_the_deployment(project: Project, endpoint: Endpoint) -> None:
    assert smoke(project, endpoint, "0") == 1
    assert project.outputs["failure-reason"] == "smoke-failed"
    assert "the answer is less than 1" in project.summary
    assert "deploy" in project.cli.commands
    assert next(iter(project.world.api().kit_deployments("staging", TASK, 1))).state == "failure"


def test_an_endpoint_that_is_not_there_fails_its_check(project: Project, endpoint: Endpoint) -> None:
    with_smoke(project, CHECKS)
    project.job("staging", "staging", project.world.start_run("cd-staging.yml"), DATABRICKS_HOST=endpoint.url)
    started = time.monotonic()
    assert project.call("deploy-stage") == 1
    assert project.outputs["failure-reason"] == "smoke-failed"
    assert "no such thing" in project.summary
    assert time.monotonic() - started < 30


def test_a_statement_that_fails_says_why(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint.answers[STATEMENT] = (
        200,
        {"statement_id": "1", "status": {"state": "FAILED", "error": {"error_code": "BAD_REQUEST", "message": "TABLE_NOT_FOUND"}}},
    )
    env = {"DATABRICKS_HOST": endpoint.url, "DATABRICKS_TOKEN": "t", "DATABRICKS_AUTH_TYPE": "pat"}
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    workspace = AnsweringWorkspace(env)
    with pytest.raises(BundleflowError, match="ended with FAILED: TABLE_NOT_FOUND"):
        workspace.ask_warehouse("abc", "select 1")
