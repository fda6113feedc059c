"""A few rows of the hold-out with the judged version's answers: by them a serving endpoint is asked before it gets all the traffic."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bundleflow_models.verdict.predictions import Candidate

if TYPE_CHECKING:
    import pandas as pd

PROBE_ROWS = 5
"""Enough to see that the right version answers; no more, because whoever may read the run can read them."""


def probe_rows(challenger: Candidate, holdout: pd.DataFrame) -> dict[str, Any]:
    """Take the first rows of the hold-out, and the version's answers for them.

    Args:
        challenger: The version; it must have a signature, which says what an endpoint has to be sent.
        holdout: The hold-out, of n rows.

    Returns:
        `{"request": {"dataframe_split": {"columns": [...], "data": [...]}}, "predictions": [...]}`, at most `PROBE_ROWS` rows of inputs
        alone (no label, no key); `predictions` is left out where the version answers with several columns. Empty without a signature.
    """
    if not challenger.inputs or holdout.empty:
        return {}
    first = holdout.head(PROBE_ROWS)
    split = json.loads(first[list(challenger.inputs)].to_json(orient="split", date_format="iso", double_precision=15))
    found: dict[str, Any] = {"request": {"dataframe_split": {"columns": split["columns"], "data": split["data"]}}}
    if challenger.outputs is None or len(challenger.outputs) == 1:
        found["predictions"] = [value.item() if hasattr(value, "item") else value for value in challenger.answers(first).values]
    return found
