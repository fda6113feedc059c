"""Removes one pull request's deployment: by the Databricks CLI where its bundle can be had, else by what its state names.

Nothing is removed before every resource in the state has been seen to hold the deployment's suffix.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from bundleflow.adapters.databricks_cli import DatabricksCli
from bundleflow.adapters.workspace_contents import REMOVABLE
from bundleflow.records.errors import BundleflowError, FailureReason
from bundleflow.records.own_deployment import OwnDeployment
from bundleflow.releases.isolation import IDENTITY, UNKNOWN_KIND

STATE_FILE, OTHER_ENGINE = "resources.json", "terraform.tfstate"
STATE_LIMIT = 50 * 1024 * 1024
OWNED_BY_FILE = ("jobs", "pipelines")
"""Kinds whose id tells nothing; the workspace knows which deployment's file they belong to."""


class Contents(Protocol):
    """The workspace, as far as it is used here (`adapters.workspace_contents.WorkspaceContents`)."""

    def exists(self, path: str) -> bool:
        """Whether there is anything at a path."""

    def read(self, path: str, limit: int) -> bytes | None:
        """A file's first bytes."""

    def remove_folder(self, path: str) -> None:
        """Remove a folder with everything in it."""

    def remove(self, kind: str, identity: str) -> None:
        """Remove a deployed object."""

    def metadata_path(self, kind: str, identity: str) -> str | None:
        """The deployment's file that a job or pipeline belongs to; None when it is gone."""


Entries = Mapping[str, Mapping[str, Any]]


def remove(workspace: Contents, deployment: OwnDeployment, bundles: Iterable[DatabricksCli]) -> str:
    """Remove a deployment with its folder.

    Args:
        workspace: The workspace.
        deployment: The deployment; the run that made it has ended.
        bundles: The CLI for bundles that may be the deployment's, with its target and suffix, best first; may be empty.

    Returns:
        How it was removed, in a few words.

    Raises:
        BundleflowError: `cleanup-failed`: something in the state is not the deployment's own, or stayed; the folder then stays as well.
    """
    entries = read_state(workspace, deployment)
    check_own(entries, deployment)
    for cli in bundles:
        if _leads_to(cli, deployment):
            destroy(cli)
            how = "by `databricks bundle destroy`"
            break
    else:
        remove_by_state(workspace, deployment, entries)
        how = f"by its state ({len(entries)} resources)"
    if workspace.exists(deployment.root_path):
        raise _failed(
            deployment, "its folder is still there", "Start the clean-up again; see who else writes into the folder when it stays."
        )
    return how


def read_state(workspace: Contents, deployment: OwnDeployment) -> Entries:
    """What the deployment's state names, by key such as `resources.jobs.train`; permissions and grants left out.

    Raises:
        BundleflowError: `cleanup-failed`: the state cannot be understood.
    """
    content = workspace.read(f"{deployment.state_path}/{STATE_FILE}", STATE_LIMIT)
    if content is None:
        return {}
    try:
        state = json.loads(content)["state"] or {}
        entries = {key: entry for key, entry in state.items() if key.count(".") == 2}
        if any(not isinstance(entry, Mapping) for entry in entries.values()):
            raise TypeError("an entry is no object")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _failed(
            deployment, f"its state cannot be understood ({error})", "Remove its resources by hand, the folder at the end."
        ) from error
    return entries


def check_own(entries: Entries, deployment: OwnDeployment) -> None:
    """Refuse a state that names what may be somebody else's: something whose name does not hold the deployment's suffix.

    Raises:
        BundleflowError: `cleanup-failed`, with each of them.
    """
    # Not followed by more of the same: `-pr1-2` is not in `iris-pr1-22`.
    own = re.compile(re.escape(deployment.suffix) + r"(?![A-Za-z0-9])")
    lines = [f"{key}: {name}" for key, entry in sorted(entries.items()) for name in [_name(key, entry)] if name and not own.search(name)]
    if lines:
        raise _failed(
            deployment,
            f"its state names what does not hold its suffix `{deployment.suffix}`: {lines[0]}",
            "Look whose it is. Remove it by hand if it was this deployment's, then start the clean-up again.",
            lines,
        )


