"""Where a verdict is worked out, step by step; each step adds its checks and numbers, and a step that cannot go on raises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bundleflow_models.errors import ModelsError, Outcome
from bundleflow_models.verdict.answers import read_answers, read_truth
from bundleflow_models.verdict.bootstrap import Drawing, UndefinedError, difference_interval
from bundleflow_models.verdict.frozen_rows import RowHashes, chosen_rows, holdout_sha256, row_hashes
from bundleflow_models.verdict.gate import Gate
from bundleflow_models.verdict.holdout_checks import (
    check_classes,
    check_columns,
    check_copy,
    check_key,
    check_leakage,
    check_pinned,
    check_size,
)
from bundleflow_models.verdict.metric_names import higher_is_better
from bundleflow_models.verdict.metrics import MissingMetricError, Score, score
from bundleflow_models.verdict.naive import naive_answers
from bundleflow_models.verdict.predictions import Candidate, Predictions
from bundleflow_models.verdict.record import Check, Interval, MetricLine, Result, Verdict
from bundleflow_models.verdict.row_order import in_order
from bundleflow_models.verdict.schema_checks import check_label, check_schema
from bundleflow_models.verdict.slices import confusion, slice_lines

if TYPE_CHECKING:
    import pandas as pd

NAMES = {"constant": "the best constant answer", "previous": "the previous answer", "random": "a random ranking"}


class Bench:
    """Collects what a verdict says.

    Args:
        gate: What is asked.
    """

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.checks: list[Check] = []
        self.found: dict[str, Any] = {}
        self.intervals: list[Interval] = []

    def add(self, *checks: Check) -> None:
        """Add checks."""
        self.checks += checks

    def verdict(self) -> Verdict:
        """What was found so far; the result follows from the checks."""
        gate = self.gate
        known = {**self.found, "checks": tuple(self.checks), "intervals": tuple(self.intervals)}
        return Verdict(Result.UNDECIDED, gate.primary, gate.policy.rule, gate.sha256, **known)

    def hear(
        self,
        table: pd.DataFrame,
        challenger: Candidate,
        champion: Candidate | None,
        training: pd.DataFrame | RowHashes | None,
        pinned: str | None,
        copied_from: str,
    ) -> None:
        """Look at everything (arguments as `judge`).

        Raises:
            ModelsError: Something is wrong enough that the rest cannot be looked at.
        """
        gate = self.gate
        holdout, challenger, champion = in_order(gate, chosen_rows(gate, table), challenger, champion)
        self.found |= {"holdout_rows": len(holdout), "holdout_sha256": holdout_sha256(gate, holdout)}
        check_columns(gate, holdout)
        self.add(check_size(gate, holdout))
        hashes = row_hashes(gate, holdout)
        digest = self.found["holdout_sha256"]
        self.add(*check_key(gate, hashes))
        self.add(check_copy(gate, digest, pinned, copied_from, training) if copied_from else check_pinned(gate, digest, pinned))
        self.add(*check_leakage(gate, holdout, hashes, training))
        self.add(*check_label(gate, challenger))
        if not len(holdout):
            return
        truth = read_truth(gate.problem, holdout[gate.holdout.label])
        if gate.problem == "classification":
            self.add(check_classes(truth))
        schema = list(check_schema(gate, holdout, challenger, champion))
        self.add(*schema)
        if len(holdout) < 2 or any(check.state == "failed" and check.code == "schema-changed" for check in schema[:1]):
            return
        self._compare(holdout, truth, challenger, champion)

    def _compare(self, holdout: pd.DataFrame, truth: Any, challenger: Candidate, champion: Candidate | None) -> None:
        gate = self.gate
        new = read_answers(gate.problem, challenger.answers(holdout), len(holdout), "challenger")
        old = None if champion is None else _champions(gate, champion, holdout)
        scores = self._scores(truth, new)
        others = {} if old is None else _known_scores(gate, truth, old)
        self.found["metrics"] = tuple(_line(gate, name, scores.get(name), others.get(name)) for name in gate.all_metrics)
        self.found["slices"] = slice_lines(gate, holdout, truth, new, old)
        if gate.problem == "classification":
            self.found["confusion"] = confusion(truth, new.values)
        self._floors(scores)
        primary = scores.get(gate.primary)
        if primary is None:
            return
        drawing = Drawing(len(holdout), gate.policy.resamples, gate.policy.seed, gate.policy.block)
        for kind in gate.baseline.kinds:
            naive = naive_answers(kind, gate, holdout, truth, new.values if gate.problem == "retrieval" else ())
            base = score(gate.problem, gate.primary, truth, naive)
            self._beats(primary, base, drawing, NAMES[kind])
        self._against_champion(primary, others.get(gate.primary), drawing, champion)

    def _scores(self, truth: Any, predictions: Predictions) -> dict[str, Score]:
        found: dict[str, Score] = {}
        for name in self.gate.all_metrics:
            try:
                found[name] = score(self.gate.problem, name, truth, predictions)
            except MissingMetricError as error:
                fix = "Log the model so that it gives them (for scikit-learn: its own flavour), or take the metric out of the gate file."
                self.add(Check("missing-metric", "failed", f"The challenger has no {error}.".replace("no `", "no metric `"), fix))
        for name, each in list(found.items()):
            if not np.isfinite(each.value):
                del found[name]
                fix = "Look at the hold-out: the metric is not defined on these rows (one class only, a constant label)."
                self.add(Check("nan-in-metric", "failed", f"The challenger's `{name}` is not a number on this hold-out.", fix))
        return found

    def _floors(self, scores: dict[str, Score]) -> None:
        for name, floor in self.gate.floors.items():
            if name not in scores:
                continue
            value, more = scores[name].value, higher_is_better(name)
            held = value >= floor if more else value <= floor
            text = f"`{name}` is {value:.4g}; the floor is {'at least' if more else 'at most'} {floor:.4g}."
            self.add(
                Check("floor", "passed", text)
                if held
                else Check("below-floor", "failed", text, "Train a better model; the champion stays.")
            )

    def _interval(self, one: Score, other: Score, drawing: Drawing, confidence: float, against: str, bound: float = 0.0) -> Interval | None:
        """The interval of the difference, turned so that above 0 is better; None (and a check says so) when it has none."""
        name = self.gate.primary
        better, worse = (one, other) if higher_is_better(name) else (other, one)
        try:
            low, high = difference_interval(better.resampled, worse.resampled, drawing, confidence)
        except UndefinedError as error:
            fix = "Hold out more rows of every class, or take a metric that is defined on each drawing, such as accuracy."
            self.add(Check("nan-in-metric", "failed", f"`{name}` has no interval against {against}: {error}.", fix))
            return None
        interval = Interval(name, better.value - worse.value, low, high, confidence, against, bound)
        self.intervals.append(interval)
        return interval

    def _beats(self, primary: Score, base: Score, drawing: Drawing, against: str) -> None:
        interval = self._interval(primary, base, drawing, self.gate.baseline.confidence, against)
        if interval is None:
            return
        text = f"Against {against} ({base.value:.4g}): {_said(interval)}."
        fix = "The model shows no knowledge of the features on these rows: look at features and label before training again."
        self.add(Check("baseline", "passed", text) if interval.above else Check("not-above-baseline", "failed", text, fix))

    def _against_champion(self, primary: Score, other: Score | None, drawing: Drawing, champion: Candidate | None) -> None:
        if champion is None:
            text = "There is no champion yet: floors and naive answers alone decide about the first one."
            self.add(Check("first-champion", "noted", text))
            return
        policy, name = self.gate.policy, f"version {champion.version}" if champion.version else "the champion"
        if other is None:
            fix = f"Make a version champion that gives `{self.gate.primary}`, or choose another `primary` in the gate file."
            cause = f"The champion ({name}) has no `{self.gate.primary}` on this hold-out, so nothing can be compared with it."
            raise ModelsError("champion-unusable", cause, fix=fix, outcome=Outcome.UNDECIDED)
        bound = -policy.eps if policy.rule == "non-inferior" else 0.0
        interval = self._interval(primary, other, drawing, policy.confidence, "champion", bound)
        if interval is None:
            return
        text = f"Against the champion ({name}, {other.value:.4g}): {_said(interval)}; `{policy.rule}` asks for more than {bound:g}."
        if interval.above:
            self.add(Check(policy.rule, "passed", text))
        elif interval.high < bound:
            self.add(Check("worse", "failed", text, "The challenger is worse than the champion, which stays."))
        elif policy.rule == "superior":
            self.add(
                Check(
                    "not-superior",
                    "failed",
                    text,
                    "The difference may be luck: the champion stays. A larger hold-out shows smaller differences.",
                )
            )
        else:
            self.add(Check("maybe-inferior", "failed", text, "It may be worse by more than `policy.eps`: the champion stays."))


def _champions(gate: Gate, champion: Candidate, holdout: pd.DataFrame) -> Predictions:
    """The champion's answers; a champion that cannot answer leaves nothing to compare with, which is no fault of the challenger."""
    try:
        return read_answers(gate.problem, champion.answers(holdout), len(holdout), "champion")
    except ModelsError as error:
        cause = f"The champion (version {champion.version or 'given'}) cannot be scored on this hold-out: {error.cause}"
        fix = "Make a version champion that can be scored (`bundleflow model rollback`), or bring back the columns that it needs."
        raise ModelsError("champion-unusable", cause, fix=fix, outcome=Outcome.UNDECIDED) from error


def _known_scores(gate: Gate, truth: Any, predictions: Predictions) -> dict[str, Score]:
    """The metrics that there are."""
    found = {}
    for name in gate.all_metrics:
        try:
            each = score(gate.problem, name, truth, predictions)
        except MissingMetricError:
            continue  # it has no such line in the verdict; for the primary metric the comparison says so
        if np.isfinite(each.value):
            found[name] = each
    return found


def _line(gate: Gate, name: str, new: Score | None, old: Score | None) -> MetricLine:
    challenger, champion = (None if each is None else each.value for each in (new, old))
    return MetricLine(name, higher_is_better(name), challenger, champion, gate.floors.get(name))


def _said(interval: Interval) -> str:
    return f"difference {interval.difference:+.4g}, {interval.confidence:.4g} interval {interval.low:+.4g} to {interval.high:+.4g}"
