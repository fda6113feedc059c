"""The workspace by the official SDK: models and their tags, serving endpoints, lock files. Runs in a notebook as on a runner."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from bundleflow_models.errors import ModelsError, Outcome
from bundleflow_models.promotion.records import EndpointState, ModelState, VersionState
from bundleflow_models.promotion.work import Workspace

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

REGISTRY = "/api/2.0/mlflow/unity-catalog"
ENDPOINTS = "/api/2.0/serving-endpoints"
VOLUMES = "dbfs:/Volumes/"
DOWNLOAD_S = 60.0


def open_workspace(client: WorkspaceClient | None = None) -> Workspace:
    """The workspace that a client is logged in to.

    Args:
        client: The official SDK's client; None: as the environment or the notebook logs in.

    Raises:
        ModelsError: `auth-failed`.
    """
    if client is None:
        from databricks.sdk import WorkspaceClient

        with _asking("log in"):
            client = WorkspaceClient()
    return Workspace(SdkRegistry(client), SdkEndpoints(client), SdkFiles(client))


class SdkRegistry:
    """Models of the Unity Catalog, by the endpoints that MLflow's own client uses: no other shows tags.

    Args:
        client: The official SDK's client.
    """

    def __init__(self, client: WorkspaceClient) -> None:
        self._client = client

    def model(self, name: str) -> ModelState:
        """See `Registry`."""
        data = self._get("registered-models/get", f"The model {name}", name=name)["registered_model"]
        return ModelState(
            name=str(data["name"]),
            aliases={str(each["alias"]): int(each["version"]) for each in data.get("aliases") or []},
            tags=_tags(data),
            description=str(data.get("description") or ""),
            deployment_job=str(data.get("deployment_job_id") or ""),
            deployment_job_state=str(data.get("deployment_job_state") or ""),
        )

    def version(self, name: str, number: int) -> VersionState:
        """See `Registry`."""
        data = self._get("model-versions/get", f"Version {number} of {name}", name=name, version=str(number))["model_version"]
        job = data.get("deployment_job_state") or {}
        return VersionState(
            model=str(data["name"]),
            number=int(data["version"]),
            status=str(data.get("status") or ""),
            tags=_tags(data),
            run_id=str(data.get("run_id") or ""),
            deployment_run=int(job.get("run_id") or 0),
            deployment_state=str(job.get("run_state") or "").removeprefix("DEPLOYMENT_JOB_RUN_STATE_"),
            deployment_task=str(job.get("current_task_name") or ""),
        )

    def set_alias(self, name: str, alias: str, number: int) -> None:
        """See `Registry`."""
        self._change("POST", "registered-models/alias", name=name, alias=alias, version=str(number))

    def delete_alias(self, name: str, alias: str) -> None:
        """See `Registry`."""
        self._change("DELETE", "registered-models/alias", name=name, alias=alias)

    def set_model_tag(self, name: str, key: str, value: str) -> None:
        """See `Registry`."""
        self._change("POST", "registered-models/set-tag", name=name, key=key, value=value)

    def delete_model_tag(self, name: str, key: str) -> None:
        """See `Registry`."""
        self._change("DELETE", "registered-models/delete-tag", name=name, key=key)

    def set_version_tag(self, name: str, number: int, key: str, value: str) -> None:
        """See `Registry`."""
        self._change("POST", "model-versions/set-tag", name=name, version=str(number), key=key, value=value)

    def delete_version_tag(self, name: str, number: int, key: str) -> None:
        """See `Registry`."""
        self._change("DELETE", "model-versions/delete-tag", name=name, version=str(number), key=key)

    def connect(self, model: ModelState, job: str) -> None:
        """See `Registry`. The description goes along: a change without it would remove it."""
        self._change("PATCH", "registered-models/update", name=model.name, description=model.description, deployment_job_id=job)

    def artifact(self, run_id: str, path: str) -> bytes | None:
        """See `Registry`. Files of a run lie in a volume, or where only a signed address leads to."""
        from databricks.sdk.errors import NotFound

        with _asking(f"read {path} of the MLflow run {run_id}"):
            try:
                uri = str(self._client.experiments.get_run(run_id).run.info.artifact_uri)  # type: ignore[union-attr]
                if uri.startswith(VOLUMES):
                    contents = self._client.files.download(f"{uri.removeprefix('dbfs:')}/{path}").contents
                    return contents.read() if contents else b""
                body = {"run_id": run_id, "path": [path]}
                answer = self._client.api_client.do("POST", "/api/2.0/mlflow/artifacts/credentials-for-read", body=body)
            except NotFound:
                return None
        return _signed(cast("Mapping[str, Any]", answer), path)

    def _get(self, path: str, what: str, **query: str) -> Mapping[str, Any]:
        from databricks.sdk.errors import NotFound

        with _asking(f"read {what[0].lower()}{what[1:]}"):
            try:
                return cast("Mapping[str, Any]", self._client.api_client.do("GET", f"{REGISTRY}/{path}", query=query))
            except NotFound as error:
                raise ModelsError(
                    "model-missing",
                    f"{what} does not exist, or this identity may not see it.",
                    fix="Check the name; it needs EXECUTE on the model, USE CATALOG and USE SCHEMA.",
                ) from error

    def _change(self, method: str, path: str, **values: str) -> None:
        from databricks.sdk.errors import NotFound

        where = values["name"] + (f", version {values['version']}" if "version" in values else "")
        with _asking(f"change {path.partition('/')[0]} ({where})"):
            try:
                self._client.api_client.do(method, f"{REGISTRY}/{path}", body=values)
            except NotFound as error:
                if method != "DELETE":
                    raise ModelsError("model-missing", f"{where} does not exist: {error}.", fix="It may have been deleted.") from error


class SdkEndpoints:
    """Serving endpoints (https://docs.databricks.com/api/workspace/servingendpoints).

    Args:
        client: The official SDK's client.
    """

    def __init__(self, client: WorkspaceClient) -> None:
        self._client = client

    def get(self, name: str) -> EndpointState | None:
        """See `Endpoints`."""
        from databricks.sdk.errors import NotFound

        with _asking(f"read the endpoint {name}"):
            try:
                data = cast("Mapping[str, Any]", self._client.api_client.do("GET", _endpoint(name)))
            except NotFound:
                return None
        state = data.get("state") or {}
        return EndpointState(
            name=name,
            ready=state.get("ready") == "READY",
            update=str(state.get("config_update") or "NOT_UPDATING"),
            config=data.get("config") or {},
            pending=bool(data.get("pending_config")),
        )

    def create(self, name: str, config: Mapping[str, Any]) -> None:
        """See `Endpoints`."""
        with _asking(f"make the endpoint {name}", code="endpoint-failed"):
            self._client.api_client.do("POST", ENDPOINTS, body={"name": name, "config": dict(config)})

    def update(self, name: str, config: Mapping[str, Any]) -> None:
        """See `Endpoints`."""
        with _asking(f"change the endpoint {name}", code="endpoint-failed"):
            self._client.api_client.do("PUT", f"{_endpoint(name)}/config", body=dict(config))

    def delete(self, name: str) -> None:
        """See `Endpoints`."""
        from databricks.sdk.errors import NotFound

        with _asking(f"remove the endpoint {name}", code="endpoint-failed"):
            try:
                self._client.api_client.do("DELETE", _endpoint(name))
            except NotFound:
                return

    def ask(self, name: str, request: Mapping[str, Any], entity: str = "") -> Mapping[str, Any]:
        """See `Endpoints`."""
        served = f"/served-models/{quote(entity, safe='')}" if entity else ""
        with _asking(f"get an answer of {entity or name}", code="endpoint-failed"):
            answer = self._client.api_client.do(
                "POST", f"/serving-endpoints/{quote(name, safe='')}{served}/invocations", body=dict(request)
            )
        return cast("Mapping[str, Any]", answer)


class SdkFiles:
    """Files of the workspace (https://docs.databricks.com/api/workspace/workspace).

    Args:
        client: The official SDK's client.
    """

    def __init__(self, client: WorkspaceClient) -> None:
        self._client = client

    def create(self, path: str, content: bytes) -> bool:
        """See `Files`."""
        from databricks.sdk.errors import AlreadyExists, NotFound

        with _asking(f"write {path}"):
            try:
                try:
                    self._write(path, content, overwrite=False)
                except NotFound:
                    self._client.workspace.mkdirs(path.rpartition("/")[0])
                    self._write(path, content, overwrite=False)
            except AlreadyExists:
                return False
        return True

    def replace(self, path: str, content: bytes) -> None:
        """See `Files`."""
        with _asking(f"write {path}"):
            self._write(path, content, overwrite=True)

    def read(self, path: str) -> bytes | None:
        """See `Files`."""
        from databricks.sdk.errors import NotFound
        from databricks.sdk.service.workspace import ExportFormat

        with _asking(f"read {path}"):
            try:
                return base64.b64decode(self._client.workspace.export(path, format=ExportFormat.AUTO).content or "")
            except NotFound:
                return None

    def delete(self, path: str) -> None:
        """See `Files`."""
        from databricks.sdk.errors import NotFound

        with _asking(f"delete {path}"):
            try:
                self._client.workspace.delete(path)
            except NotFound:
                return

    def _write(self, path: str, content: bytes, *, overwrite: bool) -> None:
        from databricks.sdk.service.workspace import ImportFormat

        text = base64.b64encode(content).decode()
        self._client.workspace.import_(path, content=text, format=ImportFormat.AUTO, overwrite=overwrite)


def _tags(data: Mapping[str, Any]) -> dict[str, str]:
    return {str(each["key"]): str(each.get("value") or "") for each in data.get("tags") or []}


def _endpoint(name: str) -> str:
    return f"{ENDPOINTS}/{quote(name, safe='')}"


def _signed(answer: Mapping[str, Any], path: str) -> bytes | None:
    """Fetch a file from its signed address, which is for this one file and this hour only."""
    import requests

    found = answer.get("credential_infos") or []
    if not found:
        return None
    headers = {str(each["name"]): str(each["value"]) for each in found[0].get("headers") or []}
    with _asking(f"read {path}"):
        response = requests.get(str(found[0]["signed_uri"]), headers=headers, timeout=DOWNLOAD_S)
        if response.status_code == 404:
            return None
        response.raise_for_status()
        return bytes(response.content)


@contextmanager
def _asking(what: str, *, code: str = "outside-trouble") -> Iterator[None]:
    """Turn the SDK's errors into this package's.

    Args:
        what: What is being done, for the message.
        code: The failure reason when the workspace refuses what was asked.
    """
    from databricks.sdk.errors import (
        DeadlineExceeded,
        InternalError,
        PermissionDenied,
        TemporarilyUnavailable,
        TooManyRequests,
        Unauthenticated,
    )
    from databricks.sdk.errors.base import DatabricksError
    from requests import RequestException

    try:
        yield
    except (PermissionDenied, Unauthenticated) as error:
        raise ModelsError(
            "auth-failed",
            f"The workspace refused to {what}: {error}.",
            fix="Give this identity the missing right; docs/models.md lists what each step needs.",
        ) from error
    except (DeadlineExceeded, InternalError, TemporarilyUnavailable, TooManyRequests, RequestException, TimeoutError, OSError) as error:
        trouble = code if code != "outside-trouble" and isinstance(error, InternalError) else "outside-trouble"
        raise _trouble(what, error, trouble) from error
    except DatabricksError as error:
        raise _trouble(what, error, code) from error
    except ValueError as error:
        raise ModelsError(
            "auth-failed", f"The login to the workspace failed: {error}.", fix="Check DATABRICKS_HOST and the way to log in."
        ) from error


def _trouble(what: str, error: Exception, code: str) -> ModelsError:
    return ModelsError(
        code,
        f"The workspace did not {what}: {error}",
        fix="Try again when it answers; nothing is left half done, or the message says so.",
        outcome=Outcome.UNDECIDED if code == "outside-trouble" else Outcome.REFUSED,
    )
