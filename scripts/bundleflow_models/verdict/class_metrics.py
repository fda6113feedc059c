"""Metrics of classification."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bundleflow_models.verdict.bootstrap import Counts
from bundleflow_models.verdict.predictions import Predictions
from bundleflow_models.verdict.row_hashes import cell_text

Array = np.ndarray[Any, Any]
Scored = tuple[float, Callable[[Counts], Array]]


def class_texts(values: Sequence[Any]) -> Array:
    """Classes as text, shape (n,), so that 1, 1.0 and a nullable 1 are one class; missing ones are `-`."""
    return np.array([cell_text(value) for value in values], dtype=object)


def class_score(name: str, truth: Array, predictions: Predictions) -> Scored:
    """One metric of classification.

    Args:
        name: Its name.
        truth: Texts of the right classes, shape (n,).
        predictions: Texts of the predicted classes; `classes` are texts as well.

    Raises:
        LookupError: The metric needs probabilities and there are none.
    """
    if name in ("log_loss", "roc_auc"):
        if predictions.probabilities is None:
            raise LookupError(f"`{name}` needs probabilities, and the model gives none")
        return (_log_loss if name == "log_loss" else _roc_auc)(truth, predictions)
    return _by_counts(name, truth, np.asarray(predictions.values, dtype=object))


def _by_counts(name: str, truth: Array, predicted: Array) -> Scored:
    """Metrics that follow from how often each class is right, there and predicted."""
    from scipy.sparse import coo_matrix
    from sklearn import metrics

    classes, index = np.unique(np.concatenate([truth, predicted]).astype(str), return_inverse=True)
    actual, guessed = index[: len(truth)], index[len(truth) :]
    size, rows = len(classes), np.arange(len(truth))
    hit = actual == guessed
    # Three blocks of columns: right, there, predicted; at most three entries a row.
    column = np.concatenate([actual[hit], size + actual, 2 * size + guessed])
    sums = coo_matrix((np.ones(len(column)), (np.concatenate([rows[hit], rows, rows]), column)), shape=(len(truth), 3 * size)).tocsr()

    def resampled(counts: Counts) -> Array:
        total = np.asarray((sums.T @ counts.T).T)
        return _from_sums(name, total[:, :size], total[:, size : 2 * size], total[:, 2 * size :])

    macro: dict[str, Any] = {"average": "macro", "zero_division": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a class that is only predicted: said by the confusion table
        if name == "accuracy":
            value = metrics.accuracy_score(actual, guessed)
        elif name == "balanced_accuracy":
            value = metrics.balanced_accuracy_score(actual, guessed)
        else:
            function = {"f1_macro": metrics.f1_score, "precision_macro": metrics.precision_score, "recall_macro": metrics.recall_score}[
                name
            ]
            value = function(actual, guessed, **macro)
    return value, resampled


def _from_sums(name: str, right: Array, there: Array, predicted: Array) -> Array:
    """The metric for each drawing, from sums by class; shapes (drawings, classes)."""
    if name == "accuracy":
        return np.asarray(right.sum(1) / there.sum(1))
    if name == "balanced_accuracy":
        return _mean_where(there > 0, _ratio(right, there))
    of = {"f1_macro": (2 * right, there + predicted), "precision_macro": (right, predicted), "recall_macro": (right, there)}[name]
    return _mean_where(there + predicted > 0, _ratio(*of))


def _ratio(part: Array, whole: Array) -> Array:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def _mean_where(chosen: Array, values: Array) -> Array:
    return np.asarray((values * chosen).sum(1) / chosen.sum(1))


def _probabilities(truth: Array, predictions: Predictions) -> tuple[Array, Array]:
    """All classes in order, and the probabilities of each: shape (n, classes); a class that the model does not know has 0."""
    assert predictions.probabilities is not None
    classes = np.unique(np.concatenate([truth, np.array(predictions.classes, dtype=object)]).astype(str))
    given = {name: column for column, name in enumerate(predictions.classes)}
    table = np.zeros((len(truth), len(classes)))
    for column, name in enumerate(classes):
        if name in given:
            table[:, column] = predictions.probabilities[:, given[name]]
    return classes, table


def _log_loss(truth: Array, predictions: Predictions) -> Scored:
    from sklearn.metrics import log_loss

    classes, table = _probabilities(truth, predictions)
    table = table / table.sum(1, keepdims=True)
    table = np.clip(table, np.finfo(np.float64).eps, None)  # a certain wrong answer costs 36, not infinity
    table /= table.sum(1, keepdims=True)
    loss = -np.log(table[np.arange(len(truth)), np.searchsorted(classes, truth.astype(str))])
    value = log_loss(truth.astype(str), table, labels=list(classes))
    return value, lambda counts: np.asarray(counts @ loss / counts.sum(1))


def _roc_auc(truth: Array, predictions: Predictions) -> Scored:
    """Two classes: of the later one in sorting order; more: mean of each against the rest."""
    from sklearn.metrics import roc_auc_score

    classes, table = _probabilities(truth, predictions)
    present = [column for column, name in enumerate(classes) if (truth == name).any()]
    chosen = present[-1:] if len(classes) == 2 else present
    parts = [(truth == classes[column], table[:, column]) for column in chosen]
    value = float(np.mean([roc_auc_score(*part) if 0 < part[0].sum() < len(truth) else np.nan for part in parts]))
    ranks = [_auc_resampled(*part) for part in parts]
    return value, lambda counts: np.asarray(np.mean([rank(counts) for rank in ranks], axis=0))


def _auc_resampled(positive: Array, scores: Array) -> Callable[[Counts], Array]:
    """Area under the curve by ranks: share of pairs (positive, negative) in the right order, ties counted half."""
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(scores[order]) > 0])

    def resampled(counts: Counts) -> Array:
        ordered = counts[:, order]
        above = np.add.reduceat(ordered * positive[order], starts, axis=1)
        below = np.add.reduceat(ordered * ~positive[order], starts, axis=1)
        pairs = above.sum(1) * below.sum(1)
        wins = (above * (np.cumsum(below, axis=1) - below / 2)).sum(1)
        return np.asarray(np.divide(wins, pairs, out=np.full(len(counts), np.nan), where=pairs > 0))

    return resampled
