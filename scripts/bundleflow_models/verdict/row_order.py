"""The one order of the hold-out's rows: drawings go by the place of a row, and a table gives its rows in any order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from bundleflow_models.verdict.answers import column_of
from bundleflow_models.verdict.gate import Gate
from bundleflow_models.verdict.predictions import Candidate, Predictions
from bundleflow_models.verdict.row_hashes import cell_text, row_digests

if TYPE_CHECKING:
    import pandas as pd


def places(gate: Gate, rows: pd.DataFrame, given: Sequence[Predictions] = ()) -> list[int]:
    """Where each row of the one order stands in a table.

    Args:
        gate: The gate: rows go by `holdout.order-by` where it names a column, else, and among equal ones, by the digest of their content.
        rows: n rows, in any order.
        given: Answers for these rows that were given ready-made: rows of equal content go by them.

    Returns:
        n places in `rows`, from 0.
    """
    digests = row_digests(rows, [name for name in rows.columns if name not in gate.holdout.ignore])
    answers = [[cell_text(each) for each in column_of(one.values)] for one in given]
    keys = list(zip(digests, *(texts for texts in answers if len(texts) == len(rows)), strict=True))
    by_content = sorted(range(len(rows)), key=keys.__getitem__)
    order = gate.holdout.order_by
    if order is None or order not in rows.columns:
        return by_content
    found = rows[[order]].reset_index(drop=True).iloc[by_content].sort_values(order, kind="stable")
    return [int(place) for place in found.index]


def in_order(
    gate: Gate, rows: pd.DataFrame, challenger: Candidate, champion: Candidate | None
) -> tuple[pd.DataFrame, Candidate, Candidate | None]:
    """Rows in their one order, and the candidates with them.

    Args:
        gate: The gate.
        rows: n rows, in any order.
        challenger: The challenger; answers that are given ready-made stand in the order of `rows`.
        champion: The same for the champion; None when there is none.

    Returns:
        The rows, and the candidates; ready-made answers stand in the rows' new order.
    """
    given = [each.answers(rows) for each in (challenger, champion) if each is not None and not callable(each.predict)]
    order = places(gate, rows, given)
    return rows.iloc[order].reset_index(drop=True), _moved(challenger, order), None if champion is None else _moved(champion, order)


def _moved(candidate: Candidate, order: Sequence[int]) -> Candidate:
    """The candidate for the new order; one that is asked answers in it anyway, and a wrong number of answers is refused later."""
    if callable(candidate.predict):
        return candidate
    given = candidate.predict if isinstance(candidate.predict, Predictions) else Predictions(candidate.predict)
    values, table = column_of(given.values), None if given.probabilities is None else np.asarray(given.probabilities)
    if len(values) != len(order):
        return candidate
    moved = table[list(order)] if table is not None and len(table) == len(order) else table
    return replace(candidate, predict=replace(given, values=[values[place] for place in order], probabilities=moved))
