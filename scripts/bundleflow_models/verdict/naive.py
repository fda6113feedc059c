"""Naive answers: what no knowledge of the features would reach."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bundleflow_models.errors import ModelsError
from bundleflow_models.verdict.answers import read_truth
from bundleflow_models.verdict.gate import BaselineKind, Gate
from bundleflow_models.verdict.metric_names import AT_K
from bundleflow_models.verdict.predictions import Predictions

if TYPE_CHECKING:
    import pandas as pd

Array = np.ndarray[Any, Any]
MEDIAN_IS_BEST = frozenset(("mae", "mape"))


def naive_answers(kind: BaselineKind, gate: Gate, holdout: pd.DataFrame, truth: Any, ranked: Sequence[Sequence[str]] = ()) -> Predictions:
    """The answers of one naive baseline for the hold-out's rows.

    Args:
        kind: Which.
        gate: The gate.
        holdout: The rows, in order.
        truth: Their right answers, as `read_truth` gives them.
        ranked: Retrieval: the challenger's lists; only the names of the ids in them are used.

    Raises:
        ModelsError: `holdout-invalid`: the column of previous answers is not there or not whole.
    """
    if kind == "random":
        return _random(gate, truth, ranked)
    if kind == "previous":
        return Predictions(_previous(gate, holdout, truth))
    if gate.problem == "classification":
        classes, counts = np.unique(truth.astype(str), return_counts=True)
        shares = np.tile(counts / counts.sum(), (len(truth), 1))
        answer = np.full(len(truth), classes[counts.argmax()], dtype=object)
        return Predictions(answer, shares, tuple(str(name) for name in classes))
    # The best constant in hindsight: harder to beat than one that is known from training rows only.
    centre = np.median(truth) if gate.primary in MEDIAN_IS_BEST else np.mean(truth)
    return Predictions(np.full(len(truth), float(centre)))


def _previous(gate: Gate, holdout: pd.DataFrame, truth: Array) -> Array:
    column = gate.baseline.previous
    if column is None:
        return np.concatenate([truth[:1], truth[:-1]])  # the first row has none before it: it is given its own answer
    if column not in holdout.columns:
        raise ModelsError(
            "holdout-invalid",
            f"The hold-out has no column `{column}`, which the gate names as `baseline.previous`.",
            fix="Correct the gate file, or give the hold-out the column.",
        )
    found: Array = read_truth(gate.problem, holdout[column])
    return found


def _random(gate: Gate, truth: Sequence[frozenset[str]], ranked: Sequence[Sequence[str]]) -> Predictions:
    """For each query some ids in random order, as many as the metrics look at; of `candidates` ids the relevant ones are part."""
    named = set().union(*truth).union(*ranked)
    number = max(gate.baseline.candidates or 0, max(len(each) for each in truth), 1) if gate.baseline.candidates else len(named)
    limits = [int(found[2]) for name in gate.all_metrics if (found := AT_K.fullmatch(name))]
    shown = number if gate.primary == "mrr" else min(number, max(limits, default=number))
    generator = np.random.default_rng(gate.policy.seed)
    lists = []
    for relevant in truth:
        # Ids by number: the first ones are the relevant ones of this query, whatever their names.
        names = sorted(relevant)
        drawn = generator.permutation(number)[:shown]
        lists.append([names[each] if each < len(names) else f"other {each}" for each in drawn])
    return Predictions(lists)
