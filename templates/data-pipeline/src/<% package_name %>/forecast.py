"""Forecasts the revenue of each category for the next day, and says whether that beats the value of a week before."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import mean_absolute_error

FEATURES = ["weekday", "revenue_1", "revenue_7", "revenue_14", "mean_7", "mean_28"]
HISTORY_DAYS = 28
"""Days before a day that its features look at."""

HOLDOUT_DAYS = 28
"""The last days, which no model is trained on."""


@dataclass(frozen=True)
class Settings:
    """What a training run can be told; equal settings and data give an equal model."""

    trees: int = 60
    min_leaf: int = 8
    seed: int = 7


@dataclass(frozen=True)
class Scores:
    """How good a model is on the days that it has not seen; errors are mean absolute errors in cents for a day and category.

    Args:
        rows: Days times categories that were forecast.
        error: Of the model.
        naive_error: Of "the same as a week before".
    """

    rows: int
    error: float
    naive_error: float

    @property
    def improvement(self) -> float:
        """How much smaller the model's error is, as a share of the naive one; below 0 where it is larger."""
        return 1 - self.error / self.naive_error if self.naive_error else 0.0


def history(sales: pd.DataFrame) -> pd.DataFrame:
    """Make one row for each day and category, days without sales included.

    Args:
        sales: `day`, `category`, `revenue_cents`.

    Returns:
        `day` (timestamp), `category`, `revenue` (cents), ordered by both.
    """
    wide = sales.assign(day=pd.to_datetime(sales["day"])).pivot_table(
        index="day", columns="category", values="revenue_cents", aggfunc="sum"
    )
    wide = wide.reindex(pd.date_range(wide.index.min(), wide.index.max(), name="day")).fillna(0)
    return wide.melt(ignore_index=False, value_name="revenue").reset_index().sort_values(["category", "day"], ignore_index=True)


def features(past: pd.DataFrame) -> pd.DataFrame:
    """Add `FEATURES`, each known on the evening before the day.

    Args:
        past: What `history` gives.

    Returns:
        The same with `FEATURES`; the first `HISTORY_DAYS` of each category are left out, because they lack them.
    """
    by_category = past.groupby("category")["revenue"]
    before = by_category.shift(1)
    grouped = before.groupby(past["category"])
    frame = past.assign(
        weekday=past["day"].dt.weekday,
        revenue_1=before,
        revenue_7=by_category.shift(7),
        revenue_14=by_category.shift(14),
        mean_7=grouped.transform(lambda values: values.rolling(7).mean()),
        mean_28=grouped.transform(lambda values: values.rolling(HISTORY_DAYS).mean()),
    )
    return frame.dropna(subset=FEATURES).reset_index(drop=True)


def split(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split into training and hold-out by time: the last `HOLDOUT_DAYS` are held out.

    Raises:
        ValueError: There are not enough days for both.
    """
    border = table["day"].max() - pd.Timedelta(days=HOLDOUT_DAYS)
    training, holdout = table[table["day"] <= border], table[table["day"] > border]
    if training.empty or holdout.empty:
        days = HISTORY_DAYS + HOLDOUT_DAYS
        raise ValueError(f"The table daily_sales must reach over more than {days} days to train and to hold out.")
    return training, holdout


def inputs(table: pd.DataFrame) -> pd.DataFrame:
    """What the model sees of a table: `FEATURES`, as numbers with a fraction."""
    return table[FEATURES].astype(float)


def fit(training: pd.DataFrame, settings: Settings) -> RandomForestRegressor:
    """Train on the training days."""
    model = RandomForestRegressor(n_estimators=settings.trees, min_samples_leaf=settings.min_leaf, random_state=settings.seed)
    return model.fit(inputs(training), training["revenue"])


def predict(model: RandomForestRegressor, table: pd.DataFrame) -> pd.DataFrame:
    """Forecast every day of a table.

    Returns:
        `day` (date), `category`, `revenue_cents` (what was), `forecast_cents`, `naive_cents` (a week before).
    """
    return pd.DataFrame(
        {
            "day": table["day"].dt.date,
            "category": table["category"],
            "revenue_cents": table["revenue"].round().astype(int),
            "forecast_cents": model.predict(inputs(table)).round().astype(int),
            "naive_cents": table["revenue_7"].round().astype(int),
        }
    )


def score(predictions: pd.DataFrame) -> Scores:
    """Compare forecasts with what was."""
    actual = predictions["revenue_cents"]
    return Scores(
        rows=len(predictions),
        error=float(mean_absolute_error(actual, predictions["forecast_cents"])),
        naive_error=float(mean_absolute_error(actual, predictions["naive_cents"])),
    )


def demand(scores: Scores, min_improvement: float) -> None:
    """Refuse a model that does not beat the naive forecast by enough.

    Raises:
        ValueError: It does not; written so that NaN is refused, too.
    """
    if not scores.improvement >= min_improvement:
        raise ValueError(
            f"On {scores.rows} held-out rows the model's mean error is {scores.error:.0f} cents, that of last week's value "
            f"{scores.naive_error:.0f}: {scores.improvement:.1%} better, and at least {min_improvement:.1%} is asked for. "
            "No report is sent."
        )
