"""The hold-out and the training rows as the gate means them: which rows, their digest, and the hashes by which rows are found again."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bundleflow_models.errors import ModelsError, Outcome
from bundleflow_models.verdict.gate import Gate
from bundleflow_models.verdict.row_hashes import cell_text, frame_sha256, short_hashes
from bundleflow_models.verdict.row_order import places


@dataclass(frozen=True)
class RowHashes:
    """Hashes by which rows are found in another table.

    Args:
        key: Of the key columns, shape (n,); None when the gate names no key.
        content: Of what a model could learn from (see `content_columns`), shape (n,).
        columns: The columns of `content`.
    """

    key: np.ndarray[Any, np.dtype[np.uint64]] | None
    content: np.ndarray[Any, np.dtype[np.uint64]]
    columns: tuple[str, ...]

    def to_bytes(self) -> bytes:
        """As an `.npz` file; sorted, so that nothing is told about the rows' order."""
        arrays: dict[str, Any] = {"content": np.sort(self.content), "columns": np.array(self.columns, dtype=np.str_)}
        if self.key is not None:
            arrays["key"] = np.sort(self.key)
        stream = io.BytesIO()
        np.savez_compressed(stream, **arrays)
        return stream.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> RowHashes:
        """From an `.npz` file.

        Raises:
            ValueError: It is no such file.
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as found:
                key = found["key"] if "key" in found.files else None
                return cls(key, found["content"], tuple(str(name) for name in found["columns"]))
        except (OSError, KeyError, EOFError, TypeError, ValueError, zipfile.BadZipFile) as error:
            raise ValueError(f"not a file of row hashes: {error}") from error


def select(frame: pd.DataFrame, rows: Mapping[str, Any], what: str) -> pd.DataFrame:
    """The rows that have the wanted values.

    Args:
        frame: The table.
        rows: Column and value; all must hold.
        what: Name of the rows, for the error.

    Raises:
        ModelsError: `holdout-invalid`: a column is not there.
    """
    for column, value in rows.items():
        if column not in frame.columns:
            raise ModelsError(
                "holdout-invalid",
                f"The {what} are chosen by column `{column}`, which the table does not have.",
                fix=f"Correct `rows` in the gate file; the table has: {', '.join(map(str, frame.columns))}.",
            )
        wanted = cell_text(value)
        frame = frame[[cell_text(each) == wanted for each in frame[column].tolist()]]
    return frame.reset_index(drop=True)


def holdout_rows(gate: Gate, frame: pd.DataFrame) -> pd.DataFrame:
    """The hold-out's rows of a table in their one order (see `row_order`), whatever the order of the table.

    Raises:
        ModelsError: `holdout-invalid`.
    """
    found = chosen_rows(gate, frame)
    return found.iloc[places(gate, found)].reset_index(drop=True)


def chosen_rows(gate: Gate, frame: pd.DataFrame) -> pd.DataFrame:
    """The hold-out's rows of a table as they stand there.

    Raises:
        ModelsError: `holdout-invalid`.
    """
    return select(frame, gate.holdout.rows, "hold-out rows")


def training_rows(gate: Gate, frame: pd.DataFrame) -> pd.DataFrame:
    """The training rows of a table.

    Raises:
        ModelsError: `holdout-invalid`.
    """
    return select(frame, gate.training.rows, "training rows")


def holdout_sha256(gate: Gate, holdout: pd.DataFrame) -> str:
    """Digest of the frozen rows: every column but those that the gate ignores."""
    return frame_sha256(holdout, [name for name in holdout.columns if name not in gate.holdout.ignore])


def content_columns(gate: Gate, frame: pd.DataFrame) -> tuple[str, ...]:
    """The columns by which two rows say the same: not the key, not what tells hold-out from training, not what is ignored."""
    apart = {*gate.holdout.key, *gate.holdout.rows, *gate.training.rows, *gate.holdout.ignore, gate.holdout.order_by}
    return tuple(sorted(str(name) for name in frame.columns if name not in apart))


def row_hashes(gate: Gate, frame: pd.DataFrame) -> RowHashes:
    """Hashes of rows.

    Raises:
        ModelsError: `holdout-invalid`: a key column is not there.
    """
    missing = [name for name in gate.holdout.key if name not in frame.columns]
    if missing:
        raise ModelsError(
            "holdout-invalid",
            f"The rows have no column {', '.join(f'`{name}`' for name in missing)}, which the gate names as key.",
            fix="Correct `holdout.key` in the gate file, or give the rows their key.",
            outcome=Outcome.REFUSED,
        )
    columns = content_columns(gate, frame)
    key = short_hashes(frame, gate.holdout.key) if gate.holdout.key else None
    return RowHashes(key, short_hashes(frame, columns), columns)
