"""The steps that turn a loaded configuration into the one that is planned and deployed, in the order of the real CLI."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

from rehearsal.databricks_cli import (
    gitinfo,
    libraries,
    permissions,
    resource_steps,
    scripts,
    target_mode,
    translate,
    unsupported,
    variables,
)
from rehearsal.databricks_cli.auth import login
from rehearsal.databricks_cli.bundle import Bundle
from rehearsal.databricks_cli.diagnostics import CommandError
from rehearsal.databricks_cli.dyn import Node, from_plain, walk
from rehearsal.databricks_cli.http_client import HttpClient
from rehearsal.databricks_cli.interpolation import resolve
from rehearsal.databricks_cli.schema import load_schema
from rehearsal.databricks_cli.workspace_api import Workspace

_PATHS = {"file_path": "files", "resource_path": "resources", "artifact_path": "artifacts", "state_path": "state"}
"""Workspace paths with the folder below `root_path` where they are by default."""


def initialize(bundle: Bundle) -> None:
    """Run all steps.

    Args:
        bundle: The bundle with its target chosen and the command line's variables assigned.

    Raises:
        CommandError: A step found something wrong that ends the command.
        StopCommand: Errors are among the diagnostics.
    """
    unsupported.check_cli_version(bundle)
    unsupported.refuse(bundle)
    _check_resources_have_values(bundle)
    _check_bundle_name(bundle)
    scripts.run(bundle, "preinit")
    _log_in(bundle)
    _load_git(bundle)
    _default_workspace_paths(bundle)
    variables.set_values(bundle)
    _resolve_references(bundle)
    resource_steps.merge_items_by_key(bundle)
    resource_steps.link_schemas(bundle)
    _sync_defaults(bundle)
    target_mode.set_run_as(bundle)
    target_mode.override_compute(bundle)
    target_mode.set_presets(bundle)
    target_mode.apply_presets(bundle)
    bundle.diagnostics.stop_on_error()
    resource_steps.set_defaults(bundle)
    libraries.prepare_artifacts(bundle)
    translate.translate_paths(bundle)
    libraries.warn_of_old_runtimes(bundle)
    target_mode.validate(bundle)
    bundle.diagnostics.stop_on_error()
    permissions.check_shared_root(bundle)
    permissions.recommend_own_permission(bundle)
    permissions.apply_bundle_permissions(bundle)
    permissions.ensure_management(bundle)
    resource_steps.annotate(bundle)
    scripts.run(bundle, "postinit")
    bundle.diagnostics.stop_on_error()


def _check_resources_have_values(bundle: Bundle) -> None:
    singular = {"registered_models": "registered_model", "schemas": "schema", "sql_warehouses": "sql_warehouse"}
    for kind, key, node in bundle.resources():
        if node.value is None:
            name = singular.get(kind, kind.removesuffix("s"))
            bundle.diagnostics.error(f"{name} {key} is not defined", paths=(f"resources.{kind}.{key}",), locations=node.locations)
    bundle.diagnostics.stop_on_error()


def _check_bundle_name(bundle: Bundle) -> None:
    name = bundle.config.get("bundle", "name")
    if name is None or not name.value:
        raise CommandError("bundle.name is required")
    if "${" in str(name.value):
        raise CommandError(
            "the name of the bundle may not contain a variable: it is part of the path of the bundle's state", locations=name.locations
        )
    host = bundle.config.text("workspace", "host")
    if "${" in host:
        raise CommandError(f"workspace.host may not contain a variable ({host}); set DATABRICKS_HOST instead")


def _log_in(bundle: Bundle) -> None:
    bundle.login = login(bundle.config.text("workspace", "host"), bundle.command)
    http = HttpClient(bundle.login.host, bundle.login.authorization, f"{bundle.login.user_agent} auth/{bundle.login.auth_type}")
    bundle.workspace_api = Workspace(http, str(bundle.login.metadata.get("workspace_id", "")))
    me = bundle.workspace_api.me()
    bundle.user = me
    local_part = str(me.get("userName", "")).split("@")[0]
    if bundle.is_service_principal and me.get("displayName"):
        local_part = str(me["displayName"])
    short = re.sub(r"[^\w]+", "_", local_part).lower().strip("_")
    shown = me | {"short_name": short, "domain_friendly_name": short.replace("_", "-")}
    bundle.config.set(("workspace", "current_user"), from_plain({k: v for k, v in shown.items() if v not in (None, "", [], {})}))


def _load_git(bundle: Bundle) -> None:
    info = gitinfo.read(bundle.root)
    git = ("bundle", "git")
    if info.branch:
        bundle.config.set((*git, "actual_branch"), Node(info.branch))
        bundle.config.set_default((*git, "branch"), info.branch)
    for key, value in (("commit", info.commit), ("origin_url", info.origin)):
        if value:
            bundle.config.set_default((*git, key), value)
    root = bundle.root.relative_to(info.top).as_posix() if info.top else "."
    bundle.config.set((*git, "bundle_root_path"), Node(root))


def _default_workspace_paths(bundle: Bundle) -> None:
    config = bundle.config
    bundle.root_path_given = bool(config.text("workspace", "root_path"))
    config.set_default(("workspace", "root_path"), f"~/.bundle/{bundle.name}/{bundle.target}")
    root = config.get("workspace", "root_path")
    assert root is not None
    text = str(root.value)
    if text == "~" or text.startswith("~/"):
        root.value = f"/Workspace/Users/{bundle.user_name}{text[1:]}"
    for name, folder in _PATHS.items():
        config.set_default(("workspace", name), f"{root.value}/{folder}")
    for name in ("root_path", *_PATHS):
        node = config.get("workspace", name)
        if node is not None and isinstance(node.value, str) and re.match(r"/(Users|Shared|Repos)(/|$)", node.value):
            node.value = f"/Workspace{node.value}"
    for _, node in walk(config):
        if isinstance(node.value, str) and "/Workspace/${workspace." in node.value:
            node.value = node.value.replace("/Workspace/${workspace.", "${workspace.")


def _resolve_references(bundle: Bundle) -> None:
    bundle.config = resolve(bundle.config)
    checked = load_schema().normalize(bundle.config, "#Root", bundle.diagnostics)
    if checked is not None:
        bundle.config = checked


def _sync_defaults(bundle: Bundle) -> None:
    """Sync patterns count from the file they stand in; paths above the bundle move the root that is synchronized."""
    sync = ("sync",)
    bundle.config.set_default((*sync, "paths"), ["."])
    for section in ("paths", "include", "exclude"):
        node = bundle.config.get("sync", section)
        for item in node.items if node else []:
            if item.locations and isinstance(item.value, str):
                item.value = _from_bundle_root(bundle, item.locations[0].file, item.value)
    paths = bundle.config.get("sync", "paths")
    tops = [os.path.normpath(bundle.root / str(item.value)) for item in (paths.items if paths else [])]
    bundle.sync_root = Path(os.path.commonpath([str(bundle.root), *tops]))


def _from_bundle_root(bundle: Bundle, file: str, pattern: str) -> str:
    folder = os.path.relpath(Path(file).parent, bundle.root)
    if folder == ".":
        return pattern
    negated = pattern.startswith("!")
    joined = str(PurePosixPath(os.path.normpath(f"{folder}/{pattern.removeprefix('!')}")))
    return f"!{joined}" if negated else joined
