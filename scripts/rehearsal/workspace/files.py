"""Workspace files on disk: the tree under /Workspace as plain files, with types, languages and ids in SQLite; and volumes."""

from __future__ import annotations

import posixpath
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rehearsal.workspace.database import Database
from rehearsal.workspace.errors import ApiError, does_not_exist, invalid
from rehearsal.workspace.ids import IdMaker

MIGRATIONS = [
    """CREATE TABLE workspace_objects (
        path TEXT PRIMARY KEY, type TEXT NOT NULL, language TEXT, format TEXT,
        object_id INTEGER NOT NULL UNIQUE, created_at INTEGER NOT NULL, modified_at INTEGER NOT NULL, size INTEGER
    ) WITHOUT ROWID""",
]


@dataclass(frozen=True)
class WorkspaceObject:
    """One object of the workspace's tree.

    Attributes:
        path: Without `/Workspace`, such as `/Users/tester@example.com/nb`.
        type: `DIRECTORY`, `FILE` or `NOTEBOOK` (or `MLFLOW_EXPERIMENT`, which has no file).
        language: Of a notebook: `PYTHON`, `SQL`, `SCALA` or `R`.
        format: Of a notebook: `SOURCE`, or `JUPYTER` when the file on disk is an .ipynb document.
        object_id: The id that permissions use.
        created_at: Milliseconds since the epoch.
        modified_at: Milliseconds since the epoch.
        size: Bytes; None for a directory.
    """

    path: str
    type: str
    language: str | None
    format: str | None
    object_id: int
    created_at: int
    modified_at: int
    size: int | None


def normal_path(path: str) -> str:
    """A workspace path without `/Workspace`, `..` or doubled slashes.

    Args:
        path: Such as `/Workspace/Users/me/x` or `/Users/me/x`; both name the same object.

    Raises:
        ApiError: INVALID_PARAMETER_VALUE for a path that does not begin with `/`, leaves the tree or has a NUL in it.
    """
    if not path.startswith("/") or "\0" in path or ".." in path.split("/"):
        raise invalid(f"Path ({path}) is not an absolute path inside the workspace.")
    clean = posixpath.normpath("/" + path.lstrip("/"))
    if clean == "/Workspace":
        return "/"
    return clean.removeprefix("/Workspace") if clean.startswith("/Workspace/") else clean


