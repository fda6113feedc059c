"""Permissions, secrets, clusters, warehouses, pipelines and experiments by the SDK."""

from __future__ import annotations

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, DatabricksError, NotFound, ResourceConflict
from databricks.sdk.service.compute import ClusterDetails, State, UpdateClusterResource
from databricks.sdk.service.iam import AccessControlRequest, PermissionLevel
from databricks.sdk.service.ml import ExperimentTag
from databricks.sdk.service.pipelines import NotebookLibrary, PipelineLibrary
from databricks.sdk.service.workspace import AclPermission
from local_workspace import LocalWorkspace


@pytest.fixture
def client(workspace: LocalWorkspace) -> WorkspaceClient:
    return workspace.client()


def _levels(client: WorkspaceClient, kind: str, object_id: str) -> dict[str, list[str]]:
    entries = client.permissions.get(kind, object_id).access_control_list or []
    return {
        str(entry.user_name or entry.group_name or entry.service_principal_name): [
            str(p.permission_level.value) for p in entry.all_permissions
        ]
        for entry in entries
        if entry.all_permissions
    }


def _cluster(client: WorkspaceClient, name: str) -> str:
    made = client.clusters.create(spark_version="15.4.x-scala2.12", cluster_name=name, node_type_id="i3.xlarge", num_workers=1)
    assert made.cluster_id is not None
    return made.cluster_id


def test_the_creator_owns_and_put_replaces(client: WorkspaceClient) -> None:
    cluster = _cluster(client, "owned")
    assert _levels(client, "clusters", cluster) == {"tester@example.com": ["CAN_MANAGE"]}
    client.permissions.set(
        "clusters", cluster, access_control_list=[AccessControlRequest(group_name="users", permission_level=PermissionLevel.CAN_RESTART)]
    )
    assert _levels(client, "clusters", cluster) == {"users": ["CAN_RESTART"]}
    client.permissions.update(
        "clusters", cluster, access_control_list=[AccessControlRequest(user_name="a@b.c", permission_level=PermissionLevel.CAN_MANAGE)]
    )
    assert _levels(client, "clusters", cluster) == {"users": ["CAN_RESTART"], "a@b.c": ["CAN_MANAGE"]}
    levels = client.permissions.get_permission_levels("clusters", cluster).permission_levels or []
    assert PermissionLevel.CAN_ATTACH_TO in {level.permission_level for level in levels}


def test_a_job_never_loses_its_owner(client: WorkspaceClient) -> None:
    job = str(client.jobs.create(name="owned").job_id)
    group = AccessControlRequest(group_name="users", permission_level=PermissionLevel.CAN_VIEW)
    client.permissions.set("jobs", job, access_control_list=[group])
    assert _levels(client, "jobs", job) == {"users": ["CAN_VIEW"], "tester@example.com": ["IS_OWNER"]}
    new_owner = AccessControlRequest(user_name="other@example.com", permission_level=PermissionLevel.IS_OWNER)
    client.permissions.update("jobs", job, access_control_list=[new_owner])
    assert _levels(client, "jobs", job) == {"users": ["CAN_VIEW"], "other@example.com": ["IS_OWNER"]}


def test_folders_inherit(client: WorkspaceClient) -> None:
    client.workspace.mkdirs("/Shared/team/project")
    above = str(client.workspace.get_status("/Shared/team").object_id)
    below = str(client.workspace.get_status("/Shared/team/project").object_id)
    entry = AccessControlRequest(group_name="analysts", permission_level=PermissionLevel.CAN_READ)
    client.permissions.set("directories", above, access_control_list=[entry])
    assert _levels(client, "directories", below) == {"analysts": ["CAN_READ"], "admins": ["CAN_MANAGE"]}
    inherited = (client.permissions.get("directories", below).access_control_list or [])[0].all_permissions or []
    assert inherited[0].inherited is True


@pytest.mark.parametrize(("kind", "object_id"), [("jobs", "123456"), ("directories", "123456"), ("directories", "x"), ("clusters", "none")])
def test_permissions_of_nothing_are_404(client: WorkspaceClient, kind: str, object_id: str) -> None:
    with pytest.raises(NotFound):
        client.permissions.get(kind, object_id)


