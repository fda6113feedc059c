"""Paths as Databricks has them (`/Workspace`, `/Volumes`, `/dbfs`, `dbfs:/`) and where they lie on this machine."""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path

# Top folder on Databricks -> folder below the workspace's data.
ROOTS = {"/Workspace": "workspace", "/Repos": "workspace/Repos", "/Volumes": "volumes", "/dbfs": "dbfs"}
IN_SQL = re.compile(
    r"(?P<quote>['\"`])(?P<path>(?:dbfs:|file:)?/(?:Workspace|Volumes|dbfs|Repos|FileStore|tmp|mnt)(?:/[^'\"`\n]*)?)(?P=quote)"
)


class PathMap:
    """Translates paths in both directions.

    Args:
        data: Data folder of the workspace.
    """

    def __init__(self, data: Path) -> None:
        self.data = Path(os.path.realpath(data))
        self._physical = {top: str(self.data / below) for top, below in ROOTS.items()}

    def physical(self, path: str) -> str:
        """Return where a path lies on this machine; a path outside of Databricks' folders is given back as it is."""
        if path.startswith("dbfs:"):
            path = posixpath.normpath("/" + path.removeprefix("dbfs:").lstrip("/"))
            return self.physical(path) if path.startswith("/Volumes/") else self._physical["/dbfs"] + path.rstrip("/")
        if not path.startswith("/"):
            return path
        for top, folder in self._physical.items():
            if path == top or path.startswith(top + "/"):
                rest = path[len(top) :]
                if top == "/dbfs" and rest.startswith("/Volumes/"):
                    return self.physical(rest)
                return folder + rest
        return path

    def logical(self, path: str) -> str:
        """Return Databricks' name of a path on this machine; any other path is given back as it is."""
        for top in ("/Workspace", "/Volumes", "/dbfs"):
            folder = self._physical[top]
            if path == folder or path.startswith(folder + "/"):
                return top + path[len(folder) :]
        return path

    def workspace_file(self, path: str) -> str:
        """Return where a workspace path lies that may lack `/Workspace` (`/Users/...`, `/Shared/...`), as task settings may."""
        if path.startswith(tuple(ROOTS)):
            return self.physical(path)
        return self._physical["/Workspace"] + posixpath.normpath("/" + path.lstrip("/"))

    def in_sql(self, statement: str) -> str:
        """Return an SQL text whose quoted Databricks paths are paths on this machine, for a Spark server that runs here."""
        return IN_SQL.sub(self._quoted, statement)

    def _quoted(self, match: re.Match[str]) -> str:
        path = match.group("path")
        mapped = self.physical(path)
        return match.group("quote") + mapped + match.group("quote") if mapped != path else match.group(0)

    def for_spark(self, path: str) -> str:
        """Return a path given to a Spark reader or writer, as the local Spark server must have it.

        Databricks takes a plain `/x` for `dbfs:/x`; here only its well-known folders are meant that way.
        """
        if path.startswith(("/FileStore/", "/mnt/")):
            path = "dbfs:" + path
        return self.physical(path)
