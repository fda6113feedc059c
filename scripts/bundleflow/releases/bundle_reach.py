"""Which bundles of a repository a change touches: their folders, what they take from outside, and declared shared folders."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow.records.flow import FLOW_FILE
from bundleflow.releases.bundle_yaml import FILE_NAMES

EVERYWHERE = (FLOW_FILE, ".github/workflows")
"""A change of these concerns every bundle."""

_MAY_REACH_OUT = re.compile(r"^\s*(sync|artifacts|include)\s*:", re.MULTILINE)


@dataclass(frozen=True)
class Touched:
    """What a change comes to.

    Args:
        bundles: Folders of the bundles that it touches, relative to the repository's root, sorted.
        deleted: Folders that held a bundle before the change and hold none after it; a renamed bundle's old folder is among them.
    """

    bundles: tuple[str, ...]
    deleted: tuple[str, ...] = ()


def find_bundles(root: Path, patterns: Iterable[str]) -> list[str]:
    """Folders with a bundle that the flow file's `bundles` name, relative to the repository's root, sorted.

    Raises:
        BundleflowError: `flow-invalid` when a pattern finds none.
    """
    found: set[str] = set()
    for pattern in patterns:
        folders = [root] if not PurePosixPath(pattern).parts else [each for each in root.glob(pattern) if each.is_dir()]
        here = {folder.relative_to(root).as_posix() for folder in folders if any((folder / name).is_file() for name in FILE_NAMES)}
        if not here:
            raise BundleflowError(
                f"`{pattern}` of `bundles` in the flow file finds no folder with a `databricks.yml`.",
                fix="Name the bundle's folder relative to the repository's root, or a glob such as `bundles/*`.",
                reason=FailureReason.FLOW_INVALID,
                exit_code=ExitCode.USAGE,
            )
        found |= here
    return sorted(found)


def bundles_in(files: Iterable[str], patterns: Sequence[str]) -> set[str]:
    """The bundles among the files of a commit that is not checked out.

    Args:
        files: Paths relative to the repository's root.
        patterns: `bundles` of the flow file.
    """
    folders = {PurePosixPath(file).parent.as_posix() for file in files if PurePosixPath(file).name in FILE_NAMES}
    plain = [PurePosixPath(pattern).as_posix() for pattern in patterns]
    return {folder for folder in folders if any(_matches(folder, pattern) for pattern in plain)}


def _matches(folder: str, pattern: str) -> bool:
    """As `Path.glob`: `*` stays within a part of the path, `**` is any number of parts."""
    parts, wanted = folder.split("/"), pattern.split("/")
    if not wanted or not parts:
        return parts == wanted
    if wanted[0] == "**":
        rest = "/".join(wanted[1:])
        return not rest or any(_matches("/".join(parts[start:]), rest) for start in range(len(parts)))
    if not fnmatchcase(parts[0], wanted[0]):
        return False
    return len(parts) == len(wanted) == 1 or (len(parts) > 1 and len(wanted) > 1 and _matches("/".join(parts[1:]), "/".join(wanted[1:])))


def outside_paths(root: Path, folder: str) -> set[str]:
    """What a bundle takes from outside its folder: `sync.paths`, `include` and `artifacts.*.path`, of every target.

    Args:
        root: The repository's root.
        folder: The bundle's folder, relative to it.

    Returns:
        Files and folders relative to the repository's root; a path with a wildcard counts from the folder above it.
    """
    found: set[str] = set()
    for file in _yaml_files(root / folder):
        text = file.read_text("utf-8", "replace")
        if ".." not in text or not _MAY_REACH_OUT.search(text):
            continue  # reading 500 bundles' YAML takes seconds, looking for two dots does not
        try:
            data = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 (both are safe loaders)
        except yaml.YAMLError:
            return {"."}  # what cannot be read may take anything
        for path in _named_paths(data):
            # Paths of `sync` and `artifacts` are relative to the file that they stand in.
            place = os.path.normpath(file.parent.relative_to(root) / _without_wildcards(path))
            if not _is_within(place, folder) and not place.startswith(".."):
                found.add(PurePosixPath(place).as_posix())
    return found


def _without_wildcards(path: str) -> str:
    """The folder above the first wildcard: `../b/util_*.py` is anything in `../b`."""
    plain = re.split(r"[*?\[]", path)[0]
    return path if plain == path else plain.rpartition("/")[0]


def _yaml_files(bundle: Path) -> Iterator[Path]:
    for here, folders, files in os.walk(bundle):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(here, name) for name in files if name.endswith((".yml", ".yaml")))


def _named_paths(data: Any) -> Iterator[str]:
    for part in map(_mapping, [data, *_mapping(_mapping(data).get("targets")).values()]):
        sync = _mapping(part.get("sync"))
        lists = [part.get("include"), sync.get("paths"), sync.get("include")]
        named = [each for entries in lists if isinstance(entries, list) for each in entries]
        named += [_mapping(artifact).get("path") for artifact in _mapping(part.get("artifacts")).values()]
        yield from (path for path in named if isinstance(path, str) and ".." in path)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def touched_bundles(
    bundles: Sequence[str],
    files: Iterable[str],
    reach: Mapping[str, set[str]] | None = None,
    shared: Mapping[str, Sequence[str]] | None = None,
    gone: Iterable[str] = (),
) -> list[str]:
    """The bundles that changed files concern.

    A file concerns the innermost bundle above it, every bundle that takes it from outside its own folder, and those that `shared`
    names for the innermost shared folder above it. A file that concerns none of these is taken to concern all.

    Args:
        bundles: Folders of all bundles, relative to the repository's root.
        files: Changed files, relative to it.
        reach: What each bundle takes from outside, see `outside_paths`.
        shared: `shared` of the flow file: folder or file → globs of bundles, none for what concerns no bundle.
        gone: Folders whose bundle the change takes away: what stood in them concerns no other bundle.

    Returns:
        Their folders, sorted.
    """
    known, former = set(bundles), set(gone)
    takers: dict[str, set[str]] = defaultdict(set)
    for bundle, paths in (reach or {}).items():
        for path in paths:
            takers[path].add(bundle)
    declared = {
        PurePosixPath(folder).as_posix(): {bundle for bundle in bundles if any(_matches(bundle, pattern) for pattern in patterns)}
        for folder, patterns in (shared or {}).items()
    }
    touched: set[str] = set()
    for file in files:
        above = [file, *(parent.as_posix() for parent in PurePosixPath(file).parents)]
        if any(place in EVERYWHERE for place in above):
            return sorted(known)
        owner = next((place for place in above if place in known or place in former), None)
        said = next((declared[place] for place in above if place in declared), None)
        taken = {bundle for place in above for bundle in takers.get(place, ())}
        # The root's own bundle owns whatever nobody else does, unless the flow file says whose it is.
        if said is not None and owner in (None, "."):
            touched |= said | taken
        elif owner is not None:
            touched |= {owner} | taken
        elif taken:
            touched |= taken
        else:
            return sorted(known)
    return sorted(touched - former)


def _is_within(place: str, folder: str) -> bool:
    return folder == "." or place == folder or place.startswith(folder + "/")
