"""The kinds of resources as a table: how each is made, read, changed and deleted, and how its changes are weighed."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from rehearsal.databricks_cli.differences import prune
from rehearsal.databricks_cli.http_client import ApiError, HttpClient
from rehearsal.databricks_cli.schema import load_schema

State = dict[str, Any]
_NOT_STATE = ("permissions", "grants", "lifecycle", "volume_path")


@dataclass(frozen=True)
class Rules:
    """How changes of fields are weighed; paths are written as patterns such as `tasks[*].run_if`.

    Args:
        recreate: Fields that cannot be changed in place, with the reason that a plan gives.
        new_id: Fields whose change gives the object another id.
        defaults: Fields that the workspace fills when the bundle does not set them.
        managed: Fields that the workspace takes care of.
        output_only: Fields that only the workspace sets.
    """

    recreate: dict[str, str] = field(default_factory=dict)
    new_id: tuple[str, ...] = ()
    defaults: tuple[str, ...] = ()
    managed: tuple[str, ...] = ()
    output_only: tuple[str, ...] = ()


class Kind(ABC):
    """One kind of resource; the subclasses know its API.

    Args:
        name: Its key below `resources`.
        title: How `summary` calls it.
        rules: How changes are weighed.
        link: Path of its page in the workspace, with `{id}` and, for dotted ids, `{path}`.
        name_field: The field that `summary` shows as its name.
        resizable: Fields whose change alone resizes a running cluster.
    """

    state_type = ""

    def __init__(self, name: str, title: str, rules: Rules, link: str = "", name_field: str = "name") -> None:
        self.name = name
        self.title = title
        self.rules = rules
        self.link = link
        self.name_field = name_field
        self.state_type = self.state_type or f"#resource.{name}"

    def desired(self, config: State) -> State:
        """Return the state that a resource's configuration asks for."""
        pruned: State = prune({key: value for key, value in config.items() if key not in _NOT_STATE}, self.state_type, load_schema())
        return pruned

    @abstractmethod
    def create(self, http: HttpClient, state: State) -> str:
        """Make the object and return its id; raises `ApiError`."""

    @abstractmethod
    def read(self, http: HttpClient, identity: str) -> State:
        """Return the object as the workspace gives it; raises `ApiError`, also when it does not exist."""

    def shown(self, remote: State) -> State:
        """Return what a plan shows of the object."""
        return remote

    def comparable(self, remote: State) -> State:
        """Return the object in the shape of a state."""
        pruned: State = prune(self.shown(remote), self.state_type, load_schema())
        return pruned

    @abstractmethod
    def update(self, http: HttpClient, identity: str, state: State, changed: set[str]) -> str:
        """Change the object and return its id afterwards; `changed` has the first field of each change."""

    @abstractmethod
    def delete(self, http: HttpClient, identity: str) -> None:
        """Delete the object; raises `ApiError`."""

    def url(self, identity: str) -> str:
        """Return the path of the object's page; empty when it has none."""
        return self.link.format(id=identity, path=identity.replace(".", "/")) if self.link else ""


class Jobs(Kind):
    """Jobs API 2.2; an update sends the whole job."""

    _FACTS = ("created_time", "creator_user_name", "job_id", "run_as_user_name")

    def create(self, http: HttpClient, state: State) -> str:  # noqa: D102 - see Kind
        return str(http.post("/api/2.2/jobs/create", state)["job_id"])

    def read(self, http: HttpClient, identity: str) -> State:  # noqa: D102
        job = http.get("/api/2.2/jobs/get", {"job_id": identity})
        token = job.get("next_page_token")
        while token:
            page = http.get("/api/2.2/jobs/get", {"job_id": identity, "page_token": token})
            for name in ("tasks", "job_clusters", "environments", "parameters"):
                job["settings"].setdefault(name, []).extend(page.get("settings", {}).get(name, []))
            token = page.get("next_page_token")
        return job

    def shown(self, remote: State) -> State:  # noqa: D102
        settings: State = remote.get("settings", {})
        return settings | {key: remote[key] for key in self._FACTS if key in remote}

    def update(self, http: HttpClient, identity: str, state: State, changed: set[str]) -> str:  # noqa: ARG002, D102
        http.post("/api/2.2/jobs/reset", {"job_id": int(identity), "new_settings": state})
        return identity

    def delete(self, http: HttpClient, identity: str) -> None:  # noqa: D102
        http.post("/api/2.2/jobs/delete", {"job_id": int(identity)})


