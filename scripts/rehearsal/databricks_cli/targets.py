"""Chooses the target and lays it over the configuration."""

from __future__ import annotations

import os

from rehearsal.databricks_cli import variables
from rehearsal.databricks_cli.bundle import Bundle
from rehearsal.databricks_cli.diagnostics import CommandError
from rehearsal.databricks_cli.dyn import Node
from rehearsal.databricks_cli.merge import merge

_MERGED = ("bundle", "workspace", "artifacts", "resources", "sync", "permissions", "presets")
"""Sections of a target that are merged into those of the bundle; `run_as` replaces."""


def select(bundle: Bundle, wanted: str) -> None:
    """Choose a target and lay it over the configuration.

    Args:
        bundle: The bundle, loaded with its includes.
        wanted: The target of the command line; else DATABRICKS_BUNDLE_TARGET, else the default.

    Raises:
        CommandError: There is no such target, or no default, or its overrides do not fit.
    """
    targets = bundle.config.get("targets")
    if targets is None or not targets.mapping:
        targets = Node({"default": Node({})})
        bundle.config.set(("targets",), targets)
    name = wanted or os.environ.get("DATABRICKS_BUNDLE_TARGET") or os.environ.get("DATABRICKS_BUNDLE_ENV") or default_target(targets)
    chosen = targets.get(name)
    if chosen is None:
        raise CommandError(f"{name}: no such target. Available targets: {', '.join(targets.mapping)}")
    for section in _MERGED:
        over = chosen.get(section)
        if over is not None:
            present = bundle.config.get(section)
            bundle.config.set((section,), merge(present, over) if present is not None else over)
    if (own := chosen.get("variables")) is not None:
        variables.override(bundle, name, own)
    if (run_as := chosen.get("run_as")) is not None:
        bundle.config.set(("run_as",), run_as)
    for section, path in (("git", ("bundle", "git")), ("mode", ("bundle", "mode")), ("cluster_id", ("bundle", "cluster_id"))):
        if (over := chosen.get(section)) is not None:
            present = bundle.config.get(*path)
            bundle.config.set(path, merge(present, over) if present is not None else over)
    bundle.config.set(("bundle", "target"), Node(name))
    bundle.config.set(("bundle", "environment"), Node(name))
    bundle.config.remove("targets")


def default_target(targets: Node) -> str:
    """Return the name of the target that is used when none is named.

    Raises:
        CommandError: There are several, and none or more than one of them is the default.
    """
    names = list(targets.mapping)
    if len(names) == 1:
        return names[0]
    marked = [name for name in names if targets.plain(name, "default") is True]
    if len(marked) > 1:
        raise CommandError(f"multiple targets are marked as default ({', '.join(marked)})")
    if not marked:
        raise CommandError("please specify target")
    return marked[0]
