"""What an application sends to the serving endpoint, and what it makes of the answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .features import FEATURES, KEY, LABEL

if TYPE_CHECKING:
    import pandas as pd


def records(flowers: pd.DataFrame) -> list[dict[str, float]]:
    """Give flowers as the endpoint takes them: one mapping of features each, in the form `dataframe_records`."""
    rows = flowers[list(FEATURES)].astype(float).to_dict(orient="records")
    return [{str(name): value for name, value in row.items()} for row in rows]


def answers(flowers: pd.DataFrame, predictions: Sequence[Any] | None) -> list[dict[str, Any]]:
    """Put the endpoint's answers beside the flowers.

    Args:
        flowers: The flowers that were asked for.
        predictions: The endpoint's `predictions`: one species for each flower, in the same order.

    Returns:
        For each flower `flower_id`, `predicted` and `species`, which is the right answer.

    Raises:
        ValueError: The endpoint gave another number of answers.
    """
    found = list(predictions or [])
    if len(found) != len(flowers):
        raise ValueError(f"The endpoint gave {len(found)} answers to {len(flowers)} flowers.")
    rows = zip(flowers[KEY], found, flowers[LABEL], strict=True)
    return [{KEY: int(key), "predicted": str(predicted), LABEL: str(species)} for key, predicted, species in rows]
