"""Checks of the challenger's inputs and outputs: they fit the hold-out, and whoever asks the champion today can ask the challenger."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bundleflow_models.verdict.gate import Gate
from bundleflow_models.verdict.predictions import Candidate
from bundleflow_models.verdict.record import Check

if TYPE_CHECKING:
    import pandas as pd

CODE = "schema-changed"
# Kinds of a column (numpy's letters) that a type of MLflow's signature takes. Whole numbers arrive as floats where a value is missing.
_TAKEN = {
    "boolean": "b",
    "integer": "iu",
    "long": "iu",
    "float": "iuf",
    "double": "iuf",
    "string": "O",
    "binary": "O",
    "datetime": "MO",
}


def check_schema(gate: Gate, holdout: pd.DataFrame, challenger: Candidate, champion: Candidate | None) -> Iterator[Check]:
    """Compare the challenger's signature with the hold-out and with the champion's.

    Args:
        gate: The gate.
        holdout: The hold-out's rows.
        challenger: The candidate; nothing is checked when its inputs are not known.
        champion: The champion; None when there is none.
    """
    if challenger.inputs is None:
        yield Check("schema", "noted", "The challenger's inputs are not known, so they were not compared.")
        return
    found = list(_against_holdout(holdout, challenger))
    if gate.checks.schema == "compatible" and champion is not None and champion.inputs is not None:
        found += _against_champion(challenger, champion)
    yield from found
    if not found:
        yield Check("schema", "passed", f"The challenger's {len(challenger.inputs)} inputs fit.")


def check_label(gate: Gate, challenger: Candidate) -> Iterator[Check]:
    """The right answer is not among the challenger's inputs: with it any model is perfect, and where it serves nobody has it."""
    label = gate.holdout.label
    if challenger.inputs is not None and label in challenger.inputs:
        fix = "Train without that column; where the gate file names the wrong one, correct `holdout.label`."
        yield Check("leakage", "failed", f"The challenger asks for `{label}`, which is the right answer (`holdout.label`).", fix)


def _against_holdout(holdout: pd.DataFrame, challenger: Candidate) -> Iterator[Check]:
    assert challenger.inputs is not None
    missing = [name for name in challenger.inputs if name not in holdout.columns]
    if missing:
        text = f"The challenger asks for {_listed(missing)}, which the hold-out does not have."
        yield Check(CODE, "failed", text, "Freeze a hold-out with the new inputs, or train without them.")
    for name, kind in challenger.inputs.items():
        if name in holdout.columns and not _takes(kind, holdout[name]):
            text = f"The challenger takes `{name}` as {kind}, and the hold-out has it as {holdout[name].dtype}."
            yield Check(CODE, "failed", text, "Give the column the same type where the model is trained and where the hold-out is frozen.")


def _takes(kind: str, column: pd.Series) -> bool:
    kinds = _TAKEN.get(kind)
    if kinds is None:  # arrays, maps and objects: MLflow itself checks them when the model is asked
        return True
    if getattr(column.dtype, "name", "") in ("category", "string", "str"):
        return "O" in kinds
    if kind in ("integer", "long") and column.dtype.kind == "f":
        return bool((column.dropna() % 1 == 0).all())
    if kind in ("string", "binary", "datetime") or column.dtype.kind != "O":
        return column.dtype.kind in kinds
    return all(isinstance(value, int | float) or value is None for value in column.head(1000))


def _against_champion(challenger: Candidate, champion: Candidate) -> Iterator[Check]:
    assert challenger.inputs is not None
    assert champion.inputs is not None
    fix = "Change both sides first, or say `checks: {schema: any}` when everyone who asks the model has been changed."
    added = [name for name in challenger.inputs if name not in champion.inputs]
    if added:
        yield Check(
            CODE, "failed", f"The challenger asks for {_listed(added)}, which the champion (version {champion.version}) does not take.", fix
        )
    for name, kind in challenger.inputs.items():
        if name in champion.inputs and champion.inputs[name] != kind:
            yield Check(CODE, "failed", f"The challenger takes `{name}` as {kind}, the champion as {champion.inputs[name]}.", fix)
    if challenger.outputs is not None and champion.outputs is not None and challenger.outputs != champion.outputs:
        text = f"The challenger answers with {', '.join(challenger.outputs)}, the champion with {', '.join(champion.outputs)}."
        yield Check(CODE, "failed", text, fix)


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
