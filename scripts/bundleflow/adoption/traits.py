"""What a target's configuration says about its use: whether it hangs on who deploys, whether pull requests can share it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bundleflow.adoption.resolution import target_configuration
from bundleflow.records.errors import BundleflowError
from bundleflow.releases.checks import running_schedules
from bundleflow.releases.isolation import FOLDERS, PROBES, VARIABLE, check_lock, shared

_IDENTITY = "${workspace.current_user"
SHOWN = 12


def by_identity(configuration: Mapping[str, Any]) -> tuple[str, ...]:
    """Places whose value hangs on who deploys: then a plan made by another identity can never be the same.

    Args:
        configuration: See `target_configuration`.
    """
    found = ["mode: development (puts the deployer's name into every name)"] if configuration.get("mode") == "development" else []
    workspace = configuration.get("workspace") or {}
    paths = {name: str(workspace.get(name) or "") for name in FOLDERS}
    if _IDENTITY in paths["root_path"]:
        paths = {"root_path": paths["root_path"]}
    found += [f"workspace.{name}: {value}" for name, value in paths.items() if _IDENTITY in value]
    for part in ("resources", "run_as", "permissions"):
        texts = _texts(configuration.get(part), part)
        # What only follows from the root path is said once, by the root path.
        found += [f"{place}: {text}" for place, text in texts if _IDENTITY in text.replace(paths["root_path"], "")]
    return tuple(found[:SHOWN])


def not_isolated(document: Mapping[str, Any], target: str) -> tuple[str, ...]:
    """Why two pull requests could not each have a deployment of a target; the same rules as in `run-tests`, without a workspace.

    Args:
        document: The merged files of the bundle.
        target: Name of the target.
    """
    declared = VARIABLE in (document.get("variables") or {})
    first, second = (target_configuration(document, target, {VARIABLE: suffix} if declared else {}) for suffix in PROBES)
    found = [] if declared else [f"there is no variable `{VARIABLE}`"]
    found += [str(each) for each in shared(first, second)]
    try:
        check_lock(first, target)
    except BundleflowError as error:
        found.append(error.cause)
    found += [f"{each.path} runs by itself" for each in running_schedules(first, target)]
    return tuple(found)


def foreseen_warnings(configuration: Mapping[str, Any]) -> tuple[str, ...]:
    """Warnings that the CLI gives for a target as it is, and that say nothing new to a team which already deploys it.

    Args:
        configuration: See `target_configuration`.
    """
    root = str((configuration.get("workspace") or {}).get("root_path") or "")
    permissions = [each for each in configuration.get("permissions") or [] if isinstance(each, Mapping)]
    open_to_all = any(each.get("group_name") == "users" and each.get("level") == "CAN_MANAGE" for each in permissions)
    if f"{root}/".startswith("/Workspace/Shared/") and not open_to_all:
        return (f"the bundle root path {root} is writable by all workspace users",)
    return ()


def _texts(value: object, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _texts(each, f"{place}.{key}")
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _texts(each, f"{place}[{index}]")
    elif isinstance(value, str):
        yield place, value
