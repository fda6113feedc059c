"""`delta.tables.DeltaTable` for tasks, on SQL: the calls that ordinary projects make; others are refused by name."""

from __future__ import annotations

import secrets
import sys
import types
from collections.abc import Mapping
from typing import Any

from rehearsal.executor.errors import TaskRefused


def install() -> None:
    """Let `from delta.tables import DeltaTable` find this module, where Delta's own package is not installed."""
    package, module = types.ModuleType("delta"), types.ModuleType("delta.tables")
    module.DeltaTable = DeltaTable  # type: ignore[attr-defined]
    package.tables = module  # type: ignore[attr-defined]
    package.DeltaTable = DeltaTable  # type: ignore[attr-defined]
    sys.modules.setdefault("delta", package)
    sys.modules.setdefault("delta.tables", module)


class DeltaTable:
    """A Delta table by name or path.

    Args:
        spark: The session.
        name: The name as SQL has it (a table, or delta.`path`).
        alias: Its name in conditions.
    """

    def __init__(self, spark: Any, name: str, alias: str = "") -> None:
        self._spark, self._name, self._alias = spark, name, alias

    @classmethod
    def forName(cls, sparkSession: Any, tableOrViewName: str) -> DeltaTable:  # noqa: N802, N803 - Delta's names
        """Return the table of a name.

        Raises:
            AnalysisException: there is no such table.
        """
        assert sparkSession.table(tableOrViewName).columns is not None
        return cls(sparkSession, tableOrViewName)

    @classmethod
    def forPath(cls, sparkSession: Any, path: str) -> DeltaTable:  # noqa: N802, N803 - Delta's names
        """Return the table at a path."""
        return cls(sparkSession, f"delta.`{path}`")

    @classmethod
    def isDeltaTable(cls, sparkSession: Any, identifier: str) -> bool:  # noqa: N802, N803 - Delta's names
        """Return whether there is a Delta table at a path."""
        from pyspark.errors import PySparkException

        try:
            return bool(sparkSession.sql(f"DESCRIBE DETAIL delta.`{identifier}`").columns)
        except (PySparkException, OSError, ValueError):
            return False

    def alias(self, aliasName: str) -> DeltaTable:  # noqa: N803 - Delta's name
        """Return the table under another name, for conditions."""
        return DeltaTable(self._spark, self._name, aliasName)

    def toDF(self) -> Any:  # noqa: N802 - Delta's name
        """Return the table as a DataFrame."""
        frame = self._spark.table(self._name)
        return frame.alias(self._alias) if self._alias else frame

    def history(self, limit: int | None = None) -> Any:
        """Return the table's versions, the newest first."""
        return self._spark.sql(f"DESCRIBE HISTORY {self._name}" + (f" LIMIT {int(limit)}" if limit else ""))

    def detail(self) -> Any:
        """Return what DESCRIBE DETAIL says."""
        return self._spark.sql(f"DESCRIBE DETAIL {self._name}")

    def vacuum(self, retentionHours: float | None = None) -> Any:  # noqa: N803 - Delta's name
        """Remove files that no version needs any more."""
        return self._spark.sql(f"VACUUM {self._name}" + (f" RETAIN {float(retentionHours)} HOURS" if retentionHours is not None else ""))

    def delete(self, condition: Any = None) -> Any:
        """Delete rows."""
        where = f" WHERE {text(condition)}" if condition is not None else ""
        return self._spark.sql(f"DELETE FROM {self._name}{where}")  # noqa: S608 - the user's own condition

    def update(self, condition: Any = None, set: Mapping[str, Any] | None = None) -> Any:  # noqa: A002 - Delta's name
        """Change rows."""
        changes = _changes(set)
        where = f" WHERE {text(condition)}" if condition is not None else ""
        return self._spark.sql(f"UPDATE {self._name} SET {changes}{where}")  # noqa: S608 - the user's own condition

    def merge(self, source: Any, condition: Any) -> DeltaMergeBuilder:
        """Begin a MERGE with a DataFrame."""
        return DeltaMergeBuilder(self._spark, self._name, self._alias, source, text(condition))

    def __getattr__(self, name: str) -> Any:
        raise TaskRefused(f"DeltaTable.{name} is not imitated; SQL can do it.")


