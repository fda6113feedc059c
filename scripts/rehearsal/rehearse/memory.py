"""What is remembered from scene to scene: which runs, pull requests and versions belong to which."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from rehearsal.actions.runner import WorkflowRun
from rehearsal.rehearse.callers import Callers
from rehearsal.rehearse.models_view import ModelsView, Standing
from rehearsal.rehearse.stage import Stage
from rehearsal.rehearse.view import DeployedJob, ModelVersion, WorkspaceView


@dataclass(frozen=True)
class GateSeen:
    """A gate that opened in a scene: what was deployed when it asked, and who answered what."""

    environment: str
    deployed_before: int
    answer: str
    who: str
    drifted: bool = False
    """Somebody changed the stage in the workspace while it waited."""


@dataclass
class Memory:
    """The state of a story that is being played.

    Args:
        stage: The stage.
        view: A look at the workspace.
    """

    stage: Stage
    view: WorkspaceView
    pull: int = 0
    """Number of the pull request that the present scene (or the last one that did) opened."""
    jobs_at_first: dict[str, list[DeployedJob]] = field(default_factory=dict)
    champions: dict[str, list[ModelVersion]] = field(default_factory=dict)
    runs: list[WorkflowRun] = field(default_factory=list)
    """Workflow runs of the present scene."""
    gates: list[GateSeen] = field(default_factory=list)
    """Gates of the present scene."""
    job_runs_before: set[int] = field(default_factory=set)
    """Ids of job runs that were there before the present scene."""
    jobs_before: dict[str, dict[int, str]] = field(default_factory=dict)
    """Stage → its jobs (id → settings as JSON) when the present scene began."""
    mails_before: int = 0
    """How many mails were in the mailbox when the present scene began."""
    left: set[int] = field(default_factory=set)
    """Workflow runs that wait at a gate which nobody answers."""
    waiting_before: set[int] = field(default_factory=set)
    """Those of them that waited when the present scene began."""
    refusal: str = ""
    """Why GitHub refused a merge in the present scene."""
    branch_before: str = ""
    own_roots: list[str] = field(default_factory=list)
    """Folders of pull requests' own deployments that were left, when that was last looked at."""
    made_by_hand: str = ""
    """A folder of the workspace that somebody made beside them."""
    output: dict[str, object] = field(default_factory=dict)
    models_before: dict[str, Standing] = field(default_factory=dict)
    """Stage → how its model stood when the present scene began; only stages that the scene compares."""
    callers: Callers | None = None
    """Who asked an endpoint all the while the present scene lasted."""

    def models(self, stage: str) -> ModelsView:
        """Give a look at the model of a stage."""
        return ModelsView(self.view, self.stage.project, stage)

    def target_of(self, stage: str) -> str:
        """Give the target of a stage of the flow file."""
        return self.stage.project.flow.stages[stage].target

    def settings_by_stage(self) -> dict[str, dict[int, str]]:
        """Give every stage's jobs (id → settings as JSON)."""
        return {name: self.view.job_settings(stage.target) for name, stage in self.stage.project.flow.stages.items()}

    def workspace_log(self) -> list[dict[str, Any]]:
        """Give what the workspace has been asked so far, one entry a request."""
        log = self.stage.workspace.log
        return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []
