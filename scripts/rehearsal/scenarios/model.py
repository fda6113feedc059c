"""What a story is made of: scenes, each with one action and what must hold afterwards. Data only; `rehearse.player` plays it."""

from __future__ import annotations

from dataclasses import dataclass, field

GENERAL = "iris"
"""The template whose stories can be played on other templates as well."""


@dataclass(frozen=True)
class Edit:
    """A change to one file.

    Args:
        path: The file, relative to the project's root.
        find: Text that occurs in it exactly once; empty: `replace` is added at the end (the file is made where it is missing).
        replace: What stands there afterwards.
    """

    path: str
    find: str
    replace: str


@dataclass(frozen=True)
class Change:
    """A commit that a developer makes: the edits for a project that they fit, else those for any project."""

    message: str
    edits: tuple[Edit, ...]
    otherwise: tuple[Edit, ...]
    """For a project that the edits do not fit; said in the report. None: a story with this change is left out there."""


# Actions --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Push:
    """Somebody pushes a branch, made from `base` where it is not there yet, with a change or as it is."""

    branch: str
    base: str = "main"
    change: Change | None = None
    who: str = "developer"


@dataclass(frozen=True)
class OpenPull:
    """A developer pushes a branch with a change and opens a pull request for it."""

    branch: str
    base: str
    change: Change
    title: str


@dataclass(frozen=True)
class MergePull:
    """Somebody merges the open pull request into `base`; at a gate that then waits, `gate` is answered."""

    base: str
    who: str = "reviewer"


@dataclass(frozen=True)
class TryToMerge:
    """Somebody tries to merge the open pull request into `base`, which GitHub must refuse; it is closed then, unless it `stays_open`."""

    base: str
    who: str = "reviewer"
    stays_open: bool = False


@dataclass(frozen=True)
class ReadOutput:
    """The output of the newest run of a job of a stage is read from the workspace (and the job is run where it never was)."""

    stage: str
    job: str


@dataclass(frozen=True)
class OpenForkPull:
    """Somebody without rights in the repository opens a pull request from a fork; a person of the team lets its workflows run."""

    branch: str
    base: str
    change: Change
    title: str
    who: str = "contributor"
    allowed_by: str = "reviewer"


@dataclass(frozen=True)
class UseIdentityOf:
    """The environment of a stage gets the client id of another environment, as when somebody copies the wrong one; then a branch is pushed.

    The right client id is put back when the scene is over.
    """

    stage: str
    other: str
    push: Push


@dataclass(frozen=True)
class Dispatch:
    """Somebody starts a workflow by hand.

    Args:
        file: The workflow's file, such as `promote-model.yml`.
        inputs: Its inputs, as (name, value) pairs; those left out take the file's defaults.
        branch: Branch whose file is started, and whose commit is checked out.
        who: Login of a person with write access.
    """

    file: str
    inputs: tuple[tuple[str, str], ...] = ()
    branch: str = "main"
    who: str = "release-manager"


@dataclass(frozen=True)
class Schedule:
    """The schedule of a workflow strikes, on the default branch.

    Args:
        file: The workflow's file, such as `cleanup.yml`; its first `cron` is taken.
    """

    file: str


@dataclass(frozen=True)
class ClosePull:
    """The developer closes the open pull request into `base`, unmerged; `unnoticed`: while GitHub Actions is down and starts nothing."""

    base: str
    unnoticed: bool = False


@dataclass(frozen=True)
class MakeByHand:
    """Somebody makes a folder in the workspace, beside the pull requests' own deployments of a stage and named as they are."""

    stage: str
    name: str


Action = (
    Push | OpenPull | MergePull | TryToMerge | ReadOutput | OpenForkPull | UseIdentityOf | Dispatch | Schedule | ClosePull | MakeByHand
)  # fmt: skip


@dataclass(frozen=True)
class Gate:
    """How a gate is answered that opens in a scene.

    Args:
        environment_of: The stage whose environment asks.
        answer: `approved`, `rejected`, or `left`: nobody answers, the workflow waits when the scene is over.
        who: The reviewer.
        comment: What the reviewer says.
        drift: Key of a job of the stage that somebody changes in the workspace while the gate waits; empty: nothing changes.
    """

    environment_of: str
    answer: str = "approved"
    who: str = "release-manager"
    comment: str = "plan read"
    drift: str = ""


# Expectations ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class WorkflowEnds:
    """A workflow ran in this scene and ended so; every job of it that should have run did."""

    file: str
    conclusion: str = "success"


@dataclass(frozen=True)
class JobEnds:
    """A job of a workflow of this scene ended so (`job` is its key)."""

    file: str
    job: str
    conclusion: str


@dataclass(frozen=True)
class OneComment:
    """The scene's pull request has exactly one comment by the kit."""


@dataclass(frozen=True)
class Deployed:
    """The stage's bundle is in the workspace, with all jobs that its flow file runs."""

    stage: str


@dataclass(frozen=True)
class NotDeployed:
    """Nothing of the stage's bundle is in the workspace, or (`before_gate`) nothing was when its gate asked."""

    stage: str
    before_gate: bool = False


@dataclass(frozen=True)
class Updated:
    """The stage's jobs are the same as after the first deployment (same ids), and carry the new commit's deployment."""

    stage: str


@dataclass(frozen=True)
class JobsRan:
    """The jobs that the flow file names for the stage ran in this scene, and succeeded."""

    stage: str


