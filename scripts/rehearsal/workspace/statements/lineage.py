"""The rows of `system.access.table_lineage`, from what tasks were seen to read and write."""

from __future__ import annotations

import json
from typing import Any

from rehearsal.executor.model_access import SCHEME as MODEL_SCHEME
from rehearsal.workspace.api.catalog import METASTORE_ID
from rehearsal.workspace.api.identity import ACCOUNT_ID
from rehearsal.workspace.services import Services


def rows(services: Services) -> list[list[Any]]:
    """All observed reads and writes, one row each, in the order of the table's columns; the event's time in milliseconds.

    A read has no target and a write no source, as in the real table where the two cannot be tied to one statement. The real table knows
    nothing of models: their rows are this stand-in's own.
    """
    query = """SELECT job_runs.body AS run, job_runs.job_id, task_runs.job_run_id, task_runs.run_id, task_runs.body AS task
               FROM task_runs JOIN job_runs ON job_runs.run_id = task_runs.job_run_id ORDER BY task_runs.run_id"""
    found: list[list[Any]] = []
    for row in services.database.rows(query):
        task, run = json.loads(row["task"]), json.loads(row["run"])
        who = str(run.get("run_as", ""))
        found += [_row(services, row, task, who, str(table), read=True) for table in task.get("reads", [])]
        found += [_row(services, row, task, who, str(table), read=False) for table in task.get("writes", [])]
    return found


def _row(services: Services, row: Any, task: dict[str, Any], who: str, table: str, *, read: bool) -> list[Any]:
    side, nothing = _side(table), [None] * 6
    job_id, run_id = str(row["job_id"]), str(row["job_run_id"])
    return [
        ACCOUNT_ID, METASTORE_ID, services.workspace_id, "JOB", job_id, str(row["run_id"]),
        *(side if read else nothing), *(nothing if read else side),
        who, int(task.get("end_ms") or task.get("start_ms") or 0), services.ids.uuid(), services.ids.uuid(), None,
        {"job_info": {"job_id": job_id, "job_run_id": run_id}, "notebook_id": None},
    ]  # fmt: skip


def _side(name: str) -> list[str | None]:
    """Full name, catalog, schema, name, path and type of a source or target."""
    names = name.split(".")
    if name.startswith(MODEL_SCHEME):
        return [None, None, None, None, name.removeprefix(MODEL_SCHEME), "MODEL"]
    if name.startswith("/") or len(names) != 3:
        return [None, None, None, None, name, "PATH"]
    return [name, *names, None, "TABLE"]