def test_a_level_that_the_kind_does_not_have_is_refused(client: WorkspaceClient) -> None:
    cluster = _cluster(client, "levels")
    with pytest.raises(BadRequest, match="CAN_QUERY"):
        client.permissions.set(
            "clusters", cluster, access_control_list=[AccessControlRequest(group_name="users", permission_level=PermissionLevel.CAN_QUERY)]
        )


def test_secrets(client: WorkspaceClient) -> None:
    client.secrets.create_scope("keys")
    with pytest.raises(DatabricksError) as taken:
        client.secrets.create_scope("keys")
    assert taken.value.error_code == "RESOURCE_ALREADY_EXISTS"
    client.secrets.put_secret("keys", "text", string_value="ä secret")
    client.secrets.put_secret("keys", "bytes", bytes_value="AAH/")
    assert client.dbutils.secrets.get("keys", "text") == "ä secret"
    assert client.dbutils.secrets.getBytes("keys", "bytes") == b"\x00\x01\xff"
    assert [secret.key for secret in client.secrets.list_secrets("keys")] == ["bytes", "text"]
    client.secrets.put_acl("keys", "users", AclPermission.READ)
    assert {acl.principal: acl.permission for acl in client.secrets.list_acls("keys")} == {
        "tester@example.com": AclPermission.MANAGE,
        "users": AclPermission.READ,
    }
    assert client.secrets.get_acl("keys", "users").permission == AclPermission.READ
    client.secrets.delete_acl("keys", "users")
    client.secrets.delete_secret("keys", "text")
    with pytest.raises(NotFound):
        client.secrets.get_secret("keys", "text")
    client.secrets.delete_scope("keys")
    assert list(client.secrets.list_scopes()) == []
    with pytest.raises(NotFound):
        client.secrets.list_secrets("keys").__next__()


def test_clusters(client: WorkspaceClient) -> None:
    cluster = _cluster(client, "shared")
    found = client.clusters.get(cluster)
    assert (found.state, found.driver_node_type_id, found.num_workers) == (State.RUNNING, "i3.xlarge", 1)
    client.clusters.edit(cluster, spark_version="16.4.x-scala2.12", cluster_name="renamed", node_type_id="i3.xlarge", num_workers=3)
    assert client.clusters.get(cluster).cluster_name == "renamed"
    client.clusters.update(cluster, "num_workers", cluster=UpdateClusterResource(num_workers=5)).result()
    assert client.clusters.resize(cluster, num_workers=7).result().num_workers == 7
    assert client.clusters.delete(cluster).result().state == State.TERMINATED
    assert client.clusters.start(cluster).result().state == State.RUNNING
    assert cluster in {str(c.cluster_id) for c in client.clusters.list(page_size=1)}
    client.clusters.permanent_delete(cluster)
    with pytest.raises(NotFound):
        client.clusters.get(cluster)
    assert client.clusters.select_spark_version(latest=True)
    assert client.clusters.select_node_type(local_disk=True)
    assert isinstance(found, ClusterDetails)


def test_warehouses(client: WorkspaceClient) -> None:
    warehouse = client.warehouses.create(name="small", cluster_size="2X-Small").result()
    assert warehouse.id is not None
    assert (warehouse.auto_stop_mins, warehouse.min_num_clusters, warehouse.creator_name) == (120, 1, "tester@example.com")
    assert client.warehouses.edit(warehouse.id, auto_stop_mins=10).result().auto_stop_mins == 10
    assert client.warehouses.get(warehouse.id).name == "small"
    with pytest.raises(BadRequest):
        client.warehouses.create(name="small")
    with pytest.raises(BadRequest, match="Huge"):
        client.warehouses.create(name="big", cluster_size="Huge")
    assert str(client.warehouses.stop(warehouse.id).result().state) == "State.STOPPED"
    assert client.permissions.get("sql/warehouses", warehouse.id).object_type == "warehouses"
    assert client.warehouses.get_permissions(warehouse.id).object_id == f"/sql/warehouses/{warehouse.id}"
    client.warehouses.delete(warehouse.id)
    assert warehouse.id not in {w.id for w in client.warehouses.list()}


