"""Faults on demand: statuses, delays, lost connections, killed clients and servers, and what the SDK makes of them."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk.errors import PermissionDenied
from local_workspace import LocalWorkspace, clear_environment


@pytest.fixture
def faulty(workspace: LocalWorkspace) -> Iterator[LocalWorkspace]:
    yield workspace
    workspace.call("DELETE", "/_local/faults")


def _order(server: LocalWorkspace, **fault: Any) -> None:
    status, answer = server.call("POST", "/_local/faults", json.dumps([fault]).encode())
    assert status == 200, answer


def _me(server: LocalWorkspace) -> int:
    return server.call("GET", "/api/2.0/preview/scim/v2/Me")[0]


def test_the_nth_request_fails_so_many_times(faulty: LocalWorkspace) -> None:
    _order(faulty, method="GET", path="*/Me", nth=2, times=2, status=500)
    assert [_me(faulty) for _ in range(5)] == [200, 500, 500, 200, 200]


def test_other_requests_are_untouched(faulty: LocalWorkspace) -> None:
    _order(faulty, method="POST", path="/api/2.0/preview/*", times=0, status=403)
    assert _me(faulty) == 200
    _order(faulty, path="/api/2.0/workspace/get-status", query="*path=/Shared*", status=418, body={"own": "answer"})
    assert faulty.call("GET", "/api/2.0/workspace/get-status?path=/Users")[0] == 200
    assert faulty.call("GET", "/api/2.0/workspace/get-status?path=%2FShared") == (418, {"own": "answer"})


def test_the_sdk_waits_as_retry_after_says(faulty: LocalWorkspace) -> None:
    client = faulty.client()
    _order(faulty, path="*/Me", status=429, headers={"Retry-After": "1"})
    started = time.monotonic()
    assert client.current_user.me().user_name == "tester@example.com"
    assert time.monotonic() - started >= 1.0


def test_an_error_is_the_sdks_own(faulty: LocalWorkspace) -> None:
    _order(faulty, path="/api/2.1/unity-catalog/catalogs", status=403)
    with pytest.raises(PermissionDenied):
        list(faulty.client().catalogs.list())


def test_a_request_waits(faulty: LocalWorkspace) -> None:
    _order(faulty, path="*/Me", delay_s=0.5)
    started = time.monotonic()
    assert _me(faulty) == 200
    assert time.monotonic() - started >= 0.5


def test_a_connection_is_lost_before_the_work(faulty: LocalWorkspace) -> None:
    _order(faulty, path="*/mkdirs", drop=True)
    with pytest.raises((ConnectionError, http.client.RemoteDisconnected, urllib.error.URLError)):
        faulty.call("POST", "/api/2.0/workspace/mkdirs", {"path": "/Shared/before"})
    assert faulty.call("GET", "/api/2.0/workspace/get-status?path=/Shared/before")[0] == 404


def test_a_connection_is_lost_after_the_work(faulty: LocalWorkspace) -> None:
    _order(faulty, path="*/mkdirs", drop=True, when="after")
    with pytest.raises((ConnectionError, http.client.RemoteDisconnected, urllib.error.URLError)):
        faulty.call("POST", "/api/2.0/workspace/mkdirs", {"path": "/Shared/after"})
    assert faulty.call("GET", "/api/2.0/workspace/get-status?path=/Shared/after")[0] == 200


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="the client's process is found in /proc")
def test_a_client_is_killed(faulty: LocalWorkspace) -> None:
    _order(faulty, path="*/mkdirs", kill="client", when="after")
    program = (
        "import sys, urllib.request\n"
        "request = urllib.request.Request(sys.argv[1] + '/api/2.0/workspace/mkdirs', b'{\"path\": \"/Shared/killed\"}',"
        " {'Authorization': 'Bearer x'})\n"
        "urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, faulty.url], timeout=30, check=False)
    assert ended.returncode == -9
    assert faulty.call("GET", "/api/2.0/workspace/get-status?path=/Shared/killed")[0] == 200


def test_the_server_is_killed_and_keeps_what_it_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clear_environment(monkeypatch)
    orders = tmp_path / "faults.json"
    orders.write_text(json.dumps({"faults": [{"path": "*/mkdirs", "nth": 2, "kill": "server", "when": "after"}]}))
    with LocalWorkspace(tmp_path, "--faults", str(orders)) as server:
        server.call("POST", "/api/2.0/workspace/mkdirs", {"path": "/Shared/one"})
        with pytest.raises((ConnectionError, http.client.RemoteDisconnected, urllib.error.URLError)):
            server.call("POST", "/api/2.0/workspace/mkdirs", {"path": "/Shared/two"})
        assert server.process.wait(timeout=10) == -9
    with LocalWorkspace(tmp_path) as server:
        for name in ("one", "two"):
            assert server.call("GET", f"/api/2.0/workspace/get-status?path=/Shared/{name}")[0] == 200


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        ({"path": "*"}, "status"),
        ({"status": 500, "paths": "*"}, "paths"),
        ({"kill": "everybody"}, "kill"),
        ({"status": 500, "nth": 0}, "nth"),
        ({"delay_s": 10_000}, "delay_s"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(faulty: LocalWorkspace, fault: dict[str, Any], named: str) -> None:
    status, answer = faulty.call("POST", "/_local/faults", json.dumps([fault]).encode())
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert named in answer["message"]


def test_a_bad_faults_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "faults.json"
    file.write_text('[{"status": "x", "unknown": 1}]')
    command = [sys.executable, "-m", "bundleflow", "local", "workspace", "--faults", str(file)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 2
    assert "unknown" in ended.stderr
