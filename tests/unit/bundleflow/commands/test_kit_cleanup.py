"""Deployments of pull requests side by side, left behind and removed: real commands, workspace, CLI and GitHub, all but the real ones."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config
from databricks.sdk.service.workspace import ImportFormat
from github_world import REPOSITORY, World
from stand_ins import stand_ins_at

from rehearsal.github.model_actions import Run

BUNDLE = """\
bundle: {name: small}
variables:
  suffix: {default: ""}
targets:
  test:
    workspace: {root_path: "/Workspace/Deployments/small/test${var.suffix}"}
resources:
  schemas:
    main: {catalog_name: main, name: "small${var.suffix}"}
  registered_models:
    classifier: {catalog_name: main, schema_name: "${resources.schemas.main.name}", name: classifier}
  experiments:
    training: {name: "/Deployments/small/test${var.suffix}/training"}
  jobs:
    tidy:
      name: tidy${var.suffix}
      parameters: [{name: schema, default: "small${var.suffix}"}, {name: catalog, default: main}]
      tasks:
        - task_key: tidy
          spark_python_task: {python_file: tidy.py}
          environment_key: default
      environments: [{environment_key: default, spec: {environment_version: "2"}}]
"""
FLOW = """\
version: 1
stages:
  test: {target: test, environment: test, per-pull-request: true}
"""
SHARED = "/Workspace/Deployments/small"


@dataclass
class Pulls:
    """A repository with pull requests, a workspace, and the jobs that work on them."""

    world: World
    env: dict[str, str]
    folder: Path
    runs: dict[int, Run] = field(default_factory=dict)

    def pull(self, branch: str) -> int:
        """Open a pull request."""
        self.world.git("checkout", "-q", "-B", branch)
        self.world.commit(f"change on {branch}", **{f"{branch}.txt": branch})
        self.world.push(branch)
        number = self.world.github.open_pull(REPOSITORY, "developer", branch, "main", branch).number
        self.world.git("checkout", "-q", "main")
        return int(number)

    def job(self, workflow: str, pull: int | None = None, **event: Any) -> dict[str, str]:
        """The environment of a job in a run of its own; the run is at work until `end` is called."""
        run = self.world.start_run(workflow)
        api = self.world.api({"actions": "read", "contents": "read"}, run)
        self.runs[run.id] = run
        path = self.folder / f"event-{run.id}.json"
        path.write_text(json.dumps({"pull_request": {"number": pull}, "number": pull, **event} if pull else event))
        return {
            "GITHUB_ACTIONS": "true",
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_TOKEN": api.token,
            "GITHUB_API_URL": api.api_url,
            "GITHUB_RUN_ID": str(run.id),
            "GITHUB_EVENT_NAME": "pull_request" if pull else "schedule",
            "GITHUB_EVENT_PATH": str(path),
            "GITHUB_SHA": self.world.git("rev-parse", "HEAD"),
            "GITHUB_STEP_SUMMARY": str(self.folder / f"summary-{run.id}"),
            "GITHUB_OUTPUT": str(self.folder / f"output-{run.id}"),
        }

    def end(self, env: dict[str, str]) -> None:
        """End the run of a job."""
        run = int(env["GITHUB_RUN_ID"])
        for job in self.world.github.jobs(run):
            if job.status != "completed":
                self.world.github.finish_job(job.id, "failure")
        self.world.github.finish_run(run)

    def call(self, env: dict[str, str], *argv: str) -> subprocess.CompletedProcess[str]:
        """A command in a job."""
        return subprocess.run(
            [sys.executable, "-m", "bundleflow", *argv],
            cwd=self.world.work,
            env={**self.env, "BUNDLEFLOW_ENVIRONMENT": "test", **env},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def leave(self, pull: int | None) -> dict[str, str]:
        """An integration test that dies between deploying and destroying: nothing in it gets to clean up."""
        env = self.job("run-tests.yml", pull)
        script = (
            "import os, signal, sys\nfrom bundleflow.adapters.databricks_cli import DatabricksCli\n"
            "deploy = DatabricksCli.deploy\n"
            "def dying(self, **more):\n    deploy(self, **more)\n    os.kill(os.getpid(), signal.SIGKILL)\n"
            "DatabricksCli.deploy = dying\nfrom bundleflow.cli import main\nsys.exit(main(['test-integration']))\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=self.world.work,
            env={**self.env, "BUNDLEFLOW_ENVIRONMENT": "test", **env},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == -9, done.stderr
        return env

    @property
    def client(self) -> WorkspaceClient:
        return WorkspaceClient(config=Config(host=self.env["DATABRICKS_HOST"], token="t", auth_type="pat", retry_timeout_seconds=10))

    @property
    def folders(self) -> set[str]:
        """Folders in which deployments are."""
        return {str(each.path).rpartition("/")[2] for each in self.client.workspace.list(SHARED)}

    @property
    def schemas(self) -> set[str]:
        """Schemas of the catalog."""
        return {str(each.name) for each in self.client.schemas.list("main")} - {"default", "information_schema"}

    @property
    def jobs(self) -> set[str]:
        """Names of the jobs."""
        return {str(each.settings.name) for each in self.client.jobs.list() if each.settings}

    def summary(self, env: dict[str, str]) -> str:
        """A job's summary."""
        return Path(env["GITHUB_STEP_SUMMARY"]).read_text()