class Pipelines(Kind):
    """Pipelines API 2.0."""

    _FACTS = ("creator_user_name", "effective_publishing_mode", "last_modified", "name", "pipeline_id", "run_as_user_name", "state")

    def create(self, http: HttpClient, state: State) -> str:  # noqa: D102
        return str(http.post("/api/2.0/pipelines", state)["pipeline_id"])

    def read(self, http: HttpClient, identity: str) -> State:  # noqa: D102
        return http.get(f"/api/2.0/pipelines/{identity}")

    def shown(self, remote: State) -> State:  # noqa: D102
        spec: State = remote.get("spec", {})
        return spec | {key: remote[key] for key in self._FACTS if key in remote}

    def comparable(self, remote: State) -> State:  # noqa: D102
        return {key: value for key, value in super().comparable({"spec": remote.get("spec", {})}).items() if key != "id"}

    def update(self, http: HttpClient, identity: str, state: State, changed: set[str]) -> str:  # noqa: ARG002, D102
        http.request("PUT", f"/api/2.0/pipelines/{identity}", body=state)
        return identity

    def delete(self, http: HttpClient, identity: str) -> None:  # noqa: D102
        http.request("DELETE", f"/api/2.0/pipelines/{identity}")


class Experiments(Kind):
    """MLflow's REST API for experiments; a deleted experiment is still there, marked as such."""

    def create(self, http: HttpClient, state: State) -> str:  # noqa: D102
        return str(http.post("/api/2.0/mlflow/experiments/create", state)["experiment_id"])

    def read(self, http: HttpClient, identity: str) -> State:  # noqa: D102
        experiment: State = http.get("/api/2.0/mlflow/experiments/get", {"experiment_id": identity})["experiment"]
        if experiment.get("lifecycle_stage") == "deleted":
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"Experiment {identity} is deleted", "GET /api/2.0/mlflow/experiments/get")
        return experiment

    def update(self, http: HttpClient, identity: str, state: State, changed: set[str]) -> str:  # noqa: ARG002, D102
        http.post("/api/2.0/mlflow/experiments/update", {"experiment_id": identity, "new_name": state["name"]})
        return identity

    def delete(self, http: HttpClient, identity: str) -> None:  # noqa: D102
        http.post("/api/2.0/mlflow/experiments/delete", {"experiment_id": identity})


class CatalogObjects(Kind):
    """Unity Catalog objects: named by their full name, changed by PATCH.

    Args:
        collection: The last part of the API's path.
        id_fields: The fields that make up the full name.
        patched: The fields a PATCH sends when they are set.
        forced: Deletion takes what is in the object along.
    """

    def __init__(
        self,
        name: str,
        title: str,
        rules: Rules,
        link: str,
        *,
        collection: str,
        id_fields: tuple[str, ...],
        patched: tuple[str, ...],
        forced: bool = False,
    ) -> None:
        super().__init__(name, title, rules, link)
        self.base = f"/api/2.1/unity-catalog/{collection}"
        self.id_fields = id_fields
        self.patched = patched
        self.forced = forced

    def create(self, http: HttpClient, state: State) -> str:  # noqa: D102
        answer = http.post(self.base, state)
        return str(answer.get("full_name") or self._full_name(state))

    def _full_name(self, state: State) -> str:
        return ".".join(str(state[name]) for name in self.id_fields)

    def read(self, http: HttpClient, identity: str) -> State:  # noqa: D102
        return http.get(f"{self.base}/{quote(identity)}")

    def update(self, http: HttpClient, identity: str, state: State, changed: set[str]) -> str:  # noqa: D102
        body = {name: state[name] for name in self.patched if name in state and (name in changed or "name" not in changed)}
        body |= {name: "" for name in self.patched if name in changed and name not in state}
        if "name" in changed:
            body["new_name"] = state["name"]
        http.request("PATCH", f"{self.base}/{quote(identity)}", body=body)
        return self._full_name(state) if "name" in changed else identity

    def delete(self, http: HttpClient, identity: str) -> None:  # noqa: D102
        http.request("DELETE", f"{self.base}/{quote(identity)}", query={"force": "true"} if self.forced else None)


_CATALOG_OUTPUT = ("created_at", "created_by", "updated_at", "updated_by")
_CLUSTER_DEFAULTS = ("data_security_mode", "driver_node_type_id", "disk_spec", "policy_id", "single_user_name", "runtime_engine")
_CLUSTER_MANAGED = ("aws_attributes", "azure_attributes", "gcp_attributes")
_IN_JOBS = ("job_clusters[*].new_cluster", "tasks[*].new_cluster", "tasks[*].for_each_task.task.new_cluster")
_TASKS = ("tasks[*]", "tasks[*].for_each_task.task")

