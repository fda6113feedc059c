"""The raw measurements: R. A. Fisher's Iris data, as scikit-learn ships it (150 flowers, three species)."""

from __future__ import annotations

import pandas as pd
from sklearn.datasets import load_iris

MEASUREMENTS = ["sepal_length", "sepal_width", "petal_length", "petal_width"]


def load() -> pd.DataFrame:
    """Load the measurements.

    Returns:
        150 rows: `flower_id` (0 to 149), the four `MEASUREMENTS` in centimetres, and `species` (the name).
    """
    bunch = load_iris()
    frame = pd.DataFrame(bunch.data, columns=MEASUREMENTS)
    frame.insert(0, "flower_id", range(len(frame)))
    frame["species"] = [str(bunch.target_names[target]) for target in bunch.target]
    return frame