@pytest.fixture
def pulls(world: World, tmp_path: Path) -> Iterator[Pulls]:
    world.commit(
        "a bundle", **{"databricks.yml": BUNDLE, "bundleflow.yml": FLOW, "tidy.py": "print('tidied')\n", ".gitignore": ".databricks/\n"}
    )
    world.push("main")
    (tmp_path / "identities.json").write_text(
        json.dumps({"identities": [{"user_name": "tester@example.com", "token": "t"}], "catalogs": ["main"]})
    )
    with stand_ins_at(tmp_path, "--identities", str(tmp_path / "identities.json")) as env:
        yield Pulls(world, {**env, "BUNDLEFLOW_STAGE": "test"}, tmp_path)


def test_two_pull_requests_side_by_side_do_not_disturb_each_other(pulls: Pulls) -> None:
    first, second = pulls.pull("one"), pulls.pull("two")
    left = pulls.leave(first)
    suffix = f"-pr{first}-{left['GITHUB_RUN_ID']}"
    env = pulls.job("run-tests.yml", second)
    done = pulls.call(env, "test-integration")
    assert done.returncode == 0, done.stderr
    assert pulls.folders == {f"test{suffix}"}
    assert pulls.schemas == {f"small{suffix}"}
    assert pulls.jobs == {f"tidy{suffix}"}
    again = pulls.call(left, "test-integration", "--destroy-only")
    assert again.returncode == 0, again.stderr
    assert (pulls.folders, pulls.schemas, pulls.jobs) == (set(), set(), set())


