"""The server as a process: how it starts, what it refuses, what it keeps, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from local_workspace import LocalWorkspace

HEAVY = ("mlflow", "pandas", "numpy", "pyspark", "sklearn", "databricks.sdk", "jwt", "httpx")


def test_it_is_up_within_a_second(tmp_path: Path) -> None:
    # The process's own time: what other processes of a busy machine take is not the server's.
    fastest = min(_seconds_until_first_answer(tmp_path / str(attempt)) for attempt in range(3))
    assert fastest < 1.0


def _seconds_until_first_answer(folder: Path) -> float:
    folder.mkdir()
    started = time.monotonic()
    with LocalWorkspace(folder) as server:
        assert server.call("GET", "/api/2.0/preview/scim/v2/Me")[0] == 200
        passed = time.monotonic() - started
        statistics = Path(f"/proc/{server.process.pid}/stat")
        if not statistics.exists():
            return passed
        user, system = statistics.read_text().rsplit(")", 1)[1].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def test_nothing_heavy_is_imported() -> None:
    program = (
        "import sys, importlib; from rehearsal.workspace.app import API_MODULES\n"
        "for name in (*API_MODULES, 'rehearsal.workspace.main', 'rehearsal.workspace.server'): importlib.import_module(name)\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert shown.stdout.strip() == "[]"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_without_an_error(tmp_path: Path, number: signal.Signals) -> None:
    with LocalWorkspace(tmp_path) as server:
        server.call("GET", "/api/2.0/preview/scim/v2/Me")
        server.process.send_signal(number)
        assert server.process.wait(timeout=10) == 0


def test_an_own_data_folder_goes_with_the_server(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "bundleflow", "local", "workspace"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert list(tmp_path.iterdir())
        process.terminate()
        process.wait(timeout=10)
    assert list(tmp_path.iterdir()) == []


def test_data_outlives_the_server(tmp_path: Path) -> None:
    with LocalWorkspace(tmp_path) as server:
        client = server.client()
        client.workspace.mkdirs("/Users/tester@example.com/kept")
        before = client.workspace.get_status("/Users/tester@example.com/kept")
        client.schemas.create("gold", "main")
        workspace_id = client.get_workspace_id()
    with LocalWorkspace(tmp_path) as server:
        client = server.client()
        assert client.workspace.get_status("/Users/tester@example.com/kept").object_id == before.object_id
        assert client.schemas.get("main.gold").owner == "tester@example.com"
        assert client.get_workspace_id() == workspace_id


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with LocalWorkspace(tmp_path) as server:
        port = server.url.rsplit(":", 1)[1]
        command = [sys.executable, "-m", "bundleflow", "local", "workspace", "--port", port]
        second = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert second.returncode == 3
    assert port in second.stderr
    assert "--port" in second.stderr


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/2.0/lakeview/dashboards"),
        ("POST", "/api/2.1/unity-catalog/quality-monitors"),
        ("DELETE", "/api/2.0/secrets/list"),
        ("GET", "/anything/else"),
        ("GET", "/api/2.0/permissions/genie/12"),
        ("POST", "/api/2.0/mlflow/unity-catalog/prompts"),
    ],
)
def test_what_is_not_imitated_is_refused_by_name(workspace: LocalWorkspace, method: str, path: str) -> None:
    status, answer = workspace.call(method, path, {} if method == "POST" else None)
    assert status == 501
    assert answer["error_code"] == "FEATURE_DISABLED"
    assert path in answer["message"] or path.split("/")[4] in answer["message"]


def test_a_web_page_of_somewhere_else_is_refused(workspace: LocalWorkspace) -> None:
    for origin, expected in (("https://evil.example.com", 403), ("http://127.0.0.1:8080", 200)):
        request = urllib.request.Request(workspace.url + "/_local/faults", headers={"Origin": origin})
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as response:
                status = response.status
        except urllib.error.HTTPError as refused:
            status = refused.code
            refused.close()
        assert status == expected


@pytest.mark.parametrize("content", [b"{", b"[]", b'"text"', b"\xff\xfe"])
def test_a_body_that_is_no_json_object_is_an_error(workspace: LocalWorkspace, content: bytes) -> None:
    status, answer = workspace.call("POST", "/api/2.0/workspace/mkdirs", content)
    assert (status, answer["error_code"]) == (400, "MALFORMED_REQUEST")


def test_the_log_has_every_request_and_no_secret(tmp_path: Path) -> None:
    with LocalWorkspace(tmp_path) as server:
        client = server.client("a-very-secret-token")
        client.secrets.create_scope("keys")
        client.secrets.put_secret("keys", "password", string_value="hunter2-hunter2")
        client.dbutils.secrets.get("keys", "password")
        server.call("POST", "/oidc/v1/token", b"grant_type=client_credentials&client_id=x&client_secret=topsecret")
        server.call("GET", "/api/2.0/workspace/get-status?path=/nowhere")
        lines = server.log()
    text = (tmp_path / "requests.jsonl").read_text("utf-8")
    for secret in ("a-very-secret-token", "hunter2", "aHVudGVyMg", "topsecret", "local-"):
        assert secret not in text
    assert [line["status"] for line in lines if line["path"].endswith("get-status")] == [404]
    put = next(line for line in lines if line["path"] == "/api/2.0/secrets/put")
    assert put["request"] == {"scope": "keys", "key": "password", "string_value": "[hidden]"}
    assert put["identity"] == "tester@example.com"
    assert "databricks-sdk-py" in put["user_agent"]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="children are read from /proc")
def test_no_process_outlives_a_killed_server(tmp_path: Path) -> None:
    with LocalWorkspace(tmp_path, "--warm") as server:
        deadline = time.monotonic() + 20
        while not (children := _descendants(server.process.pid)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert children, "the executor's processes start at once with --warm"
        time.sleep(1.0)
        children = _descendants(server.process.pid)
        server.process.kill()
        server.process.wait(timeout=10)
        deadline = time.monotonic() + 10
        while any(_alive(child) for child in children) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert [child for child in children if _alive(child)] == []


def _descendants(process: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [child, *_descendants(child)]
    return found


def _alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
