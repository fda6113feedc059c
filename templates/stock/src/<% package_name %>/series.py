"""Made-up prices: one series with a planted signal, and a control series without any. No market looks like the first one."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

ORIGIN = date(2014, 1, 1)
"""First day of both series."""

DAILY_VOLATILITY = 0.01
LOOK_BACK = 5
"""Days that the planted signal remembers."""

GIVEN_BACK = 0.31
"""Planted: each day gives back this share of the sum of the last `LOOK_BACK` days' returns, beside its noise."""


def synthetic(end: date, seed: int = 7) -> pd.DataFrame:
    """Make the series with the planted signal: what rose in the last days falls back.

    Args:
        end: Its last day; an earlier end gives the same series, only shorter.
        seed: Another seed gives other noise.

    Returns:
        `day` (date, Monday to Friday from `ORIGIN` on) and `close`, starting near 100.
    """
    return _series(end, seed, GIVEN_BACK)


def random_walk(end: date, seed: int = 7) -> pd.DataFrame:
    """Make the control series: the same noise, and nothing to learn. A gate that lets a model of it through is no gate."""
    return _series(end, seed, 0.0)


def _series(end: date, seed: int, given_back: float) -> pd.DataFrame:
    days = pd.bdate_range(ORIGIN, end)
    noise = np.random.default_rng(seed).normal(0.0, DAILY_VOLATILITY, len(days))
    returns = np.zeros(len(days))
    for index, shock in enumerate(noise):
        returns[index] = shock - given_back * returns[max(0, index - LOOK_BACK) : index].sum()
    return pd.DataFrame({"day": days.date, "close": np.round(100.0 * np.exp(np.cumsum(returns)), 4)})
