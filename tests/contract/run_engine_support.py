"""Calls `bundleflow run` in processes of its own, with the files that a runner gives for outputs and summary."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_workspace import LocalWorkspace

LIMIT_SECONDS = 90.0
LONG = "import time\nprint('begins', flush=True)\ntime.sleep(60)\n"


@dataclass
class Ended:
    """A command that has ended."""

    code: int
    stdout: str
    stderr: str
    outputs: dict[str, str]


@dataclass
class Kit:
    """`bundleflow run` for one workspace."""

    server: LocalWorkspace
    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    @property
    def program(self) -> str:
        return str(Path(sys.executable).parent / "bundleflow")

    def environment(self, **more: str) -> dict[str, str]:
        given = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "DATABRICKS_HOST": self.server.url,
            "DATABRICKS_TOKEN": "any-token",
            "DATABRICKS_AUTH_TYPE": "pat",
            "DATABRICKS_CONFIG_FILE": os.devnull,
            "GITHUB_OUTPUT": str(self.folder / "output"),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary"),
            "BUNDLEFLOW_POLL_SECONDS": "0.1",
        }
        return given | self.env | more

    def spawn(self, *argv: str, stderr: Any = subprocess.PIPE, **env: str) -> subprocess.Popen[str]:
        for name in ("output", "summary"):
            (self.folder / name).write_text("")
        command = [self.program, "run", *argv]
        return subprocess.Popen(
            command, env=self.environment(**env), cwd=self.folder, stdout=subprocess.PIPE, stderr=stderr, text=True, start_new_session=True
        )

    def end(self, process: subprocess.Popen[str]) -> Ended:
        try:
            stdout, stderr = process.communicate(timeout=LIMIT_SECONDS)
        finally:
            process.kill()
        return Ended(process.returncode, stdout, stderr or "", self.outputs())

    def call(self, *argv: str, **env: str) -> Ended:
        return self.end(self.spawn(*argv, **env))

    def run_program(self, *command: str, folder: Path) -> int:
        return subprocess.run(command, cwd=folder, env=self.environment(), timeout=LIMIT_SECONDS, check=False).returncode

    def outputs(self) -> dict[str, str]:
        found, lines = {}, iter((self.folder / "output").read_text().splitlines())
        for line in lines:
            name, _, delimiter = line.partition("<<")
            values = []
            while (value := next(lines)) != delimiter:
                values.append(value)
            found[name] = "\n".join(values)
        return found

    def summary(self) -> str:
        return (self.folder / "summary").read_text()

    def started(self, process: subprocess.Popen[str]) -> int:
        """The run that a process has started, as soon as it is told."""
        limit = time.monotonic() + LIMIT_SECONDS
        while time.monotonic() < limit:
            assert process.poll() is None, process.communicate()
            text = (self.folder / "output").read_text()
            if "run-id" in text and text.endswith("\n"):
                return int(self.outputs()["run-id"])
            time.sleep(0.05)
        raise AssertionError("no run was started")

    def order(self, *faults: dict[str, Any]) -> None:
        """Let requests fail (see `rehearsal.workspace.faults`)."""
        status, answer = self.server.call("POST", "/_local/faults", list(faults))
        assert status == 200, answer

    def asked(self, since: int, name: str) -> list[dict[str, Any]]:
        """Requests to a part of the Jobs API from a place in the log on."""
        return [line for line in self.server.log()[since:] if line["path"].endswith(f"/jobs/{name}")]
