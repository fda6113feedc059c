"""The deployment's memory in the workspace: the resources' state, the list of files, and the lock."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from rehearsal.databricks_cli import CLI_VERSION
from rehearsal.databricks_cli.bundle import Bundle
from rehearsal.databricks_cli.diagnostics import CommandError
from rehearsal.databricks_cli.http_client import ApiError
from rehearsal.databricks_cli.sync_files import SyncedFile

STATE_VERSION = 2
RESOURCES, DEPLOYMENT, METADATA, LOCK = "resources.json", "deployment.json", "metadata.json", "deploy.lock"


@dataclass
class ResourceState:
    """What the last deployment set.

    Args:
        lineage: Identifies the line of states that follow each other; empty before the first deployment.
        serial: Counts the states of that line.
        entries: Key → `{__id__, state, depends_on?}`.
    """

    lineage: str = ""
    serial: int = 0
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)

    def identity(self, key: str) -> str:
        """Return the id of a deployed resource; empty when it is not deployed."""
        return str(self.entries.get(key, {}).get("__id__", ""))

    def to_text(self) -> str:
        """Return the content of `resources.json`."""
        content = {"state_version": STATE_VERSION, "cli_version": CLI_VERSION, "lineage": self.lineage, "serial": self.serial}
        return json.dumps(content | {"state": dict(sorted(self.entries.items()))}, indent=1, ensure_ascii=False)


@dataclass
class FileList:
    """What the last deployment uploaded.

    Args:
        identity: The deployment's id.
        sequence: Counts the deployments.
        files: The files.
        local: This folder made the last deployment.
    """

    identity: str = ""
    sequence: int = 0
    files: list[SyncedFile] = field(default_factory=list)
    local: bool = False


def pull(bundle: Bundle, *, prefer_local: bool = False) -> ResourceState:
    """Read the resources' state, of the workspace and of this folder; the newer one counts.

    Args:
        bundle: The bundle, logged in.
        prefer_local: Do not ask the workspace when this folder has a state.

    Raises:
        CommandError: A state cannot be understood, or the two do not belong together.
    """
    file = bundle.local_state / RESOURCES
    local = _parse(file.read_text("utf-8"), str(file)) if file.is_file() else None
    if prefer_local and local is not None:
        return local
    folder = bundle.config.text("workspace", "state_path")
    with ThreadPoolExecutor(2) as pool:
        other_engine = pool.submit(bundle.workspace.status, f"{folder}/terraform.tfstate", export_info=True)
        content = pool.submit(bundle.workspace.read, f"{folder}/{RESOURCES}").result()
    remote = _parse(content.decode("utf-8"), f"{folder}/{RESOURCES}") if content is not None else None
    if other_engine.result() is not None and remote is None:
        raise CommandError("this deployment was made with the terraform engine, which the stand-in for the Databricks CLI does not support")
    if remote is not None and local is not None and remote.lineage != local.lineage:
        raise CommandError(
            f"lineage mismatch in state files: the workspace has {remote.lineage}, {file} has {local.lineage}; remove the local file"
        )
    states = [state for state in (remote, local) if state is not None]
    return max(states, key=lambda state: state.serial, default=ResourceState())


def _parse(text: str, name: str) -> ResourceState:
    try:
        content = json.loads(text)
        if content["state_version"] > STATE_VERSION + 1:
            raise CommandError(f"{name} has state version {content['state_version']}, which was written by a newer CLI")
        return ResourceState(str(content["lineage"]), int(content["serial"]), dict(content.get("state") or {}))
    except (ValueError, KeyError, TypeError) as problem:
        raise CommandError(f"failed to parse state {name}: {problem}") from problem


def push(bundle: Bundle, state: ResourceState, *, written: bool) -> None:
    """Write the resources' state to this folder and to the workspace.

    Args:
        bundle: The bundle.
        state: The state.
        written: At least one entry was written, so that the serial rises.
    """
    if written or not state.lineage:
        state.serial += 1
    state.lineage = state.lineage or str(uuid.uuid4())
    _write(bundle, RESOURCES, state.to_text())


def pull_files(bundle: Bundle, *, remote: bool = True) -> FileList:
    """Read the list of uploaded files; that of the workspace counts when it is newer.

    Args:
        bundle: The bundle.
        remote: Ask the workspace at all; a deployment of a saved plan does not.
    """
    file = bundle.local_state / DEPLOYMENT
    own = json.loads(file.read_text("utf-8")) if file.is_file() else None
    folder = bundle.config.text("workspace", "state_path")
    content = bundle.workspace.read(f"{folder}/{DEPLOYMENT}") if remote else None
    theirs = json.loads(content) if content is not None else None
    is_local = own is not None and (theirs is None or (theirs.get("id") == own.get("id") and theirs["seq"] <= own["seq"]))
    chosen = own if is_local else theirs
    if chosen is None:
        return FileList(str(uuid.uuid4()))
    files = [SyncedFile(item["local_path"], bool(item["is_notebook"])) for item in chosen.get("files") or []]
    return FileList(str(chosen.get("id") or uuid.uuid4()), int(chosen["seq"]), files, local=is_local)


def push_files(bundle: Bundle, before: FileList, files: list[SyncedFile]) -> None:
    """Write the list of uploaded files to this folder and to the workspace."""
    content = {
        "version": 1,
        "seq": before.sequence + 1,
        "cli_version": CLI_VERSION,
        "timestamp": now(),
        "files": [{"local_path": item.path, "is_notebook": item.notebook} for item in files],
        "id": before.identity,
    }
    _write(bundle, DEPLOYMENT, json.dumps(content, indent=1, ensure_ascii=False))


def push_metadata(bundle: Bundle, state: ResourceState) -> None:
    """Write what the workspace's own pages show of the deployment: which file each job and pipeline stands in."""
    from rehearsal.databricks_cli.diagnostics import relative

    resources: dict[str, dict[str, Any]] = {}
    for kind, key, node in [*bundle.resources("jobs"), *bundle.resources("pipelines")]:
        if identity := state.identity(f"resources.{kind}.{key}"):
            file = relative(node.locations[0].file, str(bundle.root)) if node.locations else ""
            resources.setdefault(kind, {})[key] = {"id": identity, "relative_path": file}
    git = bundle.config.plain("bundle", "git") or {}
    shown = {name: git[name] for name in ("branch", "origin_url", "commit", "bundle_root_path") if name in git}
    content = {
        "version": 1,
        "config": {
            "bundle": {"name": bundle.name, "target": bundle.target, "git": shown},
            "workspace": {"file_path": bundle.config.text("workspace", "file_path")},
            "resources": resources,
            "presets": {"source_linked_deployment": False},
        },
        "extra": {},
    }
    path = f"{bundle.config.text('workspace', 'state_path')}/{METADATA}"
    bundle.workspace.upload(path, json.dumps(content, indent=2, ensure_ascii=False).encode())


