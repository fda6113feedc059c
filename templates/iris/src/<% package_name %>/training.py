"""The classifier: how it is built, and how good it is on flowers that it has never seen."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, f1_score, log_loss

from .features import FEATURES, LABEL


@dataclass(frozen=True)
class Settings:
    """What a training run can be told."""

    trees: int = 40
    max_depth: int = 4
    seed: int = 7

    def as_params(self) -> dict[str, int]:
        """The settings as MLflow logs them."""
        return asdict(self)


def fit(rows: pd.DataFrame, settings: Settings) -> RandomForestClassifier:
    """Train a forest.

    Args:
        rows: The training rows, as from `features.training_rows`.
        settings: Size and seed of the forest; equal settings and rows give an equal model.

    Raises:
        ValueError: There are no rows to train on.
    """
    if rows.empty:
        raise ValueError("There is no row to train on.")
    sizes = {"n_estimators": settings.trees, "max_depth": settings.max_depth}
    model = RandomForestClassifier(**sizes, random_state=settings.seed)
    return model.fit(rows[list(FEATURES)], rows[LABEL])


def score(model: RandomForestClassifier, holdout: pd.DataFrame) -> dict[str, float]:
    """How good the model is on flowers that it has never seen: for people who look at the run, the gate scores anew.

    Args:
        model: The model.
        holdout: The hold-out table.

    Returns:
        `holdout_rows`, `accuracy`, `f1_macro` (each 0 to 1, higher is better) and `log_loss` (nats, lower is better).

    Raises:
        ValueError: No flower is held out.
    """
    if holdout.empty:
        raise ValueError("There is no flower to score on.")
    features = holdout[list(FEATURES)]
    predicted = model.predict(features)
    return {
        "holdout_rows": float(len(holdout)),
        "accuracy": float(accuracy_score(holdout[LABEL], predicted)),
        "f1_macro": float(f1_score(holdout[LABEL], predicted, average="macro")),
        "log_loss": float(log_loss(holdout[LABEL], model.predict_proba(features), labels=list(model.classes_))),
    }


def predict(model: RandomForestClassifier, frame: pd.DataFrame) -> pd.DataFrame:
    """Predict the species of every flower of the feature table.

    Returns:
        `flower_id`, `predicted` (name of the species) and `probability` (of that species, 0 to 1).
    """
    # The columns that the model was trained with: a champion may be older than the newest feature.
    probabilities = model.predict_proba(frame[list(model.feature_names_in_)])
    return pd.DataFrame(
        {
            "flower_id": frame["flower_id"].to_numpy(),
            "predicted": model.classes_[probabilities.argmax(axis=1)],
            "probability": probabilities.max(axis=1),
        }
    )
