"""What is remembered from scene to scene: which runs, pull requests and versions belong to which."""

from __future__ import annotations

from dataclasses import dataclass, field

from rehearsal.actions.runner import WorkflowRun
from rehearsal.rehearse.stage import Stage
from rehearsal.rehearse.view import DeployedJob, ModelVersion, WorkspaceView


@dataclass(frozen=True)
class GateSeen:
    """A gate that opened in a scene: what was deployed when it asked, and who answered what."""

    environment: str
    deployed_before: int
    answer: str
    who: str


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
    refusal: str = ""
    """Why GitHub refused a merge in the present scene."""
    branch_before: str = ""
    output: dict[str, object] = field(default_factory=dict)

    def target_of(self, stage: str) -> str:
        """Give the target of a stage of the flow file."""
        return self.stage.project.flow.stages[stage].target
