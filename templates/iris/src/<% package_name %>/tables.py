"""The project's tables in Unity Catalog, and the SQL that makes and fills them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .features import FEATURES, KEY, LABEL

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import SparkSession


@dataclass(frozen=True)
class Place:
    """A schema of Unity Catalog. Names are quoted in SQL: the schema of a pull request has hyphens."""

    catalog: str
    schema: str

    @property
    def model(self) -> str:
        """Full name of the registered model, as MLflow wants it."""
        return f"{self.catalog}.{self.schema}.classifier"

    @property
    def features(self) -> str:
        """Full name of the feature table, quoted."""
        return self._quoted("features")

    @property
    def holdout(self) -> str:
        """Full name of the table of flowers that no version learns from, quoted."""
        return self._quoted("holdout")

    @property
    def predictions(self) -> str:
        """Full name of the inference table, quoted."""
        return self._quoted("predictions")

    def _quoted(self, table: str) -> str:
        return ".".join(f"`{part.replace('`', '``')}`" for part in (self.catalog, self.schema, table))


def create_sql(table: str) -> str:
    """The statement that makes a table of flowers, with its primary key, where there is none yet.

    Args:
        table: Its full name, quoted: the feature table or the hold-out table.
    """
    key = f"{table.split('.')[-1].strip('`')}_pk"
    columns = [f"{KEY} BIGINT NOT NULL COMMENT 'Number of the flower'"]
    columns += [f"{name} DOUBLE COMMENT '{description}'" for name, description in FEATURES.items()]
    columns += [f"{LABEL} STRING COMMENT 'Name of the species'", f"CONSTRAINT {key} PRIMARY KEY ({KEY})"]
    listed = ",\n  ".join(columns)
    return f"CREATE TABLE IF NOT EXISTS {table} (\n  {listed}\n) USING DELTA"


def merge_sql(table: str, view: str) -> str:
    """The statement that brings a table of flowers to the state of `view`: one row for each key."""
    return (
        f"MERGE INTO {table} AS target USING {view} AS source ON target.{KEY} = source.{KEY}\n"
        "WHEN MATCHED THEN UPDATE SET *\n"
        "WHEN NOT MATCHED THEN INSERT *"
    )


def write(spark: SparkSession, table: str, frame: pd.DataFrame) -> int:
    """Make a table of flowers if need be, add columns that are new, and merge `frame` into it.

    Args:
        spark: The session.
        table: Its full name, quoted.
        frame: Its rows, as from `features.prepare`.

    Returns:
        The number of rows in the table afterwards.
    """
    spark.sql(create_sql(table))
    incoming = spark.createDataFrame(frame)
    if set(incoming.columns) - set(spark.table(table).columns):
        # A feature that is new: an append of no rows brings its column (Delta's schema evolution).
        incoming.limit(0).write.mode("append").option("mergeSchema", "true").saveAsTable(table)
    incoming.createOrReplaceTempView("incoming_flowers")
    spark.sql(merge_sql(table, "incoming_flowers"))
    return spark.table(table).count()


def read(spark: SparkSession, table: str) -> pd.DataFrame:
    """A table of flowers, ordered by its key."""
    return spark.table(table).orderBy(KEY).toPandas()


def read_if_there(spark: SparkSession, table: str) -> pd.DataFrame | None:
    """The same, None where there is no such table yet."""
    return read(spark, table) if spark.catalog.tableExists(table) else None


def write_predictions(spark: SparkSession, place: Place, frame: pd.DataFrame) -> None:
    """Replace the inference table by `frame`."""
    writer = spark.createDataFrame(frame).write.mode("overwrite").option("overwriteSchema", "true")
    writer.saveAsTable(place.predictions)