class DeltaMergeBuilder:
    """Collects the clauses of a MERGE and runs it."""

    def __init__(self, spark: Any, target: str, alias: str, source: Any, condition: str) -> None:
        self._spark, self._source, self._condition = spark, source, condition
        self._target = f"{target} AS {alias}" if alias else target
        self._clauses: list[str] = []

    def _add(self, head: str, condition: Any, action: str) -> DeltaMergeBuilder:
        limit = f" AND {text(condition)}" if condition is not None else ""
        self._clauses.append(f"WHEN {head}{limit} THEN {action}")
        return self

    def whenMatchedUpdateAll(self, condition: Any = None) -> DeltaMergeBuilder:  # noqa: N802 - Delta's name
        """Update all columns of rows that are in both."""
        return self._add("MATCHED", condition, "UPDATE SET *")

    def whenMatchedUpdate(self, condition: Any = None, set: Mapping[str, Any] | None = None) -> DeltaMergeBuilder:  # noqa: A002, N802
        """Update some columns of rows that are in both."""
        return self._add("MATCHED", condition, f"UPDATE SET {_changes(set)}")

    def whenMatchedDelete(self, condition: Any = None) -> DeltaMergeBuilder:  # noqa: N802 - Delta's name
        """Delete rows that are in both."""
        return self._add("MATCHED", condition, "DELETE")

    def whenNotMatchedInsertAll(self, condition: Any = None) -> DeltaMergeBuilder:  # noqa: N802 - Delta's name
        """Insert rows that are new."""
        return self._add("NOT MATCHED", condition, "INSERT *")

    def whenNotMatchedInsert(self, condition: Any = None, values: Mapping[str, Any] | None = None) -> DeltaMergeBuilder:  # noqa: N802
        """Insert some columns of rows that are new."""
        columns, given = ", ".join(values or {}), ", ".join(text(value) for value in (values or {}).values())
        return self._add("NOT MATCHED", condition, f"INSERT ({columns}) VALUES ({given})")  # noqa: S608 - the user's own values

    def whenNotMatchedBySourceDelete(self, condition: Any = None) -> DeltaMergeBuilder:  # noqa: N802 - Delta's name
        """Delete rows that the source does not have."""
        return self._add("NOT MATCHED BY SOURCE", condition, "DELETE")

    def whenNotMatchedBySourceUpdate(self, condition: Any = None, set: Mapping[str, Any] | None = None) -> DeltaMergeBuilder:  # noqa: A002, N802
        """Update rows that the source does not have."""
        return self._add("NOT MATCHED BY SOURCE", condition, f"UPDATE SET {_changes(set)}")

    def execute(self) -> Any:
        """Run the MERGE."""
        view = f"merge_source_{secrets.token_hex(4)}"
        alias = _alias(self._source)
        self._source.createOrReplaceTempView(view)
        using = f"{view} AS {alias}" if alias else view
        return self._spark.sql(f"MERGE INTO {self._target} USING {using} ON {self._condition} {' '.join(self._clauses)}")


def _changes(values: Mapping[str, Any] | None) -> str:
    return ", ".join(f"{column} = {text(value)}" for column, value in (values or {}).items())


def _alias(frame: Any) -> str:
    """Return the name that `DataFrame.alias` gave."""
    found = getattr(frame._plan, "_alias", "")
    return found if isinstance(found, str) else ""


def text(condition: Any) -> str:
    """Return a condition or value as SQL text.

    Raises:
        TaskRefused: it is a Column; only SQL texts can be used here.
    """
    if isinstance(condition, str):
        return condition
    if isinstance(condition, (bool, int, float)):
        return str(condition).upper() if isinstance(condition, bool) else repr(condition)
    raise TaskRefused("DeltaTable takes conditions and values as SQL texts here, not as Column expressions.")
