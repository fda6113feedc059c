"""The tables of Unity Catalog in a Spark session: attached at its start, taken note of at its end.

Sail keeps its catalogs per session and in memory; the workspace keeps them for good.
"""

from __future__ import annotations

from typing import Any

from rehearsal.executor.environment import TaskEnvironment
from rehearsal.executor.lineage import split_name

HIDDEN_CATALOGS = ("system",)


class Catalog:
    """What one session knows of the workspace's catalog.

    Args:
        session: The Spark session (its `sql` before the shim takes it over).
        environment: The task, whose `tables` are attached and whose `changes` are filled.
    """

    def __init__(self, session: Any, environment: TaskEnvironment) -> None:
        self._sql = session.sql
        self._environment = environment
        self._schemas: set[str] = set()
        self._attached: set[str] = set()

    def attach(self) -> None:
        """Make the workspace's schemas and tables known to the session; what cannot be attached is said."""
        tables = self._environment.tables
        names = [*self._environment.spec.schemas, *(name.rpartition(".")[0] for name in tables)]
        for schema in dict.fromkeys(names):
            if schema not in self._schemas and split_name(schema)[0] in self._environment.spec.catalogs:
                self._sql(f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}")
                self._schemas.add(schema)
        for name, about in tables.items():
            if name not in self._attached and split_name(name)[0] in self._environment.spec.catalogs:
                self._attach_table(name, about)

    def _attach_table(self, name: str, about: dict[str, Any]) -> None:
        if about.get("view_definition"):
            self._sql(f"CREATE OR REPLACE VIEW {quoted(name)} AS {about['view_definition']}")
        elif about.get("storage_location"):
            kind = about.get("data_source_format", "DELTA").lower()
            self._sql(f"CREATE TABLE IF NOT EXISTS {quoted(name)} USING {kind} LOCATION '{about['storage_location']}'")
        self._attached.add(name)

    def record(self, touched: list[str], *, everything: bool) -> None:
        """Fill the task's `changes` with tables and schemas as they are now.

        Args:
            touched: Full names of tables that may have changed.
            everything: Look at all tables of all catalogs (a statement could not be understood).
        """
        present = self.all_tables() if everything else None
        names = list(dict.fromkeys([*touched, *(present or []), *(self._attached if everything else [])]))
        changes = self._environment.changes
        for name in names:
            gone = present is not None and name not in present
            described = None if gone else self._describe(name)
            schema = name.rpartition(".")[0]
            if schema not in self._schemas and self._schema_exists(schema):
                self._schemas.add(schema)
                changes.setdefault("schemas", {})[schema] = {}
            if described is not None:
                changes.setdefault("tables", {})[name] = {**described, **self._environment.details(name)}
                self._environment.tables[name] = described
                self._attached.add(name)
            elif name in self._attached or name in self._environment.tables:
                changes.setdefault("tables", {})[name] = None
                self._environment.tables.pop(name, None)
                self._attached.discard(name)

    def record_schemas(self, made: list[str], dropped: list[str]) -> None:
        """Fill the task's `changes` with schemas that were made (and are still there) or dropped (and are gone)."""
        schemas = self._environment.changes.setdefault("schemas", {})
        for name in made:
            if self._schema_exists(name):
                schemas[name] = {}
        for name in dropped:
            if not self._schema_exists(name):
                schemas[name] = None
                self._schemas.discard(name)

    def _schema_exists(self, schema: str) -> bool:
        catalog, _, name = schema.partition(".")
        return name in self._schemas_of(catalog)

    def _schemas_of(self, catalog: str) -> list[str]:
        """The names of a catalog's schemas; Spark quotes those with a hyphen, such as a pull request's."""
        return [split_name(str(row[0]))[-1] for row in self._sql(f"SHOW SCHEMAS IN {quoted(catalog)}").collect()]

    def all_tables(self) -> list[str]:
        """Full names of all tables of all catalogs, as the session knows them."""
        found = []
        for catalog in self._environment.spec.catalogs:
            for found_schema in self._schemas_of(catalog):
                schema = f"{catalog}.{found_schema}"
                if schema not in self._schemas and schema != f"{catalog}.default":
                    self._schemas.add(schema)
                    self._environment.changes.setdefault("schemas", {})[schema] = {}
                tables = self._sql(f"SHOW TABLES IN {quoted(schema)}").collect()
                found += [f"{schema}.{table['tableName']}".lower() for table in tables if not table["isTemporary"]]
        return found

    def _describe(self, name: str) -> dict[str, Any] | None:
        """Return a table in the words of Unity Catalog's API, or None when there is none."""
        from pyspark.errors import PySparkException

        try:
            rows = self._sql(f"DESCRIBE TABLE EXTENDED {quoted(name)}").collect()
        except PySparkException:
            return None
        columns, details, heading = [], {}, False
        for row in rows:
            key = str(row[0])
            if key.startswith("#") or not key:
                heading = heading or key.startswith("# Detailed")
            elif heading:
                details[key] = str(row[1])
            else:
                columns.append((key, str(row[1]), row[2]))
        return _table(columns, details)


def _table(columns: list[tuple[str, str, Any]], details: dict[str, str]) -> dict[str, Any]:
    view = "VIEW" in details.get("Type", "").upper()
    return {
        "table_type": "VIEW" if view else ("EXTERNAL" if "EXTERNAL" in details.get("Type", "").upper() else "MANAGED"),
        "data_source_format": details.get("Provider", "delta").upper(),
        "storage_location": details.get("Location", ""),
        "view_definition": details.get("View Text", "") if view else "",
        "comment": details.get("Comment", ""),
        "columns": [
            {
                "name": name,
                "type_text": kind,
                "type_name": kind.split("(")[0].split("<")[0].upper().replace("BIGINT", "LONG"),
                "position": position,
                "nullable": True,
                **({"comment": comment} if comment else {}),
            }
            for position, (name, kind, comment) in enumerate(columns)
        ],
    }


def quoted(name: str) -> str:
    """Return a dotted name with every part in back quotes."""
    return ".".join(f"`{part}`" for part in split_name(name))
