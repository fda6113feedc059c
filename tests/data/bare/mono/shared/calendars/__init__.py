"""Days that both bundles count with."""

from __future__ import annotations

from datetime import date


def first_day(year: int, month: int) -> date:
    """The first day of a month."""
    return date(year, month, 1)
