"""SQL statements by the SDK: rows and types, tables in Unity Catalog, lineage of job runs, errors, cancelling."""

from __future__ import annotations

import base64

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, DatabricksError, NotFound
from databricks.sdk.service.jobs import NotebookTask, Task
from databricks.sdk.service.sql import Disposition, StatementParameterListItem, StatementResponse, StatementState
from databricks.sdk.service.workspace import ImportFormat, Language
from local_workspace import LocalWorkspace


@pytest.fixture(scope="module")
def client(workspace: LocalWorkspace) -> WorkspaceClient:
    client = workspace.client()
    client.schemas.create("sql", "main")
    return client


@pytest.fixture(scope="module")
def warehouse(client: WorkspaceClient) -> str:
    return str(client.warehouses.create(name="small", cluster_size="2X-Small").result().id)


def _run(client: WorkspaceClient, warehouse: str, statement: str, **more: object) -> StatementResponse:
    return client.statement_execution.execute_statement(statement, warehouse, wait_timeout="50s", **more)  # type: ignore[arg-type]


def _rows(response: StatementResponse) -> list[list[str]] | None:
    assert response.status is not None
    assert response.status.state == StatementState.SUCCEEDED, response.status.error
    return response.result.data_array if response.result else None


def test_values_and_types(client: WorkspaceClient, warehouse: str) -> None:
    response = _run(client, warehouse, "SELECT 1L AS a, 'ä' AS b, CAST(NULL AS INT) AS c, true AS d, DATE'2026-01-02' AS e, 1.5D AS f")
    assert _rows(response) == [["1", "ä", None, "true", "2026-01-02", "1.5"]]
    assert response.manifest is not None
    assert response.manifest.schema is not None
    names = [(column.name, str(column.type_name.value)) for column in response.manifest.schema.columns or [] if column.type_name]
    assert names == [("a", "LONG"), ("b", "STRING"), ("c", "INT"), ("d", "BOOLEAN"), ("e", "DATE"), ("f", "DOUBLE")]
    again = client.statement_execution.get_statement(str(response.statement_id))
    assert _rows(again) == _rows(response)
    chunk = client.statement_execution.get_statement_result_chunk_n(str(response.statement_id), 0)
    assert chunk.row_count == 1


def test_parameters_and_row_limit(client: WorkspaceClient, warehouse: str) -> None:
    given = [StatementParameterListItem(name="who", value="O'Neil; DROP TABLE x")]
    assert _rows(_run(client, warehouse, "SELECT :who AS who", parameters=given)) == [["O'Neil; DROP TABLE x"]]
    response = _run(client, warehouse, "SELECT * FROM VALUES (1), (2), (3) AS t(a)", row_limit=2)
    assert len(_rows(response) or []) == 2
    assert response.manifest is not None
    assert response.manifest.truncated is True


def test_a_table_is_in_the_catalog_afterwards(client: WorkspaceClient, warehouse: str) -> None:
    _rows(_run(client, warehouse, "CREATE TABLE main.sql.t AS SELECT 1 AS id UNION ALL SELECT 2"))
    assert client.tables.get("main.sql.t").table_type is not None
    assert _rows(_run(client, warehouse, "SELECT count(*) FROM t", catalog="main", schema="sql")) == [["2"]]
    _rows(_run(client, warehouse, "DROP TABLE main.sql.t"))
    assert client.tables.exists("main.sql.t").table_exists is False


def test_lineage_of_a_job_run(client: WorkspaceClient, warehouse: str) -> None:
    source = b"# Databricks notebook source\nspark.range(3).write.saveAsTable('main.sql.raw')\nspark.table('main.sql.raw').count()\n"
    path = "/Users/tester@example.com/writes"
    client.workspace.import_(path, content=base64.b64encode(source).decode(), format=ImportFormat.SOURCE, language=Language.PYTHON)
    job = client.jobs.create(name="writes", tasks=[Task(task_key="a", notebook_task=NotebookTask(notebook_path=path))])
    assert job.job_id is not None
    started = client.jobs.run_now(job.job_id).run_id
    run = client.jobs.wait_get_run_job_terminated_or_skipped(started)
    query = (
        "SELECT DISTINCT source_table_full_name, target_table_full_name FROM system.access.table_lineage "
        f"WHERE entity_metadata.job_info.job_run_id = '{run.run_id}' AND event_date >= current_date() - INTERVAL 1 DAY"
    )
    rows = _rows(_run(client, warehouse, query)) or []
    assert [None, "main.sql.raw"] in rows
    assert ["main.sql.raw", None] in rows


def test_errors(client: WorkspaceClient, warehouse: str) -> None:
    failed = _run(client, warehouse, "SELECT * FROM main.sql.nothing").status
    assert failed is not None
    assert failed.state == StatementState.FAILED
    assert failed.error is not None
    assert "nothing" in str(failed.error.message)
    with pytest.raises(NotFound):
        _run(client, "0123456789abcdef", "SELECT 1")
    with pytest.raises(BadRequest):
        client.statement_execution.execute_statement("SELECT 1", warehouse, wait_timeout="3s")
    with pytest.raises(DatabricksError, match="INLINE"):
        _run(client, warehouse, "SELECT 1", disposition=Disposition.EXTERNAL_LINKS)
    with pytest.raises(NotFound):
        client.statement_execution.get_statement("no-such-id")


def test_a_statement_is_cancelled(client: WorkspaceClient, warehouse: str) -> None:
    begun = client.statement_execution.execute_statement("SELECT count(*) FROM range(100000000000)", warehouse, wait_timeout="0s")
    client.statement_execution.cancel_execution(str(begun.statement_id))
    ended = client.statement_execution.get_statement(str(begun.statement_id)).status
    assert ended is not None
    assert ended.state == StatementState.CANCELED
