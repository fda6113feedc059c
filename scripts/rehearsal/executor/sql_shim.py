"""SQL that Databricks knows and Sail does not: taken over here, recorded in the workspace's catalog, and said in the task's log."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rehearsal.executor import sql_text
from rehearsal.executor.errors import TaskRefused
from rehearsal.executor.lineage import split_name
from rehearsal.executor.workspace_client import WorkspaceClient

if TYPE_CHECKING:
    from rehearsal.executor.spark_session import SparkTask

NAME = r"(?P<name>(?:`[^`]+`|[\w-]+)(?:\.(?:`[^`]+`|[\w-]+))*)"
SECURABLE = r"(?:(?P<kind>CATALOG|SCHEMA|DATABASE|TABLE|VIEW|VOLUME|FUNCTION)\s+)?"
Handler = Callable[[re.Match[str], str], Any]


class SqlShim:
    """Stands in front of a session's `sql`.

    Args:
        task: The session's task.
    """

    def __init__(self, task: SparkTask) -> None:
        self.task = task
        self._sql = task.session.sql
        self._handlers: list[tuple[re.Pattern[str], Handler]] = [
            (_pattern(pattern), handler)
            for pattern, handler in (
                (r"CREATE\s+(?:OR\s+REPLACE\s+)?(?:EXTERNAL\s+)?TABLE\b", self._create_table),
                (rf"ALTER\s+TABLE\s+{NAME}\s+(?P<rest>.*)", self._alter_table),
                (rf"COMMENT\s+ON\s+(?P<kind>\w+)\s+{NAME}\s+IS\s+(?P<text>.*)", self._comment),
                (rf"OPTIMIZE\s+{NAME}(?P<rest>.*)", self._optimize),
                (rf"VACUUM\s+{NAME}(?P<rest>.*)", self._vacuum),
                (rf"DESC(?:RIBE)?\s+HISTORY\s+{NAME}(?P<rest>.*)", self._history),
                (rf"DESC(?:RIBE)?\s+DETAIL\s+{NAME}", self._detail),
                (rf"USE\s+(?:SCHEMA\s+|DATABASE\s+)?{NAME}", self._use),
                (rf"(?P<verb>GRANT|REVOKE)\s+(?P<what>.+?)\s+ON\s+{SECURABLE}{NAME}\s+(?:TO|FROM)\s+(?P<who>.+)", self._grant),
                (rf"CREATE\s+CATALOG\s+(?:IF\s+NOT\s+EXISTS\s+)?{NAME}.*", self._create_catalog),
                (rf"CREATE\s+VOLUME\s+(?P<if>IF\s+NOT\s+EXISTS\s+)?{NAME}.*", self._create_volume),
                (rf"DROP\s+VOLUME\s+(?P<if>IF\s+EXISTS\s+)?{NAME}", self._drop_volume),
                (rf"(?:ANALYZE|REFRESH)\s+TABLE\s+{NAME}.*", self._nothing),
                (rf"REFRESH\s+{NAME}", self._nothing),
            )
        ]  # fmt: skip

    def sql(self, sqlQuery: str, args: Any = None, **kwargs: Any) -> Any:  # noqa: N803 - the parameter's name in Spark
        """Run one statement, as `SparkSession.sql` does.

        Raises:
            TaskRefused: a statement that is known to Databricks and can neither be run nor recorded here.
        """
        text = self.task.environment.paths.in_sql(sqlQuery)
        if isinstance(args, dict) and not sql_text.is_query(text):
            text, args = sql_text.with_values(text, args), None  # Sail takes parameters in queries only
        bare = sql_text.without_comments(text).strip().rstrip(";").strip()
        for pattern, handler in self._handlers:
            match = pattern.fullmatch(bare) or (pattern.match(bare) if handler == self._create_table else None)
            if match:
                outcome = handler(match, bare)
                if outcome is not None:
                    return outcome
                break
        return self._sql(text, args, **kwargs) if args is not None or kwargs else self._sql(text)

    def _say(self, line: str) -> None:
        self.task.environment.say(line)

    def _empty(self) -> Any:
        return self._sql("SELECT 'ok' AS result LIMIT 0")

    def _full(self, name: str) -> str:
        return self.task.lineage._complete(split_name(name))

    def _details(self, name: str) -> dict[str, Any]:
        """Return what is recorded of a table besides Spark's own knowledge, and have the table recorded at the task's end."""
        full = self._full(name)
        self.task.lineage._written(full)
        known = self.task.environment.details(full)
        if not known:
            before = self.task.environment.tables.get(full, {})
            known.update({key: before[key] for key in ("table_constraints", "comment", "properties") if before.get(key)})
        return known

    # CREATE TABLE and ALTER TABLE

    def _create_table(self, _: re.Match[str], text: str) -> Any:
        plan = sql_text.create_table(text)
        if plan is None:
            return None
        for clause in plan.removed:
            self._say(f"{plan.name}: {clause} is recorded in the catalog, not enforced (on Databricks a key is not enforced either).")
        from pyspark.errors import PySparkException

        try:
            frame = self._sql(plan.text)
        except PySparkException as error:
            if not plan.replaces or "not found in table schema" not in str(error):
                raise
            self._say(f"{plan.name}: replaced by dropping it first, because its columns changed; its history begins anew.")
            self._sql(f"DROP TABLE IF EXISTS {plan.name}")
            frame = self._sql(plan.text)
        if plan.constraints or plan.removed or plan.replaces:
            details = self._details(plan.name)
            details["table_constraints"] = plan.constraints
            if plan.properties:
                details["properties"] = plan.properties
        return frame

    def _alter_table(self, match: re.Match[str], _: str) -> Any:
        name, rest = match["name"], match["rest"].strip()
        constraint = sql_text.added_constraint(rest)
        if constraint is not None:
            details = self._details(name)
            details["table_constraints"] = [*details.get("table_constraints", []), constraint]
            self._say(f"{name}: {rest} is recorded in the catalog, not enforced (on Databricks a key is not enforced either).")
            return self._empty()
        dropped = re.fullmatch(
            r"DROP\s+(?:CONSTRAINT\s+(?:IF\s+EXISTS\s+)?(?P<c>\S+)|PRIMARY\s+KEY.*|FOREIGN\s+KEY.*).*", rest, re.I | re.S
        )
        if dropped:
            return self._drop_constraint(name, dropped["c"])
        not_null = re.fullmatch(r"(?:ALTER|CHANGE)\s+(?:COLUMN\s+)?(?P<column>\S+)\s+(?P<verb>SET|DROP)\s+NOT\s+NULL", rest, re.I)
        if not_null:
            return self._not_null(name, not_null["column"], not_null["verb"].upper())
        if re.match(r"(?:SET|UNSET)\s+TAGS|CLUSTER\s+BY|(?:SET\s+)?OWNER\s+TO|(?:ALTER|CHANGE)\s+(?:COLUMN\s+)?\S+\s+(?:SET|UNSET)\s+TAGS|"
                    r"ENABLE\s|DISABLE\s|SYNC\s", rest, re.I):  # fmt: skip
            self._say(f"{name}: ALTER TABLE ... {rest} has no effect here.")
            return self._empty()
        return None

    def _drop_constraint(self, name: str, constraint: str | None) -> Any:
        details = self._details(name)
        kept = []
        for entry in details.get("table_constraints", []):
            key = next(iter(entry.values()))
            if (constraint is None and "primary_key_constraint" in entry) or (constraint and key.get("name") == constraint.strip("`")):
                continue
            kept.append(entry)
        if constraint and len(kept) == len(details.get("table_constraints", [])):
            return None  # a CHECK constraint, which Spark itself knows
        details["table_constraints"] = kept
        return self._empty()

    def _not_null(self, name: str, column: str, verb: str) -> Any:
        if verb == "SET":
            missing = self._sql(f"SELECT count(*) AS n FROM {name} WHERE {column} IS NULL").collect()[0]["n"]  # noqa: S608 - names from the user's own statement
            if missing:
                raise ValueError(f"ALTER COLUMN {column} SET NOT NULL: {name} has {missing} rows in which {column} is null.")
            self._say(f"{name}: {column} SET NOT NULL was checked for the rows there are; later writes are not checked here.")
        return self._empty()

    # What others say about a table

    def _comment(self, match: re.Match[str], _: str) -> Any:
        text = sql_text.literal(match["text"])
        if match["kind"].upper() in ("TABLE", "VIEW"):
            self._details(match["name"])["comment"] = text
        else:
            self._say(f"COMMENT ON {match['kind']} {match['name']} has no effect here.")
        return self._empty()

    def _grant(self, match: re.Match[str], _: str) -> Any:
        kind = (match["kind"] or "TABLE").upper().replace("DATABASE", "SCHEMA").replace("VIEW", "TABLE")
        full = self._full(match["name"]) if kind in ("TABLE", "VOLUME", "FUNCTION") else ".".join(split_name(match["name"]))
        if kind == "TABLE":
            self.task.environment.publish(full)
        privileges = [" ".join(part.split()).upper().replace(" ", "_") for part in match["what"].split(",")]
        change = {"principal": match["who"].strip().strip("`'\""), ("add" if match["verb"].upper() == "GRANT" else "remove"): privileges}
        WorkspaceClient(self.task.environment.spec).patch(
            f"/api/2.1/unity-catalog/permissions/{kind.lower()}/{full}", {"changes": [change]}
        )
        self._say(f"{match['verb'].upper()} on {full} is recorded in the catalog, not enforced.")
        return self._empty()

    def _create_catalog(self, match: re.Match[str], text: str) -> Any:
        name = split_name(match["name"])[0]
        if name in self.task.environment.spec.catalogs and re.search(r"IF\s+NOT\s+EXISTS", text, re.I):
            return self._empty()
        raise TaskRefused(
            f"CREATE CATALOG {name}: a catalog must exist before the task starts; create it by the API or name it in the identities file."
        )

    def _create_volume(self, match: re.Match[str], _: str) -> Any:
        catalog, schema, name = self._full(match["name"]).split(".")
        body = {"catalog_name": catalog, "schema_name": schema, "name": name, "volume_type": "MANAGED"}
        WorkspaceClient(self.task.environment.spec).post("/api/2.1/unity-catalog/volumes", body, ignore=(409,) if match["if"] else ())
        return self._empty()

    def _drop_volume(self, match: re.Match[str], _: str) -> Any:
        path = f"/api/2.1/unity-catalog/volumes/{self._full(match['name'])}"
        WorkspaceClient(self.task.environment.spec).delete(path, ignore=(404,) if match["if"] else ())
        return self._empty()

    def _nothing(self, match: re.Match[str], text: str) -> Any:
        self._say(f"{text.split(None, 2)[0].upper()} {match['name']} has no effect here.")
        return self._empty()

    def _use(self, match: re.Match[str], _: str) -> Any:
        parts = split_name(match["name"])
        if parts[0].upper() == "CATALOG" or len(parts) != 2:
            return None
        self.task.session.catalog.setCurrentCatalog(parts[0])
        self.task.session.catalog.setCurrentDatabase(parts[1])
        return self._empty()

    # Maintenance, by delta-rs on the same files

    def _delta(self, name: str) -> Any:
        from deltalake import DeltaTable

        if name.lower().startswith("delta."):
            return DeltaTable(split_name(name)[1])
        rows = self._sql(f"DESCRIBE TABLE EXTENDED {name}").collect()
        location = next((str(row[1]) for row in rows if row[0] == "Location"), "")
        if not location:
            raise TaskRefused(f"{name} is not a Delta table with files of its own.")
        return DeltaTable(location.removeprefix("file:"))

    def _optimize(self, match: re.Match[str], _: str) -> Any:
        table = self._delta(match["name"])
        order = re.search(r"ZORDER\s+BY\s*\(([^)]*)\)", match["rest"], re.I)
        columns = [column.strip(" `") for column in order.group(1).split(",")] if order else []
        metrics = table.optimize.z_order(columns) if columns else table.optimize.compact()
        added, removed = metrics.get("numFilesAdded", 0), metrics.get("numFilesRemoved", 0)
        return self.task.session.createDataFrame(
            [(table.table_uri, added, removed)], "path string, numFilesAdded long, numFilesRemoved long"
        )

    def _vacuum(self, match: re.Match[str], _: str) -> Any:
        hours = re.search(r"RETAIN\s+([\d.]+)\s+HOURS", match["rest"], re.I)
        dry = bool(re.search(r"DRY\s+RUN", match["rest"], re.I))
        table = self._delta(match["name"])
        files = table.vacuum(int(float(hours.group(1))) if hours else None, dry_run=dry, enforce_retention_duration=not hours)
        return self.task.session.createDataFrame([(file,) for file in files] or [(table.table_uri,)], "path string")

    def _history(self, match: re.Match[str], _: str) -> Any:
        import json
        from datetime import UTC, datetime

        limit = re.search(r"LIMIT\s+(\d+)", match["rest"], re.I)
        entries = self._delta(match["name"]).history(int(limit.group(1)) if limit else None)
        rows = [
            (
                int(entry.get("version", 0)),
                datetime.fromtimestamp(entry.get("timestamp", 0) / 1000, UTC),
                str(entry.get("userName") or self.task.environment.spec.user),
                str(entry.get("operation", "")),
                {str(k): v if isinstance(v, str) else json.dumps(v) for k, v in (entry.get("operationParameters") or {}).items()},
                {str(k): str(v) for k, v in (entry.get("operationMetrics") or {}).items()},
            )
            for entry in entries
        ]
        schema = (
            "version long, timestamp timestamp, userName string, operation string, "
            "operationParameters map<string,string>, operationMetrics map<string,string>"
        )
        return self.task.session.createDataFrame(rows, schema)

    def _detail(self, match: re.Match[str], _: str) -> Any:
        table = self._delta(match["name"])
        about = table.metadata()
        sizes = table.get_add_actions(flatten=True)["size_bytes"].to_pylist()
        row = ("delta", str(about.id), match["name"], table.table_uri, list(about.partition_columns), len(sizes), sum(sizes))
        schema = "format string, id string, name string, location string, partitionColumns array<string>, numFiles long, sizeInBytes long"
        return self.task.session.createDataFrame([row], schema)


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE | re.DOTALL)
