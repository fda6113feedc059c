"""What a deployed endpoint or warehouse answers, by the official SDK: for smoke checks and lineage."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from bundleflow.adapters.workspace import Workspace
from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason

STATEMENT_LIMIT_S = 300.0
POLL_S = 2.0
FIRST_WAIT_S = 30
"""How long the first call waits for the answer (`wait_timeout`), in seconds."""


class StatementFailedError(BundleflowError):
    """A warehouse took a statement and could not carry it out.

    Args:
        state: State it ended with.
        message: The warehouse's words; may be empty.
    """

    def __init__(self, state: str, message: str) -> None:
        super().__init__(
            f"The statement ended with {state}{f': {message}' if message else ''}.",
            fix="Run the statement by hand on that warehouse.",
            reason=FailureReason.SMOKE_FAILED,
            exit_code=ExitCode.FAILED,
        )


class AnsweringWorkspace(Workspace):
    """The workspace as far as smoke checks ask it."""

    def ask_endpoint(self, name: str, request: Mapping[str, Any]) -> Any:
        """Send a request to a serving endpoint and give its answer, parsed from JSON.

        Raises:
            BundleflowError: It did not answer, or answered with an error.
        """
        with self._asking(f"ask the endpoint `{name}`"):
            path = f"/serving-endpoints/{quote(name, safe='')}/invocations"
            headers = {"Accept": "application/json", "Content-Type": "application/json"}
            return self._client.api_client.do("POST", path, body=dict(request), headers=headers)

    def ask_warehouse(self, warehouse: str, statement: str) -> Any:
        """Run a statement on a warehouse and give the first value of its first row; None when it has none.

        Raises:
            BundleflowError: The statement failed, or did not end within `STATEMENT_LIMIT_S`.
        """
        rows = self.statement_rows(warehouse, statement, row_limit=1)
        return rows[0][0] if rows and rows[0] else None

    def statement_rows(
        self, warehouse: str, statement: str, *, row_limit: int, limit_s: float = STATEMENT_LIMIT_S
    ) -> Sequence[Sequence[str | None]]:
        """Run a statement on a warehouse and give its rows, values as text (Statement Execution API 2.0, in line).

        Args:
            warehouse: Id of the warehouse.
            statement: The SQL text.
            row_limit: How many rows are given at most.
            limit_s: How long it may take, in seconds, at least `FIRST_WAIT_S`; then it is cancelled.

        Raises:
            StatementFailedError: It failed, or did not end within `limit_s`.
            BundleflowError: The warehouse cannot be asked.
        """
        from databricks.sdk.service.sql import StatementState

        with self._asking(f"run a statement on warehouse `{warehouse}`"):
            end = time.monotonic() + limit_s
            answer = self._client.statement_execution.execute_statement(
                statement, warehouse, wait_timeout=f"{FIRST_WAIT_S}s", row_limit=row_limit
            )
            while answer.status and answer.status.state in (StatementState.PENDING, StatementState.RUNNING):
                if time.monotonic() > end:
                    self._client.statement_execution.cancel_execution(answer.statement_id or "")
                    raise StatementFailedError("CANCELED", f"it did not end within {limit_s:.0f} s")
                time.sleep(POLL_S)
                answer = self._client.statement_execution.get_statement(answer.statement_id or "")
            if answer.status is not None and answer.status.state is StatementState.SUCCEEDED:
                rows: list[Sequence[str | None]] = []
                chunk = answer.result
                while chunk is not None:
                    rows += chunk.data_array or []
                    after = chunk.next_chunk_index
                    chunk = (
                        self._client.statement_execution.get_statement_result_chunk_n(answer.statement_id or "", after) if after else None
                    )
                return rows
        state = answer.status.state.value if answer.status and answer.status.state else "unknown"
        message = answer.status.error.message if answer.status and answer.status.error else ""
        raise StatementFailedError(state, message or "")
