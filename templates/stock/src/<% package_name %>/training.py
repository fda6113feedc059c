"""The classifier: a random forest on the windows of days before the hold-out, and how well it does in years that it has seen none of."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score
from sklearn.model_selection import TimeSeriesSplit

from .features import FEATURES, KEY, LABEL

FOLDS = 3


@dataclass(frozen=True)
class Settings:
    """What a training run can be told; equal settings and rows give an equal model."""

    trees: int = 100
    max_depth: int = 6
    min_leaf: int = 20
    seed: int = 7

    def as_params(self) -> dict[str, int]:
        """The settings as MLflow logs them."""
        return asdict(self)


def training_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of split `train`, in the order of their days.

    Raises:
        ValueError: There are none.
    """
    rows = frame[frame["split"] == "train"].sort_values(KEY, ignore_index=True)
    if rows.empty:
        raise ValueError("The feature table has no row with split `train`.")
    return rows


def fit(frame: pd.DataFrame, settings: Settings) -> RandomForestClassifier:
    """Train on the rows of split `train`.

    Args:
        frame: The feature table.
        settings: Size and seed of the forest.
    """
    rows = training_rows(frame)
    return _forest(settings).fit(rows[list(FEATURES)], rows[LABEL])


def walk_forward(frame: pd.DataFrame, settings: Settings) -> dict[str, float]:
    """Train on the past and score on what follows, `FOLDS` times within the training rows; the hold-out is not looked at.

    Returns:
        `walk_forward_accuracy_1` to `_3`: shares of right predictions, 0 to 1, in the order of time.
    """
    rows = training_rows(frame)
    found = {}
    for number, (past, future) in enumerate(TimeSeriesSplit(FOLDS, gap=1).split(rows), start=1):
        model = _forest(settings).fit(rows.iloc[past][list(FEATURES)], rows.iloc[past][LABEL])
        predicted = model.predict(rows.iloc[future][list(FEATURES)])
        found[f"walk_forward_accuracy_{number}"] = float(accuracy_score(rows.iloc[future][LABEL], predicted))
    return found


def _forest(settings: Settings) -> RandomForestClassifier:
    return RandomForestClassifier(
        n_estimators=settings.trees,
        max_depth=settings.max_depth,
        min_samples_leaf=settings.min_leaf,
        random_state=settings.seed,
    )
