"""From prices to features, labels and a split by time: a feature looks at its day and before, a label at the day after."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd

KEY, LABEL = "day", "direction"
WINDOW = 14
"""Trading days that a prediction looks at; the label is the day after them."""

FEATURES: Mapping[str, str] = {
    **{f"return_{back}": f"Return of the day {back - 1} trading days before" for back in range(1, WINDOW + 1)},
    "mean_5": "Mean return of the last 5 trading days",
    "mean_14": "Mean return of the window",
    "volatility_14": "Standard deviation of the returns of the window",
}
"""Every column that the model sees, with its description; `return_1` is the day's own return, as a share of the price."""

COLUMNS = [KEY, "label_day", "year", *FEATURES, LABEL, "split"]


def windows(prices: pd.DataFrame) -> pd.DataFrame:
    """Describe each day by the `WINDOW` returns up to its close.

    Args:
        prices: `day` and `close`, ascending.

    Returns:
        `day` and `FEATURES`; the first days, which lack a full window, are left out.
    """
    returns = prices["close"].pct_change()
    frame = pd.DataFrame({KEY: prices[KEY]})
    for back in range(1, WINDOW + 1):
        frame[f"return_{back}"] = returns.shift(back - 1)
    frame["mean_5"] = returns.rolling(5).mean()
    frame["mean_14"] = returns.rolling(WINDOW).mean()
    frame["volatility_14"] = returns.rolling(WINDOW).std()
    return frame.dropna()


def labels(prices: pd.DataFrame) -> pd.DataFrame:
    """Say for each day where the price goes on the next one.

    Returns:
        `day`, `label_day` (the next trading day) and `direction` (`up` or `down`; a price that stays is `down`). The last day has none.
    """
    following = prices.shift(-1).iloc[:-1]
    days = prices.iloc[:-1]
    direction = np.where(following["close"] > days["close"], "up", "down")
    return pd.DataFrame({KEY: days[KEY], "label_day": following[KEY], LABEL: direction})


def prepare(prices: pd.DataFrame, holdout_from: date) -> pd.DataFrame:
    """Make the feature table: features first, then labels are put beside them, then the split by time.

    Args:
        prices: `day` and `close`, ascending.
        holdout_from: First held-out day. Days whose label lies before it are for training; the one between is used for neither.

    Returns:
        `COLUMNS`, one row for each day that has a full window before it and a day after it.

    Raises:
        ValueError: Nothing is left to train on or to hold out.
    """
    frame = windows(prices).merge(labels(prices), on=KEY, how="inner")
    frame["year"] = [day.year for day in frame[KEY]]
    frame["split"] = np.select([frame[KEY] >= holdout_from, frame["label_day"] < holdout_from], ["holdout", "train"], "between")
    for side in ("train", "holdout"):
        if not (frame["split"] == side).any():
            raise ValueError(
                f"No day from {prices[KEY].min()} to {prices[KEY].max()} has split `{side}` with holdout_from {holdout_from}. "
                "Load more days (start_date, end_date), or move holdout_from."
            )
    return frame[frame["split"] != "between"][COLUMNS].reset_index(drop=True)
