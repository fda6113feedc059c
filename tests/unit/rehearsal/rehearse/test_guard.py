"""Nothing is left behind: the watchdog, the refusing proxy, the clean environment."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bundleflow.records.errors import BundleflowError, ExitCode
from rehearsal.rehearse import settings, watchdog
from rehearsal.rehearse.guard import MARK, Guard
from rehearsal.rehearse.proxy import RefusingProxy

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


def start(code: str, environment: dict[str, str]) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout
    assert process.stdout.readline() == "up\n"
    return process


def test_closing_ends_marked_processes_and_removes_the_folder(tmp_path: Path):
    folder = tmp_path / "stage"
    (folder / "sub").mkdir(parents=True)
    guard = Guard(folder, keep=False)
    gentle = start("import time; print('up', flush=True); time.sleep(60)", {**os.environ, **guard.environment()})
    stubborn = start(STUBBORN, {**os.environ, **guard.environment()})
    other = start("import time; print('up', flush=True); time.sleep(60)", {**os.environ, MARK: "another"})
    try:
        guard.close()
        assert gentle.wait(5) == -signal.SIGTERM
        assert stubborn.wait(5) == -signal.SIGKILL
        assert not folder.exists()
        assert other.poll() is None, "another rehearsal's process"
    finally:
        other.kill()
        other.wait(5)


def test_a_killed_rehearsal_is_cleaned_up_all_the_same(tmp_path: Path):
    folder = tmp_path / "stage"
    folder.mkdir()
    code = f"""
import os, subprocess, sys, time
from pathlib import Path
from rehearsal.rehearse.guard import Guard
guard = Guard(Path({str(folder)!r}), keep=False)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], env={{**os.environ, **guard.environment()}})
print(child.pid, flush=True)
time.sleep(60)
"""
    director = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert director.stdout
    child = int(director.stdout.readline())
    director.kill()
    director.wait(5)
    until = time.monotonic() + 15
    while folder.exists() or Path(f"/proc/{child}").exists():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_kept_folder_stays(tmp_path: Path):
    guard = Guard(tmp_path, keep=True)
    guard.close()
    assert tmp_path.exists()


@pytest.mark.parametrize(("method", "target"), [("CONNECT", "example.org:443"), ("GET", "http://example.org/x")])
def test_the_proxy_refuses_and_remembers(method: str, target: str):
    proxy = RefusingProxy()
    try:
        connection = http.client.HTTPConnection("127.0.0.1", urlsplit(proxy.url).port, timeout=5)
        connection.request(method, target)
        assert connection.getresponse().status == 403
        assert proxy.refused == [target.removeprefix("http://").removesuffix("/x")]
    finally:
        proxy.close()


def test_the_environment_holds_nothing_of_the_callers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("DATABRICKS_HOST", "DATABRICKS_TOKEN", "GITHUB_TOKEN", "GIT_DIR", "PYTHONPATH", "AWS_SECRET_ACCESS_KEY", "http_proxy"):
        monkeypatch.setenv(name, "the-callers")
    made = settings.clean_environment(tmp_path, {"http_proxy": "http://127.0.0.1:1"})
    assert "the-callers" not in made.values()
    assert made["HOME"] == str(tmp_path / "home")
    assert list((tmp_path / "home").iterdir()) == []
    assert made["DATABRICKS_CONFIG_FILE"] == os.devnull
    assert made["PATH"].split(os.pathsep)[0] == str(tmp_path / "bin")


def program(path: Path, says: str) -> Path:
    path.write_text(f"#!/bin/sh\necho '{says}'\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_the_version_of_a_real_cli_is_read(tmp_path: Path):
    assert settings.cli_version(program(tmp_path / "databricks", "Databricks CLI v1.12.3")) == "1.12.3"


@pytest.mark.parametrize("says", ["Version 0.18.0", "Databricks CLI v0.299.0", "Databricks CLI v1.8.9", ""])
def test_another_program_or_an_old_cli_is_refused(tmp_path: Path, says: str):
    with pytest.raises(BundleflowError, match=r"no Databricks CLI 1\.9 or newer") as caught:
        settings.cli_version(program(tmp_path / "databricks", says))
    assert caught.value.exit_code == ExitCode.USAGE


def test_calls_of_the_cli_are_counted_and_reach_the_named_program(tmp_path: Path):
    settings.clean_environment(tmp_path, {})
    settings.link_programs(tmp_path, program(tmp_path / "real", "Databricks CLI v1.12.3"))
    launcher = tmp_path / "bin" / "databricks"
    for _ in range(3):
        said = subprocess.run([str(launcher), "version"], capture_output=True, text=True, timeout=30, check=True)
        assert said.stdout.endswith("v1.12.3\n")
    assert settings.cli_calls(tmp_path) == 3
    assert subprocess.run([str(tmp_path / "bin" / "python3"), "-c", "pass"], timeout=30, check=True).returncode == 0


def test_the_spark_cluster_that_was_named_is_reached_directly():
    proxy = RefusingProxy()
    try:
        assert proxy.environment(also_direct="spark.example.org")["NO_PROXY"] == "127.0.0.1,localhost,::1,spark.example.org"
        assert proxy.environment()["no_proxy"] == "127.0.0.1,localhost,::1"
    finally:
        proxy.close()


def test_without_git_nothing_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BundleflowError, match="git is not on PATH") as caught:
        settings.git_program()
    assert caught.value.exit_code == ExitCode.TROUBLE


def test_only_a_process_with_all_the_marks_is_ended_and_not_asked_first():
    """Two rehearsals at the same time have workflow runs of the same numbers."""
    own = f"test-{os.getpid()}"
    meant, *others = (
        start(STUBBORN, {**os.environ, "REHEARSED": rehearsal, "RUN": run})
        for rehearsal, run in ((own, "17"), (f"{own}-other", "17"), (own, "18"))
    )
    try:
        assert watchdog.end_all(f"REHEARSED={own}", "RUN=17", grace_s=0.0) == 1
        assert meant.wait(30) == -signal.SIGKILL
        assert [process.poll() for process in others] == [None, None]
    finally:
        for process in (meant, *others):
            process.kill()
            process.communicate(timeout=30)
