"""Right answers and predictions in one comparable form: texts of classes, numbers, lists of ids; refused where they cannot be compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bundleflow_models.errors import ModelsError
from bundleflow_models.verdict.class_metrics import class_texts
from bundleflow_models.verdict.predictions import Predictions
from bundleflow_models.verdict.row_hashes import cell_text

if TYPE_CHECKING:
    import pandas as pd

Array = np.ndarray[Any, Any]


def read_truth(problem: str, label: pd.Series[Any]) -> Any:
    """The right answers of the hold-out.

    Args:
        problem: Kind of problem.
        label: The label's column, n rows.

    Returns:
        Texts of classes, shape (n,); numbers, shape (n,); or n sets of ids.

    Raises:
        ModelsError: `holdout-invalid`: a right answer is missing or of another kind.
    """
    values = label.tolist()
    fix = f"Correct the column `{label.name}` of the hold-out, or name another one as `holdout.label`."
    if problem == "retrieval":
        if not all(_is_list(each) and len(each) for each in values):
            raise ModelsError("holdout-invalid", f"Column `{label.name}` must hold a list of relevant ids in every row.", fix=fix)
        return [frozenset(cell_text(each) for each in row) for row in values]
    texts = class_texts(values)
    if (texts == "-").any():
        count = int((texts == "-").sum())
        raise ModelsError("holdout-invalid", f"Column `{label.name}` misses the right answer in {count} of {len(values)} rows.", fix=fix)
    if problem == "classification":
        return texts
    numbers = _numbers(values)
    if numbers is None or not np.isfinite(numbers).all():
        raise ModelsError("holdout-invalid", f"Column `{label.name}` holds something that is no number.", fix=fix)
    return numbers


def read_answers(problem: str, given: Predictions, rows: int, who: str) -> Predictions:
    """Predictions in the form of the right answers.

    Args:
        problem: Kind of problem.
        given: What the model answered.
        rows: How many rows were asked.
        who: `challenger` or `champion`, for the errors.

    Raises:
        ModelsError: `predictions-invalid` or `nan-in-predictions`.
    """
    values = column_of(given.values)
    if len(values) != rows:
        raise _invalid(who, f"gave {len(values)} answers for {rows} rows")
    if problem == "retrieval":
        if not all(_is_list(each) for each in values):
            raise _invalid(who, "must give a list of ids for each row, the best first")
        return Predictions([[cell_text(each) for each in row] for row in values])
    if problem == "regression":
        numbers = _numbers(values)
        if numbers is None:
            raise _invalid(who, "gave something that is no number")
        _refuse_missing(who, int((~np.isfinite(numbers)).sum()), rows, "answers")
        return Predictions(numbers)
    texts = class_texts(values)
    _refuse_missing(who, int((texts == "-").sum()), rows, "answers")
    if given.probabilities is None:
        return Predictions(texts)
    return Predictions(texts, _probabilities(given, rows, who), tuple(cell_text(each) for each in given.classes))


def _probabilities(given: Predictions, rows: int, who: str) -> Array:
    table = np.asarray(given.probabilities, dtype=np.float64)
    if table.shape != (rows, len(given.classes)):
        raise _invalid(who, f"gave probabilities of shape {table.shape} for {rows} rows and {len(given.classes)} classes")
    _refuse_missing(who, int((~np.isfinite(table)).any(1).sum()), rows, "probabilities")
    if (table < 0).any() or not (table.sum(1) > 0).all():
        raise _invalid(who, "gave probabilities below 0, or a row of zeros")
    return table


def column_of(values: Any) -> list[Any]:
    """The answers from a list, an array, a column, or a table of one column."""
    if hasattr(values, "columns"):
        values = values.iloc[:, 0]
    if isinstance(values, np.ndarray) and values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    return values.tolist() if hasattr(values, "tolist") else list(values)


def _numbers(values: Sequence[Any]) -> Array | None:
    try:
        return np.array([np.nan if cell_text(each) == "-" else float(each) for each in values], dtype=np.float64)
    except (TypeError, ValueError):
        return None


def _is_list(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str | bytes | dict)


def _refuse_missing(who: str, count: int, rows: int, what: str) -> None:
    if count:
        raise ModelsError(
            "nan-in-predictions",
            f"The {who}'s {what} are missing or not finite in {count} of {rows} rows.",
            fix="Look at those rows of the hold-out: a feature may be missing that the model was not trained to miss.",
        )


def _invalid(who: str, what: str) -> ModelsError:
    return ModelsError(
        "predictions-invalid", f"The {who} {what}.", fix="Compare the model's output with what the gate's `problem` asks for."
    )
