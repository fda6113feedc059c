"""The kit's commands against the stand-ins for CLI and workspace, met as in reality: by processes and HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config
from databricks.sdk.service.jobs import JobSettings
from databricks.sdk.service.workspace import ImportFormat
from stand_ins import stand_ins_at

BUNDLE = """\
bundle: {name: small}
variables:
  suffix: {default: ""}
targets:
  dev:
    workspace: {root_path: "/Workspace/Shared/small/dev${var.suffix}"}
resources:
  jobs:
    tidy:
      name: tidy${var.suffix}
      tasks:
        - task_key: tidy
          spark_python_task: {python_file: tidy.py}
          environment_key: default
      environments: [{environment_key: default, spec: {environment_version: "2"}}]
"""
FLOW = """\
version: 1
stages:
  dev: {target: dev, environment: dev}
  test: {target: dev, environment: test, per-pull-request: true, run: [tidy]}
"""


@dataclass
class StandIns:
    """A project folder, a workspace, and the environment of the kit's commands."""

    folder: Path
    env: dict[str, str]

    def call(self, *argv: str, **env: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "bundleflow", *argv]
        return subprocess.run(command, cwd=self.folder, env={**self.env, **env}, capture_output=True, text=True, timeout=120, check=False)

    def deploy(self) -> subprocess.CompletedProcess[str]:
        given = {"BUNDLEFLOW_STAGE": "dev", "BUNDLEFLOW_ENVIRONMENT": "dev", "BUNDLEFLOW_LOCK_WAIT_S": "1"}
        return self.call("deploy-stage", "--json", **given)

    def plan(self) -> dict[str, Any]:
        found = self.call("plan", "--target", "dev", "--json")
        assert found.returncode == 0, found.stderr
        data = json.loads(found.stdout)
        assert isinstance(data, dict)
        return data

    @property
    def client(self) -> WorkspaceClient:
        return WorkspaceClient(config=Config(host=self.env["DATABRICKS_HOST"], token="t", auth_type="pat", retry_timeout_seconds=10))


