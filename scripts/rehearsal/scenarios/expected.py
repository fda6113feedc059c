"""What a scene can expect, as data: about its workflows, the stages of the flow file, the workspace and the imitated GitHub."""

from __future__ import annotations

from dataclasses import dataclass

from rehearsal.scenarios.champions import OfChampion
from rehearsal.scenarios.outcomes import OfJobRun


@dataclass(frozen=True)
class OfStage:
    """Something about a stage, by its name in the flow file; left out where the flow file has none of that name."""

    stage: str


@dataclass(frozen=True)
class OfJob:
    """Something about a job (its key) of a workflow (its file's name) of the scene."""

    file: str
    job: str


@dataclass(frozen=True)
class WorkflowEnds:
    """A workflow ran in this scene and ended so; every job of it that should have run did."""

    file: str
    conclusion: str = "success"


@dataclass(frozen=True)
class JobEnds(OfJob):
    """A job of a workflow of this scene ended so (`job` is its key)."""

    conclusion: str


@dataclass(frozen=True)
class OneComment:
    """The scene's pull request has exactly one comment by the kit."""


class Deployed(OfStage):
    """The stage's bundle is in the workspace, with all jobs that its flow file runs."""


@dataclass(frozen=True)
class NotDeployed(OfStage):
    """Nothing of the stage's bundle is in the workspace, or (`before_gate`) nothing was when its gate asked."""

    before_gate: bool = False


class Updated(OfStage):
    """The stage's jobs are the same as after the first deployment (same ids), and carry the new commit's deployment."""


class JobsRan(OfStage):
    """The jobs that the flow file names for the stage ran in this scene, and succeeded."""


class SmokePassed(OfStage):
    """The smoke checks that the flow file names for the stage were made in this scene, after the deployment, and passed."""


class OwnDeploymentGone(OfStage):
    """The pull request's own deployment of the stage was there, ran its jobs, and is gone."""


class OwnDeploymentLeft(OfStage):
    """One own deployment of a pull request is still in the stage: nobody destroyed it."""


class OwnDeploymentReaped(OfStage):
    """What `OwnDeploymentLeft` saw is gone: jobs, folder, schema."""


@dataclass(frozen=True)
class MadeByHandLeftAlone:
    """What `MakeByHand` made is still there."""


class Recorded(OfStage):
    """The kit filed a successful deployment record for the stage's environment, for the commit that was deployed."""


@dataclass(frozen=True)
class ReleaseProposed:
    """Exactly one pull request to the branch is open."""

    base: str


@dataclass(frozen=True)
class GateAsked(OfStage):
    """The stage's environment (`models`: that of its models) asked for approval in this scene, and it was answered by a person."""

    models: bool = False


@dataclass(frozen=True)
class Champion(OfStage):
    """A model of the stage's catalogs has a version with alias `champion`; a newer one than before where `newer`."""

    newer: bool = False


@dataclass(frozen=True)
class MergeRefused:
    """GitHub refused the merge, and the branch stands where it stood."""

    base: str


@dataclass(frozen=True)
class Output:
    """The output that was read is JSON with these keys."""

    keys: tuple[str, ...]


@dataclass(frozen=True)
class Stopped(OfJob):
    """A job of a workflow of this scene failed, and gave out this failure reason (`job` is its key)."""

    reason: str


class Rejected(OfJob):
    """A job of a workflow of this scene did not begin, because a reviewer said no at its gate."""


class Superseded(OfJob):
    """A job that waited at a gate when the scene began was cancelled by a newer one of the same workflow, which went on."""


@dataclass(frozen=True)
class WaitsAtGate:
    """A workflow of this scene waits at the stage's gate."""

    file: str
    stage: str


class GateNotAsked(OfStage):
    """The stage's environments, that of its models too, did not ask for approval in this scene."""


class Untouched(OfStage):
    """The stage's jobs in the workspace are what they were when the scene began, ids and settings; none of them ran."""


@dataclass(frozen=True)
class OneAfterTheOther(OfJob):
    """The scenes that go on at the same time started the workflow once each; its deploying jobs ran in order, none at the same time."""

    times: int


@dataclass(frozen=True)
class ReadOnly:
    """No job of the pull request could write, log in or see a secret: tokens that only read, no OIDC, no request to the workspace."""


@dataclass(frozen=True)
class NoComment:
    """Nobody commented on the scene's pull request."""


@dataclass(frozen=True)
class Says(OfJob):
    """The summary of a job of this scene holds a text (compared without regard to case)."""

    text: str


Expectation = (
    WorkflowEnds | JobEnds | OneComment | Deployed | NotDeployed | Updated | JobsRan | OwnDeploymentGone | Recorded
    | ReleaseProposed | GateAsked | Champion | MergeRefused | Output | Stopped | Rejected | Superseded | WaitsAtGate
    | GateNotAsked | Untouched | OneAfterTheOther | ReadOnly | NoComment | Says
    | SmokePassed | OwnDeploymentLeft | OwnDeploymentReaped | MadeByHandLeftAlone | OfJobRun | OfChampion
)  # fmt: skip
