"""Checks of the hold-out itself: whole, large enough, the one that training pinned, and not seen in training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from bundleflow_models.errors import ModelsError
from bundleflow_models.verdict.frozen_rows import RowHashes, content_columns, row_hashes, training_rows
from bundleflow_models.verdict.gate import Gate
from bundleflow_models.verdict.record import Check

if TYPE_CHECKING:
    import pandas as pd


def check_columns(gate: Gate, holdout: pd.DataFrame) -> None:
    """Refuse a hold-out without the columns that the gate names.

    Raises:
        ModelsError: `holdout-invalid`.
    """
    named = {"label": [gate.holdout.label], "key": gate.holdout.key, "slices": gate.holdout.slices}
    named["order-by"] = [gate.holdout.order_by] if gate.holdout.order_by else []
    missing = [f"`{column}` ({part})" for part, columns in named.items() for column in columns if column not in holdout.columns]
    if missing:
        raise ModelsError(
            "holdout-invalid",
            f"The hold-out has no column {', '.join(missing)}.",
            fix=f"Correct `holdout` in the gate file; the table has: {', '.join(map(str, holdout.columns)) or 'no column'}.",
        )


def check_size(gate: Gate, holdout: pd.DataFrame) -> Check:
    """Enough rows for numbers to mean something."""
    rows, needed = len(holdout), gate.holdout.min_rows
    if rows >= needed:
        return Check("holdout-size", "passed", f"The hold-out has {rows} rows, at least {needed} are asked for.")
    fix = "Hold out more rows. A smaller `holdout.min-rows` makes the interval wide, not the verdict better."
    return Check("holdout-too-small", "failed", f"The hold-out has {rows} rows, at least {needed} are asked for.", fix)


def check_classes(truth: Any) -> Check:
    """More than one class among the right answers."""
    count = len(np.unique(truth.astype(str)))
    if count > 1:
        return Check("holdout-classes", "passed", f"The hold-out has rows of {count} classes.")
    fix = "Hold out rows of every class: on one class alone a constant answer is perfect."
    return Check("single-class", "failed", "Every row of the hold-out is of the same class.", fix)


def check_key(gate: Gate, hashes: RowHashes) -> Iterator[Check]:
    """The key tells the rows apart."""
    if hashes.key is not None and len(np.unique(hashes.key)) < len(hashes.key):
        twice = len(hashes.key) - len(np.unique(hashes.key))
        text = f"The key ({', '.join(gate.holdout.key)}) stands more than once in the hold-out, {twice} rows too many."
        yield Check("holdout-invalid", "failed", text, "Name in `holdout.key` columns that tell one row from all others.")


def check_pinned(gate: Gate, found: str, pinned: str | None) -> Check:
    """The hold-out is the one whose digest the training recorded.

    Args:
        gate: The gate.
        found: Digest of the hold-out's rows.
        pinned: Digest that the training recorded; None when it recorded none.
    """
    asked = gate.checks.pinned
    if asked == "off":
        return Check("holdout-pinned", "noted", "Whether training knew this hold-out was not asked (`checks.pinned: off`).")
    if pinned is None:
        text = "The training recorded no digest of the hold-out."
        if asked == "if-recorded":
            return Check("holdout-pinned", "noted", text)
        fix = "Call `verdict.record_training(gate, holdout, training)` in the training run, and train again."
        return Check("holdout-not-pinned", "failed", text, fix)
    if pinned == found:
        return Check("holdout-pinned", "passed", f"The hold-out is the one that training recorded ({found[:12]}).")
    text = f"The hold-out ({found[:12]}) is not the one that training recorded ({pinned[:12]})."
    return Check("holdout-changed", "failed", text, "Train again with the hold-out as it is now, or bring the old rows back.")


def check_copy(gate: Gate, found: str, pinned: str | None, source: str, training: pd.DataFrame | RowHashes | None) -> Check:
    """The hold-out is one that the training of a copied version did not see.

    The training recorded the hold-out of its own catalog, so another digest says nothing. The hashes of the rows that it learned from
    do: `check_leakage` looks for rows of *this* hold-out among them.

    Args:
        gate: The gate.
        found: Digest of the hold-out's rows.
        pinned: Digest that the training recorded; None when it recorded none.
        source: Model and version that it is a copy of.
        training: Hashes that the training recorded; a table of this catalog is not what it saw.
    """
    asked = gate.checks.pinned
    if asked == "off" or pinned == found:
        return check_pinned(gate, found, pinned)
    if isinstance(training, RowHashes):
        text = f"Trained elsewhere ({source}), on another hold-out: rows of this one are searched by the hashes that training recorded."
        return Check("holdout-pinned", "noted", text)
    text = f"Trained elsewhere ({source}), on another hold-out, and no hashes of its training rows are searched."
    if asked == "if-recorded":
        return Check("holdout-pinned", "noted", text)
    fix = "Call `verdict.record_training(gate, holdout, training)` where it is trained, and leave `checks.leakage` on; "
    fix += "or say `checks: {pinned: if-recorded, leakage: if-recorded}` here, and nobody can tell whether it saw rows of this hold-out."
    return Check("holdout-not-pinned", "failed", text, fix)


def check_leakage(gate: Gate, holdout: pd.DataFrame, hashes: RowHashes, training: pd.DataFrame | RowHashes | None) -> Iterator[Check]:
    """No row of the hold-out was seen in training: by key, and by content.

    Args:
        gate: The gate.
        holdout: The hold-out's rows.
        hashes: Their hashes.
        training: The training rows, or the hashes that the training recorded; None when there is neither.
    """
    asked = gate.checks.leakage
    if asked == "off":
        yield Check("leakage", "noted", "Hold-out rows were not searched among the training rows (`checks.leakage: off`).")
        return
    if training is None:
        text = "There are neither training rows nor hashes of them."
        fix = "Name them in `training` of the gate file, or call `verdict.record_training(gate, holdout, training)` in the training run."
        yield Check("leakage", "noted", text) if asked == "if-recorded" else Check("leakage-unknown", "failed", text, fix)
        return
    seen = training if isinstance(training, RowHashes) else row_hashes(gate, training_rows(gate, training))
    yield from _by_key(gate, hashes, seen)
    yield from _by_content(gate, holdout, hashes, seen)


def _by_key(gate: Gate, hashes: RowHashes, seen: RowHashes) -> Iterator[Check]:
    if hashes.key is None:
        return
    if seen.key is None:
        fix = "Train again: hashes of keys are recorded since the gate file names a key."
        yield Check("leakage-unknown", "failed", "The training recorded no hashes of keys.", fix)
        return
    found = int(np.isin(hashes.key, seen.key).sum())
    name = ", ".join(gate.holdout.key)
    if found:
        text = f"{found} of {len(hashes.key)} hold-out rows were seen in training (key {name})."
        yield Check("leakage", "failed", text, "Split before training, by the key, and train again.")
    else:
        yield Check("leakage", "passed", f"None of {len(hashes.key)} hold-out rows was seen in training (key {name}).")


def _by_content(gate: Gate, holdout: pd.DataFrame, hashes: RowHashes, seen: RowHashes) -> Iterator[Check]:
    allowed = gate.checks.max_duplicates
    if allowed is None:
        allowed = 1.0 if gate.holdout.key else 0.0
    if seen.columns != content_columns(gate, holdout):
        if allowed < 1:
            text = f"The training recorded hashes of other columns ({', '.join(seen.columns)}) than the hold-out has."
            yield Check("leakage-unknown", "failed", text, "Train again with the table as it is now.")
        return
    found = int(np.isin(hashes.content, seen.content).sum())
    text = f"{found} of {len(hashes.content)} hold-out rows stand in the training rows with the same content"
    if found > allowed * len(hashes.content):
        fix = "Take equal rows out of one of the two, or name a `holdout.key` when they are different things that look alike."
        yield Check("leakage", "failed", f"{text}; {allowed:.0%} are allowed.", fix)
    else:
        yield Check("leakage-by-content", "passed" if allowed < 1 else "noted", f"{text}.")
