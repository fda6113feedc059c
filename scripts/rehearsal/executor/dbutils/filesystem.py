"""`dbutils.fs` on the workspace's own folders: DBFS, volumes, workspace files, and `file:/`."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rehearsal.executor.environment import TaskEnvironment
from rehearsal.executor.errors import TaskRefused


@dataclass(frozen=True)
class FileInfo:
    """One entry of a listing; the time in milliseconds since the epoch, the size in bytes."""

    path: str
    name: str
    size: int
    modificationTime: int  # noqa: N815 - Databricks' name

    def isDir(self) -> bool:  # noqa: N802 - Databricks' name
        """Return whether it is a folder."""
        return self.name.endswith("/")

    def isFile(self) -> bool:  # noqa: N802 - Databricks' name
        """Return whether it is a file."""
        return not self.isDir()


class FileSystem:
    """`dbutils.fs`; a path without a scheme is DBFS, unless it begins with `/Volumes` or `/Workspace`.

    Args:
        environment: The task.
    """

    def __init__(self, environment: TaskEnvironment) -> None:
        self._paths = environment.paths

    def _local(self, path: str) -> Path:
        if path.startswith("file:"):
            path = "/" + path.removeprefix("file:").lstrip("/")
            return Path(self._paths.physical(path))
        if "://" in path:
            raise TaskRefused(f"dbutils.fs: {path} is outside of this machine.")
        if path.startswith(("/Volumes", "/Workspace", "/dbfs/", "dbfs:")):
            return Path(self._paths.physical(path))
        return Path(self._paths.physical("dbfs:/" + path.lstrip("/")))

    def ls(self, path: str) -> list[FileInfo]:
        """List a folder (or one file).

        Raises:
            FileNotFoundError: there is nothing at this path.
        """
        local = self._local(path)
        if not local.exists():
            raise FileNotFoundError(f"No such file or directory: {path}")
        entries = sorted(local.iterdir()) if local.is_dir() else [local]
        base = path.rstrip("/") if local.is_dir() else path.rstrip("/").rsplit("/", 1)[0]
        shown = base if base.startswith(("dbfs:", "file:", "/Volumes", "/Workspace")) else "dbfs:" + base
        shown = "dbfs:" + shown if shown.startswith("/Volumes") else shown
        return [self._info(shown, entry) for entry in entries]

    @staticmethod
    def _info(base: str, entry: Path) -> FileInfo:
        about = entry.stat()
        name = entry.name + ("/" if entry.is_dir() else "")
        return FileInfo(f"{base}/{name}", name, 0 if entry.is_dir() else about.st_size, int(about.st_mtime * 1000))

    def mkdirs(self, path: str) -> bool:
        """Make a folder and those above it."""
        self._local(path).mkdir(parents=True, exist_ok=True)
        return True

    def put(self, path: str, contents: str, overwrite: bool = False) -> bool:
        """Write a text to a file.

        Raises:
            FileExistsError: it is there and not to be replaced.
        """
        local = self._local(path)
        if local.exists() and not overwrite:
            raise FileExistsError(f"{path} already exists")
        local.parent.mkdir(parents=True, exist_ok=True)
        local.write_text(contents, "utf-8")
        sys.stdout.write(f"Wrote {len(contents.encode())} bytes.\n")
        return True

    def head(self, path: str, maxBytes: int = 65536) -> str:  # noqa: N803 - Databricks' name
        """Return the first bytes of a file as text."""
        with self._local(path).open("rb") as file:
            return file.read(maxBytes).decode("utf-8", "replace")

    def cp(self, source: str, target: str, recurse: bool = False) -> bool:
        """Copy a file, or a folder with `recurse`.

        Raises:
            IsADirectoryError: the source is a folder and `recurse` is not given.
        """
        origin, copy = self._local(source), self._local(target)
        if origin.is_dir():
            if not recurse:
                raise IsADirectoryError(f"{source} is a folder; give recurse=True.")
            shutil.copytree(origin, copy, dirs_exist_ok=True)
            return True
        copy = copy / origin.name if copy.is_dir() or target.endswith("/") else copy
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(origin, copy)
        return True

    def mv(self, source: str, target: str, recurse: bool = False) -> bool:
        """Move a file, or a folder with `recurse`."""
        self.cp(source, target, recurse)
        return self.rm(source, recurse)

    def rm(self, path: str, recurse: bool = False) -> bool:
        """Remove a file, or a folder with `recurse`; says whether it was there.

        Raises:
            IsADirectoryError: it is a folder that is not empty, and `recurse` is not given.
        """
        local = self._local(path)
        if not local.exists():
            return False
        if local.is_dir():
            if not recurse and any(local.iterdir()):
                raise IsADirectoryError(f"{path} is not empty; give recurse=True.")
            shutil.rmtree(local)
        else:
            local.unlink()
        return True

    def mounts(self) -> list[Any]:
        """Return no mounts: there are none here."""
        return []

    def __getattr__(self, name: str) -> Any:
        if name in ("mount", "unmount", "updateMount", "refreshMounts", "cacheTable", "cacheFiles"):
            raise TaskRefused(f"dbutils.fs.{name} is not imitated: no storage outside of this machine is reached.")
        raise AttributeError(f"dbutils.fs has no {name!r}")
