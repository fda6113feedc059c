"""`bundleflow test-unit`: outcome, reports, annotations; no credential and no way to command the runner."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bundleflow import cli
from bundleflow.adapters import unit_environment
from bundleflow.commands.test_unit import SECRET
from bundleflow.records.errors import BundleflowError, ExitCode
from bundleflow.records.unit_report import read_report

FLOW = "version: 1\nstages: {dev: {target: dev, environment: dev}}\ntests: {unit: {path: tests/unit, requirements: requirements.txt}}\n"
LOCKED = "pytest==9.0.0 --hash=sha256:" + "0" * 64 + "\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose tests' environment is in the tool cache already: this one."""
    for name in ("BUNDLEFLOW_FLOW", "BUNDLEFLOW_PYTHON_VERSION", "BUNDLEFLOW_REPORTS_DIR", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(name, raising=False)
    for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("RUNNER_TOOL_CACHE", str(tmp_path / "cache"))
    root = tmp_path / "project"
    (root / "tests" / "unit").mkdir(parents=True)
    (root / "bundleflow.yml").write_text(FLOW)
    (root / "requirements.txt").write_text(LOCKED)
    (root / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    python = tmp_path / "cache" / "bundleflow-tests" / hashlib.sha256(LOCKED.encode()).hexdigest() / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    monkeypatch.chdir(root)
    return root


def write_test(project: Path, text: str) -> None:
    (project / "tests" / "unit" / "test_it.py").write_text(text)


def outputs(project: Path) -> str:
    return (project.parent / "GITHUB_OUTPUT").read_text()


def summary(project: Path) -> str:
    return (project.parent / "GITHUB_STEP_SUMMARY").read_text()


def test_passing_tests_leave_reports_outside_the_project(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (project / "package.py").write_text("def f(x):\n    if x:\n        return 1\n    return 2\n")
    write_test(project, "import sys\nsys.path.insert(0, '.')\nimport package\ndef test_f():\n    assert package.f(1) == 1\n")
    reports = project.parent / "reports"
    before = sorted(project.rglob("*"))
    assert cli.main(["test-unit", "--reports", str(reports), "--json"]) == ExitCode.OK
    assert sorted(project.rglob("*")) == before, "nothing is written into the bundle, which is uploaded"
    assert {path.name for path in reports.iterdir()} == {"junit.xml", "coverage.json", "coverage.xml"}
    result = json.loads(capfd.readouterr().out)
    assert (result["total"], result["failed"], result["exit_code"]) == (1, [], 0)
    assert result["coverage_by_file"]["package.py"] == 75.0
    assert "✅ unit tests: 1 passed, 0 failed" in summary(project)
    assert "Coverage:" in summary(project)
    assert "reports<<" in outputs(project)
    assert "failure-reason" not in outputs(project)


def test_failing_test_is_annotated_where_it_fails(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_test(project, "def helper():\n    assert 1 == 2, 'a <b>|`\\n%0A'\n\ndef test_f():\n    helper()\n")
    assert cli.main(["test-unit"]) == ExitCode.FAILED
    error = capfd.readouterr().err
    assert "::error title=unit test failed%3A tests.unit.test_it.test_f,file=tests/unit/test_it.py,line=2::AssertionError" in error
    assert "tests-failed" in outputs(project)
    assert "❌ unit tests: 0 passed, 1 failed" in summary(project)
    assert "<b>" not in summary(project)


def test_tests_see_no_credential_and_cannot_command_the_runner(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    secret = (
        "DATABRICKS_TOKEN",
        "DATABRICKS_HOST",
        "GITHUB_TOKEN",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
        "ACTIONS_RUNTIME_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
    )
    for name in secret:
        monkeypatch.setenv(name, "canary")
    monkeypatch.setenv("GITHUB_ENV", str(project.parent / "env"))
    names = [*secret, "GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STEP_SUMMARY"]
    write_test(
        project,
        "import os\ndef test_f(capfd):\n    with capfd.disabled():\n        print('::set-env name=X::y')\n"
        f"    assert not set({names}) & set(os.environ)\n",
    )
    assert cli.main(["test-unit"]) == ExitCode.OK
    lines = capfd.readouterr().err.splitlines()
    stop = next(index for index, line in enumerate(lines) if line.startswith("::stop-commands::"))
    resume = lines.index(f"::{lines[stop].removeprefix('::stop-commands::')}::")
    said = next(index for index, line in enumerate(lines) if "::set-env" in line)
    assert stop < said < resume


@pytest.mark.parametrize(
    "name", ["DATABRICKS_HOST", "MY_TOKEN", "GH_TOKEN", "DB_PASSWORD", "ACTIONS_CACHE_URL", "GITHUB_ENV", "CLIENT_SECRET", "ARM_CLIENT_ID"]
)
def test_what_is_kept_from_tests(name: str) -> None:
    assert SECRET.match(name)


@pytest.mark.parametrize("name", ["PATH", "HOME", "GITHUB_SHA", "GITHUB_ACTIONS", "CI", "LANG", "JAVA_HOME"])
def test_what_tests_may_see(name: str) -> None:
    assert not SECRET.match(name)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "There is no test in tests/unit"),
        ("import no_such_module\n", "1 of 1 unit tests failed"),
        ("def test_f(:\n", "1 of 1 unit tests failed"),
        ("import os\ndef test_f():\n    os._exit(3)\n", "pytest ended with exit code 3"),
    ],
    ids=["no tests", "import fails", "not Python", "dies"],
)
def test_what_does_not_run_does_not_pass(text: str, says: str, project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_test(project, text)
    assert cli.main(["test-unit"]) == ExitCode.FAILED
    assert says in capfd.readouterr().err


@pytest.mark.parametrize(
    ("key", "old", "new"), [("path", "path: tests/unit", "path: tests/units"), ("requirements", ": requirements.txt", ": none.txt")]
)
def test_what_the_flow_file_names_must_exist(key: str, old: str, new: str, project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (project / "bundleflow.yml").write_text(FLOW.replace(old, new))
    assert cli.main(["test-unit"]) == ExitCode.USAGE
    assert f"`tests.unit.{key}` names" in capfd.readouterr().err
    assert "flow-invalid" in outputs(project)


@pytest.mark.parametrize("version", ["3.1", "3", "latest", "3.12; rm -rf ~"])
def test_python_version_is_checked(version: str, project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["test-unit", "--python-version", version]) == ExitCode.USAGE
    assert "Quote it in YAML" in capfd.readouterr().err


def test_python_that_the_runner_does_not_have_is_named(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["test-unit", "--python-version", "3.99"]) == ExitCode.USAGE
    assert "no Python 3.99 on this runner" in capfd.readouterr().err


def test_environment_of_the_right_version_serves_and_another_gets_its_own(project: Path) -> None:
    same = f"{sys.version_info[0]}.{sys.version_info[1]}"
    requirements = project / "requirements.txt"
    assert unit_environment.environment_folder(requirements, same) == unit_environment.environment_folder(requirements)
    assert unit_environment.environment_folder(requirements, "3.99").name.endswith("-py3.99")


def test_requirements_without_hashes_are_refused(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (project / "requirements.txt").write_text("pytest==9.0.0\n")
    assert cli.main(["test-unit"]) == ExitCode.USAGE
    assert "not locked" in capfd.readouterr().err


@pytest.fixture
def installer(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `uv` that writes down that it was asked, and fails as often as the file `failures` says."""
    folder = project.parent / "bin"
    folder.mkdir()
    (folder / "uv").write_text(f'#!/bin/sh\necho "$@" >> {folder}/asked\n[ $(wc -l < {folder}/asked) -gt $(cat {folder}/failures) ]\n')
    (folder / "uv").chmod(0o755)
    (folder / "failures").write_text("0")
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setattr(unit_environment.time, "sleep", lambda seconds: None)
    (project / "requirements.txt").write_text(LOCKED + "# another file\n")
    return folder


def test_environment_is_made_once(project: Path, installer: Path) -> None:
    requirements = project / "requirements.txt"
    python = unit_environment.unit_python(requirements)
    assert python.exists()
    assert "--require-hashes" in (installer / "asked").read_text()
    assert unit_environment.unit_python(requirements) == python
    assert len((installer / "asked").read_text().splitlines()) == 1


def test_environment_that_was_not_finished_is_made_anew(project: Path, installer: Path) -> None:
    requirements = project / "requirements.txt"
    (installer / "failures").write_text("99")
    with pytest.raises(BundleflowError, match=r"failed \(exit code"):
        unit_environment.unit_python(requirements)
    assert len((installer / "asked").read_text().splitlines()) == unit_environment.ATTEMPTS
    (installer / "failures").write_text("0")
    assert unit_environment.unit_python(requirements).exists()
    assert len((installer / "asked").read_text().splitlines()) == unit_environment.ATTEMPTS + 1


def test_default_requirements_are_locked() -> None:
    text = unit_environment.DEFAULT_REQUIREMENTS.read_text()
    assert "pytest==" in text
    assert "pytest-cov==" in text
    assert "--hash=sha256:" in text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_tests_end_with_the_command(number: signal.Signals, project: Path) -> None:
    write_test(
        project,
        "import os, pathlib, time\ndef test_f():\n"
        f"    pathlib.Path({str(project.parent / 'pid')!r}).write_text(str(os.getpid()))\n    time.sleep(60)\n",
    )
    command = subprocess.Popen([sys.executable, "-m", "bundleflow", "test-unit"], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while not (project.parent / "pid").exists() or not (project.parent / "pid").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        command.send_signal(number)
        command.wait(timeout=30)
    finally:
        command.kill()
    child = int((project.parent / "pid").read_text())
    deadline = time.monotonic() + 10
    while running(child):
        assert time.monotonic() < deadline, "the tests go on"
        time.sleep(0.05)


def running(pid: int) -> bool:
    """Whether the process is there and not only waiting to be buried by its parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_report_of_nothing_is_empty(tmp_path: Path) -> None:
    report = read_report(tmp_path / "none.xml", tmp_path / "none.json", tmp_path)
    assert (report.total, report.failed, report.coverage) == (0, (), None)
    (tmp_path / "broken.xml").write_text("<testsuites><testsuite>")
    (tmp_path / "broken.json").write_text("{}")
    assert read_report(tmp_path / "broken.xml", tmp_path / "broken.json", tmp_path).total == 0
