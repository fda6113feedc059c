"""Unity Catalog by the SDK: catalogs, schemas, volumes, tables, models, versions, aliases, grants."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, DatabricksError, NotFound
from databricks.sdk.service.catalog import EntityTagAssignment, PermissionsChange, Privilege, VolumeType
from local_workspace import LocalWorkspace, clear_environment


@pytest.fixture(scope="module")
def client(workspace: LocalWorkspace) -> WorkspaceClient:
    client = workspace.client()
    client.schemas.create("gold", "main", comment="Curated", properties={"team": "data"})
    return client


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalWorkspace]:
    folder = tmp_path_factory.mktemp("strict")
    (folder / "who.json").write_text(json.dumps({"identities": [{"user_name": "a@example.com", "token": "t"}], "catalogs": ["main"]}))
    with pytest.MonkeyPatch.context() as monkeypatch:
        clear_environment(monkeypatch)
        with LocalWorkspace(folder, "--identities", str(folder / "who.json")) as server:
            yield server


def test_catalogs(client: WorkspaceClient) -> None:
    client.catalogs.create("lake", comment="Everything")
    assert {"lake", "main"} <= {catalog.name for catalog in client.catalogs.list()}
    assert client.catalogs.update("lake", comment="All").comment == "All"
    client.schemas.create("bronze", "lake")
    with pytest.raises(BadRequest) as refused:
        client.catalogs.delete("lake")
    assert refused.value.error_code == "CATALOG_NOT_EMPTY"
    client.catalogs.delete("lake", force=True)
    with pytest.raises(NotFound):
        client.catalogs.get("lake")
    with pytest.raises(NotFound):
        client.schemas.get("lake.bronze")


def test_schemas(client: WorkspaceClient) -> None:
    schema = client.schemas.get("main.gold")
    assert (schema.full_name, schema.owner, schema.comment, schema.properties) == (
        "main.gold",
        "tester@example.com",
        "Curated",
        {"team": "data"},
    )
    assert client.schemas.get("MAIN.Gold").full_name == "main.gold"
    with pytest.raises(DatabricksError) as taken:
        client.schemas.create("gold", "main")
    assert taken.value.error_code == "SCHEMA_ALREADY_EXISTS"
    changed = client.schemas.update("main.gold", comment="Checked")
    assert (changed.comment, changed.properties) == ("Checked", {"team": "data"})
    with pytest.raises(NotFound) as missing:
        client.schemas.get("main.nothing")
    assert missing.value.error_code == "SCHEMA_DOES_NOT_EXIST"


def test_lists_are_paged(workspace: LocalWorkspace, client: WorkspaceClient) -> None:
    names = [f"s{number}" for number in range(5)]
    client.catalogs.create("paged")
    for name in names:
        client.schemas.create(name, "paged")
    assert [schema.name for schema in client.schemas.list("paged", max_results=2)] == names
    requests = [line for line in workspace.log() if line["method"] == "GET" and line["path"].endswith("/schemas")]
    assert len(requests) == 3
    status, answer = workspace.call("GET", "/api/2.1/unity-catalog/schemas?catalog_name=paged&page_token=made-up")
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


@pytest.mark.parametrize("name", ["", "a b", "a.b", "a/b", "x" * 256])
def test_bad_names_are_refused(client: WorkspaceClient, name: str) -> None:
    with pytest.raises(BadRequest):
        client.schemas.create(name, "main")


def test_volumes(workspace: LocalWorkspace, client: WorkspaceClient) -> None:
    created = client.volumes.create("main", "gold", "raw", VolumeType.MANAGED, comment="Raw files")
    assert (created.full_name, created.owner, created.volume_type) == ("main.gold.raw", "tester@example.com", VolumeType.MANAGED)
    (workspace.data / "volumes/main/gold/raw/x").write_text("kept")
    assert client.volumes.update("main.gold.raw", new_name="landing").full_name == "main.gold.landing"
    assert (workspace.data / "volumes/main/gold/landing/x").read_text() == "kept"
    assert [volume.name for volume in client.volumes.list("main", "gold")] == ["landing"]
    client.volumes.delete("main.gold.landing")
    assert not (workspace.data / "volumes/main/gold/landing").exists()
    with pytest.raises(NotFound):
        client.volumes.read("main.gold.landing")


def test_what_is_missing_above_is_named(strict: LocalWorkspace) -> None:
    client = strict.client("t")
    with pytest.raises(NotFound) as catalog:
        client.schemas.create("gold", "nowhere")
    assert catalog.value.error_code == "CATALOG_DOES_NOT_EXIST"
    with pytest.raises(NotFound) as schema:
        client.volumes.create("main", "nowhere", "v", VolumeType.MANAGED)
    assert schema.value.error_code == "SCHEMA_DOES_NOT_EXIST"
    with pytest.raises(NotFound):
        client.registered_models.create(catalog_name="main", schema_name="nowhere", name="m")


def test_tables(workspace: LocalWorkspace, client: WorkspaceClient) -> None:
    columns = [{"name": "id", "type_text": "bigint", "type_name": "LONG", "position": 0}]
    body = {"catalog_name": "main", "schema_name": "gold", "name": "t", "table_type": "MANAGED", "columns": columns, "comment": "Rows"}
    assert workspace.call("POST", "/api/2.1/unity-catalog/tables", {**body, "data_source_format": "DELTA"})[0] == 200
    assert client.tables.exists("main.gold.t").table_exists is True
    assert client.tables.exists("main.gold.u").table_exists is False
    table = client.tables.get("main.gold.t")
    assert table.columns is not None
    assert [column.name for column in table.columns] == ["id"]
    assert [table.full_name for table in client.tables.list("main", "gold")] == ["main.gold.t"]
    assert [summary.full_name for summary in client.tables.list_summaries("main", schema_name_pattern="gold")] == ["main.gold.t"]
    client.tables.delete("main.gold.t")
    with pytest.raises(NotFound):
        client.tables.get("main.gold.t")


def test_registered_models(client: WorkspaceClient) -> None:
    model = client.registered_models.create(catalog_name="main", schema_name="gold", name="classifier", comment="Best so far")
    assert (model.full_name, model.owner, model.comment) == ("main.gold.classifier", "tester@example.com", "Best so far")
    with pytest.raises(DatabricksError) as taken:
        client.registered_models.create(catalog_name="main", schema_name="gold", name="classifier")
    assert taken.value.error_code == "RESOURCE_ALREADY_EXISTS"
    assert client.registered_models.update("main.gold.classifier", comment="Other").comment == "Other"
    assert [m.full_name for m in client.registered_models.list(catalog_name="main", schema_name="gold")] == ["main.gold.classifier"]
    client.registered_models.delete("main.gold.classifier")
    with pytest.raises(NotFound) as missing:
        client.registered_models.get("main.gold.classifier")
    assert missing.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def _versions(workspace: LocalWorkspace, name: str, count: int) -> None:
    for _ in range(count):
        path = "/api/2.0/mlflow/unity-catalog/model-versions"
        status, made = workspace.call("POST", f"{path}/create", {"name": name, "source": "runs:/1/model", "run_id": "1"})
        assert (status, made["model_version"]["status"]) == (200, "PENDING_REGISTRATION")
        number = made["model_version"]["version"]
        assert workspace.call("POST", f"{path}/finalize", {"name": name, "version": number})[1]["model_version"]["status"] == "READY"


def test_versions_and_aliases(workspace: LocalWorkspace, client: WorkspaceClient) -> None:
    name = client.registered_models.create(catalog_name="main", schema_name="gold", name="iris").full_name
    assert name == "main.gold.iris"
    _versions(workspace, name, 3)
    assert [version.version for version in client.model_versions.list(name)] == [3, 2, 1]
    client.registered_models.set_alias(name, "champion", 2)
    client.registered_models.set_alias(name, "challenger", 3)
    assert client.model_versions.get_by_alias(name, "champion").version == 2
    client.registered_models.set_alias(name, "champion", 3)
    aliases = client.registered_models.get(name, include_aliases=True).aliases
    assert [(alias.alias_name, alias.version_num) for alias in aliases or []] == [("challenger", 3), ("champion", 3)]
    client.model_versions.delete(name, 3)
    with pytest.raises(NotFound):
        client.model_versions.get_by_alias(name, "champion")
    assert not client.registered_models.get(name, include_aliases=True).aliases
    _versions(workspace, name, 1)
    assert [version.version for version in client.model_versions.list(name)] == [4, 2, 1], "a number is never given twice"
    assert client.model_versions.update(name, 4, comment="new").comment == "new"


@pytest.mark.parametrize(("alias", "version"), [("latest", 1), ("v1", 1), ("a b", 1)])
def test_names_that_are_no_alias(workspace: LocalWorkspace, client: WorkspaceClient, alias: str, version: int) -> None:
    with pytest.raises(BadRequest):
        client.registered_models.set_alias("main.gold.iris", alias, version)


def test_an_alias_needs_its_version(client: WorkspaceClient) -> None:
    with pytest.raises(NotFound):
        client.registered_models.set_alias("main.gold.iris", "champion", 99)


def test_a_renamed_model_keeps_what_it_has(workspace: LocalWorkspace, client: WorkspaceClient) -> None:
    client.registered_models.create(catalog_name="main", schema_name="gold", name="old")
    _versions(workspace, "main.gold.old", 1)
    (workspace.data / "models/main/gold/old/1/MLmodel").write_text("x")
    client.registered_models.set_alias("main.gold.old", "champion", 1)
    client.registered_models.update("main.gold.old", new_name="new")
    assert client.model_versions.get_by_alias("main.gold.new", "champion").model_name == "new"
    assert (workspace.data / "models/main/gold/new/1/MLmodel").exists()


def test_grants(client: WorkspaceClient) -> None:
    change = PermissionsChange(principal="analysts", add=[Privilege.USE_SCHEMA, Privilege.SELECT])
    granted = client.grants.update("schema", "main.gold", changes=[change]).privilege_assignments
    assert granted is not None
    assert [(g.principal, g.privileges) for g in granted] == [("analysts", [Privilege.SELECT, Privilege.USE_SCHEMA])]
    replaced = PermissionsChange(principal="analysts", add=[Privilege.SELECT], remove=[Privilege.ALL_PRIVILEGES])
    client.grants.update("schema", "main.gold", changes=[replaced])
    now = client.grants.get("schema", "main.gold").privilege_assignments
    assert [g.privileges for g in now or []] == [[Privilege.SELECT]]
    effective = client.grants.get_effective("schema", "main.gold").privilege_assignments
    assert [p.privilege for p in (effective or [])[0].privileges or []] == [Privilege.SELECT]
    client.grants.update("schema", "main.gold", changes=[PermissionsChange(principal="analysts", remove=[Privilege.SELECT])])
    assert not client.grants.get("schema", "main.gold").privilege_assignments
    with pytest.raises(NotFound):
        client.grants.get("schema", "main.nothing")


def test_the_metastore_is_named(client: WorkspaceClient) -> None:
    assert client.metastores.current().default_catalog_name == "main"
    assert client.metastores.summary().metastore_id == client.metastores.current().metastore_id


def test_deleting_a_schema_takes_what_is_in_it(workspace: LocalWorkspace, client: WorkspaceClient, tmp_path: Path) -> None:
    client.schemas.create("gone", "main")
    client.volumes.create("main", "gone", "v", VolumeType.MANAGED)
    with pytest.raises(BadRequest) as refused:
        client.schemas.delete("main.gone")
    assert refused.value.error_code == "SCHEMA_NOT_EMPTY"
    client.schemas.delete("main.gone", force=True)
    with pytest.raises(NotFound):
        client.volumes.read("main.gone.v")
    assert not (workspace.data / "volumes/main/gone").exists()


def test_tags_of_a_schema(client: WorkspaceClient) -> None:
    tags = client.entity_tag_assignments
    tags.create(EntityTagAssignment(entity_type="schemas", entity_name="main.gold", tag_key="tier", tag_value="1"))
    with pytest.raises(DatabricksError) as taken:
        tags.create(EntityTagAssignment(entity_type="schemas", entity_name="main.gold", tag_key="tier"))
    assert taken.value.error_code == "TAG_ASSIGNMENT_ALREADY_EXISTS"
    changed = EntityTagAssignment(entity_type="schemas", entity_name="main.gold", tag_key="tier", tag_value="2")
    assert tags.update("schemas", "main.gold", "tier", changed, "tag_value").tag_value == "2"
    assert [(tag.tag_key, tag.tag_value) for tag in tags.list("schemas", "main.gold")] == [("tier", "2")]
    tags.delete("schemas", "main.gold", "tier")
    with pytest.raises(NotFound):
        tags.get("schemas", "main.gold", "tier")


def test_without_identities_a_catalog_is_presumed_and_may_be_made_later(client: WorkspaceClient) -> None:
    client.schemas.create("bronze", "elsewhere")
    assert client.catalogs.get("elsewhere").name == "elsewhere"
    assert client.catalogs.create("elsewhere", comment="For certain").comment == "For certain"
    with pytest.raises(DatabricksError) as taken:
        client.catalogs.create("elsewhere")
    assert taken.value.error_code == "CATALOG_ALREADY_EXISTS"
    assert [schema.name for schema in client.schemas.list("elsewhere")] == ["bronze"]
