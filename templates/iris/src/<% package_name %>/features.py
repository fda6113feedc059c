"""From measurements to features, and which flowers are held out. Nothing here looks at the species."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import pandas as pd

from .data import MEASUREMENTS

KEY = "flower_id"
LABEL = "species"
FEATURES: Mapping[str, str] = {
    "sepal_length": "Length of the sepal in cm",
    "sepal_width": "Width of the sepal in cm",
    "petal_length": "Length of the petal in cm",
    "petal_width": "Width of the petal in cm",
    "petal_area": "Length times width of the petal in cm²",
    "petal_ratio": "Length of the petal divided by its width",
}
"""Every column that the model sees, with its description. The feature table follows this list."""

HOLDOUT_SHARE = 0.3


def prepare(measured: pd.DataFrame) -> pd.DataFrame:
    """Add the derived features and say for each flower whether it is for training or held out.

    Args:
        measured: `flower_id`, the four measurements in cm, `species`; as from `data.load`.

    Returns:
        The same rows with the columns of the feature table, in its order.

    Raises:
        ValueError: A measurement is missing or not positive, or an id occurs twice.
    """
    wrong = measured[~(measured[MEASUREMENTS] > 0).all(axis="columns")]
    if len(wrong):
        ids = wrong[KEY].tolist()[:5]
        raise ValueError(f"Every measurement must be a positive number; it is not for flower_id {ids}.")
    if measured[KEY].duplicated().any():
        raise ValueError(f"{KEY} must be unique; it is the feature table's primary key.")
    frame = measured.copy()
    frame["petal_area"] = frame["petal_length"] * frame["petal_width"]
    frame["petal_ratio"] = frame["petal_length"] / frame["petal_width"]
    frame["split"] = [_split(row) for row in frame[MEASUREMENTS].itertuples(index=False)]
    return frame[[KEY, *FEATURES, LABEL, "split"]]


def _split(measurements: tuple[float, ...]) -> str:
    """A flower is always on the same side, and so are two flowers with equal measurements (the data has some)."""
    text = ",".join(f"{value:.3f}" for value in measurements)
    share = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") / 2**32
    return "holdout" if share < HOLDOUT_SHARE else "train"
