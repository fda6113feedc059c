"""What a story is made of: scenes, each with one action and what must hold afterwards. Data only; `rehearse.player` plays it.

A story's module imports all of it from here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rehearsal.scenarios.actions import (
    Action,
    Change,
    ClosePull,
    Dispatch,
    Edit,
    Fault,
    FireSchedule,
    InTerminal,
    MakeByHand,
    MergePull,
    OpenForkPull,
    OpenPull,
    Push,
    ReadOutput,
    RepairRun,
    Schedule,
    StartJob,
    TryToMerge,
    UseIdentityOf,
)
from rehearsal.scenarios.expected import (
    Champion,
    Deployed,
    Expectation,
    GateAsked,
    GateNotAsked,
    JobEnds,
    JobsRan,
    MadeByHandLeftAlone,
    MergeRefused,
    NoComment,
    NotDeployed,
    OneAfterTheOther,
    OneComment,
    Output,
    OwnDeploymentGone,
    OwnDeploymentLeft,
    OwnDeploymentReaped,
    ReadOnly,
    Recorded,
    Rejected,
    ReleaseProposed,
    Says,
    SmokePassed,
    Stopped,
    Superseded,
    Untouched,
    Updated,
    WaitsAtGate,
    WorkflowEnds,
)

__all__ = [
    "GENERAL",
    "Action",
    "Champion",
    "Change",
    "ClosePull",
    "Deployed",
    "Dispatch",
    "Edit",
    "Expectation",
    "Fault",
    "FireSchedule",
    "Gate",
    "GateAsked",
    "GateNotAsked",
    "InTerminal",
    "JobEnds",
    "JobsRan",
    "MadeByHandLeftAlone",
    "MakeByHand",
    "MergePull",
    "MergeRefused",
    "NoComment",
    "NotDeployed",
    "OneAfterTheOther",
    "OneComment",
    "OpenForkPull",
    "OpenPull",
    "Output",
    "OwnDeploymentGone",
    "OwnDeploymentLeft",
    "OwnDeploymentReaped",
    "Push",
    "ReadOnly",
    "ReadOutput",
    "Recorded",
    "Rejected",
    "ReleaseProposed",
    "RepairRun",
    "Says",
    "Scene",
    "Schedule",
    "SmokePassed",
    "StartJob",
    "Stopped",
    "Story",
    "Superseded",
    "TryToMerge",
    "Untouched",
    "Updated",
    "UseIdentityOf",
    "WaitsAtGate",
    "WorkflowEnds",
]

GENERAL = "iris"
"""The template whose stories can be played on other templates as well."""


@dataclass(frozen=True)
class Gate:
    """How a gate is answered that opens in a scene.

    Args:
        environment_of: The stage whose environment asks: that of its deployment, or that of its models.
        answer: `approved`, `rejected`, or `left`: nobody answers, the workflow waits when the scene is over.
        who: The reviewer.
        comment: What the reviewer says.
        drift: Key of a job of the stage that somebody changes in the workspace while the gate waits; empty: nothing changes.
        of_models: How the gate of the stage's models is answered where that is another answer; empty: the same.
        rival: While the gate waits, somebody promotes another version of the model: the newest but the challenger that waits for approval.
    """

    environment_of: str
    answer: str = "approved"
    who: str = "release-manager"
    comment: str = "plan read"
    drift: str = ""
    of_models: str = ""
    rival: bool = False


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
        production_from: The scene is left out where a push of this branch does not deploy production; empty: wherever it comes from.
        needs_job: The scene is left out where the bundle has no such job.
        needs_file: The scene is left out where the project has no such workflow.
        lost: File of a workflow whose runner is lost as soon as a job run that it started is at work; empty: none.
        cancelled: File of a workflow that somebody cancels on GitHub as soon as a job run that it started is at work; empty: none.
        asking: Stage whose models' endpoint gets requests all the while; empty: none.
        fault: What goes wrong in the workspace while the scene lasts.
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
    production_from: str = ""
    needs_job: str = ""
    needs_file: str = ""
    lost: str = ""
    cancelled: str = ""
    asking: str = ""
    fault: Fault | None = None
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
        without_java: It is played as on a machine without Java: JAR tasks are left out before anything is deployed.
        models_of: Stage whose model it is about; empty: none.
        without_versions: That model has no version and no endpoint when the story begins.
        after: Story at whose end this one begins, as far as the champion goes: it is played before, unless it was; champions that came
            since then are rolled back.
    """

    name: str
    title: str
    scenes: tuple[Scene, ...] = field(default_factory=tuple)
    deployed: tuple[str, ...] = ()
    quick: bool = False
    template: str = GENERAL
    without_java: bool = False
    models_of: str = ""
    without_versions: bool = False
    after: str = ""