def test_what_a_killed_test_left_is_listed_then_removed_and_what_is_foreign_stays(pulls: Pulls) -> None:
    pull = pulls.pull("one")
    left = pulls.leave(pull)
    name = f"test-pr{pull}-{left['GITHUB_RUN_ID']}"
    foreign = {"test-pr9-1": None, "test-mine": b'{"kind": "something else"}', "staging": None}
    for folder, marker in foreign.items():
        pulls.client.workspace.mkdirs(f"{SHARED}/{folder}/state")
        if marker:
            pulls.client.workspace.upload(f"{SHARED}/{folder}/bundleflow-deployment.json", marker, format=ImportFormat.RAW)
    everything = {*foreign, name}

    reaper = pulls.job("cleanup.yml")
    done = pulls.call(reaper, "cleanup", "--destroy", "--json")
    assert done.returncode == 0, done.stderr
    assert pulls.folders == everything  # the run that made it is at work
    assert {each["folder"]: each["why"] for each in json.loads(done.stdout)}[
        f"{SHARED}/{name}"
    ] == f"run {left['GITHUB_RUN_ID']} is still at work"

    pulls.end(left)
    done = pulls.call(reaper, "cleanup", "--destroy", "--json")
    assert done.returncode == 0, done.stderr
    assert pulls.folders == everything  # the pull request is open, and it is young

    pulls.world.github.close_pull(REPOSITORY, pull, "developer")
    done = pulls.call(reaper, "cleanup", "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    told = {each["folder"]: (each["what"], each["why"]) for each in json.loads(done.stdout)}
    assert told == {
        f"{SHARED}/{name}": ("would go", f"pull request #{pull} is closed"),
        f"{SHARED}/test-pr9-1": ("stays", "no marker: not made by this kit"),
        f"{SHARED}/test-mine": ("stays", "its marker cannot be understood"),
    }
    assert pulls.folders == everything

    done = pulls.call(reaper, "cleanup", "--destroy")
    assert done.returncode == 0, done.stderr
    assert "removed" in done.stderr
    assert pulls.folders == set(foreign)
    assert (pulls.schemas, pulls.jobs) == (set(), set())
    assert "bundle destroy" in pulls.summary(reaper)
    assert "removed<<" in Path(reaper["GITHUB_OUTPUT"]).read_text()


def test_a_closed_pull_requests_deployments_go_and_no_others(pulls: Pulls) -> None:
    first, second = pulls.pull("one"), pulls.pull("two")
    lefts = [pulls.leave(first), pulls.leave(second)]
    for left in lefts:
        pulls.end(left)
    closed = pulls.job("cleanup.yml", first, action="closed")
    done = pulls.call(closed, "cleanup")
    assert done.returncode == 0, done.stderr
    assert pulls.folders == {f"test-pr{second}-{lefts[1]['GITHUB_RUN_ID']}"}
    still = pulls.job("cleanup.yml", second, action="labeled")
    assert pulls.call(still, "cleanup").returncode == 2


def test_a_deployment_whose_bundle_is_gone_is_removed_by_its_state_under_a_dead_lock(pulls: Pulls) -> None:
    pull = pulls.pull("one")
    left = pulls.leave(pull)
    root = f"{SHARED}/test-pr{pull}-{left['GITHUB_RUN_ID']}"
    pulls.end(left)
    pulls.world.github.close_pull(REPOSITORY, pull, "developer")
    # The bundle has moved within its folder since, and the commit that was deployed is nowhere to be had.
    moved = BUNDLE.replace(
        'test${var.suffix}"}\n', 'test${var.suffix}", state_path: "/Workspace/Deployments/states/test${var.suffix}"}\n', 1
    )
    assert moved != BUNDLE
    pulls.world.commit("moved", **{"databricks.yml": moved})
    marker = json.loads(pulls.client.workspace.download(f"{root}/bundleflow-deployment.json").read())
    assert marker["pull_request"] == pull
    marker["commit"] = "1" * 40
    pulls.client.workspace.upload(
        f"{root}/bundleflow-deployment.json", json.dumps(marker).encode(), format=ImportFormat.RAW, overwrite=True
    )
    done = pulls.call(pulls.job("cleanup.yml"), "cleanup", "--json")
    assert done.returncode == 0, done.stderr
    (told,) = json.loads(done.stdout)
    assert told["what"] == "removed by its state (4 resources)"
    assert (pulls.folders, pulls.schemas, pulls.jobs) == (set(), set(), set())


def test_a_dead_runs_lock_is_taken_over(pulls: Pulls) -> None:
    pull = pulls.pull("one")
    left = pulls.leave(pull)
    root = f"{SHARED}/test-pr{pull}-{left['GITHUB_RUN_ID']}"
    lock = {"ID": "dead", "AcquisitionTime": "2026-01-01T00:00:00Z", "IsForced": False, "User": "tester@example.com"}
    pulls.client.workspace.upload(f"{root}/state/deploy.lock", json.dumps(lock).encode(), format=ImportFormat.RAW)
    done = pulls.call(left, "test-integration", "--destroy-only")
    assert done.returncode == 0, done.stderr
    assert (pulls.folders, pulls.schemas, pulls.jobs) == (set(), set(), set())


def test_a_state_that_names_somebody_elses_schema_is_not_followed(pulls: Pulls) -> None:
    pull = pulls.pull("one")
    left = pulls.leave(pull)
    pulls.end(left)
    pulls.world.github.close_pull(REPOSITORY, pull, "developer")
    pulls.client.schemas.create("precious", "main")
    path = f"{SHARED}/test-pr{pull}-{left['GITHUB_RUN_ID']}/state/resources.json"
    state = json.loads(pulls.client.workspace.download(path).read())
    state["state"]["resources.schemas.main"] = {"__id__": "main.precious", "state": {"catalog_name": "main", "name": "precious"}}
    pulls.client.workspace.upload(path, json.dumps(state).encode(), format=ImportFormat.RAW, overwrite=True)
    reaper = pulls.job("cleanup.yml")
    done = pulls.call(reaper, "cleanup")
    assert done.returncode == 1
    assert "(cleanup-failed)" in done.stderr
    assert "main.precious" in done.stderr
    assert "precious" in pulls.schemas
    assert len(pulls.folders) == 1
    assert "stays: it could not be removed" in pulls.summary(reaper)


def test_a_bundle_that_pull_requests_would_share_is_refused_with_the_names(pulls: Pulls) -> None:
    env = pulls.job("bundle-ci.yml")
    good = pulls.call(env, "ci")
    assert good.returncode == 0, good.stderr
    assert pulls.schemas == set()
    shared = BUNDLE.replace("tidy${var.suffix}", "tidy").replace('name: "small${var.suffix}"', "name: small")
    pulls.world.commit("shared", **{"databricks.yml": shared})
    for command in ("ci", "test-integration"):
        done = pulls.call(env, command)
        assert done.returncode == 1, done.stderr
        assert "(not-isolated)" in done.stderr
        for name in ("resources.jobs.tidy.name", "resources.schemas.main.name", "resources.registered_models.classifier.name"):
            assert name in done.stderr
        assert "resources.experiments" not in done.stderr
    # Neither check has left anything, not even an empty folder, but for the one of the strict validation.
    assert pulls.folders <= {"test"}


def test_a_target_whose_lock_is_off_is_refused(pulls: Pulls) -> None:
    development = BUNDLE.replace("  test:\n    workspace:", "  test:\n    mode: development\n    workspace:").replace(
        "/Workspace/Deployments/small", "/Workspace/Users/tester@example.com/small"
    )
    pulls.world.commit("development", **{"databricks.yml": development})
    env = pulls.job("bundle-ci.yml")
    done = pulls.call(env, "ci")
    assert done.returncode == 1, done.stderr
    assert "lock: {enabled: true}" in done.stderr
    locked = development.replace("    mode: development\n", "    mode: development\n    bundle: {deployment: {lock: {enabled: true}}}\n")
    pulls.world.commit("with the lock", **{"databricks.yml": locked})
    done = pulls.call(env, "ci")
    assert done.returncode == 0, done.stderr
