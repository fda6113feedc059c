"""Chooses the files that are uploaded, by .gitignore and the bundle's sync rules, and uploads what changed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from rehearsal.databricks_cli import gitinfo
from rehearsal.databricks_cli.bundle import Bundle
from rehearsal.databricks_cli.notebooks import is_notebook

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

_NEVER = frozenset((".git", ".databricks"))
PARALLEL = 10
"""How many requests are under way at a time."""


@dataclass(frozen=True)
class SyncedFile:
    """A file that belongs into the workspace.

    Args:
        path: Path below the synchronized root, with forward slashes.
        notebook: It becomes a notebook, whose path in the workspace has no ending.
    """

    path: str
    notebook: bool

    def remote(self, root: str) -> str:
        """Return its path in the workspace, below `root`."""
        path = str(PurePosixPath(self.path).with_suffix("")) if self.notebook else self.path
        return f"{root}/{path}"


def matching(root: Path, patterns: Sequence[str]) -> set[str]:
    """Return all files below a folder that match one of the patterns, whether ignored or not."""
    spec = _spec(patterns)
    return {path for path, _ in _walk(root, None, prune=False) if spec.match_file(path)}


def list_files(bundle: Bundle) -> list[str]:
    """Return the files to upload, as paths below the synchronized root, sorted."""
    root = bundle.sync_root
    sync = bundle.config.plain("sync") or {}
    paths = [os.path.normpath(os.path.relpath(bundle.root / str(path), root)) for path in sync.get("paths") or ["."]]
    top = gitinfo.read(root).top or root
    chosen = {path for path, ignored in _walk(root, top, prune=True) if not ignored and _below(path, paths)}
    if include := sync.get("include"):
        chosen |= matching(root, include)
    if exclude := sync.get("exclude"):
        spec = _spec(exclude)
        chosen = {path for path in chosen if not spec.match_file(path)}
    return sorted(chosen)


def _spec(patterns: Sequence[str]) -> GitIgnoreSpec:
    from pathspec import GitIgnoreSpec  # only where files are looked at: importing it takes time

    return GitIgnoreSpec.from_lines(patterns)


def _below(path: str, folders: list[str]) -> bool:
    return any(folder == "." or path == folder or path.startswith(folder + "/") for folder in folders)


def _walk(root: Path, top: Path | None, *, prune: bool) -> Iterator[tuple[str, bool]]:
    """Yield each file below a folder with whether .gitignore files, from `top` downwards, exclude it."""
    inherited: list[tuple[Path, GitIgnoreSpec]] = []
    if top is not None:
        above = [folder for folder in reversed(root.parents) if folder.is_relative_to(top)]
        inherited = [(folder, spec) for folder in above if (spec := _ignore_file(folder)) is not None]
    stack = [(root, inherited)]
    while stack:
        folder, specs = stack.pop()
        if top is not None and (own := _ignore_file(folder)) is not None:
            specs = [*specs, (folder, own)]
        with os.scandir(folder) as entries:
            for entry in entries:
                path = Path(entry.path)
                is_folder = entry.is_dir(follow_symlinks=False)
                if entry.name in _NEVER:
                    continue
                ignored = _is_ignored(path, specs, is_folder=is_folder)
                if is_folder and not (ignored and prune):
                    stack.append((path, specs))
                elif entry.is_file():
                    yield path.relative_to(root).as_posix(), ignored


def _ignore_file(folder: Path) -> GitIgnoreSpec | None:
    file = folder / ".gitignore"
    return _spec(file.read_text("utf-8", "replace").splitlines()) if file.is_file() else None


def _is_ignored(path: Path, specs: list[tuple[Path, GitIgnoreSpec]], *, is_folder: bool) -> bool:
    """The .gitignore nearest to the file that says anything about it decides."""
    for folder, spec in reversed(specs):
        result = spec.check_file(path.relative_to(folder).as_posix() + ("/" if is_folder else ""))
        if result.include is not None:
            return bool(result.include)
    return False


class Snapshot:
    """What was uploaded last from this folder, and when each file had been changed.

    Args:
        bundle: The bundle.
        known: The files that the workspace says were uploaded by the last deployment, wherever that was.
        trusted: This folder made the last deployment, so that unchanged files need not be sent again.
    """

    def __init__(self, bundle: Bundle, known: list[SyncedFile], *, trusted: bool) -> None:
        self.bundle = bundle
        self.known = {file.path: file for file in known}
        self.file = bundle.local_state / "sync-snapshots" / "files.json"
        self.remote = bundle.config.text("workspace", "file_path")
        self.times = self._read() if trusted else {}

    def _read(self) -> dict[str, int]:
        if not self.file.is_file():
            return {}
        content: dict[str, Any] = json.loads(self.file.read_text("utf-8"))
        same = content.get("host") == self.bundle.workspace.http.host and content.get("remote_path") == self.remote
        return content["last_modified_times"] if same else {}

    def synchronize(self) -> tuple[list[SyncedFile], int, int]:
        """Upload what is new or changed, and delete what is gone.

        Returns:
            All files that are in the workspace now, how many were uploaded, and how many deleted.
        """
        root = self.bundle.sync_root
        paths = list_files(self.bundle)
        times = {path: (root / path).stat().st_mtime_ns for path in paths}
        changed = [path for path in paths if self.times.get(path) != times[path]]
        again = set(changed) | (times.keys() - self.known.keys())
        files = [SyncedFile(p, is_notebook(root / p)) if p in again else self.known[p] for p in paths]
        present = {file.path: file for file in files}
        gone = [file for path, file in self.known.items() if path not in present]
        turned = [file for path, file in self.known.items() if path in present and present[path].notebook != file.notebook]
        workspace = self.bundle.workspace
        with ThreadPoolExecutor(PARALLEL) as pool:
            list(pool.map(lambda file: workspace.delete(file.remote(self.remote)), gone + turned))
            list(pool.map(lambda path: workspace.upload(f"{self.remote}/{path}", (root / path).read_bytes()), changed))
        content = {"version": "v1", "host": workspace.http.host, "remote_path": self.remote, "last_modified_times": times}
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(json.dumps(content), "utf-8")
        return files, len(changed), len(gone)
