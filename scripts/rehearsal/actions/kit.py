"""Prepares the kit's copy for act: its actions rendered, its package as it is."""

from __future__ import annotations

from pathlib import Path

from rehearsal.actions import yamltext
from rehearsal.actions.model import Change
from rehearsal.actions.render_steps import render_action
from rehearsal.actions.sources import KIT, Sources

_SETUP = "actions/setup/action.yml"
_AS_IS = ("scripts", "pyproject.toml", "README.md")
"""What the actions read besides themselves; linked, not copied."""


def prepare(sources: Sources, cli_version: str = "") -> list[Change]:
    """Render every action of the kit into the copy.

    Args:
        sources: Where the kit is, and where its copy goes.
        cli_version: Version of the Databricks CLI that is there, where it is not the one that the kit would install.

    Returns:
        The differences from the originals.
    """
    source = sources.kit(sources.kit_sha)
    files = sorted([*sources.kit_root.glob("actions/*/action.yml"), *sources.kit_root.glob("action.yml")])
    changes = []
    for file in files:
        name = str(file.relative_to(sources.kit_root))
        changes += [Change(f"{KIT}: {name}", where, change, reason) for where, change, reason in render_action(file, source, sources, {})]
    if cli_version:
        changes.append(_take_cli_version(sources.kit_copy / _SETUP, cli_version))
    for name in _AS_IS:
        original, link = sources.kit_root / name, sources.kit_copy / name
        if original.exists() and not link.exists():
            link.symlink_to(original)
    return changes


def _take_cli_version(action: Path, version: str) -> Change:
    document = yamltext.load_file(action)
    document["inputs"]["cli-version"]["default"] = version
    action.write_text(yamltext.dump(document), encoding="utf-8")
    return Change(
        f"{KIT}: {_SETUP}",
        "inputs.cli-version.default",
        f"`{version}`",
        "the Databricks CLI that is here takes the place of the one to be downloaded",
    )


def root() -> Path:
    """Give the checkout that this installation runs from; its workflows and actions are what is rehearsed."""
    return Path(__file__).resolve().parents[3]
