"""Finds the deployments that pull requests have left in the workspace and decides which of them go.

Only a folder where the test target would put a deployment is looked at, and only one with a marker of this very repository, bundle and
target counts. Nothing is removed while the run that made it is still at work.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from bundleflow.adapters.github import GitHubApi, GitHubError
from bundleflow.records.errors import BundleflowError, FailureReason
from bundleflow.records.own_deployment import MARKER_FILE, MARKER_LIMIT, SUFFIX, OwnDeployment, read_marker


class Folders(Protocol):
    """The workspace, as far as it is read here (`adapters.workspace_contents.WorkspaceContents`)."""

    def folders(self, path: str) -> tuple[str, ...]:
        """Names of the folders in a folder."""

    def read(self, path: str, limit: int) -> bytes | None:
        """A file's first bytes."""


@dataclass(frozen=True)
class Owner:
    """Whose deployments are looked for."""

    repository: str
    repository_id: str
    bundle_dir: str
    target: str


@dataclass(frozen=True)
class Place:
    """Where deployments of a target are: `<parent>/<before><suffix><after>`, with `below` (empty, or beginning with a slash) in it.

    Args:
        root_path: Root path of the deployment with the probe's suffix.
        state_path: Its state's folder.
        probe: That suffix.
    """

    root_path: str
    state_path: str
    probe: str

    @classmethod
    def of(cls, configuration: Mapping[str, Any], probe: str, target: str) -> Place:
        """The place that a bundle resolved with a suffix names.

        Raises:
            BundleflowError: `not-isolated`: the folder does not hang on the suffix, so that no deployment can be told from another.
        """
        workspace = configuration.get("workspace") or {}
        root = str(workspace.get("root_path") or "")
        if probe not in root:
            raise BundleflowError(
                f"Target `{target}` is not isolated: `workspace.root_path` ({root}) does not hang on the variable `suffix`.",
                fix="Put `${var.suffix}` into `workspace: root_path:` of this target; see docs/failure-reasons/not-isolated.md.",
                reason=FailureReason.NOT_ISOLATED,
            )
        return cls(root, str(workspace.get("state_path") or f"{root}/state"), probe)

    @property
    def parent(self) -> str:
        """The folder in which one folder for each deployment is."""
        return self.root_path.partition(self.probe)[0].rpartition("/")[0] or "/"

    def root(self, suffix: str) -> str:
        """The root path of the deployment with a suffix."""
        return self.root_path.replace(self.probe, suffix)

    def state(self, suffix: str) -> str:
        """The folder of its state."""
        return self.state_path.replace(self.probe, suffix)

    def suffix(self, folder: str) -> str | None:
        """The suffix by which a folder in `parent` is a deployment's; None when it is not one."""
        name = self.root_path[len(self.parent.rstrip("/")) + 1 :].partition("/")[0]
        pattern = f"({SUFFIX.pattern})".join(re.escape(part) for part in name.split(self.probe, 1))
        match = re.fullmatch(pattern, folder)
        return match[1] if match else None


@dataclass(frozen=True)
class Found:
    """A folder that looks like a deployment of the target.

    Args:
        root_path: The folder.
        deployment: What its marker says; None when it has none that counts.
        foreign: Why it does not count; empty when it does.
    """

    root_path: str
    deployment: OwnDeployment | None = None
    foreign: str = ""


@dataclass(frozen=True)
class Verdict:
    """What becomes of a deployment, and why."""

    found: Found
    why: str
    goes: bool = False


def find(workspace: Folders, place: Place, owner: Owner) -> Iterator[Found]:
    """Every folder where the target would put a deployment of its own."""
    for folder in workspace.folders(place.parent):
        suffix = place.suffix(folder)
        if suffix is None:
            continue
        root = place.root(suffix)
        content = workspace.read(f"{root}/{MARKER_FILE}", MARKER_LIMIT)
        deployment = read_marker(content) if content is not None else None
        foreign = _foreign(content, deployment, root, suffix, owner)
        yield Found(root, None if foreign else deployment, foreign)


def _foreign(content: bytes | None, deployment: OwnDeployment | None, root: str, suffix: str, owner: Owner) -> str:
    """Why a folder is not one of this repository's deployments; empty when it is."""
    if content is None:
        return "no marker: not made by this kit"
    if deployment is None:
        return "its marker cannot be understood"
    if (deployment.root_path, deployment.suffix) != (root, suffix):
        return "its marker belongs to another folder"
    same_id = not (deployment.repository_id and owner.repository_id) or deployment.repository_id == owner.repository_id
    if deployment.repository.lower() != owner.repository.lower() or not same_id:
        return f"made by {deployment.repository or 'nobody that is named'}"
    if (deployment.bundle_dir, deployment.target) != (owner.bundle_dir, owner.target):
        return f"made from bundle {deployment.bundle_dir}, target {deployment.target}"
    return ""


@dataclass(frozen=True)
class Rule:
    """When a deployment goes.

    Args:
        closed: This pull request has been closed: its deployments go, and no others; None: all are looked at.
        older_than_hours: Age at which one goes although its pull request is open.
        now: The present time.
    """

    closed: int | None
    older_than_hours: float
    now: datetime


def judge(github: GitHubApi, found: Found, rule: Rule, own_run: int) -> Verdict:
    """Decide about one folder.

    Args:
        github: The repository.
        found: The folder.
        rule: When a deployment goes.
        own_run: The run that asks; GitHub must be able to show it, or nothing is known about any run.

    Raises:
        BundleflowError: GitHub cannot be asked: nothing is removed on a guess.
    """
    deployment = found.deployment
    if deployment is None:
        return Verdict(found, found.foreign)
    if rule.closed is not None and deployment.pull_request != rule.closed:
        return Verdict(found, f"belongs to {_whose(deployment)}")
    at_work = _at_work(github, deployment.run_id, own_run)
    if at_work:
        return Verdict(found, at_work)
    if rule.closed is not None:
        return Verdict(found, f"pull request #{rule.closed} is closed", goes=True)
    age = deployment.age_hours(rule.now)
    if deployment.pull_request is not None and not _is_open(github, deployment.pull_request):
        return Verdict(found, f"pull request #{deployment.pull_request} is closed", goes=True)
    if age >= rule.older_than_hours:
        return Verdict(found, f"{age:.0f} h old", goes=True)
    return Verdict(found, f"{_whose(deployment)} and {age:.0f} h old (goes after {rule.older_than_hours:g} h)")


def _whose(deployment: OwnDeployment) -> str:
    return f"pull request #{deployment.pull_request}" if deployment.pull_request is not None else f"run {deployment.run_id}"


def _at_work(github: GitHubApi, run_id: int, own_run: int) -> str:
    """Why the run that made a deployment may still be at work; empty when it has ended, or is so old that GitHub has forgotten it."""
    found = _unless_missing(lambda: github.run_is_at_work(run_id))
    if found is not None:
        return f"run {run_id} is still at work" if found else ""
    # A token that may not see runs gets the same answer as for a run that is gone; the own run tells the two apart.
    if own_run and _unless_missing(lambda: github.run_is_at_work(own_run)) is not None:
        return ""
    return f"GitHub does not show whether run {run_id} is at work"


def _is_open(github: GitHubApi, number: int) -> bool:
    return _unless_missing(lambda: github.pull_request_is_open(number)) is not False


def _unless_missing(ask: Callable[[], bool]) -> bool | None:
    """The answer; None when there is no such thing."""
    try:
        return ask()
    except GitHubError as error:
        if error.status == 404:
            return None
        raise