@pytest.fixture
def stand_ins(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[StandIns]:
    """Give the stand-ins; the parameter, where there is one, is a list of faults of the workspace."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "databricks.yml").write_text(BUNDLE)
    (folder / "bundleflow.yml").write_text(FLOW)
    (folder / "tidy.py").write_text("print('tidied')\n")
    (tmp_path / "faults.json").write_text(json.dumps(getattr(request, "param", [])))
    with stand_ins_at(tmp_path, "--faults", str(tmp_path / "faults.json")) as env:
        git = ["git", "-c", "user.name=developer", "-c", "user.email=developer@example.com"]
        for argv in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "start"]):
            subprocess.run([*git, *argv], cwd=folder, env=env, timeout=30, check=True)
        yield StandIns(folder, env)


def test_what_is_changed_behind_the_bundles_back_is_shown_and_undone(stand_ins: StandIns) -> None:
    assert stand_ins.plan()["summary"]["text"] == "1 to add, 0 to change, 0 to delete, 0 unchanged"
    first = stand_ins.deploy()
    assert first.returncode == 0, first.stderr
    clean = stand_ins.deploy()
    assert json.loads(clean.stdout)["plan"] == "0 to add, 0 to change, 0 to delete, 1 unchanged"
    job = next(each for each in stand_ins.client.jobs.list() if each.settings and each.settings.name == "tidy")
    assert job.job_id is not None
    stand_ins.client.jobs.update(job.job_id, new_settings=JobSettings(max_concurrent_runs=7))
    drifted = stand_ins.plan()
    assert drifted["summary"]["drifted"] == 1
    (change,) = drifted["resources"][0]["changes"]
    assert (change["path"], change["remote"], change["new"]) == ("max_concurrent_runs", {"value": 7}, {"value": 1})
    again = stand_ins.deploy()
    assert json.loads(again.stdout)["digest"] not in (json.loads(first.stdout)["digest"], json.loads(clean.stdout)["digest"])
    assert stand_ins.plan()["summary"]["text"] == "0 to add, 0 to change, 0 to delete, 1 unchanged"


def test_a_held_lock_is_told_as_such(stand_ins: StandIns) -> None:
    lock = {"ID": "someone-elses", "AcquisitionTime": "2026-01-01T00:00:00Z", "IsForced": False, "User": "somebody@example.com"}
    stand_ins.client.workspace.mkdirs("/Workspace/Shared/small/dev/state")
    stand_ins.client.workspace.upload(
        "/Workspace/Shared/small/dev/state/deploy.lock", json.dumps(lock).encode(), format=ImportFormat.AUTO, overwrite=True
    )
    refused = stand_ins.deploy()
    assert refused.returncode == 1
    assert "(locked)" in refused.stderr
    assert "somebody@example.com" in refused.stderr
    assert stand_ins.call("deploy", "--target", "dev", "--force-lock").returncode == 0


def test_a_test_deployment_runs_and_leaves_nothing(stand_ins: StandIns) -> None:
    done = stand_ins.call("test-integration", "--suffix=-pr7-1", "--json", BUNDLEFLOW_ENVIRONMENT="test")
    assert done.returncode == 0, done.stderr
    (run,) = json.loads(done.stdout)["runs"]
    assert (run["state"], run["tasks"][0]["output"]) == ("SUCCESS", "tidied\n")
    assert list(stand_ins.client.jobs.list()) == []


def test_a_test_deployment_is_destroyed_when_its_job_fails(stand_ins: StandIns) -> None:
    (stand_ins.folder / "tidy.py").write_text("raise ValueError('untidy')\n")
    done = stand_ins.call("test-integration", "--suffix=-pr7-1", BUNDLEFLOW_ENVIRONMENT="test")
    assert done.returncode == 1
    assert "(run-failed)" in done.stderr
    assert "untidy" in done.stderr
    assert list(stand_ins.client.jobs.list()) == []


LOST_ANSWER = {"method": "POST", "path": "/api/2.2/jobs/run-now", "drop": True, "when": "after"}
BUSY = {"method": "POST", "path": "/api/2.2/jobs/run-now", "status": 503}
SLOW_DOWN = {"method": "GET", "path": "/api/2.2/jobs/runs/get", "nth": 2, "times": 2, "status": 429, "headers": {"Retry-After": "1"}}


@pytest.mark.parametrize("stand_ins", [[LOST_ANSWER], [BUSY], [SLOW_DOWN]], indirect=True, ids=["answer lost", "503", "429"])
def test_a_start_that_is_retried_makes_one_run(stand_ins: StandIns) -> None:
    assert stand_ins.deploy().returncode == 0
    done = stand_ins.call("run", "start", "tidy", "--target", "dev", "--json")
    assert done.returncode == 0, done.stderr
    runs = list(stand_ins.client.jobs.list_runs())
    assert [run.run_id for run in runs] == [json.loads(done.stdout)["run_id"]]


SHARED_FOLDER = """\
version: 1
warnings:
  - pattern: the bundle root path .* is writable by all workspace users
    target: "*"
    reason: a workspace for tests
"""


def check(stand_ins: StandIns) -> tuple[int, dict[str, Any], str]:
    """Run the pull request's check, a folder for everybody accepted; exit code, result for target dev, what was said."""
    (stand_ins.folder / "bundleflow.yml").write_text(FLOW + "warnings: accepted.yml\n")
    (stand_ins.folder / "accepted.yml").write_text(SHARED_FOLDER)
    done = stand_ins.call("ci", "--json", BUNDLEFLOW_STAGE="dev", BUNDLEFLOW_ENVIRONMENT="dev")
    assert done.stdout, done.stderr
    data = json.loads(done.stdout)["dev"]
    assert isinstance(data, dict)
    return done.returncode, data, done.stderr


def test_the_check_passes_what_can_be_deployed(stand_ins: StandIns) -> None:
    code, data, said = check(stand_ins)
    assert (code, data["errors"], len(data["warnings"])) == (0, [], 1), said
    assert data["summary"] == "1 to add, 0 to change, 0 to delete, 0 unchanged"


SCHEDULE = '      schedule: {quartz_cron_expression: "0 0 3 * * ?", timezone_id: UTC}\n      tasks:'


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("python_file: tidy.py", "python_file: tidied.py", "tidied.py"),
        ("      environments:", "      unknwon: 1\n      environments:", "unknown field: unknwon"),
        ("name: tidy${var.suffix}", "name: tidy${var.suffix}${bundle.targt}", "${bundle.targt}"),
        ('{environment_version: "2"}', '{environment_version: "2", dependencies: [./dist/*.whl]}', "dist/*.whl"),
        ("      tasks:", SCHEDULE, "resources.jobs.tidy.schedule"),
    ],
    ids=["missing file", "unknown field", "unresolved", "missing wheel", "schedule"],
)
def test_the_check_stops_what_the_cli_would_let_pass_or_trip_over(stand_ins: StandIns, old: str, new: str, said: str) -> None:
    file = stand_ins.folder / "databricks.yml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new, 1))
    code, data, _ = check(stand_ins)
    assert code == 1
    assert {each["reason"] for each in data["errors"]} == {"validation-failed"}
    assert all(said in each["cause"] for each in data["errors"]), data["errors"]


def test_a_running_job_is_not_deleted_under_its_run(stand_ins: StandIns) -> None:
    (stand_ins.folder / "tidy.py").write_text("import time\ntime.sleep(120)\n")
    assert stand_ins.deploy().returncode == 0
    job = next(iter(stand_ins.client.jobs.list()))
    assert job.job_id is not None
    run_id = stand_ins.client.jobs.run_now(job.job_id).run_id
    file = stand_ins.folder / "databricks.yml"
    file.write_text(file.read_text().partition("resources:")[0])
    refused = stand_ins.deploy()
    assert refused.returncode == 1
    assert "(policy-denied)" in refused.stderr
    assert f"delete of `jobs.tidy` while it is running (run {run_id})" in refused.stderr
    assert stand_ins.client.jobs.get(job.job_id).job_id == job.job_id
    stand_ins.client.jobs.cancel_run(run_id)
    stand_ins.client.jobs.wait_get_run_job_terminated_or_skipped(run_id)
    again = stand_ins.deploy()
    assert again.returncode == 0, again.stderr
