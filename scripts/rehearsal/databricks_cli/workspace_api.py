"""The calls to the workspace that are not about one kind of resource: identity, files and folders."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from rehearsal.databricks_cli.http_client import ApiError, HttpClient, Reply


class Workspace:
    """A workspace somebody is logged in to.

    Args:
        http: The client.
        workspace_id: Its id, for links; may be empty.
    """

    def __init__(self, http: HttpClient, workspace_id: str) -> None:
        self.http = http
        self.workspace_id = workspace_id

    def me(self) -> dict[str, Any]:
        """Return who is logged in, as SCIM says it; the workspace's id is taken from the answer where it is not known."""
        reply = self.http.request("GET", "/api/2.0/preview/scim/v2/Me")
        self.workspace_id = self.workspace_id or _header(reply, "x-databricks-org-id")
        return reply.json()

    def status(self, path: str, *, export_info: bool = False) -> dict[str, Any] | None:
        """Return what stands at a workspace path, or None."""
        query = {"path": path} | ({"return_export_info": "true"} if export_info else {})
        try:
            return self.http.get("/api/2.0/workspace/get-status", query)
        except ApiError as problem:
            if problem.missing:
                return None
            raise

    def export(self, path: str) -> bytes:
        """Return the content of a workspace file."""
        return self.http.request("GET", "/api/2.0/workspace/export", query={"path": path, "direct_download": "true"}).body

    def read(self, path: str) -> bytes | None:
        """Return the content of a workspace file, or None when there is none."""
        if self.status(path, export_info=True) is None:
            return None
        try:
            return self.export(path)
        except ApiError as problem:
            if problem.missing:
                return None
            raise

    def mkdirs(self, path: str) -> None:
        """Make a folder and those above it."""
        self.http.post("/api/2.0/workspace/mkdirs", {"path": path})

    def delete(self, path: str, *, recursive: bool = False) -> None:
        """Delete a file or folder; it is no error when it is not there."""
        try:
            self.http.post("/api/2.0/workspace/delete", {"path": path} | ({"recursive": True} if recursive else {}))
        except ApiError as problem:
            if not problem.missing:
                raise

    def upload(self, path: str, content: bytes, *, overwrite: bool = True) -> None:
        """Write a workspace file; a missing folder is made first.

        Raises:
            ApiError: Among others 409 when the file is there and `overwrite` is False.
        """
        target = "/api/2.0/workspace-files/import-file/" + quote(path.lstrip("/"), safe="")
        query = {"overwrite": "true" if overwrite else "false"}
        try:
            self.http.request("POST", target, query=query, body=content)
        except ApiError as problem:
            if not problem.missing:
                raise
            self.mkdirs(path.rsplit("/", 1)[0])
            self.http.request("POST", target, query=query, body=content)


def _header(reply: Reply, name: str) -> str:
    return next((value for key, value in reply.headers.items() if key.lower() == name), "")
