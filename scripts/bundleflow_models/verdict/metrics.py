"""The metrics: their value by scikit-learn, and for many drawings of the same rows at once by sums (2,000 calls would take seconds)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bundleflow_models.verdict.bootstrap import Counts, Resampled
from bundleflow_models.verdict.class_metrics import class_score
from bundleflow_models.verdict.number_metrics import number_score
from bundleflow_models.verdict.predictions import Predictions
from bundleflow_models.verdict.ranking_metrics import ranking_score

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Score:
    """One metric of one model on the hold-out: its value, and its value for drawings of the rows."""

    value: float
    resampled: Resampled


class MissingMetricError(ValueError):
    """The model's answers do not give this metric, such as a log loss without probabilities."""


_SCORES: dict[str, Callable[[str, Any, Predictions], tuple[float, Callable[[Counts], Array]]]] = {
    "classification": class_score,
    "regression": number_score,
    "retrieval": ranking_score,
}


def score(problem: str, name: str, truth: Any, predictions: Predictions) -> Score:
    """Compute a metric.

    Args:
        problem: `classification`, `regression` or `retrieval`.
        name: The metric's name, one that fits the problem.
        truth: n right answers: texts of classes (see `class_metrics.class_texts`), numbers, or lists of relevant ids.
        predictions: n answers in the same form, checked before (see `answers.read_answers`).

    Raises:
        MissingMetricError: The answers do not give it.
    """
    try:
        value, resampled = _SCORES[problem](name, truth, predictions)
    except LookupError as error:
        raise MissingMetricError(str(error.args[0]) if error.args else name) from error
    return Score(float(value), resampled)
