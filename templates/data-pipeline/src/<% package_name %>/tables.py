"""The project's tables in Unity Catalog: their names, their columns, and how they are written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import DataFrame, SparkSession

    from .landing import Arrived
    from .quality import Checked

ORDERS = (
    "order_id STRING, ordered_at TIMESTAMP, customer_id STRING, product_id STRING, quantity BIGINT, unit_price_cents BIGINT, load_id STRING"
)
PRODUCTS = "product_id STRING, name STRING, category STRING, unit_cost_cents BIGINT, load_id STRING"
QUARANTINE = "load_id STRING, source STRING, line BIGINT, reasons STRING, text STRING, set_aside_at TIMESTAMP"
LOADS = (
    "load_id STRING, source STRING, origin STRING, sha256 STRING, rows_in BIGINT, rows_good BIGINT, rows_quarantined BIGINT, "
    "checked_at TIMESTAMP"
)
FORECASTS = "day DATE, category STRING, revenue_cents BIGINT, forecast_cents BIGINT, naive_cents BIGINT, load_id STRING"
UNKNOWN_CATEGORY = "unknown"
"""Category of an order whose product the catalog does not know: it is counted all the same."""


class LostRowsError(RuntimeError):
    """Rows that went in did not come out again."""


@dataclass(frozen=True)
class Place:
    """A schema of Unity Catalog. Names are quoted in SQL: the schema of a pull request has hyphens."""

    catalog: str
    schema: str

    def table(self, name: str) -> str:
        """Full name of a table, quoted."""
        return ".".join(f"`{part.replace('`', '``')}`" for part in (self.catalog, self.schema, name))

    def volume(self, name: str) -> str:
        """Folder of a volume."""
        return f"/Volumes/{self.catalog}/{self.schema}/{name}"


def replace_table(spark: SparkSession, name: str, rows: list[dict[str, Any]], columns: str) -> None:
    """Replace a table.

    Args:
        spark: The session.
        name: Full name of the table, quoted.
        rows: Its rows, one dictionary each.
        columns: Its columns and their types.
    """
    frame = spark.createDataFrame(_as_tuples(rows, columns), columns)
    frame.write.mode("overwrite").option("overwriteSchema", "true").saveAsTable(name)


def put_rows(spark: SparkSession, name: str, rows: list[dict[str, Any]], columns: str, load_id: str) -> None:
    """Put the rows of one load into a table that keeps all loads; a load that is repeated replaces its own rows.

    Args:
        spark: The session.
        name: Full name of the table, quoted; it is made where it is missing.
        rows: The rows, one dictionary each.
        columns: The table's columns and their types.
        load_id: The load.
    """
    spark.sql(f"CREATE TABLE IF NOT EXISTS {name} ({columns}) USING DELTA")
    spark.sql(f"DELETE FROM {name} WHERE load_id = :load", args={"load": load_id})
    if rows:
        spark.createDataFrame(_as_tuples(rows, columns), columns).write.mode("append").saveAsTable(name)


def _as_tuples(rows: list[dict[str, Any]], columns: str) -> list[tuple[Any, ...]]:
    names = [column.split()[0] for column in columns.split(",")]
    return [tuple(row[name] for name in names) for row in rows]


def record_load(spark: SparkSession, place: Place, table: str, arrived: Arrived, checked: Checked, load_id: str) -> None:
    """Set the bad rows of a file aside and note what became of its rows, before anything is published.

    Each file has tables of its own for this, so that files can be ingested at the same time.

    Args:
        spark: The session.
        place: Where the tables are.
        table: Table of the good rows; the others are named after it (`orders_quarantine`, `orders_loads`).
        arrived: The file.
        checked: What became of its rows.
        load_id: The load.

    Raises:
        LostRowsError: The quarantine does not hold every bad row of the file.
    """
    now = datetime.now(UTC)
    bad = [
        {
            "source": arrived.name,
            "line": row.line,
            "reasons": "; ".join(row.reasons),
            "text": row.text,
            "load_id": load_id,
            "set_aside_at": now,
        }
        for row in checked.bad
    ]
    quarantine = place.table(f"{table}_quarantine")
    put_rows(spark, quarantine, bad, QUARANTINE, load_id)
    load = {
        "load_id": load_id, "source": arrived.name, "origin": arrived.origin, "sha256": arrived.sha256, "rows_in": checked.rows_in,
        "rows_good": len(checked.good), "rows_quarantined": len(checked.bad), "checked_at": now,
    }  # fmt: skip
    put_rows(spark, place.table(f"{table}_loads"), [load], LOADS, load_id)
    kept = spark.sql(f"SELECT count(*) AS n FROM {quarantine} WHERE load_id = :load", args={"load": load_id}).first()["n"]
    if checked.rows_in != len(checked.good) + kept:
        raise LostRowsError(f"{arrived.name}: {checked.rows_in} rows in, {len(checked.good)} good and {kept} in quarantine.")


def publish(spark: SparkSession, name: str, rows: list[dict[str, Any]], columns: str, load_id: str) -> int:
    """Replace a table by the good rows of a load.

    Returns:
        The number of rows in it.

    Raises:
        LostRowsError: The table does not hold every one of them.
    """
    replace_table(spark, name, [{**row, "load_id": load_id} for row in rows], columns)
    there = spark.table(name).count()
    if there != len(rows):
        raise LostRowsError(f"{name}: {len(rows)} rows written, {there} are there.")
    return there


def daily_sales(spark: SparkSession, place: Place) -> DataFrame:
    """Orders and products, summed up for each day (UTC) and category."""
    return spark.sql(f"""
        SELECT to_date(o.ordered_at) AS day, coalesce(p.category, '{UNKNOWN_CATEGORY}') AS category,
               count(*) AS orders, sum(o.quantity) AS quantity, sum(o.quantity * o.unit_price_cents) AS revenue_cents,
               sum(o.quantity * (o.unit_price_cents - p.unit_cost_cents)) AS margin_cents
        FROM {place.table("orders")} o LEFT JOIN {place.table("products")} p ON o.product_id = p.product_id
        GROUP BY 1, 2
    """)


def write_daily_sales(spark: SparkSession, place: Place) -> tuple[int, int]:
    """Write the warehouse table `daily_sales`.

    Returns:
        Its number of rows, and its revenue in cents.

    Raises:
        LostRowsError: Orders or revenue of the table are not those of the orders.
    """
    name = place.table("daily_sales")
    daily_sales(spark, place).write.mode("overwrite").option("overwriteSchema", "true").saveAsTable(name)
    orders = spark.sql(f"SELECT count(*) AS orders, sum(quantity * unit_price_cents) AS revenue FROM {place.table('orders')}").first()
    query = f"SELECT count(*) AS n, sum(orders) AS orders, sum(revenue_cents) AS revenue FROM {name}"
    summed = spark.sql(query).first()
    if (orders["orders"], orders["revenue"]) != (summed["orders"], summed["revenue"]):
        raise LostRowsError(
            f"{name}: {summed['orders']} orders and {summed['revenue']} cents, but there are {orders['orders']} and {orders['revenue']}."
        )
    return int(summed["n"]), int(summed["revenue"])


def read(spark: SparkSession, place: Place, name: str) -> pd.DataFrame:
    """A whole table."""
    return spark.table(place.table(name)).toPandas()


def read_load(spark: SparkSession, place: Place, names: list[str], load_id: str) -> pd.DataFrame:
    """The rows of one load from tables with equal columns.

    Args:
        spark: The session.
        place: Where the tables are.
        names: Names of the tables. One that is not there has no rows: the task that writes it is not part of the job.
        load_id: The load.
    """
    import pandas as pd

    there = [place.table(name) for name in names if spark.catalog.tableExists(place.table(name))]
    found = [spark.sql(f"SELECT * FROM {table} WHERE load_id = :load", args={"load": load_id}).toPandas() for table in there]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()
