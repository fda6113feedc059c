"""A registered version as a candidate: loaded by MLflow, asked with the types of its signature, probabilities where it has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from bundleflow_models.errors import ModelsError, Outcome
from bundleflow_models.verdict.gate import Gate
from bundleflow_models.verdict.metric_names import NEEDS_PROBABILITIES
from bundleflow_models.verdict.predictions import Candidate, Predictions

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")

_CAST: dict[str, Any] = {"integer": "int32", "long": "int64", "float": "float32", "double": "float64"}


def load_candidate(gate: Gate, model_name: str, version: str) -> Candidate:
    """Load one version.

    Args:
        gate: The gate; says whether probabilities are needed.
        model_name: Full name of the registered model.
        version: The version's number.

    Raises:
        ModelsError: `model-not-loadable`, undecided.
    """
    import mlflow

    try:
        model = mlflow.pyfunc.load_model(f"models:/{model_name}/{version}")
    except Exception as error:  # a model's own code and its libraries raise what they like
        raise ModelsError(
            "model-not-loadable",
            f"Version {version} of {model_name} cannot be loaded: {type(error).__name__}: {error}",
            fix="Run the verdict where the model's own requirements are installed, and check the right to read it.",
            outcome=Outcome.UNDECIDED,
        ) from error
    signature = model.metadata.signature
    inputs = None if signature is None or signature.inputs is None else _types(signature.inputs)
    outputs = None if signature is None or signature.outputs is None else tuple(_types(signature.outputs).values())

    def ask(holdout: pd.DataFrame, answer: Callable[[pd.DataFrame], T]) -> T:
        asked = _features(gate, holdout, inputs)
        try:
            return answer(asked)
        except Exception as error:  # a model's own code raises what it likes
            raise ModelsError(
                "prediction-failed",
                f"Version {version} of {model_name} failed on the hold-out: {type(error).__name__}: {error}",
                fix="Ask the model for the hold-out's rows in a notebook; the error is the model's own.",
            ) from error

    def predict(holdout: pd.DataFrame) -> Predictions:
        return ask(holdout, lambda asked: _answers(gate, model, asked))

    return Candidate(predict, version, inputs, outputs, lambda holdout: ask(holdout, model.predict))


def _types(schema: Any) -> dict[str, str]:
    """Type by name; columns without a name are named by their place."""
    found = {}
    for place, column in enumerate(schema.inputs):
        kind = getattr(column, "type", None)
        found[str(getattr(column, "name", None) or place)] = str(getattr(kind, "name", kind))
    return found


def _features(gate: Gate, holdout: pd.DataFrame, inputs: dict[str, str] | None) -> pd.DataFrame:
    """The columns that the model asks for, in its order and types; without a signature all that is no answer, key or mark."""
    if inputs is None:
        apart = {gate.holdout.label, *gate.holdout.key, *gate.holdout.rows, *gate.holdout.ignore}
        return holdout[[name for name in holdout.columns if name not in apart]]
    asked = holdout[list(inputs)].copy()
    for name, kind in inputs.items():
        # Spark, CSV and Parquet give one column in different widths, and MLflow refuses to narrow them.
        if kind in _CAST and asked[name].dtype.kind in "iuf" and not (kind in ("integer", "long") and asked[name].isna().any()):
            asked[name] = asked[name].astype(_CAST[kind])
    return asked


def _answers(gate: Gate, model: Any, asked: pd.DataFrame) -> Predictions:
    values = model.predict(asked)
    if hasattr(values, "columns") and len(values.columns) > 1:
        named = [name for name in ("prediction", "predictions", "label") if name in values.columns]
        if not named:
            raise ValueError(f"the answer has columns {list(values.columns)}; one of them must be `prediction`")
        values = values[named[0]]
    if gate.problem != "classification" or not NEEDS_PROBABILITIES & set(gate.all_metrics):
        return Predictions(values)
    raw = _raw_model(model)
    if not (hasattr(raw, "predict_proba") and hasattr(raw, "classes_")):
        return Predictions(values)
    return Predictions(values, raw.predict_proba(asked), tuple(raw.classes_))


def _raw_model(model: Any) -> Any:
    """The model as its library knows it; None for a kind of model that has none."""
    try:
        return model.get_raw_model()
    except (AttributeError, RuntimeError):  # an MLflow that cannot give it, or a model of code
        return None