def remove_by_state(workspace: Contents, deployment: OwnDeployment, entries: Entries) -> None:
    """Remove what the state names, what hangs on others first, then the folder.

    Raises:
        BundleflowError: `cleanup-failed`: another engine made it, it holds a kind that is not known here, or something is not its own.
    """
    if not entries and workspace.exists(f"{deployment.state_path}/{OTHER_ENGINE}"):
        raise _failed(deployment, "it was made with the terraform engine, whose state only the CLI understands", _BY_HAND)
    unknown = [key for key in entries if key.split(".")[1] not in REMOVABLE]
    if unknown:
        raise _failed(deployment, f"it holds a kind of resource that is not removed here: {unknown[0]}", _BY_HAND, unknown)
    ordered = list(_dependents_first(entries))
    gone = {key for key in ordered if _is_gone(workspace, deployment, key, str(entries[key].get("__id__", "")))}
    for key in ordered:
        if key not in gone:
            workspace.remove(key.split(".")[1], str(entries[key]["__id__"]))
    workspace.remove_folder(deployment.root_path)


def _is_gone(workspace: Contents, deployment: OwnDeployment, key: str, identity: str) -> bool:
    """Whether an object does not exist any more; refuses one that the workspace counts to another deployment."""
    kind = key.split(".")[1]
    if kind not in OWNED_BY_FILE:
        return not identity
    path = workspace.metadata_path(kind, identity)
    if path is not None and not path.startswith(f"{deployment.root_path}/"):
        raise _failed(
            deployment,
            f"{key} ({identity}) belongs to another deployment: {path or 'none'}",
            "Look whose it is; correct or remove the folder.",
        )
    return path is None


def _dependents_first(entries: Entries) -> Iterator[str]:
    """The keys, each before those that it hangs on."""
    needed_by: dict[str, set[str]] = {key: set() for key in entries}
    for key, entry in entries.items():
        for each in entry.get("depends_on") or []:
            if each.get("node") in needed_by:
                needed_by[each["node"]].add(key)
    while needed_by:
        free = sorted(key for key, others in needed_by.items() if not others & set(needed_by)) or sorted(needed_by)
        for key in free:
            del needed_by[key]
            yield key


def _name(key: str, entry: Mapping[str, Any]) -> str:
    """The name of a resource as it was deployed; empty when nothing in the state names it."""
    state = entry.get("state")
    fields = IDENTITY.get(key.split(".")[1], UNKNOWN_KIND)
    given = [str(state[name]) for name in fields if state.get(name)] if isinstance(state, Mapping) else []
    identity = str(entry.get("__id__", ""))
    # A number or a hash is no name; a full name in Unity Catalog, a path or a word is.
    return ".".join(given) if given else "" if re.fullmatch(r"[0-9a-f-]*", identity) else identity


def _leads_to(cli: DatabricksCli, deployment: OwnDeployment) -> bool:
    """Whether a bundle with the deployment's suffix is in the deployment's very folder."""
    try:
        workspace = cli.summary().get("workspace") or {}
    except BundleflowError as error:
        if error.reason in (FailureReason.AUTH_FAILED, FailureReason.OUTSIDE_TROUBLE):
            raise
        return False
    return (workspace.get("root_path"), workspace.get("state_path")) == (deployment.root_path, deployment.state_path)


def destroy(cli: DatabricksCli) -> None:
    """Destroy a deployment under a name that one workflow run alone uses, also when that run's dead deployment has left its lock behind.

    Args:
        cli: The CLI for the deployment's bundle, target and suffix; nothing deploys under that name any more.

    Raises:
        BundleflowError: What the CLI's message stands for.
    """
    try:
        cli.destroy()
    except BundleflowError as error:
        if error.reason is not FailureReason.LOCKED:
            raise
        cli.destroy(force_lock=True)


_BY_HAND = "Destroy it from a checkout of its commit: `databricks bundle destroy`, with BUNDLE_VAR_suffix set as the marker says."


def _failed(deployment: OwnDeployment, what: str, fix: str, lines: Iterable[str] = ()) -> BundleflowError:
    return BundleflowError(
        f"{deployment.root_path}: {what}", fix=fix, reason=FailureReason.CLEANUP_FAILED, details="\n".join(list(lines)[:50])
    )