def test_pipelines(workspace: LocalWorkspace, client: WorkspaceClient) -> None:
    library = PipelineLibrary(notebook=NotebookLibrary(path="/Shared/nb"))
    made = client.pipelines.create(name="sales", libraries=[library], catalog="main", schema="gold", serverless=True)
    assert made.pipeline_id is not None
    pipeline = client.pipelines.get(made.pipeline_id)
    assert pipeline.spec is not None
    assert (pipeline.name, pipeline.spec.edition, pipeline.spec.channel, pipeline.run_as_user_name) == (
        "sales",
        "ADVANCED",
        "CURRENT",
        "tester@example.com",
    )
    with pytest.raises(ResourceConflict):
        client.pipelines.create(name="sales", libraries=[library])
    client.pipelines.update(made.pipeline_id, name="sales", libraries=[library], configuration={"mode": "quick"})
    changed = client.pipelines.get(made.pipeline_id).spec
    assert changed is not None
    assert changed.configuration == {"mode": "quick"}
    assert [p.name for p in client.pipelines.list_pipelines(filter="name LIKE 'sal%'")] == ["sales"]
    with pytest.raises(DatabricksError, match="does not run pipelines"):
        client.pipelines.start_update(made.pipeline_id)
    client.pipelines.delete(made.pipeline_id)
    with pytest.raises(NotFound):
        client.pipelines.get(made.pipeline_id)


def test_experiments(workspace: LocalWorkspace, client: WorkspaceClient) -> None:
    made = client.experiments.create_experiment("/Shared/iris", tags=[ExperimentTag(key="purpose", value="test")]).experiment_id
    assert made is not None
    assert len(made) >= 5
    found = client.experiments.get_experiment(made).experiment
    assert found is not None
    assert (found.name, found.lifecycle_stage, found.artifact_location) == (
        "/Shared/iris",
        "active",
        f"dbfs:/databricks/mlflow-tracking/{made}",
    )
    assert [(tag.key, tag.value) for tag in found.tags or []] == [("purpose", "test")]
    with pytest.raises(DatabricksError) as taken:
        client.experiments.create_experiment("/Shared/iris")
    assert taken.value.error_code == "RESOURCE_ALREADY_EXISTS"
    with pytest.raises(BadRequest):
        client.experiments.create_experiment("no-path")
    client.experiments.set_experiment_tag(made, "purpose", "other")
    client.experiments.update_experiment(made, new_name="/Shared/iris-2")
    by_name = client.experiments.get_by_name("/Shared/iris-2").experiment
    assert by_name is not None
    assert [(tag.key, tag.value) for tag in by_name.tags or []] == [("purpose", "other")]
    assert client.experiments.get_permissions(made).object_type == "mlflowExperiment"
    status = workspace.call("GET", "/api/2.0/workspace/get-status?path=/Shared/iris-2")[1]
    assert (status["object_type"], str(status["object_id"])) == ("MLFLOW_EXPERIMENT", made)
    assert workspace.call("GET", "/api/2.0/workspace/get-status?path=/Shared/iris")[0] == 404
    client.experiments.delete_experiment(made)
    gone = client.experiments.get_experiment(made).experiment
    assert gone is not None
    assert gone.lifecycle_stage == "deleted"
    again = client.experiments.create_experiment("/Shared/iris-2").experiment_id
    assert again != made
    with pytest.raises(NotFound):
        client.experiments.get_experiment("123456789")


def test_an_experiment_goes_with_its_folder(client: WorkspaceClient) -> None:
    client.workspace.mkdirs("/Shared/folder")
    made = client.experiments.create_experiment("/Shared/folder/training").experiment_id
    assert made is not None
    client.workspace.delete("/Shared/folder", recursive=True)
    gone = client.experiments.get_experiment(made).experiment
    assert gone is not None
    assert gone.lifecycle_stage == "deleted"
