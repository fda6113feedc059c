"""Which metrics there are, for which problem, and which way is better; light, so that a gate file is checked without any library."""

from __future__ import annotations

import re

CLASSIFICATION = ("accuracy", "balanced_accuracy", "f1_macro", "precision_macro", "recall_macro", "log_loss", "roc_auc")
REGRESSION = ("mae", "rmse", "r2", "mape")
LESS_IS_BETTER = frozenset(("log_loss", "mae", "rmse", "mape"))
NEEDS_PROBABILITIES = frozenset(("log_loss", "roc_auc"))
AT_K = re.compile(r"(hit|recall|ndcg)_at_([1-9][0-9]{0,2})")


def fits_problem(name: str, problem: str) -> bool:
    """Whether a metric belongs to a kind of problem."""
    if problem == "retrieval":
        return name == "mrr" or AT_K.fullmatch(name) is not None
    return name in (CLASSIFICATION if problem == "classification" else REGRESSION)


def higher_is_better(name: str) -> bool:
    """The direction of a metric."""
    return name not in LESS_IS_BETTER
