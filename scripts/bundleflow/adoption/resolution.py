"""A bundle's configuration for one target as far as its files alone say it: merged, overridden, variables filled in.

The Databricks CLI decides in the end; this is for reading and guessing. Sources: Databricks' pages "Bundle configuration",
"Substitutions and variables" and "Deployment modes".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

ME = "${workspace.current_user.userName}"
HOME = f"/Workspace/Users/{ME}"
_REFERENCE = re.compile(r"\$\{((?:var|variables|bundle|workspace)\.[\w.-]+)\}")
_ROUNDS = 8
_OVERRIDES = ("bundle", "workspace", "resources", "presets", "run_as", "permissions", "git", "mode", "sync")
_PATHS = {"file_path": "files", "artifact_path": "artifacts", "state_path": "state", "resource_path": "resources"}
_PREFIXED = ("jobs", "pipelines")
"""Kinds whose names surely get `presets: name_prefix:`; others are read as they stand."""


def merged(documents: Sequence[object]) -> dict[str, Any]:
    """The main file and what it includes, as one document: mappings are merged, everything else is replaced."""
    found: dict[str, Any] = {}
    for each in documents:
        if isinstance(each, Mapping):
            found = _merge(found, each)
    return found


def target_configuration(document: Mapping[str, Any], target: str, variables: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The configuration of one target.

    Args:
        document: The merged files.
        target: Its name; one that is not declared stands for the bundle without overrides.
        variables: Values from outside, which count before all others.

    Returns:
        `bundle`, `workspace` (with every path), `variables`, `resources`, `presets`, `run_as`, `permissions` as the CLI would show them;
        references that only the workspace can resolve stay as they are.
    """
    own = _own(document, target)
    base = {key: value for key, value in document.items() if key in _OVERRIDES}
    given = _merge(base, {key: value for key, value in own.items() if key in _OVERRIDES})
    bundle = dict(_mapping(given.get("bundle"))) | {"target": target, "environment": target, "mode": given.get("mode")}
    values = _variable_values(document, own) | dict(variables or {})
    workspace = dict(_mapping(given.get("workspace")))
    workspace.setdefault("root_path", f"{HOME}/.bundle/${{bundle.name}}/${{bundle.target}}")
    workspace["root_path"] = re.sub(r"^~(?=/|$)", HOME, str(workspace["root_path"]))
    for name, last in _PATHS.items():
        workspace.setdefault(name, f"${{workspace.root_path}}/{last}")
    # As the CLI reads the older way of writing a path.
    workspace |= {
        name: re.sub(r"^/(?=(?:Users|Shared|Repos)(?:/|$))", "/Workspace/", str(workspace[name])) for name in ("root_path", *_PATHS)
    }
    names = {f"bundle.{key}": value for key, value in bundle.items()} | {f"workspace.{key}": value for key, value in workspace.items()}
    names |= {f"{word}.{key}": value for key, value in values.items() for word in ("var", "variables")}
    resolved: dict[str, Any] = _resolve({**given, "bundle": bundle, "workspace": workspace}, names)
    resolved["variables"] = {key: {"value": _resolve(value, names)} for key, value in values.items()}
    _apply_presets(resolved)
    return resolved


def unset_variables(document: Mapping[str, Any], target: str) -> tuple[str, ...]:
    """Variables that have no value in a target: no default, no lookup, none of the target's own."""
    values = _variable_values(document, _own(document, target))
    return tuple(sorted(str(name) for name in _mapping(document.get("variables")) if name not in values))


def _own(document: Mapping[str, Any], target: str) -> Mapping[str, Any]:
    return _mapping(_mapping(document.get("targets")).get(target))


def _variable_values(document: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for source in (_mapping(document.get("variables")), _mapping(own.get("variables"))):
        for name, rule in source.items():
            if not isinstance(rule, Mapping):
                values[name] = rule
            elif "default" in rule:
                values[name] = rule["default"]
            elif "lookup" in rule:
                values[name] = f"${{lookup.{name}}}"
            elif source is not document.get("variables"):
                values[name] = rule
    return {name: value for name, value in values.items() if value is not None}


def _apply_presets(resolved: dict[str, Any]) -> None:
    presets = _mapping(resolved.get("presets"))
    prefix = str(presets.get("name_prefix") or "")
    paused = presets.get("trigger_pause_status") == "PAUSED" or (resolved.get("mode") == "development" and not presets)
    for kind, items in _mapping(resolved.get("resources")).items():
        for item in _mapping(items).values():
            if not isinstance(item, dict):
                continue
            if prefix and kind in _PREFIXED and item.get("name"):
                item["name"] = f"{prefix}{item['name']}"
            for timing in (item.get("schedule"), item.get("trigger"), item.get("continuous")):
                if paused and isinstance(timing, dict):
                    timing.setdefault("pause_status", "PAUSED")


def _resolve(value: Any, names: Mapping[str, Any]) -> Any:
    if isinstance(value, Mapping):
        return {key: _resolve(each, names) for key, each in value.items()}
    if isinstance(value, list):
        return [_resolve(each, names) for each in value]
    if not isinstance(value, str):
        return value
    text = value
    for _ in range(_ROUNDS):
        whole = _REFERENCE.fullmatch(text)
        if whole and not isinstance(names.get(whole[1], ""), str):
            return names[whole[1]]
        filled = _REFERENCE.sub(lambda match: str(names[match[1]]) if match[1] in names else match[0], text)
        if filled == text:
            break
        text = filled
    return text


def _merge(base: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(base)
    for key, value in other.items():
        old = found.get(key)
        found[key] = _merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return found


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
