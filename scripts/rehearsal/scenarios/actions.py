"""What the people of a story do, as data: commits, pull requests, merges, workflows started by hand, wrong settings."""

from __future__ import annotations

from dataclasses import dataclass


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


@dataclass(frozen=True)
class RepairRun:
    """Somebody runs the failed tasks of the newest run of a stage's job again, in the workspace's pages."""

    stage: str
    job: str


@dataclass(frozen=True)
class FireSchedule:
    """The time comes at which the schedule of a stage's job fires."""

    stage: str
    job: str


@dataclass(frozen=True)
class StartJob:
    """Somebody starts a job of a stage in the workspace's pages, and waits for it and for every run that comes of it.

    Args:
        stage: The stage.
        job: Key of the job.
        parameters: Job parameters, as (name, value) pairs; those left out take the job's defaults.
    """

    stage: str
    job: str
    parameters: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class InTerminal:
    """Somebody of the team types a command of the kit in the project's folder, logged in to the workspace as administrator.

    Args:
        argv: What follows `bundleflow`; `{model}` stands for the first model that the stage promotes.
        stage: The stage that it is about.
    """

    argv: tuple[str, ...]
    stage: str


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong in the workspace: requests that are answered by an error instead of being done.

    Args:
        path: Glob on the request's path.
        status: HTTP status of the answer.
        message: What the answer says.
    """

    path: str
    status: int
    message: str


Action = (
    Push | OpenPull | MergePull | TryToMerge | ReadOutput | OpenForkPull | UseIdentityOf | Dispatch | Schedule | ClosePull | MakeByHand
    | RepairRun | FireSchedule | StartJob | InTerminal
)  # fmt: skip
