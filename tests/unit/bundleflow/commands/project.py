"""A project in a job of the imitated GitHub, with a program that looks like the CLI: what the kit's commands run in."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from fake_cli import FakeCli
from github_world import REPOSITORY, World

from bundleflow.cli import main
from rehearsal.github.model_actions import Run

FLOW = """\
version: 1
stages:
  dev: {target: dev, environment: dev}
  test: {target: test, environment: test, per-pull-request: true}
  staging: {target: staging, environment: staging, then-propose: release}
  prod: {target: prod, plan-environment: production-plan, environment: production, requires: staging}
"""


class Project:
    """The checked-out project of `world`, in which commands are called as jobs."""

    def __init__(self, world: World, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world = world
        self.cli = FakeCli(folder)
        self.monkeypatch = monkeypatch
        self.folder = folder
        world.commit("a project", **{"bundleflow.yml": FLOW, "databricks.yml": "bundle: {name: iris}\n"})
        world.push("main")
        monkeypatch.chdir(world.work)
        for name in list(os.environ):
            if name.startswith(("DATABRICKS_", "GITHUB_", "BUNDLEFLOW_", "ACTIONS_")):
                monkeypatch.delenv(name)

    def job(self, stage: str, environment: str, run: Run, permissions: dict[str, str] | None = None, **env: str) -> None:
        """Set the environment of a job of a run."""
        api = self.world.api(permissions, run)
        for name in ("output", "summary"):
            (self.folder / name).unlink(missing_ok=True)
        given = {
            "GITHUB_ACTIONS": "true",
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_TOKEN": api.token,
            "GITHUB_API_URL": api.api_url,
            "GITHUB_SERVER_URL": api.api_url,
            "GITHUB_RUN_ID": str(run.id),
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_REF": f"refs/heads/{run.head_branch}",
            "GITHUB_SHA": self.world.git("rev-parse", "HEAD"),
            "GITHUB_OUTPUT": str(self.folder / "output"),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary"),
            "DATABRICKS_HOST": "http://127.0.0.1:1",
            "DATABRICKS_TOKEN": "t",
            "DATABRICKS_CLI_PATH": str(self.cli.path),
            "BUNDLEFLOW_STAGE": stage,
            "BUNDLEFLOW_ENVIRONMENT": environment,
            **env,
        }
        for name, value in given.items():
            self.monkeypatch.setenv(name, value)

    def event(self, data: dict[str, Any]) -> None:
        """Set the event's payload."""
        path = self.folder / "event.json"
        path.write_text(json.dumps(data))
        self.monkeypatch.setenv("GITHUB_EVENT_PATH", str(path))

    def call(self, *argv: str) -> int:
        """Run a command."""
        return main(list(argv))

    @property
    def summary(self) -> str:
        """The job summary so far."""
        file = self.folder / "summary"
        return file.read_text() if file.exists() else ""

    @property
    def outputs(self) -> dict[str, str]:
        """The step's outputs (the last value of each)."""
        file = self.folder / "output"
        lines = file.read_text().split("\n") if file.exists() else []
        found: dict[str, str] = {}
        while lines and lines != [""]:
            name, _, delimiter = lines.pop(0).partition("<<")
            end = lines.index(delimiter)
            found[name], lines = "\n".join(lines[:end]), lines[end + 1 :]
        return found
