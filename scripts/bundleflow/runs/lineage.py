"""Which tables a run read and wrote, from the system table `system.access.table_lineage` through an SQL warehouse.

The table's columns: https://docs.databricks.com/admin/system-tables/lineage.html. It is filled with a delay, holds only what could be
inferred, and is readable where the schema `system.access` is enabled and granted; a report says which of these limits it met.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from bundleflow.adapters.workspace_answers import STATEMENT_LIMIT_S, StatementFailedError
from bundleflow.adapters.workspace_runs import RunsWorkspace
from bundleflow.records.errors import BundleflowError
from bundleflow.records.run import Lineage, RunRecord, TableUse

TABLE = "system.access.table_lineage"
ROWS_AT_MOST = 10_000
DELAY_S = 3 * 3600
"""Within this time of a run's end entries may still be missing; Databricks names no limit, about an hour is seen."""

_SELECT = (
    "SELECT DISTINCT source_table_full_name, source_path, source_type, target_table_full_name, target_path, target_type, "
    "entity_run_id, entity_metadata.job_info.job_run_id AS job_run_id FROM"
)
_MISSING = ("TABLE_OR_VIEW_NOT_FOUND", "SCHEMA_NOT_FOUND", "SCHEMA_DOES_NOT_EXIST", "TABLE_DOES_NOT_EXIST")
_REFUSED = ("INSUFFICIENT_PERMISSIONS", "PERMISSION_DENIED", "Insufficient privileges", "does not have")
"""What the message of a statement that failed says then; a warehouse that is missing or refused answers before there is a statement."""


def statement(run: RunRecord) -> str:
    """The query for a run: by its id and the ids of its tasks, attempts and iterations.

    `entity_run_id` is the id of the job run or of the task's run, as is `entity_metadata.job_info.job_run_id`; so both are asked for all
    of them. Days are limited, because the table is laid out by `event_date`. Only digits of ours stand in the text.
    """
    ids = ", ".join(f"'{int(each)}'" for each in sorted({run.run_id, *task_of_run(run)}))
    first = _day(run.start_ms)
    last = min(_day(run.end_ms or run.start_ms), date.max - timedelta(days=1)) + timedelta(days=1)
    job_run = "entity_metadata.job_info.job_run_id"
    days = f"event_date BETWEEN DATE'{first}' AND DATE'{last}'"
    return f"{_SELECT} {TABLE} WHERE {days} AND (entity_run_id IN ({ids}) OR {job_run} IN ({ids}))"


def read_lineage(workspace: RunsWorkspace, run: RunRecord, warehouse: str, limit_s: float = STATEMENT_LIMIT_S) -> Lineage:
    """What a run read and wrote; what stands in the way becomes the lineage's note instead of an error.

    Args:
        workspace: Where it ran.
        run: The run.
        warehouse: Id of the SQL warehouse that answers; empty for one that is running.
        limit_s: How long it may take to answer, in seconds.
    """
    try:
        chosen = warehouse or workspace.running_warehouse()
        if not chosen:
            return Lineage(note="No SQL warehouse is running, and none was named: give one with `--warehouse` or DATABRICKS_WAREHOUSE_ID.")
        rows = workspace.statement_rows(chosen, statement(run), row_limit=ROWS_AT_MOST, limit_s=limit_s)
    except BundleflowError as error:
        return Lineage(note=_trouble(error))
    uses = uses_of(rows, task_of_run(run))
    return Lineage(uses, note=_limits(run, len(rows)))


def uses_of(rows: Sequence[Sequence[str | None]], tasks: dict[int, str]) -> tuple[TableUse, ...]:
    """The uses that rows of the query tell of, each once, tables in the order of their tasks' run ids.

    Args:
        rows: Rows of `statement`.
        tasks: Key of the task by the id of each of its runs.
    """
    found: dict[TableUse, None] = {}
    for source, source_path, source_type, target, target_path, target_type, entity_run, job_run in sorted(rows, key=_order):
        key = next((tasks[int(each)] for each in (entity_run, job_run) if each and each.isdigit() and int(each) in tasks), "")
        if source or source_path:
            found.setdefault(TableUse(str(source or source_path), _kind(source, source_type), write=False, task=key))
        if target or target_path:
            found.setdefault(TableUse(str(target or target_path), _kind(target, target_type), write=True, task=key))
    known = {(use.name, use.write) for use in found if use.task}
    # The same use may be told once for the run and once for its task; the task says more.
    return tuple(use for use in found if use.task or (use.name, use.write) not in known)


def task_of_run(run: RunRecord) -> dict[int, str]:
    """Key of the task by the ids of its runs: every attempt and every iteration."""
    found: dict[int, str] = {}
    for task in run.tasks:
        for number in (task.run_id, *(each.run_id for each in (*task.earlier, *task.iterations.turns))):
            if number and number != run.run_id:
                found[number] = task.key
    return found


def _limits(run: RunRecord, rows: int) -> str:
    if rows >= ROWS_AT_MOST:
        return f"Only the first {ROWS_AT_MOST:,} entries were read."
    if not run.final:
        return "The run has not ended; more entries will come."
    if time.time() - run.end_ms / 1000 < DELAY_S:
        return f"{TABLE} is filled with a delay: ask again later for entries that are still missing."
    return "" if rows else f"{TABLE} has no entry of this run: nothing was read or written in Unity Catalog, or it could not be inferred."


def _trouble(error: BundleflowError) -> str:
    text = error.cause if isinstance(error, StatementFailedError) else ""
    if any(sign.lower() in text.lower() for sign in _REFUSED):
        fix = f"Grant USE SCHEMA and SELECT on `system.access` to the identity that asks. {error.cause}"
        return f"{TABLE} may not be read: {fix}"
    if any(sign.lower() in text.lower() for sign in _MISSING):
        return f"{TABLE} is not there: an account admin enables the system schema `access` of the metastore. {error.cause}"
    return f"Lineage could not be read: {error.cause}"


def _kind(table: str | None, kind: str | None) -> str:
    return kind or ("TABLE" if table else "PATH")


def _order(row: Sequence[str | None]) -> tuple[int, str]:
    return int(row[6]) if row[6] and row[6].isdigit() else 0, str(row[0] or row[1] or row[3] or row[4])


def _day(milliseconds: int) -> date:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).date()
