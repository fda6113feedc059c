"""What every API module of the workspace is given: data folder, database, clock, identities, files, ids, permissions."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.requests import Request

from rehearsal.executor.manager import Executor, ServiceError
from rehearsal.workspace.acl import AccessLists
from rehearsal.workspace.database import Database, Documents
from rehearsal.workspace.errors import ApiError
from rehearsal.workspace.files import WorkspaceFiles, WorkspaceObject
from rehearsal.workspace.identities import Identities, Identity
from rehearsal.workspace.ids import IdMaker

if TYPE_CHECKING:
    from rehearsal.workspace.deployment_jobs import DeploymentJobs

CATALOGS, SCHEMAS = "catalogs", "schemas"
"""The kinds of Unity Catalog's catalogs and schemas among the documents."""

Hook = Callable[[], Awaitable[None]]


@dataclass
class Services:
    """The workspace's inner side. API modules get it in `routes(services)` and keep it.

    Attributes:
        data: The data folder: `workspace.sqlite`, `workspace/`, `volumes/`, `models/`, `mlflow/`.
        database: SQLite; a module brings its own tables by `database.migrate("jobs", [...])`.
        documents: JSON documents by kind and key, for resources that need no table.
        clock: Milliseconds since the epoch.
        ids: Makes ids.
        identities: Who may call, and tokens (`identities.issue_token(identity, clock(), None)` for a task's run_as).
        files: Workspace files and volumes on disk.
        access: Permissions: call `access.created("jobs", id, identity)` and `access.deleted("jobs", id)`.
        executor: Runs tasks, Spark, MLflow and served models in processes of their own; made here, closed when the server ends.
        url: The server's own address without a slash at the end; known once it listens.
        workspace_id: The number that `o=` or `w=` carries in links.
        warm: Start slow helpers (executor, Spark, MLflow) at once.
        catalogs_open: Without an identities file: catalogs and schemas that were never made here are presumed to exist.
        on_object_gone: Called with every object that left the workspace's tree by a delete.
        deployment_jobs: What new versions of connected models start; set by the Jobs API.
        on_start: Run in order once the server listens.
        on_stop: Run in reverse order before the server ends.
    """

    data: Path
    database: Database
    documents: Documents
    clock: Callable[[], int]
    ids: IdMaker
    identities: Identities
    files: WorkspaceFiles
    access: AccessLists
    executor: Executor
    url: str = ""
    workspace_id: str = ""
    warm: bool = False
    catalogs_open: bool = True
    on_object_gone: list[Callable[[WorkspaceObject], None]] = field(default_factory=list)
    deployment_jobs: DeploymentJobs | None = None
    on_start: list[Hook] = field(default_factory=list)
    on_stop: list[Hook] = field(default_factory=list)

    async def mlflow_url(self) -> str:
        """The address of MLflow's own server, which starts at the first need.

        Raises:
            ApiError: TEMPORARILY_UNAVAILABLE when it does not start.
        """
        try:
            return await self.executor.mlflow_url()
        except ServiceError as problem:
            raise ApiError("TEMPORARILY_UNAVAILABLE", f"MLflow's server did not start: {problem}") from problem


def now_ms() -> int:
    """The time in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def caller(request: Request) -> Identity:
    """The identity that sent a request (the login was checked before)."""
    identity = request.state.identity
    assert isinstance(identity, Identity)
    return identity


def make_services(
    data: Path, identities: Identities, *, catalogs: Sequence[str] = (), warm: bool = False, spark_remote: str | None = None
) -> Services:
    """The services of one workspace, on a data folder that is new or was used before.

    Args:
        data: The data folder; made when it is not there.
        identities: Who may call.
        catalogs: Names of catalogs (`main`) and schemas (`main.sales`) that exist beforehand.
        warm: Start slow helpers at once.
        spark_remote: A Spark Connect cluster to use instead of the local Spark.
    """
    data.mkdir(parents=True, exist_ok=True)
    database = Database(data / "workspace.sqlite")
    documents, ids = Documents(database), IdMaker(database)
    files = WorkspaceFiles(data, database, ids, now_ms)
    for identity in identities.known.values():
        files.make_directory(f"/Users/{identity.name}")
    for name in catalogs:
        catalog, _, schema = name.partition(".")
        kind, parents = (SCHEMAS, {"catalog_name": catalog}) if schema else (CATALOGS, {})
        if documents.get(kind, name.lower()) is None:
            now, owner = now_ms(), identities.default.name
            stamps = {"created_at": now, "created_by": owner, "updated_at": now, "updated_by": owner}
            described = {"name": schema or name, "full_name": name, "owner": owner, "comment": "", **parents, **stamps}
            documents.put(kind, name.lower(), described)
    about = documents.get("workspace", "id") or documents.put("workspace", "id", {"id": str(ids.number())})
    return Services(
        data=data,
        database=database,
        documents=documents,
        clock=now_ms,
        ids=ids,
        identities=identities,
        files=files,
        access=AccessLists(documents),
        executor=Executor(data, lambda: documents.keys(CATALOGS), spark_remote),
        workspace_id=str(about["id"]),
        warm=warm,
        catalogs_open=identities.open,
    )
