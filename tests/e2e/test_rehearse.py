"""The whole rehearsal: the default story, a hostile project, two at once, and being stopped half way."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from canary import contents, credentials_in

pytestmark = [pytest.mark.rehearsal, pytest.mark.timeout(900)]

PROGRAM = [sys.executable, "-m", "bundleflow", "rehearse"]
LIMIT_S = 800
FIRST_LINE = "Rehearsal: nothing leaves this machine. Stand-ins: GitHub, Databricks workspace, Databricks CLI."


@dataclass
class Listener:
    """Stands for every host that a hostile setting names; counts who comes."""

    connections: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, address = self._socket.accept()
            except OSError:
                return
            self.connections.append(str(address))
            connection.close()

    def close(self) -> None:
        self._socket.close()


@dataclass
class Played:
    """A rehearsal that has come to its end."""

    code: int
    result: dict[str, Any]
    progress: str
    report: Path

    def step(self, title: str) -> dict[str, Any]:
        (found,) = [step for step in self.result["scenarios"][0]["steps"] if step["title"] == title]
        return found

    def runs(self, name: str) -> list[dict[str, Any]]:
        return [run for run in self.result["workflow_runs"] if run["name"] == name]


@dataclass
class Both:
    """Two rehearsals that were played at the same time."""

    template: Played
    hostile: Played
    listener: Listener
    kept: Path


def hostile_project(folder: Path, listener: Listener) -> Path:
    """The template, with hosts, profiles and settings of its own that all lead elsewhere."""
    subprocess.run([sys.executable, "-m", "bundleflow", "new", "iris", str(folder), "--defaults"], check=True, timeout=120)
    bundle = yaml.safe_load((folder / "databricks.yml").read_text(encoding="utf-8"))
    bundle["workspace"] = {"host": listener.url}
    for name, target in bundle["targets"].items():
        target["workspace"] |= {"host": "https://adb-1234567890123456.7.azuredatabricks.net", "profile": f"their-{name}"}
    (folder / "databricks.yml").write_text(yaml.safe_dump(bundle, sort_keys=False), encoding="utf-8")
    (folder / ".env").write_text(f"DATABRICKS_HOST={listener.url}\n", encoding="utf-8")
    (folder / ".actrc").write_text("--env DATABRICKS_HOST=http://from-actrc.invalid\n", encoding="utf-8")
    (folder / ".secrets").write_text("GITHUB_TOKEN=from-the-project\n", encoding="utf-8")
    return folder


def hostile_home(home: Path, listener: Listener) -> dict[str, str]:
    """A caller's environment whose every setting leads to the listener."""
    home.mkdir()
    section = f"host = {listener.url}\ntoken = dapi-the-callers\n"
    names = ["DEFAULT", *(f"their-{name}" for name in ("dev", "test", "staging", "prod"))]
    (home / ".databrickscfg").write_text("".join(f"[{name}]\n{section}\n" for name in names), encoding="utf-8")
    (home / ".gitconfig").write_text(f'[url "{listener.url}/"]\n    insteadOf = https://github.com/\n[core]\n    hooksPath = /nowhere\n')
    (home / ".actrc").write_text("--env DATABRICKS_HOST=http://from-actrc.invalid\n", encoding="utf-8")
    return {
        **os.environ,
        "HOME": str(home),
        "DATABRICKS_HOST": listener.url,
        "DATABRICKS_TOKEN": "dapi-the-callers",
        "DATABRICKS_CONFIG_PROFILE": "DEFAULT",
        "GITHUB_API_URL": listener.url,
        "GITHUB_TOKEN": "ghp-the-callers",
        "MLFLOW_TRACKING_URI": listener.url,
        "SPARK_REMOTE": listener.url.replace("http", "sc"),
        "http_proxy": listener.url,
        "https_proxy": listener.url,
        "BUNDLE_VAR_catalog": "theirs",
    }


