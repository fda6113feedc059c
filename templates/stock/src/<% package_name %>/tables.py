"""The project's tables in Unity Catalog: prices, loaded range by range, and the features made of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from .features import COLUMNS, FEATURES, KEY

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import SparkSession

PRICES = "day DATE, close DOUBLE, source STRING"
_TYPES = {KEY: "DATE", "label_day": "DATE", "year": "BIGINT", **dict.fromkeys(FEATURES, "DOUBLE")}


class MixedSourcesError(ValueError):
    """Prices of two sources would stand in one table."""


@dataclass(frozen=True)
class Place:
    """A schema of Unity Catalog. Names are quoted in SQL: the schema of a pull request has hyphens."""

    catalog: str
    schema: str

    @property
    def model(self) -> str:
        """Full name of the registered model, as MLflow wants it."""
        return f"{self.catalog}.{self.schema}.direction"

    def table(self, name: str) -> str:
        """Full name of a table, quoted."""
        return ".".join(f"`{part.replace('`', '``')}`" for part in (self.catalog, self.schema, name))


def write_prices(spark: SparkSession, place: Place, prices: pd.DataFrame, source: str, start: date, end: date) -> tuple[int, int]:
    """Put the prices of a date range into the table `prices`; a range that is loaded again replaces its own days only.

    Args:
        spark: The session.
        place: Where the table is; it is made where it is missing.
        prices: `day` and `close`, all within the range.
        source: Where they come from.
        start: First day of the range.
        end: Last day of the range.

    Returns:
        How many days were loaded, and how many the table has now.

    Raises:
        MixedSourcesError: The table holds prices of another source outside the range.
    """
    name = place.table("prices")
    spark.sql(f"CREATE TABLE IF NOT EXISTS {name} ({PRICES}) USING DELTA")
    outside = f"SELECT DISTINCT source FROM {name} WHERE source <> :source AND (day < {_day(start)} OR day > {_day(end)})"
    others = sorted(row["source"] for row in spark.sql(outside, args={"source": source}).collect())
    if others:
        raise MixedSourcesError(
            f"{name} holds prices of source `{others[0]}`, and prices of `{source}` between {start} and {end} would "
            f"stand beside them. Drop the table to change the source: DROP TABLE {name}."
        )
    spark.sql(f"DELETE FROM {name} WHERE day >= {_day(start)} AND day <= {_day(end)}")
    rows = [(day, float(close), source) for day, close in zip(prices["day"], prices["close"], strict=True)]
    spark.createDataFrame(rows, PRICES).write.mode("append").saveAsTable(name)
    return len(rows), spark.table(name).count()


def _day(day: date) -> str:
    return f"DATE '{day.isoformat()}'"


def read_prices(spark: SparkSession, place: Place) -> pd.DataFrame:
    """All prices: `day` and `close`, ascending."""
    return spark.table(place.table("prices")).select("day", "close").orderBy("day").toPandas()


def write_features(spark: SparkSession, place: Place, frame: pd.DataFrame) -> None:
    """Replace the feature table."""
    columns = ", ".join(f"{name} {_TYPES.get(name, 'STRING')}" for name in COLUMNS)
    rows = list(frame[COLUMNS].astype(object).itertuples(index=False, name=None))
    writer = spark.createDataFrame(rows, columns).write.mode("overwrite").option("overwriteSchema", "true")
    writer.saveAsTable(place.table("features"))


def read_features(spark: SparkSession, place: Place) -> pd.DataFrame:
    """The feature table, in the order of its days."""
    return spark.table(place.table("features")).orderBy(KEY).toPandas()
