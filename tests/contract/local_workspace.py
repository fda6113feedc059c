"""Starts the local workspace as its users do, in a process of its own, and ends it."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

START_SECONDS = 20.0
ANSWER_SECONDS = 60.0


class LocalWorkspace:
    """A server process on a folder; use it in a `with` block."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.log_file = folder / "requests.jsonl"
        self.arguments = ["--data", str(self.data), "--log", str(self.log_file), *arguments]
        self.url = ""

    def __enter__(self) -> LocalWorkspace:
        command = [sys.executable, "-m", "bundleflow", "local", "workspace", *self.arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], START_SECONDS)
        assert ready, f"the workspace printed nothing for {START_SECONDS} s"
        self.url = self.process.stdout.readline().strip()
        assert self.url.startswith("http://127.0.0.1:"), self.url
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        code = self.process.wait(timeout=20)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def client(self, token: str = "any-token") -> WorkspaceClient:
        from databricks.sdk import WorkspaceClient
        from databricks.sdk.core import Config

        return WorkspaceClient(config=Config(host=self.url, token=token, retry_timeout_seconds=8))

    def call(self, method: str, path: str, body: Any = None, *, token: str | None = "any-token") -> tuple[int, Any]:
        """One request; the status, and the answer as JSON where it is."""
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=headers)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=ANSWER_SECONDS) as response:
                status, content = response.status, response.read()
        except urllib.error.HTTPError as problem:
            status, content = problem.code, problem.read()
            problem.close()
        try:
            return status, json.loads(content)
        except ValueError:
            return status, content

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log_file.read_text("utf-8").splitlines()]


def clear_environment(monkeypatch: Any) -> None:
    """Leave nothing that SDK or MLflow would take from the caller's environment."""
    for name in list(os.environ):
        if name.startswith(("DATABRICKS_", "MLFLOW_")) or name.upper().endswith("_PROXY"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", os.devnull)
