"""Remembers which paths of volumes a task read and wrote, through Spark or Python's own files."""

from __future__ import annotations

from collections.abc import Iterable
from posixpath import dirname, normpath

FILES_OF_A_FOLDER = 8
"""When more files of one folder were read or written, the folder is told instead of them."""


class FileAccess:
    """Paths below `/Volumes`, each once; what lies elsewhere is the task's own business."""

    def __init__(self) -> None:
        self._reads: dict[str, None] = {}
        self._writes: dict[str, None] = {}

    def opened(self, path: str, mode: str) -> None:
        """Take note of a file that Python opened.

        Args:
            path: As Databricks names it.
            mode: As of `open`; anything that is not only read counts as written.
        """
        if set(mode) & set("wax+"):
            self.wrote(path)
        else:
            self.read(path)

    def read(self, path: str) -> None:
        """Take note of a path that was read."""
        if (name := _volume_path(path)) and name not in self._writes:
            self._reads.setdefault(name)

    def wrote(self, path: str) -> None:
        """Take note of a path that was written."""
        if name := _volume_path(path):
            self._writes.setdefault(name)

    def reads(self) -> list[str]:
        """Paths that were read and not written before by the same task."""
        return _folded(self._reads)

    def writes(self) -> list[str]:
        """Paths that were written."""
        return _folded(self._writes)


def _volume_path(path: str) -> str:
    """The path of a volume's file, whatever form it was given in; empty for anything else."""
    name = normpath("/" + path.removeprefix("dbfs:").lstrip("/")).removeprefix("/dbfs")
    return name if name.startswith("/Volumes/") else ""


def _folded(paths: Iterable[str]) -> list[str]:
    """The paths, where a folder stands for its files when they are many."""
    folders: dict[str, list[str]] = {}
    for path in paths:
        folders.setdefault(dirname(path), []).append(path)
    return [name for folder, files in folders.items() for name in (files if len(files) <= FILES_OF_A_FOLDER else [folder])]
