"""`bundleflow local github` as a process: its first line, its end, what it keeps, and what it says when it cannot start."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

COMMAND = [sys.executable, "-m", "bundleflow", "local", "github"]
SECONDS = 30
HEADERS = {"Authorization": "Bearer anything"}


@contextmanager
def _server(*args: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = subprocess.Popen([*COMMAND, *args], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait(SECONDS)
        process.stdout.close()


def _ask(method: str, url: str, **options: Any) -> httpx.Response:
    return httpx.request(method, url, headers=HEADERS, trust_env=False, timeout=SECONDS, **options)


def _gone(url: str) -> bool:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        try:
            httpx.get(url, trust_env=False)
        except httpx.TransportError:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_told_to_stop(number: signal.Signals) -> None:
    with _server() as (process, url):
        assert url.startswith("http://127.0.0.1:")
        assert _ask("GET", f"{url}/user").json()["login"] == "tester", "any token is the default user's"
        process.send_signal(number)
        assert process.wait(SECONDS) == 0
        assert _gone(url)


def test_a_repository_is_created_pushed_to_by_path_and_kept(tmp_path: Path) -> None:
    data, log = tmp_path / "data", tmp_path / "log.jsonl"
    with _server("--data", str(data), "--log", str(log)) as (process, url):
        assert _ask("POST", f"{url}/user/repos", json={"name": "iris", "private": True}).status_code == 201
        work = tmp_path / "work"
        identity = ["-c", "user.name=tester", "-c", "user.email=tester@example.com"]
        for command in (["init", "-q", "-b", "main", str(work)], ["-C", str(work), "commit", "-q", "--allow-empty", "-m", "first"]):
            subprocess.run(["git", *identity, *command], check=True, timeout=SECONDS)
        target = str(data / "repositories" / "tester" / "iris.git")
        subprocess.run(["git", "-C", str(work), "push", "-q", target, "main"], check=True, timeout=SECONDS)
        assert _ask("GET", f"{url}/repos/tester/iris/commits").json()[0]["commit"]["message"] == "first"
        assert _ask("POST", f"{url}/repos/tester/iris/issues", json={"title": "kept"}).status_code == 201
        process.terminate()
        assert process.wait(SECONDS) == 0
    assert "anything" not in log.read_text(), "no token in the log"
    with _server("--data", str(data)) as (_, url):
        assert [each["title"] for each in _ask("GET", f"{url}/repos/tester/iris/issues").json()] == ["kept"]


def test_without_a_folder_nothing_is_left_behind(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(COMMAND, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    with process.stdout:
        url = process.stdout.readline().strip()
        assert _ask("GET", f"{url}/user").status_code == 200
        assert list(tmp_path.iterdir())
        process.terminate()
        assert process.wait(SECONDS) == 0
    assert list(tmp_path.iterdir()) == []


def test_it_ends_with_the_process_that_started_it() -> None:
    script = f"import subprocess, time; subprocess.Popen({COMMAND!r}); time.sleep({SECONDS})"
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        url = parent.stdout.readline().strip()
        assert _ask("GET", f"{url}/user").status_code == 200
        parent.kill()
        parent.wait(SECONDS)
        assert _gone(url)


def _refusal(*args: str) -> tuple[int, str]:
    done = subprocess.run([*COMMAND, *args], capture_output=True, text=True, timeout=SECONDS, check=False)
    return done.returncode, done.stderr


def test_it_says_why_it_cannot_start(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, text = _refusal("--port", port)
        assert (code, f"port {port}" in text, "--port" in text) == (3, True, True)
    (tmp_path / "file").touch()
    code, text = _refusal("--data", str(tmp_path / "file" / "data"))
    assert (code, str(tmp_path / "file") in text) == (3, True)
    assert _refusal("--port", "70000")[0] == 3
    assert _refusal("--colour", "red")[0] == 2
    (tmp_path / "state.json").write_text("{}")
    code, text = _refusal("--data", str(tmp_path))
    assert (code, "state.json" in text, "Traceback" in text) == (3, True, False)
