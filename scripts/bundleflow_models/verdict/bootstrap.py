"""The paired bootstrap: rows (or blocks of a series) are drawn again and again, and both models are scored on each drawing.

Percentile intervals (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13); for a series, blocks of
neighbours around a circle (Politis and Romano, A circular block-resampling procedure for stationary data, 1992).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

Counts = np.ndarray[Any, np.dtype[np.float64]]
"""How often each row was drawn, shape (drawings, rows)."""
Resampled = Callable[[Counts], np.ndarray[Any, np.dtype[np.float64]]]
"""A metric's value for each drawing, NaN where it has none: shape (drawings,)."""

CELLS_AT_ONCE = 2_000_000
CELLS_KEPT = 4_000_000
UNDEFINED_AT_MOST = 0.1


@dataclass(frozen=True)
class Drawing:
    """How rows are drawn: `rows` of them, `resamples` times, `block` neighbours together, from a seed."""

    rows: int
    resamples: int
    seed: int
    block: int = 1

    def counts(self) -> Iterator[Counts]:
        """All drawings, some at a time; the same drawing gives the same counts."""
        if self.rows * self.resamples <= CELLS_KEPT:
            yield _kept(self)
        else:
            yield from _drawn(self)


class UndefinedError(ValueError):
    """A metric has no value for too many drawings."""


def difference_interval(challenger: Resampled, other: Resampled, drawing: Drawing, confidence: float) -> tuple[float, float]:
    """Interval of the difference challenger less other on the same drawings.

    Args:
        challenger: Its metric for drawings.
        other: The other one's.
        drawing: How rows are drawn.
        confidence: Of the two-sided interval, 0 to 1.

    Returns:
        Lower and upper end, in the metric's units; rounded outwards to values that were drawn.

    Raises:
        UndefinedError: More than a tenth of the drawings give no value.
    """
    found = np.concatenate([challenger(counts) - other(counts) for counts in drawing.counts()])
    defined = found[np.isfinite(found)]
    if len(defined) < (1 - UNDEFINED_AT_MOST) * len(found):
        raise UndefinedError(f"{len(found) - len(defined)} of {len(found)} drawings give no value")
    tail = (1 - confidence) / 2
    low = float(np.quantile(defined, tail, method="lower"))
    return low, float(np.quantile(defined, 1 - tail, method="higher"))


@lru_cache(maxsize=2)
def _kept(drawing: Drawing) -> Counts:
    return np.concatenate(list(_drawn(drawing)))


def _drawn(drawing: Drawing) -> Iterator[Counts]:
    generator = np.random.default_rng(drawing.seed)
    rows = drawing.rows
    block = min(drawing.block, rows)
    blocks = -(-rows // block)
    left = drawing.resamples
    while left:
        size = min(left, max(1, CELLS_AT_ONCE // rows))
        left -= size
        starts = generator.integers(0, rows, (size, blocks))
        drawn = (starts[:, :, None] + np.arange(block)) % rows
        drawn = drawn.reshape(size, -1)[:, :rows] + (np.arange(size) * rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=size * rows).reshape(size, rows).astype(np.float64)
