"""Works out prices."""

from __future__ import annotations


def price() -> None:
    """Entry point of the job."""
    print(sum(kwh * 31 for kwh in range(10)) / 100)