_JOB_RULES = Rules(
    defaults=(
        *(
            f"{task}.{name}"
            for task in _TASKS
            for name in ("run_if", "notebook_task.source", "spark_python_task.source", "dbt_task.source")
        ),
        *(f"{task}.{name}" for task in _TASKS for name in ("sql_task.file.source", "dbt_task.schema")),
        *(f"{cluster}.{name}" for cluster in _IN_JOBS for name in _CLUSTER_DEFAULTS),
        "run_as",
        "performance_target",
    ),
    managed=tuple(f"{cluster}.{name}" for cluster in _IN_JOBS for name in _CLUSTER_MANAGED),
)
_PIPELINE_RULES = Rules(
    recreate={
        "storage": "immutable",
        "ingestion_definition.connection_name": "immutable",
        "gateway_definition.connection_id": "immutable",
        "gateway_definition.connection_name": "immutable",
        "gateway_definition.gateway_storage_catalog": "immutable",
        "gateway_definition.gateway_storage_schema": "immutable",
    },
    defaults=("storage", "run_as", "clusters[*].label"),
)
_MODEL_RULES = Rules(
    recreate=dict.fromkeys(("catalog_name", "schema_name", "name"), "id_field") | {"storage_location": "immutable"},
    defaults=("full_name", "metastore_id", "owner", "storage_location", "browse_only"),
    output_only=_CATALOG_OUTPUT,
)
_VOLUME_RULES = Rules(
    recreate=dict.fromkeys(("catalog_name", "schema_name"), "id_field") | dict.fromkeys(("volume_type", "storage_location"), "immutable"),
    new_id=("name",),
    defaults=("storage_location",),
)


@functools.cache
def kinds() -> dict[str, Kind]:
    """Return all kinds by their key below `resources`."""
    from rehearsal.databricks_cli.resource_kinds_compute import Clusters, SecretScopes, ServingEndpoints, Warehouses

    schema_rules = Rules(
        recreate=dict.fromkeys(("catalog_name", "name"), "id_field") | {"storage_root": "immutable"}, defaults=("storage_root",)
    )
    catalog_rules = Rules(
        recreate=dict.fromkeys(("storage_root", "connection_name", "provider_name", "share_name"), "immutable"),
        new_id=("name",),
        defaults=("storage_root", "options", "properties"),
    )
    endpoint_rules = Rules(
        recreate={"name": "id_field", "route_optimized": "immutable"},
        defaults=("config.traffic_config", "config.served_entities[*].name", "config.auto_capture_config", "config.served_models"),
    )
    cluster_rules = Rules(defaults=(*_CLUSTER_DEFAULTS, "lifecycle"), managed=_CLUSTER_MANAGED)
    warehouse_rules = Rules(
        defaults=("lifecycle", "channel", "tags"), managed=("min_num_clusters", "warehouse_type"), output_only=("creator_name",)
    )
    scope_rules = Rules(
        recreate={"scope": "id_field", "scope_backend_type": "immutable", "backend_azure_keyvault": "immutable"},
        defaults=("scope_backend_type",),
    )
    table: tuple[Kind, ...] = (
        CatalogObjects(
            "catalogs",
            "Catalogs",
            catalog_rules,
            "explore/data/{path}",
            collection="catalogs",
            id_fields=("name",),
            patched=("comment", "options", "properties"),
            forced=True,
        ),
        Clusters("clusters", "Clusters", cluster_rules, "compute/clusters/{id}", "cluster_name"),
        Experiments(
            "experiments",
            "Experiments",
            Rules(recreate={"artifact_location": "immutable"}, defaults=("artifact_location", "tags")),
            "ml/experiments/{id}",
        ),
        Jobs("jobs", "Jobs", _JOB_RULES, "jobs/{id}"),
        ServingEndpoints("model_serving_endpoints", "Model Serving Endpoints", endpoint_rules, "ml/endpoints/{id}"),
        Pipelines("pipelines", "Pipelines", _PIPELINE_RULES, "pipelines/{id}"),
        CatalogObjects(
            "registered_models",
            "Registered Models",
            _MODEL_RULES,
            "explore/data/models/{path}",
            collection="models",
            id_fields=("catalog_name", "schema_name", "name"),
            patched=("comment", "owner"),
        ),
        CatalogObjects(
            "schemas",
            "Schemas",
            schema_rules,
            "explore/data/{path}",
            collection="schemas",
            id_fields=("catalog_name", "name"),
            patched=("comment", "properties"),
            forced=True,
        ),
        SecretScopes("secret_scopes", "Secret Scopes", scope_rules),
        Warehouses("sql_warehouses", "SQL Warehouses", warehouse_rules, "sql/warehouses/{id}"),
        CatalogObjects(
            "volumes",
            "Volumes",
            _VOLUME_RULES,
            "explore/data/volumes/{path}",
            collection="volumes",
            id_fields=("catalog_name", "schema_name", "name"),
            patched=("comment",),
        ),
    )
    return {kind.name: kind for kind in table}
