"""The numbers by parts of the hold-out: by the values of columns, and by class."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bundleflow_models.verdict.gate import Gate
from bundleflow_models.verdict.metrics import MissingMetricError, score
from bundleflow_models.verdict.predictions import Predictions
from bundleflow_models.verdict.record import Confusion, SliceLine
from bundleflow_models.verdict.row_hashes import cell_text

if TYPE_CHECKING:
    import pandas as pd

VALUES_AT_MOST = 50
CLASSES_AT_MOST = 20
NAME_LIMIT = 80


def slice_lines(gate: Gate, holdout: pd.DataFrame, truth: Any, new: Predictions, old: Predictions | None) -> tuple[SliceLine, ...]:
    """The primary metric for each value of each slice column, the most frequent values first; at most 50 values a column."""
    lines = []
    for column in gate.holdout.slices:
        texts = np.array([cell_text(value) for value in holdout[column].tolist()], dtype=object)
        names, counts = np.unique(texts.astype(str), return_counts=True)
        for place in np.argsort(-counts, kind="stable")[:VALUES_AT_MOST]:
            chosen = np.flatnonzero(texts == names[place])
            numbers = [None if each is None else _value(gate, truth, each, chosen) for each in (new, old)]
            lines.append(SliceLine(column, _shown(str(names[place])), int(counts[place]), *numbers))
    return tuple(lines)


def _value(gate: Gate, truth: Any, predictions: Predictions, chosen: Any) -> float | None:
    part = replace(
        predictions,
        values=_taken(predictions.values, chosen),
        probabilities=None if predictions.probabilities is None else predictions.probabilities[chosen],
    )
    right = _taken(truth, chosen)
    if gate.primary == "r2" and len(chosen) < 2:
        return None
    try:
        value = score(gate.problem, gate.primary, right, part).value
    except MissingMetricError:
        return None
    return value if np.isfinite(value) else None


def _taken(values: Any, chosen: Any) -> Any:
    return values[chosen] if isinstance(values, np.ndarray) else [values[each] for each in chosen]


def confusion(truth: Any, predicted: Any) -> Confusion | None:
    """How often each class was taken for each; None with more than 20 classes."""
    labels = sorted({*truth, *predicted})
    if len(labels) > CLASSES_AT_MOST:
        return None
    place = {label: index for index, label in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels)), dtype=int)
    np.add.at(counts, ([place[each] for each in truth], [place[each] for each in predicted]), 1)
    return Confusion(tuple(_shown(label) for label in labels), tuple(tuple(int(each) for each in row) for row in counts))


def _shown(text: str) -> str:
    """A value's text (see `cell_text`) as people read it."""
    readable = {"-": "(missing)", "b1": "true", "b0": "false"}.get(text, text[1:] if text[:1] in "snx" else text)
    return readable if len(readable) <= NAME_LIMIT else readable[: NAME_LIMIT - 1] + "…"
