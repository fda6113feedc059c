"""Finds a bundle's root, reads its files, and checks and joins them."""

from __future__ import annotations

import glob
import os
from pathlib import Path

from rehearsal.databricks_cli.bundle import Bundle
from rehearsal.databricks_cli.diagnostics import CommandError, Diagnostics, Location
from rehearsal.databricks_cli.dyn import Node
from rehearsal.databricks_cli.merge import merge
from rehearsal.databricks_cli.schema import load_schema
from rehearsal.databricks_cli.variables import expand_shorthands
from rehearsal.databricks_cli.yamltree import load_file

ROOT_FILES = ("databricks.yml", "databricks.yaml", "bundle.yml", "bundle.yaml")
"""Names of a bundle's root file, in the order they are looked for."""

_NO_ROOT = """Unable to locate the bundle root: databricks.yml not found.

Run this command from a directory that contains a bundle, or set the DATABRICKS_BUNDLE_ROOT environment variable to \
the bundle root directory.
Alternatively, create a new bundle with 'databricks bundle init'."""


def find_root() -> Path:
    """Return the folder of the bundle: DATABRICKS_BUNDLE_ROOT, or the nearest one from here upwards.

    Raises:
        CommandError: There is none.
    """
    if given := os.environ.get("DATABRICKS_BUNDLE_ROOT"):
        folder = Path(given)
        if not folder.is_dir():
            raise CommandError(f"invalid bundle root DATABRICKS_BUNDLE_ROOT={given!r}: stat {given}: no such file or directory")
        return folder.absolute()
    here = Path.cwd()
    for folder in (here, *here.parents):
        if any((folder / name).is_file() for name in ROOT_FILES):
            return folder
    raise CommandError(_NO_ROOT)


def load(root: Path, command: str, diagnostics: Diagnostics) -> Bundle:
    """Read the root file; the includes follow by `load_includes`, so that the name is known when they fail.

    Args:
        root: Folder of the bundle.
        command: The command, such as `bundle plan`.
        diagnostics: Takes the remarks.

    Raises:
        CommandError: The file cannot be read or is not YAML.
    """
    file = next((root / name for name in ROOT_FILES if (root / name).is_file()), None)
    if file is None:
        raise CommandError(_NO_ROOT)
    return Bundle(root, _read(file, diagnostics), diagnostics, command, sync_root=root)


def load_includes(bundle: Bundle) -> None:
    """Read the included files into the configuration, and refuse keys that are used twice."""
    include = bundle.config.get("include")
    files: list[str] = []
    for item in include.items if include else []:
        files += [name for name in _expand(bundle, str(item.value)) if name not in files]
    for name in files:
        part = _read(bundle.root / name, bundle.diagnostics)
        if (nested := part.get("include")) is not None:
            bundle.diagnostics.warn(
                "Include section is defined outside root file",
                detail="Only the includes of the bundle's root file are loaded; these are ignored.",
                paths=("include",),
                locations=nested.locations,
            )
            part.remove("include")
        bundle.config = merge(bundle.config, part)
    if files:
        bundle.config.set(("include",), Node([Node(name) for name in files], include.locations if include else ()))
    else:
        bundle.config.remove("include")
    _refuse_duplicates(bundle)
    bundle.diagnostics.stop_on_error()


def _read(file: Path, diagnostics: Diagnostics) -> Node:
    tree = load_file(file)
    if tree.value is None:
        tree = Node({}, tree.locations)
    if not isinstance(tree.value, dict):
        raise CommandError(f"failed to load {file}: expected a map at the top level")
    expand_shorthands(tree)
    checked = load_schema().normalize(tree, "#Root", diagnostics)
    if (old := tree.get("environments")) is not None and checked is not None:
        if checked.get("targets") is not None:
            raise CommandError(f"both 'environments' and 'targets' are specified; only 'targets' should be used: {file}")
        checked.set(("targets",), checked.get("environments") or old)
        checked.remove("environments")
    return checked if checked is not None else Node({}, tree.locations)


def _expand(bundle: Bundle, pattern: str) -> list[str]:
    """Return the files a pattern of `include` matches, relative to the bundle; `**` matches one folder, as in the real CLI."""
    if pattern.startswith("/"):
        raise CommandError(f"{pattern}: includes must be relative paths")
    found = glob.glob(pattern, root_dir=bundle.root, include_hidden=True)  # noqa: PTH207 - hidden files count
    matches = sorted(os.path.normpath(name) for name in found)
    if not matches and not any(char in pattern for char in "*?["):
        raise CommandError(f"{pattern} defined in 'include' section does not match any files")
    return [name for name in matches if name not in ROOT_FILES]


def _refuse_duplicates(bundle: Bundle) -> None:
    """A key may be used once among all resources and scripts, because `bundle run KEY` must be clear."""
    paths: dict[str, list[str]] = {}
    places: dict[str, list[Location]] = {}
    named = [(f"resources.{kind}.{key}", key, node) for kind, key, node in bundle.resources()]
    scripts = bundle.config.get("scripts")
    named += [(f"scripts.{key}", key, node) for key, node in (scripts.mapping if scripts else {}).items()]
    for path, key, node in named:
        paths.setdefault(key, []).append(path)
        places.setdefault(key, []).extend(node.locations)
    for key, found in places.items():
        if len(found) > 1:
            bundle.diagnostics.error(
                f"multiple resources or scripts have been defined with the same key: {key}",
                paths=sorted(paths[key]),
                locations=sorted(found),
            )
