"""A few rows of the hold-out with the judged version's answers: by them a serving endpoint is asked before it gets all the traffic."""

from __future__ import annotations

import io
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
        alone (no label, no key); `predictions` are those of MLflow's scoring server (a table as one mapping a row, an array as lists), and
        are left out where JSON has no such values or where they are not one for each row. Empty without a signature.
    """
    if not challenger.inputs or holdout.empty:
        return {}
    first = holdout.head(PROBE_ROWS)
    split = json.loads(first[list(challenger.inputs)].to_json(orient="split", date_format="iso", double_precision=15))
    found: dict[str, Any] = {"request": {"dataframe_split": {"columns": split["columns"], "data": split["data"]}}}
    answers = None if challenger.served is None else _as_served(challenger.served(first))
    return found if answers is None or len(answers) != len(first) else found | {"predictions": answers}


def _as_served(answers: Any) -> list[Any] | None:
    """A model's answers as its endpoint gives them (MLflow's `predictions_to_json`); None for what cannot be compared with that."""
    from mlflow.pyfunc.scoring_server import predictions_to_json

    stream = io.StringIO()
    try:
        predictions_to_json(answers, stream)
        # A missing number is no JSON, and is equal to nothing, itself included.
        found = json.loads(stream.getvalue(), parse_constant=_refuse)["predictions"]
    except (TypeError, ValueError):
        return None
    return found if isinstance(found, list) else None


def _refuse(constant: str) -> None:
    raise ValueError(constant)