class WorkspaceFiles:
    """The tree under /Workspace, and the folders of volumes.

    Args:
        root: The server's data folder; files lie in `root/workspace` and `root/volumes`.
        database: Types and ids.
        ids: Makes object ids.
        clock: The time in milliseconds since the epoch.
    """

    def __init__(self, root: Path, database: Database, ids: IdMaker, clock: Callable[[], int]) -> None:
        self.tree = root / "workspace"
        self.volumes = root / "volumes"
        self.database, self.ids, self.clock = database, ids, clock
        database.migrate("files", MIGRATIONS)
        for folder in (self.tree, self.volumes):
            folder.mkdir(parents=True, exist_ok=True)
        for path in ("/", "/Users", "/Shared", "/Repos"):
            self._record_directory(path)

    def local_path(self, path: str) -> Path:
        """Where an object lies on disk (a notebook: without extension), whether it is there or not."""
        return self.tree / normal_path(path).lstrip("/")

    def volume_path(self, catalog: str, schema: str, volume: str) -> Path:
        """The folder of a volume."""
        return self.volumes / catalog / schema / volume

    def find(self, path: str) -> WorkspaceObject | None:
        """The object at a path, or None."""
        row = self.database.row("SELECT * FROM workspace_objects WHERE path = ?", (normal_path(path),))
        return WorkspaceObject(**dict(row)) if row else None

    def find_id(self, object_id: int) -> WorkspaceObject | None:
        """The object of an id, or None."""
        row = self.database.row("SELECT * FROM workspace_objects WHERE object_id = ?", (object_id,))
        return WorkspaceObject(**dict(row)) if row else None

    def get(self, path: str) -> WorkspaceObject:
        """The object at a path.

        Raises:
            ApiError: RESOURCE_DOES_NOT_EXIST.
        """
        found = self.find(path)
        if found is None:
            raise does_not_exist(f"Path ({path}) doesn't exist.")
        return found

    def children(self, path: str) -> list[WorkspaceObject]:
        """What lies directly in a directory, by name; an object that is no directory is its own list."""
        parent = self.get(path)
        if parent.type != "DIRECTORY":
            return [parent]
        prefix = parent.path.rstrip("/") + "/"
        query = """SELECT * FROM workspace_objects WHERE substr(path, 1, ?) = ? AND path <> '/'
                   AND instr(substr(path, ? + 1), '/') = 0 ORDER BY path"""
        rows = self.database.rows(query, (len(prefix), prefix, len(prefix)))
        return [WorkspaceObject(**dict(row)) for row in rows]

    def read(self, path: str) -> bytes:
        """The bytes of a file or notebook.

        Raises:
            ApiError: RESOURCE_DOES_NOT_EXIST, or INVALID_PARAMETER_VALUE for a directory.
        """
        if self.get(path).type not in {"FILE", "NOTEBOOK"}:
            raise invalid(f"Path ({path}) is not a file or a notebook.")
        return self.local_path(path).read_bytes()

    def make_directory(self, path: str) -> None:
        """Make a directory and those above it; one that is there stays.

        Raises:
            ApiError: RESOURCE_ALREADY_EXISTS when a file stands in the way.
        """
        clean = normal_path(path)
        steps = clean.strip("/").split("/") if clean != "/" else []
        for count in range(len(steps) + 1):
            self._record_directory("/" + "/".join(steps[:count]))

    def write_file(self, path: str, content: bytes, *, overwrite: bool) -> WorkspaceObject:
        """Store a plain file.

        Raises:
            ApiError: 409 when it is there and not to be replaced; 404 without its directory.
        """
        return self._write(path, content, "FILE", None, None, overwrite=overwrite)

    def write_notebook(self, path: str, content: bytes, language: str, *, jupyter: bool, overwrite: bool) -> WorkspaceObject:
        """Store a notebook under a path that has no extension any more.

        Raises:
            ApiError: 400 RESOURCE_ALREADY_EXISTS when it is there and not to be replaced; 404 without its directory.
        """
        return self._write(path, content, "NOTEBOOK", language, "JUPYTER" if jupyter else "SOURCE", overwrite=overwrite)

    def record_experiment(self, path: str, object_id: int) -> None:
        """Let an experiment's name stand in the tree, as on Databricks; an id that is there already moves to this path.

        Raises:
            ApiError: RESOURCE_ALREADY_EXISTS when something else has this path; 404 without its directory.
        """
        clean = normal_path(path)
        existing = self.find(clean)
        if existing and existing.type != "MLFLOW_EXPERIMENT":
            raise ApiError("RESOURCE_ALREADY_EXISTS", f"Node named '{posixpath.basename(clean)}' already exists")
        self._require_parent(clean)
        now = self.clock()
        values = (clean, "MLFLOW_EXPERIMENT", None, None, object_id, now, now, None)
        self.database.execute("INSERT OR REPLACE INTO workspace_objects VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)

    def forget(self, path: str) -> None:
        """Take an object without a file out of the tree."""
        self.database.execute("DELETE FROM workspace_objects WHERE path = ?", (normal_path(path),))

    def delete(self, path: str, *, recursive: bool) -> list[WorkspaceObject]:
        """Remove an object, and give back everything that went with it.

        Raises:
            ApiError: RESOURCE_DOES_NOT_EXIST; DIRECTORY_NOT_EMPTY without `recursive`; PERMISSION_DENIED for the top folders.
        """
        found = self.get(path)
        if found.path.count("/") < 2:
            raise ApiError("BAD_REQUEST", f"Folder ({path}) is protected")
        prefix = found.path + "/"
        inside = self.database.rows("SELECT * FROM workspace_objects WHERE substr(path, 1, ?) = ?", (len(prefix), prefix))
        if inside and not recursive:
            raise ApiError("DIRECTORY_NOT_EMPTY", f"Folder ({path}) is not empty")
        with self.database.transaction():
            self.database.execute("DELETE FROM workspace_objects WHERE substr(path, 1, ?) = ?", (len(prefix), prefix))
            self.database.execute("DELETE FROM workspace_objects WHERE path = ?", (found.path,))
        local = self.local_path(found.path)
        if local.is_dir():
            shutil.rmtree(local)
        else:
            local.unlink(missing_ok=True)
        return [found, *(WorkspaceObject(**dict(row)) for row in inside)]

    def _write(self, path: str, content: bytes, kind: str, language: str | None, form: str | None, *, overwrite: bool) -> WorkspaceObject:
        clean = normal_path(path)
        existing = self.find(clean)
        if existing and existing.type != kind:
            raise ApiError(
                "INVALID_PARAMETER_VALUE", f"Cannot overwrite the asset due to type mismatch (asked: {kind}, actual: {existing.type})"
            )
        if existing and not overwrite:
            # Databricks answers 409 for a file and 400 for a notebook; clients look at both.
            if kind == "NOTEBOOK":
                raise ApiError("RESOURCE_ALREADY_EXISTS", f"Path ({path}) already exists.")
            raise ApiError("ALREADY_EXISTS", f"{path} already exists.")
        self._require_parent(clean)
        now = self.clock()
        object_id = existing.object_id if existing else self.ids.number()
        created = existing.created_at if existing else now
        local = self.local_path(clean)
        temporary = local.with_name(f".{object_id}.part")
        temporary.write_bytes(content)
        temporary.replace(local)
        values = (clean, kind, language, form, object_id, created, now, len(content))
        self.database.execute("INSERT OR REPLACE INTO workspace_objects VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
        return WorkspaceObject(*values)

    def _require_parent(self, path: str) -> None:
        """Refuse a path whose directory is not there."""
        parent = self.find(posixpath.dirname(path))
        if parent is None or parent.type != "DIRECTORY":
            raise does_not_exist(f"The parent folder ({posixpath.dirname(path)}) does not exist.")

    def _record_directory(self, path: str) -> None:
        existing = self.find(path)
        if existing:
            if existing.type != "DIRECTORY":
                raise ApiError("RESOURCE_ALREADY_EXISTS", f"Cannot create directory {path} because a file with the same name exists.")
            return
        now = self.clock()
        self.local_path(path).mkdir(exist_ok=True)
        values = (path, "DIRECTORY", None, None, self.ids.number(), now, now, None)
        self.database.execute("INSERT INTO workspace_objects VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