def _write(bundle: Bundle, name: str, text: str) -> None:
    bundle.local_state.mkdir(parents=True, exist_ok=True)
    (bundle.local_state / name).write_text(text, "utf-8")
    bundle.workspace.upload(f"{bundle.config.text('workspace', 'state_path')}/{name}", text.encode())


def now() -> str:
    """Return the time in the notation of the state files."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")


class Lock:
    """The lock that keeps two deployments apart. Nobody waits for it: who finds it taken stops.

    Args:
        bundle: The bundle; `bundle.deployment.lock` may turn the lock off or force it.
        force: Take it over from whoever has it.
    """

    def __init__(self, bundle: Bundle, *, force: bool) -> None:
        settings = bundle.config.plain("bundle", "deployment", "lock") or {}
        self.enabled = settings.get("enabled", True)
        self.force = force or bool(settings.get("force"))
        self.path = f"{bundle.config.text('workspace', 'state_path')}/{LOCK}"
        self.bundle = bundle

    def __enter__(self) -> None:
        if not self.enabled:
            return
        mine = {"ID": str(uuid.uuid4()), "AcquisitionTime": now(), "IsForced": self.force, "User": self.bundle.user_name}
        try:
            self.bundle.workspace.upload(self.path, json.dumps(mine).encode(), overwrite=self.force)
        except ApiError as problem:
            if problem.status != 409:
                raise
        holder = json.loads(self.bundle.workspace.read(self.path) or b"{}")
        if holder.get("ID") != mine["ID"]:
            self._refuse(holder)

    def _refuse(self, holder: dict[str, Any]) -> None:
        text = (
            f"deploy lock acquired by {holder.get('User')} at {_go_time(str(holder.get('AcquisitionTime')))}.\n"
            "Another deployment may be in progress. Use --force-lock to override, but this may\n"
            "conflict with the other deployment if it is still active"
        )
        self.bundle.diagnostics.error(f"Failed to acquire deployment lock: {text}")
        raise CommandError(text)

    def __exit__(self, *_: object) -> None:
        if self.enabled and self.bundle.workspace.status(self.path) is not None:
            self.bundle.workspace.delete(self.path)


def _go_time(text: str) -> str:
    """Write `2026-01-02T03:04:05.6Z` as the real CLI prints times."""
    date, _, rest = text.partition("T")
    return f"{date} {rest.removesuffix('Z')} +0000 UTC" if rest.endswith("Z") else text
