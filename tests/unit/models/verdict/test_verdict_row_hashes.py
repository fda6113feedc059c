"""Hashes of rows: the order of rows and columns and the types that hold the values change nothing; any other change does."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundleflow_models.errors import ModelsError
from bundleflow_models.verdict import load_gate
from bundleflow_models.verdict.frozen_rows import RowHashes, content_columns, holdout_rows, holdout_sha256, row_hashes
from bundleflow_models.verdict.row_hashes import cell_text, frame_sha256

ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "number": st.integers(-(2**40), 2**40),
            "share": st.floats(allow_nan=True, allow_infinity=True),
            "text": st.text(max_size=8) | st.none(),
            "flag": st.booleans(),
        }
    ),
    min_size=1,
    max_size=12,
)
COLUMNS = ["number", "share", "text", "flag"]


@given(ROWS, st.randoms(use_true_random=False))
def test_order_of_rows_and_columns_does_not_matter(rows: list[dict[str, Any]], random: Any) -> None:
    frame = pd.DataFrame(rows, columns=COLUMNS)
    shuffled = rows.copy()
    random.shuffle(shuffled)
    other = pd.DataFrame(shuffled, columns=random.sample(COLUMNS, len(COLUMNS)))
    assert frame_sha256(frame, COLUMNS) == frame_sha256(other, other.columns)


@given(ROWS)
def test_types_that_hold_the_same_values_give_the_same_digest(rows: list[dict[str, Any]]) -> None:
    frame = pd.DataFrame(rows, columns=COLUMNS)
    kinds: dict[str, list[Any]] = {
        "number": ["int64", "float64", "Int64", "object"],
        "share": ["float64", "object"],
        "text": ["object", "string", "category"],
        "flag": ["bool", "boolean", "object"],
    }
    expected = frame_sha256(frame, COLUMNS)
    for column, names in kinds.items():
        for name in names:
            assert frame_sha256(frame.astype({column: name}), COLUMNS) == expected, f"{column} as {name}"


@given(ROWS, st.data())
def test_any_other_value_changes_the_digest(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    frame = pd.DataFrame(rows, columns=COLUMNS)
    row = data.draw(st.integers(0, len(rows) - 1))
    other = pd.DataFrame([each | {"number": each["number"] + 1} if n == row else each for n, each in enumerate(rows)], columns=COLUMNS)
    if sorted(frame["number"]) != sorted(other["number"]):
        assert frame_sha256(frame, COLUMNS) != frame_sha256(other, COLUMNS)


@given(ROWS)
def test_a_row_twice_is_not_a_row_once(rows: list[dict[str, Any]]) -> None:
    frame = pd.DataFrame(rows, columns=COLUMNS)
    assert frame_sha256(frame, COLUMNS) != frame_sha256(pd.concat([frame, frame.head(1)]), COLUMNS)


@pytest.mark.parametrize(
    "same",
    [
        [1, 1.0, np.int8(1), np.float32(1), decimal.Decimal("1.00"), decimal.Decimal(1)],
        [None, float("nan"), np.nan, pd.NA, pd.NaT, np.datetime64("NaT"), decimal.Decimal("NaN")],
        [True, np.True_],
        [0.1, np.float64(0.1), decimal.Decimal("0.1")],
        ["2026-01-02", datetime.date(2026, 1, 2), datetime.datetime(2026, 1, 2), pd.Timestamp("2026-01-02"), np.datetime64("2026-01-02")],
        [
            pd.Timestamp("2026-01-02 12:00", tz="UTC"),
            pd.Timestamp("2026-01-02 14:00", tz="Africa/Cairo"),
            datetime.datetime(2026, 1, 2, 12),
        ],
        [[1, 2], (1, 2), np.array([1, 2]), np.array([1.0, 2.0])],
        [{"a": 1, "b": None}, {"b": float("nan"), "a": 1.0}],
        [b"ab", bytearray(b"ab")],
        [2**60, np.int64(2**60)],
    ],
)
def test_one_value_in_several_types(same: list[Any]) -> None:
    assert len({cell_text(value) for value in same}) == 1


def test_different_values_stay_different() -> None:
    values: list[Any] = [
        None,
        "",
        "-",
        "None",
        "nan",
        0,
        "0",
        "n0",
        1,
        "1",
        True,
        "b1",
        1.5,
        [1],
        "[1]",
        {"a": 1},
        b"a",
        "a",
        2**60,
        2**60 + 1,
        -1,
    ]
    assert len({cell_text(value) for value in values}) == len(values)
    assert cell_text(float("inf")) != cell_text(float("-inf"))
    assert cell_text(np.float32(0.1)) != cell_text(0.1), "a 32-bit float is the number that it holds"


def test_no_text_can_stand_for_two_columns() -> None:
    one = pd.DataFrame({"a": ['x","s'], "b": ["y"]})
    other = pd.DataFrame({"a": ["x"], "b": ['s","y']})
    assert frame_sha256(one, ["a", "b"]) != frame_sha256(other, ["a", "b"])
    assert frame_sha256(pd.DataFrame({"a": ["x"]}), ["a"]) != frame_sha256(pd.DataFrame({"b": ["x"]}), ["b"])


GATE = load_gate(
    {
        "version": 1,
        "problem": "classification",
        "holdout": {"label": "y", "key": ["id"], "rows": {"split": "holdout"}, "order-by": "day", "ignore": ["loaded"]},
        "training": {"rows": {"split": "train"}},
        "primary": "accuracy",
    }
)
TABLE = pd.DataFrame(
    {
        "id": [3, 1, 2, 4],
        "day": [3, 1, 2, 4],
        "x": [0.1, 0.2, 0.3, 0.4],
        "y": ["a", "b", "a", "b"],
        "split": ["holdout", "holdout", "train", "holdout"],
        "loaded": [1, 2, 3, 4],
    }
)


def test_the_rows_that_the_gate_means_in_its_order() -> None:
    rows = holdout_rows(GATE, TABLE)
    assert list(rows["id"]) == [1, 3, 4]
    assert content_columns(GATE, rows) == ("x", "y")
    assert holdout_sha256(GATE, rows) == holdout_sha256(GATE, rows.assign(loaded=9)), "what is ignored does not count"
    assert holdout_sha256(GATE, rows) != holdout_sha256(GATE, rows.assign(x=9))


def test_a_column_that_chooses_rows_must_be_there() -> None:
    with pytest.raises(ModelsError, match="`split`") as caught:
        holdout_rows(GATE, TABLE.drop(columns="split"))
    assert caught.value.code == "holdout-invalid"


def test_hashes_are_kept_as_a_file_that_tells_no_order() -> None:
    hashes = row_hashes(GATE, TABLE)
    kept = RowHashes.from_bytes(hashes.to_bytes())
    assert kept.key is not None
    assert hashes.key is not None
    assert set(kept.key) == set(hashes.key)
    assert kept.to_bytes() == row_hashes(GATE, TABLE.iloc[::-1]).to_bytes()
    assert kept.columns == ("x", "y")
    for broken in (b"", b"PK\x03\x04 no archive", b"nothing of the kind"):
        with pytest.raises(ValueError, match="not a file of row hashes"):
            RowHashes.from_bytes(broken)
