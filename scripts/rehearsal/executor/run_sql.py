"""Runs an SQL task: the statements of a file, one after the other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from rehearsal.executor.display import show
from rehearsal.executor.environment import TaskEnvironment
from rehearsal.executor.errors import TaskRefused
from rehearsal.executor.run_python import locate
from rehearsal.executor.sql_text import statements

BRACES = re.compile(r"\{\{\s*([\w.-]+)\s*\}\}")
FIRST_ROWS = 1000


def split_statements(text: str) -> list[str]:
    """Return the statements of an SQL text."""
    return statements(text)


def run_sql(environment: TaskEnvironment) -> None:
    """Run the file of an `sql_task` with its parameters (`:name` or `{{name}}`).

    Raises:
        TaskRefused: there is no such file, or a parameter is missing.
    """
    spec = environment.spec
    _, physical = locate(environment, spec.path)
    try:
        text = Path(physical).read_text("utf-8")
    except (FileNotFoundError, IsADirectoryError) as error:
        raise TaskRefused(f"The SQL file {spec.path} does not exist.") from error
    text = BRACES.sub(lambda match: _parameter(match.group(1), spec.parameters), text)
    frame: Any = None
    parts = statements(text)
    for statement in parts:
        arguments = {name: value for name, value in spec.parameters.items() if re.search(rf":{re.escape(name)}\b", statement)}
        frame = environment.spark.sql(statement, args=arguments or None)
        if frame.columns:
            show(frame)
    environment.output["sql_output"] = {
        "query_output": {
            "query_text": text,
            "warehouse_id": spec.options.get("warehouse_id", ""),
            "sql_statements": [{"lookup_key": str(n)} for n, _ in enumerate(parts)],
        }
    }
    if frame is not None and frame.columns:
        rows = [row.asDict(recursive=True) for row in frame.limit(FIRST_ROWS).collect()]
        texts = [{name: str(value) for name, value in row.items()} for row in rows]
        environment.output["reference_output"] = {"rows": texts, "first_row": texts[0] if texts else {}}


def _parameter(name: str, parameters: dict[str, str]) -> str:
    if name not in parameters:
        raise TaskRefused(
            f"The SQL file uses the parameter {name}, which the task does not give; it gives {', '.join(sorted(parameters)) or 'none'}."
        )
    return parameters[name]