@dataclass(frozen=True)
class SmokePassed:
    """The smoke checks that the flow file names for the stage were made in this scene, after the deployment, and passed."""

    stage: str


@dataclass(frozen=True)
class OwnDeploymentGone:
    """The pull request's own deployment of the stage was there, ran its jobs, and is gone."""

    stage: str


@dataclass(frozen=True)
class OwnDeploymentLeft:
    """One own deployment of a pull request is still in the stage: nobody destroyed it."""

    stage: str


@dataclass(frozen=True)
class OwnDeploymentReaped:
    """What `OwnDeploymentLeft` saw is gone: jobs, folder, schema."""

    stage: str


@dataclass(frozen=True)
class MadeByHandLeftAlone:
    """What `MakeByHand` made is still there."""


@dataclass(frozen=True)
class Recorded:
    """The kit filed a successful deployment record for the stage's environment, for the commit that was deployed."""

    stage: str


@dataclass(frozen=True)
class ReleaseProposed:
    """Exactly one pull request to the branch is open."""

    base: str


@dataclass(frozen=True)
class GateAsked:
    """The stage's environment asked for approval in this scene, and it was answered by a person."""

    stage: str


@dataclass(frozen=True)
class Champion:
    """A model of the stage's catalogs has a version with alias `champion`; a newer one than before where `newer`."""

    stage: str
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
class Stopped:
    """A job of a workflow of this scene failed, and gave out this failure reason (`job` is its key)."""

    file: str
    job: str
    reason: str


@dataclass(frozen=True)
class Rejected:
    """A job of a workflow of this scene did not begin, because a reviewer said no at its gate."""

    file: str
    job: str


@dataclass(frozen=True)
class Superseded:
    """A job that waited at a gate when the scene began was cancelled by a newer one of the same workflow, which went on."""

    file: str
    job: str


@dataclass(frozen=True)
class WaitsAtGate:
    """A workflow of this scene waits at the stage's gate."""

    file: str
    stage: str


@dataclass(frozen=True)
class GateNotAsked:
    """The stage's environment did not ask for approval in this scene."""

    stage: str


@dataclass(frozen=True)
class Untouched:
    """The stage's jobs in the workspace are what they were when the scene began, ids and settings; none of them ran."""

    stage: str


@dataclass(frozen=True)
class OneAfterTheOther:
    """The scenes that go on at the same time started the workflow once each; its deploying jobs ran in order, none at the same time."""

    file: str
    job: str
    times: int


@dataclass(frozen=True)
class ReadOnly:
    """No job of the pull request could write, log in or see a secret: tokens that only read, no OIDC, no request to the workspace."""


@dataclass(frozen=True)
class NoComment:
    """Nobody commented on the scene's pull request."""


@dataclass(frozen=True)
class Says:
    """The summary of a job of this scene holds a text (compared without regard to case)."""

    file: str
    job: str
    text: str


Expectation = (
    WorkflowEnds | JobEnds | OneComment | Deployed | NotDeployed | Updated | JobsRan | OwnDeploymentGone | Recorded
    | ReleaseProposed | GateAsked | Champion | MergeRefused | Output | Stopped | Rejected | Superseded | WaitsAtGate
    | GateNotAsked | Untouched | OneAfterTheOther | ReadOnly | NoComment | Says
    | SmokePassed | OwnDeploymentLeft | OwnDeploymentReaped | MadeByHandLeftAlone
)  # fmt: skip


@dataclass(frozen=True)
class Scene:
    """One thing that happens.

    Args:
        title: What happens, in a few words.
        expected: What should come of it, in a few words.
        action: What is done.
        expectations: What must hold afterwards.
        gate: How a gate is answered that opens meanwhile.
        stopped: The scene is there to be stopped: failing workflows are right.
        needs_stages: The scene is left out where the flow file has not all of these stages.
        without_stage: The scene is left out where the flow file has this stage.
        needs_job: The scene is left out where no stage runs such a job.
        needs_file: The scene is left out where the project has no such workflow.
        lost: File of a workflow whose runner is lost as soon as a job run that it started is at work; empty: none.
        meanwhile: It begins while the workflows of the scene before are still at work.
        promotion: It is a part of that promotion (jobs, CLI calls and requests are counted).
        promotion_ends: With this scene a promotion from branch to production is complete (times are taken by it).
    """

    title: str
    expected: str
    action: Action
    expectations: tuple[Expectation, ...] = ()
    gate: Gate | None = None
    stopped: bool = False
    needs_stages: tuple[str, ...] = ()
    without_stage: str = ""
    needs_job: str = ""
    needs_file: str = ""
    lost: str = ""
    meanwhile: bool = False
    promotion_ends: bool = False
    promotion: bool = False


@dataclass(frozen=True)
class Story:
    """A scenario: scenes in their order.

    Args:
        name: Its name on the command line.
        title: What it is about, in one line.
        scenes: What happens.
        deployed: Stages that must be deployed when it begins; the rehearsal does that before, once.
        quick: Deployments run no jobs: what the story shows happens before, and has nothing to do with them.
        template: The template that it is played on where the user names no project. Stories of `GENERAL` can be played on other templates
            too; a project given by its folder is played with every story that fits it.
    """

    name: str
    title: str
    scenes: tuple[Scene, ...] = field(default_factory=tuple)
    deployed: tuple[str, ...] = ()
    quick: bool = False
    template: str = GENERAL