def finish(process: subprocess.Popen[str], report: Path) -> Played:
    out, err = process.communicate(timeout=LIMIT_S)
    assert out.startswith("{"), err
    return Played(process.returncode, json.loads(out), err, report)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("both")
    listener = Listener()
    temporary = folder / "tmp"
    temporary.mkdir()
    project = hostile_project(folder / "hostile", listener)
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    started = []
    for arguments, environment in (
        (["--keep", str(folder / "kept")], dict(os.environ)),
        ([str(project)], hostile_home(folder / "home", listener)),
    ):
        report = folder / f"report-{len(started)}.html"
        argv = [*PROGRAM, *arguments, "--json", "--report", str(report)]
        environment |= {"TMPDIR": str(temporary)}
        process = subprocess.Popen(argv, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append((process, report))
    played = [finish(*each) for each in started]
    assert list(temporary.iterdir()) == [], "nothing is left but what was to be kept"
    assert {path: path.read_bytes() for path in project.rglob("*") if path.is_file()} == before, "the project is not changed"
    yield Both(*played, listener, folder / "kept")
    listener.close()


@pytest.mark.parametrize("which", ["template", "hostile"])
def test_everything_expected_happened(both: Both, which: str):
    played: Played = getattr(both, which)
    wrong = [(step["title"], check) for step in played.result["scenarios"][0]["steps"] for check in step["checks"] if not check["ok"]]
    assert wrong == []
    assert played.code == 0
    assert played.result["ok"] is True
    assert len(played.result["scenarios"][0]["steps"]) == 11


def test_nothing_left_the_machine(both: Both):
    assert both.listener.connections == []
    for played in (both.template, both.hostile):
        assert played.result["outside_connections"] == []
        assert played.progress.startswith(
            "Rehearsal: nothing leaves this machine. Stand-ins: GitHub, Databricks workspace, Databricks CLI.\n"
        )


def test_hosts_and_profiles_of_the_project_are_listed_as_taken_out(both: Both):
    found = {item["where"] for item in both.hostile.result["differences"] if item["file"] == "databricks.yml"}
    expected = {"workspace.host"} | {
        f"targets.{name}.workspace.{key}" for name in ("dev", "test", "staging", "prod") for key in ("host", "profile")
    }
    assert found == expected


def test_each_identity_wrote_only_where_it_may(both: Both):
    (deploy,) = [job for job in both.template.runs("cd-prod")[0]["jobs"] if job["environment"] == "production"]
    (plan,) = [job for job in both.template.runs("cd-prod")[0]["jobs"] if job["environment"] == "production-plan"]
    assert deploy["approved_by"] == "release-manager"
    assert any(call["method"] != "GET" for call in deploy["workspace_calls"])
    changing = {call["path"] for call in plan["workspace_calls"] if call["method"] not in {"GET", "HEAD"}}
    assert changing <= {"/oidc/v1/token"}, "the plan identity only reads"
    (unit,) = [job for job in both.template.runs("run-tests")[0]["jobs"] if job["name"].endswith("unit")]
    assert unit["workspace_calls"] == []
    assert unit["environment"] == ""


def test_the_jobs_ran_in_production_and_its_model_predicts(both: Both):
    results = {(run["job_name"], run["result"]) for run in both.template.result["job_runs"]}
    assert {("iris model training (prod)", "SUCCESS"), ("iris batch inference (prod)", "SUCCESS")} <= results
    (note,) = both.template.step("Ask production's model")["notes"]
    assert '"rows": 150' in note


def test_the_report_is_one_file_about_it_all(both: Both):
    text = both.template.report.read_text(encoding="utf-8")
    for title in ("Push to dev", "Merge to release, approved", "Meanwhile, a change that breaks a unit test"):
        assert title in text
    assert "<script" not in text
    assert 'src="http' not in text


def test_no_token_is_in_report_result_or_progress(both: Both):
    for played in (both.template, both.hostile):
        everything = json.dumps(played.result) + played.progress + played.report.read_text(encoding="utf-8")
        for mark in ("dapi-the-callers", "ghp-the-callers", "ghs_", "local-", "eyJhbGci"):
            assert mark not in everything


def test_no_credential_is_in_anything_that_is_left(both: Both):
    """Deployed bundle, artifacts, repositories, caches, logs: only the file with the operator's token for the workspace has one."""
    names = [name for name, _ in contents(both.kept)]
    for part in (
        "workspace/data/workspace/",
        "github/artifacts/",
        "github/repositories/",
        "cache/",
        "workspace/requests.jsonl",
        "actions/",
    ):
        assert any(name.startswith(part) for name in names), part
    assert credentials_in(both.kept) == ["identities.json"]


def test_only_jobs_of_an_environment_held_its_identity(both: Both):
    """By the workspace's own log: who called is a matter of the token that GitHub gave to the job."""
    told = json.loads((both.kept / "identities.json").read_text())["identities"]
    names = {each["application_id"]: each["display_name"].partition("-")[2] for each in told if "application_id" in each}
    held = {
        (run["name"], run["event"], job["environment"], names[call["identity"]])
        for run in both.template.result["workflow_runs"]
        for job in run["jobs"]
        for call in job["workspace_calls"]
        if call["identity"] in names
    }
    assert all(environment == identity for _, _, environment, identity in held)
    assert {name for name, _, _, identity in held if identity == "production"} == {"cd-prod"}
    assert {name for name, _, _, identity in held if identity == "production-plan"} == {"cd-prod", "cd-staging"}
    assert {identity for _, event, _, identity in held if event == "pull_request"} == {"test"}


def test_measures_are_told(both: Both):
    measures = both.template.result["measures"]
    assert measures["jobs"] == 28
    assert len(both.template.result["promotion"]) == measures["promotion_jobs"] == 11
    assert all(job["why"] for job in both.template.result["promotion"])
    assert sum(job["cli_calls"] for job in both.template.result["promotion"]) == measures["promotion_cli_calls"] > 20
    assert 0 < measures["promotion_workspace_requests"] < measures["workspace_requests"]
    assert measures["kit_share_per_cli_call_s"] > 0
    assert 0 < measures["first_promotion_s"] < both.template.result["duration_s"]
    assert "Where the time went" in both.template.progress


def marked_processes(mark: str) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if mark.encode() in (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes():
                    found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
    return found


@pytest.mark.parametrize(
    ("number", "at", "code"),
    [
        (signal.SIGINT, "the stage is set", 130),
        (signal.SIGTERM, "lint: success", 130),
        (signal.SIGKILL, "lint: success", -signal.SIGKILL),
        (signal.SIGINT, "setting the stage", 130),
    ],
)
def test_stopped_half_way_it_leaves_no_process_and_no_file(tmp_path: Path, number: signal.Signals, at: str, code: int):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary)}
    argv = [*PROGRAM, "--report", str(tmp_path / "report.html")]
    process = subprocess.Popen(argv, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout
    for line in process.stdout:
        if at in line:
            break
    else:
        pytest.fail("it ended before")
    time.sleep(0.5)
    process.send_signal(number)
    assert process.wait(60) == code
    until = time.monotonic() + 30
    while left := [*marked_processes(str(temporary)), *temporary.iterdir()]:
        assert time.monotonic() < until, left
        time.sleep(0.1)
    assert list(tmp_path.iterdir()) == [temporary]


def test_wrong_use_has_its_exit_code(tmp_path: Path):
    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        values = {**os.environ, **environment}
        return subprocess.run([*PROGRAM, *arguments], cwd=tmp_path, env=values, capture_output=True, text=True, timeout=120, check=False)

    assert run("--template", "nothing-such").returncode == 2
    assert run("nowhere").returncode == 2
    without_git = run(PATH=str(tmp_path))
    assert without_git.returncode == 3
    assert "git is not on PATH" in without_git.stderr
