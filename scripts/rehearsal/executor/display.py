"""Writes values to a notebook's log as text: what `display` and a cell's last line show."""

from __future__ import annotations

import sys
from typing import Any

ROWS = 20


def show(value: Any, *_: Any, **__: Any) -> None:
    """Print a value: tables as tables (at most 20 rows), figures by name, everything else as Python shows it."""
    kind = type(value)
    if kind.__module__.startswith("pyspark.") and hasattr(value, "show"):
        if value.columns:
            value.show(ROWS, truncate=60)
    elif kind.__module__.startswith("pandas.") and hasattr(value, "head"):
        sys.stdout.write(value.head(ROWS).to_string() + "\n")
    else:
        sys.stdout.write(repr(value) + "\n")


def show_result(value: Any) -> None:
    """Print the value of a cell's last line: a Spark table only by its columns, as nothing asks for its rows."""
    if type(value).__module__.startswith("pyspark."):
        sys.stdout.write(repr(value) + "\n")
    else:
        show(value)
