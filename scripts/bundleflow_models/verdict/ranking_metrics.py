"""Metrics of retrieval, from ranked lists of ids; scikit-learn's need a score for every document, which a ranked list does not have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bundleflow_models.verdict.bootstrap import Counts
from bundleflow_models.verdict.metric_names import AT_K
from bundleflow_models.verdict.predictions import Predictions

Array = np.ndarray[Any, Any]


def ranking_score(name: str, truth: Sequence[frozenset[str]], predictions: Predictions) -> tuple[float, Callable[[Counts], Array]]:
    """One metric of retrieval: the mean over the queries.

    Args:
        name: `mrr`, `hit_at_K`, `recall_at_K` or `ndcg_at_K`.
        truth: For each of n queries the ids that are relevant.
        predictions: For each query the ids found, the best first.
    """
    each = query_scores(name, truth, predictions.values)
    return float(each.mean()), lambda counts: np.asarray(counts @ each / counts.sum(1))


def query_scores(name: str, truth: Sequence[frozenset[str]], ranked: Sequence[Sequence[str]]) -> Array:
    """The metric of each query, shape (n,), 0 to 1.

    `ndcg_at_K` knows relevant and not relevant only (Järvelin and Kekäläinen, Cumulated gain-based evaluation, 2002, with log2(1 + rank)).
    """
    found = AT_K.fullmatch(name)
    kind, limit = (found[1], int(found[2])) if found else ("mrr", 0)
    values = np.zeros(len(truth))
    for index, (relevant, order) in enumerate(zip(truth, ranked, strict=True)):
        shown = list(dict.fromkeys(order))
        ranks = [rank for rank, each in enumerate(shown[:limit] if limit else shown, 1) if each in relevant]
        if kind == "hit":
            values[index] = bool(ranks)
        elif kind == "recall":
            values[index] = len(ranks) / len(relevant)
        elif kind == "ndcg":
            best = sum(1 / np.log2(1 + rank) for rank in range(1, min(limit, len(relevant)) + 1))
            values[index] = sum(1 / np.log2(1 + rank) for rank in ranks) / best
        elif ranks:
            values[index] = 1 / ranks[0]
    return values
