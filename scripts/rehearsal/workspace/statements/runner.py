"""Runs one SQL statement in a task's process and writes its rows as the statements API answers them. Not imported by the server."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

LINEAGE_TABLE = re.compile(r"`?\bsystem`?\s*\.\s*`?access`?\s*\.\s*`?table_lineage\b`?", re.IGNORECASE)
LINEAGE_VIEW = "bundleflow_table_lineage"
LINEAGE_SCHEMA = (
    "account_id string, metastore_id string, workspace_id string, entity_type string, entity_id string, entity_run_id string, "
    "source_table_full_name string, source_table_catalog string, source_table_schema string, source_table_name string, source_path string, "
    "source_type string, target_table_full_name string, target_table_catalog string, target_table_schema string, target_table_name string, "
    "target_path string, target_type string, created_by string, event_time timestamp, event_date date, record_id string, event_id string, "
    "statement_id string, entity_metadata struct<job_info: struct<job_id: string, job_run_id: string>, notebook_id: string>"
)
TYPE_NAMES = {
    "long": "LONG", "integer": "INT", "short": "SHORT", "byte": "BYTE", "string": "STRING", "double": "DOUBLE", "float": "FLOAT",
    "boolean": "BOOLEAN", "date": "DATE", "timestamp": "TIMESTAMP", "timestamp_ntz": "TIMESTAMP_NTZ", "binary": "BINARY",
    "decimal": "DECIMAL", "array": "ARRAY", "map": "MAP", "struct": "STRUCT", "void": "NULL",
}  # fmt: skip


def main(order_file: str, answer_file: str) -> None:
    """Run the statement of an order and write columns and rows.

    Args:
        order_file: JSON with `statement`, `parameters`, `catalog`, `schema`, `row_limit`, `lineage`.
        answer_file: Where the answer goes, as JSON.
    """
    from pyspark.sql import SparkSession

    order = json.loads(Path(order_file).read_text("utf-8"))
    spark = SparkSession.builder.getOrCreate()
    if order["catalog"]:
        spark.sql(f"USE CATALOG {_quoted(order['catalog'])}")
    if order["schema"]:
        spark.sql(f"USE SCHEMA {_quoted(order['schema'])}")
    statement = order["statement"]
    if LINEAGE_TABLE.search(statement):
        statement = _with_lineage(spark, statement, order["lineage"])
    frame = spark.sql(statement, args=order["parameters"] or None)
    columns = [
        {
            "name": field.name,
            "type_text": field.dataType.simpleString().upper(),
            "type_name": _type_name(field.dataType),
            "position": number,
        }
        for number, field in enumerate(frame.schema.fields)
    ]
    limit = order["row_limit"]
    rows = frame.limit(limit + 1).collect() if columns else []
    data = [[_text(value) for value in row] for row in rows[:limit]]
    Path(answer_file).write_text(json.dumps({"columns": columns, "rows": data, "truncated": len(rows) > limit}), encoding="utf-8")


def _with_lineage(spark: Any, statement: str, rows: list[list[Any]]) -> str:
    """The statement on a view that has what tasks were seen to read and write."""
    from datetime import UTC, datetime

    filled = []
    for row in rows:
        moment = datetime.fromtimestamp(row[19] / 1000, UTC)
        filled.append((*row[:19], moment, moment.date(), *row[20:]))
    spark.createDataFrame(filled, LINEAGE_SCHEMA).createOrReplaceTempView(LINEAGE_VIEW)
    return LINEAGE_TABLE.sub(LINEAGE_VIEW, statement)


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _type_name(kind: Any) -> str:
    name = str(kind.typeName()).split("(")[0]
    return TYPE_NAMES.get(name, name.upper())


def _text(value: Any) -> str | None:
    """A value as JSON_ARRAY has it: text, with null for nothing."""
    from datetime import date, datetime

    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").split("+")[0] + "Z"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray)):
        import base64

        return base64.b64encode(value).decode()
    if hasattr(value, "asDict"):
        return json.dumps(value.asDict(recursive=True), default=str)
    return json.dumps(value, default=str) if isinstance(value, (list, dict, tuple)) else str(value)


if __name__ == "__main__":
    main(*sys.argv[1:3])
