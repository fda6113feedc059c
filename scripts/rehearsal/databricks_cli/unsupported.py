"""Refuses by name what the stand-in does not do, so that nothing of a bundle is left out silently."""

from __future__ import annotations

import os
import re

from rehearsal.databricks_cli import CLI_VERSION
from rehearsal.databricks_cli.bundle import Bundle
from rehearsal.databricks_cli.diagnostics import CommandError
from rehearsal.databricks_cli.dyn import Node, match
from rehearsal.databricks_cli.schema_root import REFUSED_RESOURCES

WORKSPACE_KEYS = (
    "account_id",
    "auth_type",
    "azure_client_id",
    "azure_environment",
    "azure_login_app_id",
    "azure_tenant_id",
    "azure_use_msi",
    "azure_workspace_resource_id",
    "client_id",
    "experimental_is_unified_host",
    "google_service_account",
    "metadata_service_url",
    "profile",
)
"""Keys of `workspace` that choose a login; the stand-in takes it from the environment only."""

_PYTHON = (("experimental", "python"), ("experimental", "pydabs"), ("python",))
_SWITCHES = (
    ("experimental", "python_wheel_wrapper"),
    ("experimental", "record_deployment_history"),
    ("experimental", "use_legacy_run_as"),
    ("presets", "artifacts_dynamic_version"),
)
_ENGINES = ("direct", "terraform")
_HERE = "by the stand-in for the Databricks CLI"
_CONSTRAINT = re.compile(r"\s*(>=|<=|!=|==|=|>|<|~>|~|\^)?\s*v?(\d+)(?:\.(\d+|x|\*))?(?:\.(\d+|x|\*))?\s*$")


def refuse(bundle: Bundle) -> None:
    """Look for everything that is not supported.

    Raises:
        CommandError: Something is not; the message names it.
    """
    for kind in REFUSED_RESOURCES:
        node = bundle.config.get("resources", kind)
        if node is not None and node.value:
            text = f"resources of kind {kind} are not supported {_HERE}; use the real one"
            raise CommandError(text, paths=(f"resources.{kind}",), locations=node.locations)
    for path in _PYTHON:
        if (node := bundle.config.get(*path)) is not None and node.value:
            text = f"resources written in Python are not supported {_HERE}; use the real one"
            raise CommandError(text, paths=(".".join(path),), locations=node.locations)
    for switch in _SWITCHES:
        if (node := bundle.config.get(*switch)) is not None and node.value:
            raise CommandError(f"{'.'.join(switch)} is not supported {_HERE}", locations=node.locations)
    for key in WORKSPACE_KEYS:
        if (node := bundle.config.get("workspace", key)) is not None and node.value:
            raise CommandError(f"workspace.{key} is not supported {_HERE}; set DATABRICKS_HOST and credentials", locations=node.locations)
    for _, node in match(bundle.config, ("artifacts", "*", "dynamic_version")):
        if node.value:
            raise CommandError(f"dynamic_version of artifacts is not supported {_HERE}", locations=node.locations)
    if os.environ.get("DATABRICKS_CONFIG_PROFILE"):
        raise CommandError(f"DATABRICKS_CONFIG_PROFILE is not supported {_HERE}; set DATABRICKS_HOST and credentials")
    _check_engine(bundle)


def _check_engine(bundle: Bundle) -> None:
    engine = bundle.config.text("bundle", "engine") or os.environ.get("DATABRICKS_BUNDLE_ENGINE") or "direct"
    if engine not in _ENGINES:
        raise CommandError(f'unexpected setting for DATABRICKS_BUNDLE_ENGINE={engine!r} (expected "terraform" or "direct")')
    if engine == "terraform":
        raise CommandError(f"the terraform engine is not supported {_HERE}, only the direct engine")


def check_cli_version(bundle: Bundle) -> None:
    """Compare the version that is imitated with `bundle.databricks_cli_version`.

    Raises:
        CommandError: It does not fit, or the constraint cannot be read.
    """
    node = bundle.config.get("bundle", "databricks_cli_version")
    if node is None or not node.value:
        return
    wanted = str(node.value)
    if not all(_fits(part, node) for part in re.split(r"[,]|(?<=[\dx*])\s+(?=[<>=!~^v\d])", wanted)):
        raise CommandError(
            f"Databricks CLI version constraint not satisfied. Required: {wanted}, current: {CLI_VERSION}", locations=node.locations[:1]
        )


def _fits(part: str, node: Node) -> bool:
    hit = _CONSTRAINT.match(part)
    if hit is None:
        raise CommandError(
            f"invalid version constraint {part.strip()!r} specified. Please specify valid version constraint", locations=node.locations
        )
    sign = hit[1] or "="
    given = [int(number) for number in hit.groups()[1:] if number is not None and number.isdigit()]
    mine = [int(number) for number in CLI_VERSION.split(".")]
    short, full = mine[: len(given)], given + [0] * (3 - len(given))
    if sign in ("~", "~>"):
        return mine >= full and mine[: min(2, len(given))] == given[:2]
    if sign == "^":
        return mine >= full and mine[0] == given[0]
    results = {"=": short == given, "==": short == given, "!=": short != given, ">=": mine >= full, "<=": short <= given}
    return results.get(sign, mine > full if sign == ">" else mine < full)
