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
    def predictions(self) -> str:
        """Full name of the predictions table, quoted."""
        return self._quoted("predictions")

    def _quoted(self, table: str) -> str:
        return ".".join(f"`{part.replace('`', '``')}`" for part in (self.catalog, self.schema, table))


def create_features_sql(place: Place) -> str:
    """The statement that makes the feature table, with its primary key, where there is none yet."""
    columns = [f"{KEY} BIGINT NOT NULL COMMENT 'Number of the flower'"]
    columns += [f"{name} DOUBLE COMMENT '{description}'" for name, description in FEATURES.items()]
    columns += [f"{LABEL} STRING COMMENT 'Name of the species'", "split STRING COMMENT 'train or holdout'"]
    columns += [f"CONSTRAINT features_pk PRIMARY KEY ({KEY})"]
    listed = ",\n  ".join(columns)
    return f"CREATE TABLE IF NOT EXISTS {place.features} (\n  {listed}\n) USING DELTA"


def merge_features_sql(place: Place, view: str) -> str:
    """The statement that brings the feature table to the state of `view`: one row for each key."""
    return (
        f"MERGE INTO {place.features} AS target USING {view} AS source ON target.{KEY} = source.{KEY}\n"
        "WHEN MATCHED THEN UPDATE SET *\n"
        "WHEN NOT MATCHED THEN INSERT *"
    )


def write_features(spark: SparkSession, place: Place, frame: pd.DataFrame) -> int:
    """Make the feature table if need be, add columns that are new, and merge `frame` into it.

    Returns:
        The number of rows in the table afterwards.
    """
    spark.sql(create_features_sql(place))
    incoming = spark.createDataFrame(frame)
    if set(incoming.columns) - set(spark.table(place.features).columns):
        # A feature that is new: an append of no rows brings its column (Delta's schema evolution).
        incoming.limit(0).write.mode("append").option("mergeSchema", "true").saveAsTable(place.features)
    incoming.createOrReplaceTempView("incoming_features")
    spark.sql(merge_features_sql(place, "incoming_features"))
    return spark.table(place.features).count()


def read_features(spark: SparkSession, place: Place) -> pd.DataFrame:
    """The feature table, ordered by its key."""
    return spark.table(place.features).orderBy(KEY).toPandas()


def write_predictions(spark: SparkSession, place: Place, frame: pd.DataFrame) -> None:
    """Replace the predictions table by `frame`."""
    writer = spark.createDataFrame(frame).write.mode("overwrite").option("overwriteSchema", "true")
    writer.saveAsTable(place.predictions)
