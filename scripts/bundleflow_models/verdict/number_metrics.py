"""Metrics of regression."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bundleflow_models.verdict.bootstrap import Counts
from bundleflow_models.verdict.predictions import Predictions

Array = np.ndarray[Any, Any]


def number_score(name: str, truth: Array, predictions: Predictions) -> tuple[float, Callable[[Counts], Array]]:
    """One metric of regression.

    Args:
        name: Its name.
        truth: Right numbers, shape (n,).
        predictions: Predicted numbers.
    """
    from sklearn import metrics

    predicted = np.asarray(predictions.values, dtype=np.float64)
    error = truth - predicted
    if name == "r2":
        return metrics.r2_score(truth, predicted), _r2_resampled(truth, error)
    if name == "rmse":
        value = float(np.sqrt(metrics.mean_squared_error(truth, predicted)))
        return value, lambda counts: np.sqrt(counts @ error**2 / counts.sum(1))
    if name == "mae":
        value, each = metrics.mean_absolute_error(truth, predicted), np.abs(error)
    else:
        value = metrics.mean_absolute_percentage_error(truth, predicted)
        each = np.abs(error) / np.maximum(np.abs(truth), np.finfo(np.float64).eps)
    return value, lambda counts: np.asarray(counts @ each / counts.sum(1))


def _r2_resampled(truth: Array, error: Array) -> Callable[[Counts], Array]:
    centred = truth - truth.mean()  # the sums below lose nothing to a large mean

    def resampled(counts: Counts) -> Array:
        total = counts @ centred**2 - (counts @ centred) ** 2 / counts.sum(1)
        return np.asarray(1 - np.divide(counts @ error**2, total, out=np.full(len(counts), np.nan), where=total > 0))

    return resampled
