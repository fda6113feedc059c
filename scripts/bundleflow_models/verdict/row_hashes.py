"""Hashes of rows: the same for the same content, whatever the order of rows and columns and the types that hold them.

A number is its value (1, 1.0 and a nullable or decimal 1 are one; a 32-bit float is the number it holds), a date is its ISO text,
all that is missing is one. `pandas.util.hash_pandas_object` and MLflow's dataset digest depend on types, order or a sample.
"""

from __future__ import annotations

import datetime
import decimal
import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

_EXACT = 2.0**53


def row_digests(frame: pd.DataFrame, columns: Iterable[str]) -> list[bytes]:
    """SHA-256 of each row's content in these columns.

    Args:
        frame: n rows.
        columns: Names of the columns; their order does not matter.

    Returns:
        n digests of 32 bytes, in the order of the rows.
    """
    names = sorted(columns)
    if not names:
        return [hashlib.sha256(b"[]").digest()] * len(frame)
    cells = [[cell_text(value) for value in frame[name].tolist()] for name in names]
    return [hashlib.sha256(json.dumps(row, ensure_ascii=True).encode()).digest() for row in zip(*cells, strict=True)]


def frame_sha256(frame: pd.DataFrame, columns: Iterable[str]) -> str:
    """SHA-256 of a table's content, independent of the order of its rows and columns; equal rows count as often as they are there."""
    names = sorted(columns)
    found = hashlib.sha256(json.dumps(names, ensure_ascii=True).encode())
    for each in sorted(row_digests(frame, names)):
        found.update(each)
    return found.hexdigest()


def short_hashes(frame: pd.DataFrame, columns: Iterable[str]) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """The first 64 bits of each row's digest, shape (n,): enough to find rows again."""
    return np.array([int.from_bytes(each[:8], "big") for each in row_digests(frame, columns)], dtype=np.uint64)


def cell_text(value: Any) -> str:
    """One value as text that says its kind and its content."""
    if isinstance(value, str):
        return f"s{value}"
    if value is None:
        return "-"
    if isinstance(value, bool | np.bool_):
        return "b1" if value else "b0"
    if isinstance(value, int | np.integer):
        return f"n{int(value)}"
    if isinstance(value, float | np.floating):
        return _number_text(float(value))
    if isinstance(value, decimal.Decimal):
        return _decimal_text(value)
    if isinstance(value, datetime.date | np.datetime64):
        return _time_text(value)
    if isinstance(value, bytes | bytearray):
        return f"x{bytes(value).hex()}"
    if isinstance(value, Mapping):
        return json.dumps(sorted((cell_text(key), cell_text(each)) for key, each in value.items()), ensure_ascii=True)
    if isinstance(value, np.ndarray):
        return cell_text(value.tolist())
    if isinstance(value, Sequence):
        return json.dumps([cell_text(each) for each in value], ensure_ascii=True)
    return _rare_text(value)


def _rare_text(value: Any) -> str:
    import pandas as pd

    # pd.NA, and what else pandas calls missing; kinds beyond these (a time of day, an interval) have a text of their own.
    return "-" if pd.isna(value) else f"{type(value).__name__} {value}"


def _number_text(value: float) -> str:
    if math.isnan(value):
        return "-"
    return f"n{int(value)}" if value.is_integer() and abs(value) <= _EXACT else f"n{value!r}"


def _decimal_text(value: decimal.Decimal) -> str:
    if value.is_nan():
        return "-"
    return f"n{int(value)}" if value == value.to_integral_value() else _number_text(float(value))


def _time_text(value: Any) -> str:
    import pandas as pd

    if pd.isna(value):
        return "-"
    moment = pd.Timestamp(value)
    if moment.tzinfo is not None:
        moment = moment.tz_convert("UTC").tz_localize(None)
    return f"s{moment.date().isoformat()}" if moment == moment.normalize() else f"s{moment.isoformat()}"
