"""`/api/2.0/sql/statements`: one statement at a time on the local Spark, with results in line."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rehearsal.executor.manager import ServiceError
from rehearsal.executor.protocol import TaskResult, TaskSpec
from rehearsal.workspace.api.warehouses import WAREHOUSES
from rehearsal.workspace.errors import ApiError, does_not_exist, invalid
from rehearsal.workspace.http import Json, body, number, ok, required
from rehearsal.workspace.identities import Identity
from rehearsal.workspace.jobs.catalog_changes import apply, known_tables
from rehearsal.workspace.securables import SCHEMAS
from rehearsal.workspace.services import CATALOGS, Services, caller
from rehearsal.workspace.statements import lineage

API = "/api/2.0/sql/statements"
RUNNER = Path(__file__).with_name("runner.py")
WAIT_DEFAULT_S, WAIT_LONGEST_S, WAIT_SHORTEST_S = 10, 50, 5
ROWS_DEFAULT = 10_000
LONGEST_RUN_S = 3600.0


@dataclass
class Statement:
    """A statement and how far it is.

    Attributes:
        id: Its id.
        folder: Where its order and answer lie.
        owner: Who sent it.
        state: `PENDING`, `RUNNING`, `SUCCEEDED`, `FAILED` or `CANCELED`.
        error: Why it failed.
        answer: Columns and rows.
        work: The task that waits for its process.
    """

    id: str
    folder: Path
    owner: Identity
    state: str = "PENDING"
    error: Json = field(default_factory=dict)
    answer: Json = field(default_factory=dict)
    work: asyncio.Task[None] | None = None


def routes(services: Services) -> list[Route]:
    """Routes of statements."""
    statements = Statements(services)

    async def execute(request: Request) -> Response:
        values = await body(request)
        wait = _wait(str(values.get("wait_timeout") or f"{WAIT_DEFAULT_S}s"))
        statement = statements.start(values, caller(request))
        assert statement.work is not None
        if wait:
            await asyncio.wait([statement.work], timeout=wait)
        if statement.state in {"PENDING", "RUNNING"} and values.get("on_wait_timeout") == "CANCEL":
            await statements.cancel(statement)
        return ok(shown(statement))

    async def get(request: Request) -> Response:
        return ok(shown(statements.get(request)))

    async def chunk(request: Request) -> Response:
        statement = statements.get(request)
        if number(request.path_params["chunk"], "chunk_index") != 0 or statement.state != "SUCCEEDED":
            raise does_not_exist(f"Statement {statement.id} has no such chunk.")
        return ok(_result(statement))

    async def cancel(request: Request) -> Response:
        await statements.cancel(statements.get(request))
        return ok()

    return [
        Route(API, execute, methods=["POST"]),
        Route(f"{API}/{{id}}", get, methods=["GET"]),
        Route(f"{API}/{{id}}/cancel", cancel, methods=["POST"]),
        Route(f"{API}/{{id}}/result/chunks/{{chunk}}", chunk, methods=["GET"]),
    ]


class Statements:
    """All statements since the server started.

    Args:
        services: The workspace's inner side.
    """

    def __init__(self, services: Services) -> None:
        self.services = services
        self.known: dict[str, Statement] = {}
        services.on_stop.append(self.close)

    def get(self, request: Request) -> Statement:
        """The statement that a path names.

        Raises:
            ApiError: RESOURCE_DOES_NOT_EXIST.
        """
        found = self.known.get(request.path_params["id"])
        if found is None:
            raise does_not_exist(f"The statement {request.path_params['id']} was not found.")
        return found

    def start(self, values: Json, who: Identity) -> Statement:
        """Begin a statement.

        Raises:
            ApiError: A field is missing, wrong or not imitated, or there is no such warehouse.
        """
        text, warehouse = str(required(values, "statement")), str(required(values, "warehouse_id"))
        if self.services.documents.get(WAREHOUSES, warehouse) is None:
            raise does_not_exist(f"SQL warehouse {warehouse} does not exist.")
        for name, only in (("disposition", "INLINE"), ("format", "JSON_ARRAY")):
            if values.get(name, only) != only:
                raise ApiError("FEATURE_DISABLED", f"The local workspace answers statements with {name} {only} only, not {values[name]}.")
        statement_id = self.services.ids.uuid()
        statement = Statement(statement_id, self.services.data / "statements" / statement_id, who)
        statement.folder.mkdir(parents=True)
        order = {
            "statement": text, "parameters": {str(required(p, "name")): p.get("value") for p in values.get("parameters") or []},
            "catalog": values.get("catalog") or "", "schema": values.get("schema") or "",
            "row_limit": number(values.get("row_limit") or ROWS_DEFAULT, "row_limit"),
            "lineage": lineage.rows(self.services) if "table_lineage" in text.lower() else [],
        }  # fmt: skip
        (statement.folder / "order.json").write_text(json.dumps(order), encoding="utf-8")
        self.known[statement_id] = statement
        statement.work = asyncio.create_task(self._run(statement))
        return statement

    async def cancel(self, statement: Statement) -> None:
        """End a statement that runs; one that has ended stays as it is."""
        if statement.state in {"PENDING", "RUNNING"}:
            statement.state = "CANCELED"
            await self.services.executor.kill(statement.id)

    async def close(self) -> None:
        """End what still runs."""
        for statement in self.known.values():
            if statement.work is not None and not statement.work.done():
                statement.work.cancel()

    async def _run(self, statement: Statement) -> None:
        services = self.services
        token = services.identities.issue_token(statement.owner, services.clock(), None)
        spec = TaskSpec(
            id=statement.id, kind="spark_python", folder=str(statement.folder), data=str(services.data), host=services.url, token=token,
            user=statement.owner.name, path=RUNNER.name, source_root=str(RUNNER.parent),
            arguments=[str(statement.folder / "order.json"), str(statement.folder / "answer.json")],
            catalogs=services.documents.keys(CATALOGS), schemas=services.documents.keys(SCHEMAS), tables=known_tables(services),
        )  # fmt: skip
        if statement.state == "CANCELED":
            return
        statement.state = "RUNNING"
        try:
            result = await asyncio.wait_for(services.executor.run(spec), LONGEST_RUN_S)
        except (ServiceError, TimeoutError) as problem:
            result = TaskResult("failed", error=str(problem) or "The statement took too long.")
        if statement.state != "CANCELED":
            self._take(statement, result)

    def _take(self, statement: Statement, result: TaskResult) -> None:
        apply(self.services, result.changes, statement.owner)
        answer = statement.folder / "answer.json"
        if result.status == "success" and answer.is_file():
            statement.answer, statement.state = json.loads(answer.read_text("utf-8")), "SUCCEEDED"
        else:
            statement.error = {"error_code": "BAD_REQUEST", "message": result.error or "The statement left no answer."}
            statement.state = "FAILED"


def shown(statement: Statement) -> Json:
    """A statement as the API answers it."""
    status: Json = {"state": statement.state} | ({"error": statement.error} if statement.error else {})
    answer: Json = {"statement_id": statement.id, "status": status}
    if statement.state == "SUCCEEDED":
        columns, count = statement.answer["columns"], len(statement.answer["rows"])
        answer["manifest"] = {
            "format": "JSON_ARRAY", "schema": {"column_count": len(columns), "columns": columns},
            "total_chunk_count": 1, "chunks": [{"chunk_index": 0, "row_offset": 0, "row_count": count}],
            "total_row_count": count, "truncated": statement.answer["truncated"],
        }  # fmt: skip
        answer["result"] = _result(statement)
    return answer


def _result(statement: Statement) -> Json:
    rows = statement.answer["rows"]
    return {"chunk_index": 0, "row_offset": 0, "row_count": len(rows), "data_array": rows}


def _wait(text: str) -> float:
    """Seconds of `wait_timeout`, such as `10s`: 0 or 5 to 50."""
    seconds = number(text.removesuffix("s"), "wait_timeout")
    if seconds and not WAIT_SHORTEST_S <= seconds <= WAIT_LONGEST_S:
        raise invalid(f"wait_timeout must be 0s, or {WAIT_SHORTEST_S}s to {WAIT_LONGEST_S}s, not {text}")
    return float(seconds)
