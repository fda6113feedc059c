"""Approvals in the workspace: the tag that a deployment job waits for, bound to one version and the digest of its verdict."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from bundleflow_models.errors import ModelsError
from bundleflow_models.promotion.interfaces import Registry
from bundleflow_models.promotion.lock import utc_now
from bundleflow_models.promotion.records import KIT_TAGS, Approval, VersionState
from bundleflow_models.promotion.verdicts import check_passed, read_verdict

APPROVED = "Approved"
BY_TAG = "bundleflow_approved_by"
AT_TAG = "bundleflow_approved_at"
WHERE_TAG = "bundleflow_approved_where"
LINK_TAG = "bundleflow_approved_link"
VERDICT_TAG = "bundleflow_approved_verdict"
NOBODY = "none"
"""Who approved, where that is not known (the workspace's own button) or nobody was asked."""
TAG_LIMIT = 256
"""How many characters a tag's value may have in the Unity Catalog."""


def check_approval(registry: Registry, model: str, number: int, task: str) -> Approval:
    """Check, in the approval task of a deployment job, that a person approved this version with this verdict.

    An approval by the workspace's own button names no verdict; it is bound here to the one that holds now. An approval of an earlier
    verdict is taken back, so that it can be given anew.

    Args:
        registry: The registry.
        model: Full name of the model (job parameter `model_name`).
        number: The version (job parameter `model_version`).
        task: Name of the task (`{{task.name}}`), which begins with `approval`; the tag has the same name.

    Returns:
        The approval.

    Raises:
        ModelsError: `not-approved`: nobody approved, or another verdict was approved; `no-verdict` or `verdict-refused`: there is
            nothing to approve.
    """
    check_task(task)
    version = registry.version(model, number)
    verdict = read_verdict(registry, version)
    check_passed(verdict)
    if not is_approved(version, task):
        raise ModelsError(
            "not-approved",
            f"Version {number} of {model} waits for approval (verdict {verdict.sha256[:12]}).",
            fix=f"Approve it on the version's page, or on GitHub; then the tag `{task}` is `{APPROVED}` and this run goes on by repair.",
        )
    bound = version.tags.get(VERDICT_TAG, "")
    if bound and bound != verdict.sha256:
        forget_approval(registry, version, [task])
        raise ModelsError(
            "not-approved",
            f"The approval of version {number} of {model} was given for another verdict ({bound[:12]}; now {verdict.sha256[:12]}).",
            fix="It was taken back. Look at the new verdict and approve again.",
        )
    if not bound:
        write_approval(registry, version, Approval("", "workspace", verdict.sha256), task)
        version = registry.version(model, number)
    return approval_of(version)


def write_approval(registry: Registry, version: VersionState, approval: Approval, task: str, *, at: datetime | None = None) -> None:
    """Write an approval to a version; the tag that the deployment job looks for comes last.

    Args:
        registry: The registry.
        version: The version.
        approval: Who agreed, to which verdict.
        task: Name of the approval task.
        at: When; None: now.
    """
    check_task(task)
    write_approval_tags(registry, version, approval, at=at)
    registry.set_version_tag(version.model, version.number, task, APPROVED)


def write_approval_tags(registry: Registry, version: VersionState, approval: Approval, *, at: datetime | None = None) -> None:
    """Write who agreed, when, where and to which verdict to a version; tags that say so already are left alone."""
    if approval_of(version) == approval:
        return
    values = {
        BY_TAG: approval.by or NOBODY,
        AT_TAG: (at or utc_now()).isoformat(timespec="seconds"),
        WHERE_TAG: approval.where,
        LINK_TAG: approval.link,
        VERDICT_TAG: approval.verdict,
    }
    for key, value in values.items():
        if value:
            registry.set_version_tag(version.model, version.number, key, value[:TAG_LIMIT])


def forget_approval(registry: Registry, version: VersionState, tasks: Iterable[str]) -> None:
    """Take an approval back; the deployment job's tag goes first."""
    for key in (*tasks, VERDICT_TAG, BY_TAG, AT_TAG, WHERE_TAG, LINK_TAG):
        if key in version.tags:
            registry.delete_version_tag(version.model, version.number, key)


def approval_of(version: VersionState) -> Approval:
    """The approval that stands in a version's tags."""
    by, where, verdict, link = (version.tags.get(key, "") for key in (BY_TAG, WHERE_TAG, VERDICT_TAG, LINK_TAG))
    return Approval("" if by == NOBODY else by, where or "workspace", verdict, link)


def is_approved(version: VersionState, task: str) -> bool:
    """Whether the tag of an approval task says so."""
    return version.tags.get(task, "").casefold() == APPROVED.casefold()


def check_task(task: str) -> None:
    """Check that a task's name makes it an approval task (https://docs.databricks.com/aws/en/mlflow/deployment-job).

    Raises:
        ModelsError: Wrong use.
    """
    if not task.casefold().startswith("approval"):
        raise ModelsError(
            "wrong-use",
            f"The task `{task}` is no approval task.",
            fix="Give it a name that begins with `approval`, such as `approval_check`: the workspace knows it by that.",
        )


def carries_over(key: str) -> bool:
    """Whether a tag may come along when a version is copied: what was judged, approved or promoted may not."""
    lowered = key.casefold()
    return not lowered.startswith((KIT_TAGS, "approval", "validation_status"))
