"""Reads the rows of a hold-out: a file of CSV or Parquet, or a table by the Spark session of the place where this runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bundleflow_models.errors import ModelsError, Outcome

if TYPE_CHECKING:
    import pandas as pd

FILES = (".csv", ".parquet")


def is_file(name: str) -> bool:
    """Whether a hold-out's name means a file; else it is a table's full name."""
    return name.lower().endswith(FILES)


def read_rows(name: str, rows: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """Read a file or a table.

    Args:
        name: A path that ends in `.csv` or `.parquet`, or a table's full name (catalog.schema.table).
        rows: Which rows are needed, as column and value; a table's other rows are not fetched.

    Raises:
        ModelsError: `holdout-unreadable`, undecided.
    """
    return _read_file(Path(name)) if is_file(name) else _read_table(name, rows or {})


def _read_file(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        if path.suffix.lower() == ".csv":
            # Each number as it was written, and only an empty field is missing: else the rows are not those that were frozen.
            return pd.read_csv(path, float_precision="round_trip", keep_default_na=False, na_values=[""])
        return pd.read_parquet(path)
    except (OSError, ValueError, ImportError) as error:
        raise _unreadable(f"The file {path} cannot be read: {error}", "Check the path and that it is a CSV or Parquet file.") from error


def _read_table(name: str, rows: Mapping[str, Any]) -> pd.DataFrame:
    from pandas import DataFrame

    spark = _session(name)
    try:
        table = spark.table(name)
        for column, value in rows.items():
            if column in table.columns:
                table = table.where(table[column] == value)
        found = table.toPandas()
    except Exception as error:  # Spark's errors have no base that its clients share
        first = str(error).strip().splitlines()[:1]
        fix = "Check the table's name in the gate file, that the job which writes it has run, and the right to SELECT from it."
        raise _unreadable(f"The table {name} cannot be read: {' '.join(first)}", fix) from error
    assert isinstance(found, DataFrame)
    return found


def _session(name: str) -> Any:
    """The Spark session of this place; nowhere is a local one started, which would know none of the tables."""
    fix = "Run this as a task in the workspace, or give the rows as a file (`--holdout FILE.parquet`)."
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise _unreadable(f"The table {name} cannot be read here: there is no Spark.", fix) from error
    active = SparkSession.getActiveSession()
    if active is None and not (os.environ.get("SPARK_REMOTE") or os.environ.get("DATABRICKS_RUNTIME_VERSION")):
        raise _unreadable(f"The table {name} cannot be read here: there is no Spark session.", fix)
    return active or SparkSession.builder.getOrCreate()


def _unreadable(cause: str, fix: str) -> ModelsError:
    return ModelsError("holdout-unreadable", cause, fix=fix, outcome=Outcome.UNDECIDED)
