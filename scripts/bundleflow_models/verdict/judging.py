"""Judges a challenger on the hold-out: every check in its order, floors, naive answers, champion; pure, whatever the models are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from bundleflow_models import __version__
from bundleflow_models.errors import ModelsError, Outcome
from bundleflow_models.verdict.gate import Gate
from bundleflow_models.verdict.predictions import Candidate, candidate
from bundleflow_models.verdict.record import NO_CHAMPION, Check, Result, Verdict

if TYPE_CHECKING:
    import pandas as pd

    from bundleflow_models.verdict.frozen_rows import RowHashes


def judge(
    gate: Gate,
    holdout: pd.DataFrame,
    challenger: Candidate | Any,
    champion: Candidate | Any | None = None,
    training: pd.DataFrame | RowHashes | None = None,
    *,
    pinned: str | None = None,
    copied_from: str = "",
    source: str = "given by the caller",
) -> Verdict:
    """Judge a challenger against floors, naive answers and the champion, on the same rows.

    Args:
        gate: What it must show.
        holdout: The table with the hold-out; of it the rows that the gate names are used.
        challenger: A `Candidate`, a function from the hold-out to its answers, or the answers themselves, one for each hold-out row in
            the order of `holdout`. The order of the rows does not matter for the verdict.
        champion: The same for the champion; None when there is none: then floors and naive answers alone decide.
        training: The table with the training rows, or hashes of them; None when there is neither.
        pinned: Digest of the hold-out that the training recorded (`TAG_HOLDOUT` of a run); None when it recorded none.
        copied_from: Model and version that the challenger is a copy of: its training pinned another catalog's hold-out, so hashes
            of the training rows that were recorded count in place of `pinned`. Empty when it is none.
        source: Where the hold-out comes from, in words.

    Returns:
        The verdict. Whatever is wrong with model or data is a refusal in it, with a code, a cause and a fix.
    """
    from bundleflow_models.verdict.bench import Bench

    one, other = candidate(challenger), None if champion is None else candidate(champion)
    bench = Bench(gate)
    try:
        bench.hear(holdout, one, other, training, pinned, copied_from)
    except ModelsError as error:
        bench.add(Check(error.code, "undecided" if error.outcome is Outcome.UNDECIDED else "failed", error.cause, error.fix))
    verdict = replace(
        bench.verdict(),
        version=one.version,
        champion=(other.version or "given") if other is not None else NO_CHAMPION,
        holdout_source=source,
        created=_now(),
        software=dict(software()),
    )
    return replace(verdict, result=_result(verdict))


def without_numbers(gate: Gate, code: str, cause: str, fix: str, *, undecided: bool, model: str, version: str, champion: str) -> Verdict:
    """A verdict that needed no hold-out: refused or undecided before anything was scored.

    Args:
        gate: The gate.
        code: Stable word.
        cause: One sentence.
        fix: What to do.
        undecided: Whether nothing could be decided; else the version is refused.
        model: Full name of the model.
        version: Its version.
        champion: Version that is champion, `NO_CHAMPION`, or `UNKNOWN_CHAMPION`.
    """
    check = Check(code, "undecided" if undecided else "failed", cause, fix)
    verdict = Verdict(Result.UNDECIDED, gate.primary, gate.policy.rule, gate.sha256, model, version, champion, checks=(check,))
    return replace(verdict, result=_result(verdict), created=_now(), software={"bundleflow_models": __version__})


def _result(verdict: Verdict) -> Result:
    states = {check.state for check in verdict.checks}
    # A reason to refuse stands whatever else could not be decided.
    return Result.REFUSED if "failed" in states else Result.UNDECIDED if "undecided" in states else Result.PASSED


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@cache
def software() -> Mapping[str, str]:
    """Versions of what computes a verdict, by package; looked up once."""
    from importlib import metadata

    found = {"bundleflow_models": __version__}
    for name in ("mlflow", "mlflow-skinny", "numpy", "pandas", "scikit-learn"):
        for each in metadata.distributions(name=name):
            found.setdefault(name, each.version)
    return found
