"""Observes which tables a task reads and writes, from the plans that its Spark session sends."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from rehearsal.executor.file_access import FileAccess

TEMPORARY = ("global_temp",)


class Lineage:
    """Names of tables in the plans of one session.

    Args:
        complete: Makes a full name (`catalog.schema.table`) of the parts of a shorter one.
        files: Takes the paths that plans read and write.
        logical: Databricks' name of a path on this machine.
    """

    def __init__(self, complete: Callable[[list[str]], str], files: FileAccess, logical: Callable[[str], str]) -> None:
        self._complete, self._files, self._logical = complete, files, logical
        self._reads: dict[str, None] = {}
        self._writes: dict[str, None] = {}
        self._views: set[str] = set()
        self.schemas: dict[str, bool] = {}
        self.unclear = False

    @property
    def made_schemas(self) -> list[str]:
        """Full names of schemas that were made and not dropped again."""
        return [name for name, dropped in self.schemas.items() if not dropped]

    @property
    def dropped_schemas(self) -> list[str]:
        """Full names of schemas that were dropped and not made again."""
        return [name for name, dropped in self.schemas.items() if dropped]

    def reads(self) -> list[str]:
        """Full names of tables that were read, in the order of their first reading."""
        return list(self._reads)

    def writes(self) -> list[str]:
        """Full names of tables that were written, made, changed or dropped."""
        return list(self._writes)

    def observe(self, plan: Any) -> None:
        """Take note of one plan (a `pyspark.sql.connect.proto.Plan`)."""
        if plan.HasField("root"):
            self._relation(plan.root)
            return
        command = plan.command
        kind = command.WhichOneof("command_type")
        if kind == "sql_command":
            query = command.sql_command.input.sql.query if command.sql_command.HasField("input") else command.sql_command.sql
            self.statement(query or command.sql_command.sql)
        elif kind == "write_operation":
            self._relation(command.write_operation.input)
            if command.write_operation.path:
                self._files.wrote(self._logical(command.write_operation.path))
            if command.write_operation.HasField("table"):
                self._written(command.write_operation.table.table_name)
        elif kind == "write_operation_v2":
            self._relation(command.write_operation_v2.input)
            self._written(command.write_operation_v2.table_name)
        elif kind == "merge_into_table_command":
            self._relation(command.merge_into_table_command.source_table_plan)
            self._written(command.merge_into_table_command.target_table_name)
            self._read(command.merge_into_table_command.target_table_name)
        elif kind == "create_dataframe_view":
            self._views.add(command.create_dataframe_view.name.lower())
            self._relation(command.create_dataframe_view.input)

    def _relation(self, message: Any) -> None:
        """Walk a relation; every message in it that names a table or holds SQL counts."""
        name = message.DESCRIPTOR.name
        if name == "NamedTable":
            self._read(message.unparsed_identifier)
        elif name == "DataSource":
            for path in message.paths:
                self._files.read(self._logical(path))
        elif name == "SQL":
            self.statement(message.query)
        for field, value in message.ListFields():
            if field.message_type is None:
                continue
            values: Iterable[Any] = value if hasattr(value, "append") or hasattr(value, "add") else (value,)
            for item in values:
                if hasattr(item, "ListFields"):
                    self._relation(item)

    def statement(self, text: str) -> None:
        """Take note of an SQL statement; one that cannot be parsed makes the whole catalog be looked at afterwards."""
        import logging

        import sqlglot
        from sqlglot import exp

        logging.getLogger("sqlglot").setLevel(logging.ERROR)  # it warns of every statement it keeps as plain text
        try:
            tree = sqlglot.parse_one(text, read="databricks", error_level=sqlglot.ErrorLevel.RAISE)
        except sqlglot.errors.SqlglotError:
            self.unclear = True
            return
        if isinstance(tree, exp.Command):
            self.unclear = True
            return
        if isinstance(tree, (exp.Create, exp.Drop)) and str(tree.args.get("kind")).upper() in ("SCHEMA", "DATABASE"):
            self._schema(tree, exp)
            return
        targets = self._targets(tree, exp)
        common = {cte.alias_or_name.lower() for cte in tree.find_all(exp.CTE)}
        for table in tree.find_all(exp.Table):
            if any(table is target for target in targets):
                self._written(table.sql("databricks"), temporary=bool(tree.find(exp.TemporaryProperty)))
            elif table.name and table.name.lower() not in common:
                self._read(".".join(part.name for part in table.parts))

    @staticmethod
    def _targets(tree: Any, exp: Any) -> list[Any]:
        """Return the tables that a statement changes."""
        if isinstance(tree, (exp.Drop, exp.TruncateTable)):
            return list(tree.find_all(exp.Table))
        if isinstance(tree, (exp.Create, exp.Insert, exp.Merge, exp.Update, exp.Delete, exp.Alter)):
            return [tree.this.this if isinstance(tree.this, exp.Schema) else tree.this]
        return []

    def _schema(self, tree: Any, exp: Any) -> None:
        """Take note of CREATE SCHEMA and DROP SCHEMA."""
        table = next(tree.find_all(exp.Table), None)
        parts = [part.name for part in table.parts] if table is not None else []
        if parts:
            self.schemas[".".join(self._complete([*parts, "x"]).split(".")[:2])] = isinstance(tree, exp.Drop)
        self.unclear = self.unclear or isinstance(tree, exp.Drop)

    def _read(self, name: str) -> None:
        parts = split_name(name)
        if parts and parts[-1].startswith("/"):  # a path in the place of a table: csv.`/Volumes/...`
            self._files.read(self._logical(parts[-1]))
            return
        if len(parts) == 1 and parts[0].lower() in self._views:
            return
        if (parts and parts[0].lower() in TEMPORARY) or not parts:
            return
        self._reads.setdefault(self._complete(parts))

    def _written(self, name: str, *, temporary: bool = False) -> None:
        parts = split_name(name.split(" AS ")[0])
        if parts and parts[-1].startswith("/"):
            self._files.wrote(self._logical(parts[-1]))
            return
        if temporary and parts:
            self._views.add(parts[-1].lower())
        elif parts:
            self._writes.setdefault(self._complete(parts))


def split_name(name: str) -> list[str]:
    """Return the parts of a name such as main.`my schema`.t, without back quotes."""
    parts, current, quoted = [], "", False
    for character in name.strip():
        if character == "`":
            quoted = not quoted
        elif character == "." and not quoted:
            parts.append(current)
            current = ""
        else:
            current += character
    return [part for part in [*parts, current] if part]
