"""A project with a model on the imitated GitHub, and its workspace in memory: what the tests of models have in common."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from github_world import REPOSITORY
from project import Project

from bundleflow.adapters.workspace import Workspace as RunsWorkspace
from bundleflow.commands import model_context
from bundleflow.models.candidates import Candidate, find_candidate
from bundleflow.models.place import PlacedModel
from bundleflow.records.flow import Model
from rehearsal.github.model_actions import Run

sys.path.insert(0, str(Path(__file__).parents[2] / "models" / "promotion"))
from promotion_world import GATE_FILE, MODEL
from promotion_world import world as models_world

FLOW = """\
version: 1
stages:
  staging: {target: staging, environment: staging, promote: [classifier]}
  prod:
    target: prod
    plan-environment: production-plan
    environment: production
    promote: [classifier]
    model-environment: production-model
models:
  classifier: {gate: gates/iris.yml, endpoint: "iris-${bundle.target}"}
"""


class Models:
    """A project with a model, of which version 2 is the challenger."""

    def __init__(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        self.project, self.workspace = project, models_world(3)
        self.workspace.set_aliases(champion=1, challenger=2)
        self.digest = self.workspace.judged(2, champion=1)
        (project.world.work / "gates").mkdir()
        project.world.commit("a model", **{"bundleflow.yml": FLOW, "gates/iris.yml": json.dumps(GATE_FILE)})
        project.world.push("main")
        project.world.push("main:release")
        self.resources: dict[str, Any] = {"registered_models": {"classifier": {"id": MODEL}}}
        self.summary()
        monkeypatch.setattr(model_context, "open_workspace", lambda _: self.workspace.workspace())
        monkeypatch.setattr(RunsWorkspace, "sdk", lambda _: None)
        project.world.github.set_environment(REPOSITORY, "production-model", reviewers=["reviewer"], branches=["release"])
        self.run: Run = project.world.start_run("promote-model.yml", "release")

    def summary(self) -> None:
        self.project.cli.answer("summary", {"resources": self.resources})

    def call(self, *argv: str, environment: str = "production-model", **env: str) -> int:
        self.project.job("prod", environment, self.run, BUNDLEFLOW_POLL_SECONDS="0.001", **env)
        return self.project.call("model", *argv)

    def show(self, *more: str) -> str:
        assert self.call("status", "--require", *more, environment="production-plan") == 0
        return self.project.outputs["candidates"]

    def answer(self, state: str = "approved", attempt: int = 1) -> None:
        job = self.project.world.job(self.run, "promote-model / promote", environment="production-model")
        self.project.world.github.request_deployment(job.id)
        self.project.world.github.review_gate(self.run.id, "production-model", "reviewer", state, f"go {attempt}")

    def promote(self, candidates: str, **env: str) -> int:
        return self.call("promote", BUNDLEFLOW_CANDIDATES=candidates, **env)

    @property
    def plain(self) -> str:
        """The summary without Markdown's escapes."""
        return self.project.summary.replace("\\", "")

    @property
    def reason(self) -> str:
        return self.project.outputs["failure-reason"]


def state(models: Models) -> tuple[Any, Any]:
    aliases, shares = models.workspace.state()
    aliases.pop("challenger")
    return aliases, shares


BEFORE = ({"champion": 1}, {"1": 100})


def waiting(models: Models) -> tuple[PlacedModel, Candidate]:
    """The challenger while the model's deployment job waits for its approval."""
    version = models.workspace.versions[(MODEL, 2)]
    state = replace(version, deployment_run=7, deployment_state="APPROVAL", deployment_task="Approval_Check")
    models.workspace.versions[(MODEL, 2)] = state
    model = Model("classifier", "gates/iris.yml", promoter="workspace", deployment_job="deployment")
    placed = PlacedModel("classifier", model, MODEL, deployment_job=1)
    return placed, find_candidate(models.workspace.workspace().registry, placed, tell=lambda _: None).candidate
