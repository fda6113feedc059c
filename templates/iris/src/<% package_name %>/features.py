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
"""Every column that the model sees, with its description. The feature table follows this list.

The measurements stay among them: from those of the hold-out table its features are computed anew.
"""

HOLDOUT_SHARE = 0.4


def prepare(measured: pd.DataFrame) -> pd.DataFrame:
    """Add the derived features.

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
    return frame[[KEY, *FEATURES, LABEL]]


def hold_out(measured: pd.DataFrame, frozen: pd.DataFrame | None = None) -> pd.DataFrame:
    """Give the rows of the hold-out table.

    Which flowers are held out, their measurements and their species are frozen with the first call. Features are
    computed anew, so that every version is scored on features as they are computed today.

    Args:
        measured: All flowers, as from `data.load`; looked at only where nothing is frozen yet.
        frozen: The hold-out table as it is; None before there is one.

    Returns:
        As `prepare`: at first the flowers whose key falls into `HOLDOUT_SHARE`, later always the same ones.
    """
    if frozen is None:
        return prepare(measured[[_share(key) < HOLDOUT_SHARE for key in measured[KEY]]])
    return prepare(frozen[[KEY, *MEASUREMENTS, LABEL]])


def training_rows(table: pd.DataFrame, holdout: pd.DataFrame) -> pd.DataFrame:
    """Give the rows of the feature table to learn from.

    Args:
        table: The feature table.
        holdout: The hold-out table.

    Returns:
        The flowers that are not held out, and look like none that is: the data has flowers with equal measurements.
    """
    looks = pd.MultiIndex.from_frame(table[MEASUREMENTS])
    seen = table[KEY].isin(holdout[KEY]).to_numpy() | looks.isin(pd.MultiIndex.from_frame(holdout[MEASUREMENTS]))
    return table[~seen].reset_index(drop=True)


def _share(key: int) -> float:
    """A number from 0 to 1 that depends on nothing but the key."""
    return int.from_bytes(hashlib.sha256(str(key).encode()).digest()[:4], "big") / 2**32
