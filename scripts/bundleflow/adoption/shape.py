"""Says of a bundle's files where a part that must hold keys or items holds something else, so that nothing after it has to ask again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any

from bundleflow.records.yaml_source import Path, YamlProblem, YamlSource
from bundleflow.releases.bundle_yaml import BundleFiles, finding_at

MAPPINGS = ("bundle", "workspace", "variables", "resources", "presets", "run_as", "git", "sync")
"""Parts of a bundle, and of a target, that hold keys. Source: Databricks' page "Bundle configuration reference"."""


def misshapen(bundle: BundleFiles, root: FilePath) -> str:
    """The first part of a bundle that has another form than it must have, with its place; empty: there is none.

    Args:
        bundle: The bundle's files.
        root: The repository's root; the file is named relative to it.
    """
    for file, source in bundle.sources.items():
        for path, form in _wrong(source.data):
            found = finding_at(file, root, _problem(source, path, form), "shape")
            return f"{found.place}: {found.message}"
    return ""


def _problem(source: YamlSource, path: Path, form: str) -> YamlProblem:
    return YamlProblem(source.at(path), f"`{'.'.join(map(str, path))}` must be {form}", "Correct it; the Databricks CLI refuses it too.")


def _wrong(data: Any) -> Iterator[tuple[Path, str]]:
    if not isinstance(data, Mapping):
        return
    yield from _part(data, ())
    targets = data.get("targets")
    yield from _mapping(targets, ("targets",))
    for name, target in targets.items() if isinstance(targets, Mapping) else ():
        yield from _mapping(target, ("targets", name))
        if isinstance(target, Mapping):
            yield from _part(target, ("targets", name))


def _part(data: Mapping[str, Any], at: Path) -> Iterator[tuple[Path, str]]:
    """The top of a bundle, or of a target."""
    for key in MAPPINGS:
        yield from _mapping(data.get(key), (*at, key))
    bundle, resources, permissions = (data.get(key) for key in ("bundle", "resources", "permissions"))
    if isinstance(bundle, Mapping):
        deployment = bundle.get("deployment")
        yield from _mapping(bundle.get("git"), (*at, "bundle", "git"))
        yield from _mapping(deployment, (*at, "bundle", "deployment"))
        if isinstance(deployment, Mapping):
            yield from _mapping(deployment.get("lock"), (*at, "bundle", "deployment", "lock"))
    for kind, items in resources.items() if isinstance(resources, Mapping) else ():
        yield from _mapping(items, (*at, "resources", kind))
    if permissions is not None and not isinstance(permissions, list):
        yield (*at, "permissions"), "a list"


def _mapping(value: Any, at: Path) -> Iterator[tuple[Path, str]]:
    if value is not None and not isinstance(value, Mapping):
        yield at, "a mapping (keys with values)"
