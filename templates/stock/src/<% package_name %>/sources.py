"""Where prices come from: made up, a CSV file, a table, or a public series that a Python package ships."""

from __future__ import annotations

import importlib
from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from . import series

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

MADE_UP = {"synthetic": series.synthetic, "random-walk": series.random_walk}
PUBLIC = {"sp500": "Adj Close", "nasdaq": "Adj Close"}
"""Daily series of the package `arch`, which is optional, and their column of prices."""

KINDS = "synthetic, random-walk, csv:PATH, table:NAME, arch:sp500 or arch:nasdaq"


def load(spark: SparkSession | None, source: str, start: date, end: date) -> pd.DataFrame:
    """Load the prices of a date range.

    Args:
        spark: The session; only a table needs it.
        source: One of `KINDS`.
        start: First day.
        end: Last day, included.

    Returns:
        `day` (date, ascending, each once) and `close` (a positive number).

    Raises:
        ValueError: No such source, no day in the range, or prices that cannot be used.
        ModuleNotFoundError: The package of a public series is not installed.
    """
    if start > end:
        raise ValueError(f"start_date {start} is after end_date {end}.")
    kind, _, name = source.partition(":")
    if source in MADE_UP:
        prices = MADE_UP[source](end)
    elif kind == "csv" and name:
        prices = _plain(pd.read_csv(name), f"The file {name}")
    elif kind == "table" and name and spark is not None:
        prices = _plain(spark.table(name).toPandas(), f"The table {name}")
    elif kind == "arch" and name in PUBLIC:
        prices = _public(name)
    else:
        raise ValueError(f"There is no source `{source}`. Sources: {KINDS}.")
    return checked(prices[(prices["day"] >= start) & (prices["day"] <= end)], f"Source `{source}` from {start} to {end}")


def checked(prices: pd.DataFrame, what: str) -> pd.DataFrame:
    """Give the prices in the order of their days.

    Args:
        prices: `day` and `close`.
        what: What they are, for the error.

    Raises:
        ValueError: There are none, a day stands there twice, or a price is missing or not positive.
    """
    if prices.empty:
        raise ValueError(f"{what} has no prices.")
    twice = prices[prices["day"].duplicated()]
    if len(twice):
        raise ValueError(f"{what} has more than one price for {twice['day'].iloc[0]}.")
    wrong = prices[~(prices["close"] > 0)]  # written so that a missing price is wrong, too
    if len(wrong):
        raise ValueError(f"{what} has no positive price for {wrong['day'].iloc[0]}.")
    return prices.sort_values("day", ignore_index=True)


def _plain(frame: pd.DataFrame, what: str) -> pd.DataFrame:
    missing = {"day", "close"} - set(frame.columns)
    if missing:
        raise ValueError(f"{what} has no column {' and '.join(sorted(missing))}; it needs `day` (YYYY-MM-DD) and `close`.")
    return pd.DataFrame({"day": pd.to_datetime(frame["day"]).dt.date, "close": frame["close"].astype(float)})


def _public(name: str) -> pd.DataFrame:
    try:
        module = importlib.import_module(f"arch.data.{name}")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"Source `arch:{name}` needs the package arch. Add `arch==8.0.0` to the dependencies of the job."
        ) from error
    frame = module.load()
    return pd.DataFrame({"day": pd.to_datetime(frame.index).date, "close": frame[PUBLIC[name]].to_numpy(dtype=float)})
