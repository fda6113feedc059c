"""What a deployment leaves in the workspace, by the official SDK: files and folders are read and written, deployed objects removed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from bundleflow.adapters.preload import SDK, wait
from bundleflow.adapters.workspace import Workspace
from bundleflow.records.errors import BundleflowError

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

T = TypeVar("T")

_REMOVALS: dict[str, Callable[[WorkspaceClient, str], Any]] = {
    "clusters": lambda client, id_: client.clusters.permanent_delete(id_),
    "dashboards": lambda client, id_: client.lakeview.trash(id_),
    "experiments": lambda client, id_: client.experiments.delete_experiment(id_),
    "jobs": lambda client, id_: client.jobs.delete(int(id_)),
    "model_serving_endpoints": lambda client, id_: client.serving_endpoints.delete(id_),
    "pipelines": lambda client, id_: client.pipelines.delete(id_),
    "quality_monitors": lambda client, id_: client.quality_monitors.delete(id_),
    "registered_models": lambda client, id_: client.registered_models.delete(id_),
    "schemas": lambda client, id_: client.schemas.delete(id_, force=True),
    "secret_scopes": lambda client, id_: client.secrets.delete_scope(id_),
    "sql_warehouses": lambda client, id_: client.warehouses.delete(id_),
    "volumes": lambda client, id_: client.volumes.delete(id_),
}
"""How an object of a kind is removed by its id in the deployment's state; a full name for those in Unity Catalog."""

REMOVABLE = frozenset(_REMOVALS)


class WorkspaceContents(Workspace):
    """Files, folders and deployed objects of the workspace that the environment names."""

    def folders(self, path: str) -> tuple[str, ...]:
        """Names of the folders in a folder, sorted; none when it does not exist."""
        found = self._unless_missing(f"list {path}", lambda: list(self._client.workspace.list(path)))
        kinds = [(each.path or "", each.object_type.value if each.object_type else "") for each in found or []]
        return tuple(sorted(name.rstrip("/").rpartition("/")[2] for name, kind in kinds if kind == "DIRECTORY"))

    def exists(self, path: str) -> bool:
        """Whether there is anything at a path."""
        return self._unless_missing(f"look at {path}", lambda: self._client.workspace.get_status(path)) is not None

    def read(self, path: str, limit: int) -> bytes | None:
        """A workspace file, at most its first `limit` bytes and one more; None when it does not exist."""

        def download() -> bytes:
            with self._client.workspace.download(path) as stream:
                return bytes(stream.read(limit + 1))

        return self._unless_missing(f"read {path}", download)

    def write(self, path: str, content: bytes) -> None:
        """Write a workspace file, with the folder that it is in."""
        from databricks.sdk.service.workspace import ImportFormat

        with self._asking(f"write {path}"):
            self._client.workspace.mkdirs(path.rpartition("/")[0])
            self._client.workspace.upload(path, content, format=ImportFormat.RAW, overwrite=True)

    def remove_folder(self, path: str) -> None:
        """Remove a folder with everything in it; it is no error when it does not exist."""
        self._unless_missing(f"remove {path}", lambda: self._client.workspace.delete(path, recursive=True))

    def remove(self, kind: str, identity: str) -> None:
        """Remove a deployed object; it is no error when it does not exist any more.

        Args:
            kind: Its kind, one of `REMOVABLE`.
            identity: Its id in the deployment's state.
        """
        self._unless_missing(f"remove {kind} {identity}", lambda: _REMOVALS[kind](self._client, identity))

    def metadata_path(self, kind: str, identity: str) -> str | None:
        """The file of the deployment that a job or pipeline says it belongs to; empty when it names none, None when it is gone."""

        def ask() -> str:
            if kind == "jobs":
                settings = self._client.jobs.get(int(identity)).settings
                return (settings.deployment.metadata_file_path if settings and settings.deployment else "") or ""
            spec = self._client.pipelines.get(identity).spec
            return (spec.deployment.metadata_file_path if spec and spec.deployment else "") or ""

        return self._unless_missing(f"read {kind} {identity}", ask)

    def _unless_missing(self, what: str, ask: Callable[[], T]) -> T | None:
        wait(SDK)
        from databricks.sdk.errors import NotFound

        try:
            with self._asking(what):
                return ask()
        except BundleflowError as error:
            if isinstance(error.__cause__, NotFound):
                return None
            raise
