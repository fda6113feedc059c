"""What is judged: each reason to refuse from its own cause, the first champion, the two rules, and what is told about it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bundleflow_models.errors import ModelsError, Outcome
from bundleflow_models.verdict import Candidate, Gate, Predictions, Result, Verdict, judge, load_gate
from bundleflow_models.verdict.frozen_rows import holdout_rows, holdout_sha256, row_hashes

N = 120
Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(11)
TABLE = pd.DataFrame(
    {
        "id": range(N),
        "day": pd.date_range("2026-01-01", periods=N),
        "x": RNG.normal(size=N),
        "site": RNG.choice(["north", "south"], N),
        "y": RNG.choice(["a", "b", "c"], N),
        "amount": RNG.normal(size=N) * 10,
    }
)
TRAINING = TABLE.assign(id=TABLE["id"] + 1000, x=TABLE["x"] + 1)


def gate(**changes: Any) -> Gate:
    """A gate of classification; `holdout`, `policy`, `baseline` and `checks` are added to, everything else replaced."""
    data: dict[str, Any] = {
        "version": 1,
        "problem": "classification",
        "holdout": {"label": "y", "key": ["id"]},
        "primary": "accuracy",
        "policy": {"resamples": 400},
        "checks": {"pinned": "off", "leakage": "off"},
    }
    for key, value in changes.items():
        data[key] = {**data.get(key, {}), **value} if isinstance(value, dict) and key != "floors" else value
    return load_gate(data)


def right(share: float, seed: int = 1, table: pd.DataFrame = TABLE) -> list[Any]:
    """Answers of which a share is right and the rest another class."""
    generator = np.random.default_rng(seed)
    return [label if generator.random() < share else generator.choice([each for each in "abc" if each != label]) for label in table["y"]]


def codes(verdict: Verdict) -> set[str]:
    assert all(check.fix for check in verdict.failed), "who is refused is told what to do"
    return set(verdict.codes)


def test_a_better_model_passes() -> None:
    verdict = judge(gate(floors={"accuracy": {"min": 0.8}}), TABLE, Candidate(right(0.95), "4"), Candidate(right(0.7, 2), "3"))
    assert verdict.result is Result.PASSED
    assert (verdict.version, verdict.champion, verdict.holdout_rows) == ("4", "3", N)
    (baseline, champion) = verdict.intervals
    assert baseline.above
    assert champion.above
    assert champion.against == "champion"
    assert champion.low <= champion.difference <= champion.high
    assert verdict.holdout_sha256 == holdout_sha256(gate(), TABLE)
    assert verdict.software["scikit-learn"]


def test_a_verdict_is_the_same_each_time_and_its_digest_names_it() -> None:
    first, second = (judge(gate(), TABLE.sample(frac=1, random_state=n), lambda frame: right(0.9, 1, frame)) for n in (1, 1))
    assert replace(first, created="") == replace(second, created="")
    again = Verdict.from_json(first.canonical_json())
    assert again == first
    assert again.sha256 == first.sha256
    assert replace(first, version="9").sha256 != first.sha256
    assert "NaN" not in first.canonical_json()


def test_the_order_of_the_rows_does_not_matter_even_at_the_edge() -> None:
    """Answers so alike that the interval ends about 0: another order of drawing would turn the verdict."""
    asked, better, known = gate(), right(0.86, 13), right(0.75, 4)
    series = gate(holdout={"order-by": "site"}, policy={"block": 5})  # two values: most rows are of the same time
    for one in (asked, series, gate(holdout={"key": []})):
        whole = TABLE[["y", "site"]] if not one.holdout.key else TABLE
        found = []
        for seed in range(8):
            order = np.random.default_rng(seed).permutation(N)
            sure = np.array([[0.8 if name == better[place] else 0.1 for name in "abc"] for place in order])
            new = Predictions([better[place] for place in order], sure, ("a", "b", "c"))
            found.append(judge(one, whole.iloc[order], new, pd.Series(known).iloc[order]))
            # The same by functions, which are asked for the rows in whatever order.
            if one.holdout.key:
                asked_for = [lambda rows, texts=texts: [texts[place] for place in rows["id"]] for texts in (better, known)]
                found.append(judge(one, whole.iloc[order], *asked_for))
        assert len({(each.result, each.metrics, each.intervals, each.confusion) for each in found}) == 1
        assert abs(found[0].intervals[-1].low) < 0.03, "at the edge, where it counts which rows are drawn"


@pytest.mark.parametrize("broken", ["", "[]", "{}", '{"format": 2}', '{"format": 1, "result": "passed"}'])
def test_what_is_no_verdict_is_not_read_as_one(broken: str) -> None:
    with pytest.raises(ValueError):
        Verdict.from_json(broken)


def test_the_first_champion_needs_floors_and_naive_answers_only_and_it_is_said() -> None:
    verdict = judge(gate(floors={"accuracy": {"min": 0.5}}), TABLE, right(0.9))
    assert verdict.result is Result.PASSED
    assert verdict.champion == "none"
    assert [check.code for check in verdict.checks if check.state == "noted"][-1] == "first-champion"
    assert codes(judge(gate(), TABLE, right(0.34))) == {"not-above-baseline"}


def lists(*answers: list[Any]) -> Callable[[pd.DataFrame], Any]:
    return lambda frame: (answers * len(frame))[: len(frame)]


WITH_NAN = pd.Series([1.0] * (N - 3) + [np.nan] * 3)
SIGNATURE = {"x": "double"}


@pytest.mark.parametrize(
    ("expected", "changes", "challenger", "champion"),
    [
        ("below-floor", {"floors": {"accuracy": {"min": 0.95}}}, right(0.8), None),
        ("not-above-baseline", {}, ["a"] * N, None),
        ("not-superior", {}, right(0.9, 1), right(0.9, 2)),
        ("worse", {}, right(0.6), right(0.9, 2)),
        ("maybe-inferior", {"policy": {"rule": "non-inferior", "eps": 0.01}}, right(0.84, 1), right(0.9, 2)),
        ("predictions-invalid", {}, ["a"], None),
        ("nan-in-predictions", {}, ["a", None] * (N // 2), None),
        ("nan-in-predictions", {}, Predictions(right(0.9), np.full((N, 3), np.nan), ("a", "b", "c")), None),
        ("predictions-invalid", {}, Predictions(right(0.9), np.full((N, 2), 0.5), ("a", "b", "c")), None),
        ("predictions-invalid", {}, Predictions(right(0.9), np.full((N, 3), -0.5), ("a", "b", "c")), None),
        ("missing-metric", {"metrics": ["log_loss"]}, right(0.9), None),
        ("missing-metric", {"primary": "roc_auc"}, right(0.9), None),
        ("holdout-too-small", {"holdout": {"min-rows": N + 1}}, right(0.9), None),
        ("holdout-not-pinned", {"checks": {"pinned": "required"}}, right(0.9), None),
        ("leakage-unknown", {"checks": {"leakage": "required"}}, right(0.9), None),
        ("holdout-invalid", {"holdout": {"label": "species"}}, right(0.9), None),
        ("holdout-invalid", {"holdout": {"key": ["site"]}}, right(0.9), None),
        ("holdout-invalid", {"holdout": {"rows": {"split": "holdout"}}}, right(0.9), None),
        ("holdout-invalid", {"problem": "regression", "primary": "mae"}, [1.0] * N, None),
        ("holdout-invalid", {"problem": "retrieval", "primary": "mrr"}, lists(["a"]), None),
        ("holdout-invalid", {"baseline": {"kinds": ["previous"], "previous": "yesterday"}}, right(0.9), None),
        ("nan-in-predictions", {"problem": "regression", "primary": "mae", "holdout": {"label": "amount"}}, WITH_NAN, None),
        ("predictions-invalid", {"problem": "regression", "primary": "mae", "holdout": {"label": "amount"}}, ["one"] * N, None),
        ("leakage", {}, Candidate(right(0.9), "2", {"x": "double", "y": "string"}), None),
        ("leakage", {"checks": {"schema": "any"}}, Candidate(right(0.9), "2", {"y": "string"}), right(0.5)),
        ("schema-changed", {}, Candidate(right(0.9), "2", {"x": "double", "z": "double"}), None),
        ("schema-changed", {}, Candidate(right(0.9), "2", {"site": "double"}), None),
        ("schema-changed", {}, Candidate(right(0.9), "2", {"x": "double", "id": "long"}), Candidate(right(0.5), "1", SIGNATURE)),
        ("schema-changed", {}, Candidate(right(0.9), "2", {"x": "double"}), Candidate(right(0.5), "1", {"x": "string"})),
        ("schema-changed", {}, Candidate(right(0.9), "2", SIGNATURE, ("long",)), Candidate(right(0.5), "1", SIGNATURE, ("string",))),
    ],
)
def test_a_reason_to_refuse(expected: str, changes: dict[str, Any], challenger: Any, champion: Any) -> None:
    verdict = judge(gate(**changes), TABLE, challenger, champion)
    assert verdict.result is Result.REFUSED
    assert codes(verdict) == {expected}
    json.loads(verdict.canonical_json())


def test_new_inputs_pass_where_the_gate_lets_them() -> None:
    challenger, champion = Candidate(right(0.95), "2", {"x": "double", "id": "long"}), Candidate(right(0.5), "1", SIGNATURE)
    assert judge(gate(checks={"schema": "any"}), TABLE, challenger, champion).result is Result.PASSED


@pytest.mark.parametrize(
    ("kind", "column", "fits"),
    [
        ("long", TABLE["id"], True),
        ("integer", TABLE["id"].astype("float64"), True),
        ("long", TABLE["x"], False),
        ("double", TABLE["id"], True),
        ("float", TABLE["x"].astype("float32"), True),
        ("double", TABLE["site"], False),
        ("double", pd.Series([1.5, None] * (N // 2), dtype=object), True),
        ("string", TABLE["site"], True),
        ("string", TABLE["site"].astype("category"), True),
        ("string", TABLE["x"], False),
        ("boolean", TABLE["x"] > 0, True),
        ("boolean", TABLE["x"], False),
        ("datetime", TABLE["day"], True),
        ("Array(double)", TABLE["site"], True),
    ],
)
def test_which_column_an_input_takes(kind: str, column: Any, fits: bool) -> None:
    verdict = judge(gate(), TABLE.assign(f=column), Candidate(right(0.9), "2", {"f": kind}))
    assert ("schema-changed" in verdict.codes) is not fits


def test_a_hold_out_of_one_class_or_of_none() -> None:
    assert "single-class" in codes(judge(gate(), TABLE.assign(y="a"), ["a"] * N))
    assert codes(judge(gate(), TABLE.head(0), [])) == {"holdout-too-small"}
    assert codes(judge(gate(), TABLE.assign(y=None), right(0.9))) == {"holdout-invalid"}


def test_a_metric_that_has_no_value_or_no_interval() -> None:
    one_class = TABLE.assign(y=["a"] * (N - 1) + ["b"])
    answers = Predictions(["a"] * N, np.tile([0.6, 0.4], (N, 1)), ("a", "b"))
    found = judge(gate(primary="roc_auc", baseline={"kinds": []}), one_class, answers, answers)
    assert codes(found) == {"nan-in-metric"}
    assert codes(judge(gate(metrics=["roc_auc"]), TABLE.assign(y="a"), answers)) >= {"single-class", "nan-in-metric"}


def test_the_hold_out_must_be_the_one_that_training_recorded() -> None:
    asked = gate(checks={"pinned": "required"})
    digest = holdout_sha256(asked, holdout_rows(asked, TABLE))
    answers = right(0.9)
    assert judge(asked, TABLE, answers, pinned=digest).result is Result.PASSED
    assert codes(judge(asked, TABLE.assign(x=0.0), answers, pinned=digest)) == {"holdout-changed"}
    relaxed = gate(checks={"pinned": "if-recorded"})
    assert judge(relaxed, TABLE, answers).result is Result.PASSED
    assert codes(judge(relaxed, TABLE, answers, pinned="0" * 64)) == {"holdout-changed"}


def test_rows_seen_in_training_are_found_by_key_and_by_content() -> None:
    asked, answers = gate(checks={"leakage": "required"}), right(0.9)
    assert judge(asked, TABLE, answers, training=TRAINING).result is Result.PASSED
    leaked = pd.concat([TRAINING, TABLE.head(2)])
    assert codes(judge(asked, TABLE, answers, training=leaked)) == {"leakage"}
    assert codes(judge(asked, TABLE, answers, training=row_hashes(asked, leaked))) == {"leakage"}
    copied = TRAINING.assign(x=TABLE["x"])  # other keys, the same content
    assert judge(asked, TABLE, answers, training=copied).result is Result.PASSED
    assert codes(judge(gate(checks={"leakage": "required", "max-duplicates": 0.5}), TABLE, answers, training=copied)) == {"leakage"}
    no_key = gate(holdout={"key": []}, checks={"leakage": "required"})
    assert codes(judge(no_key, TABLE.drop(columns="id"), answers, training=copied.drop(columns="id"))) == {"leakage"}


def test_hashes_that_cannot_be_compared_say_nothing_about_leakage() -> None:
    asked, answers = gate(checks={"leakage": "required"}), right(0.9)
    keyless = row_hashes(gate(holdout={"key": []}), TRAINING)
    assert codes(judge(asked, TABLE, answers, training=keyless)) == {"leakage-unknown"}
    narrow = gate(holdout={"key": []}, checks={"leakage": "required"})
    assert codes(judge(narrow, TABLE, answers, training=row_hashes(narrow, TRAINING[["x", "y"]]))) == {"leakage-unknown"}
    assert codes(judge(asked, TABLE, answers, training=TRAINING.drop(columns="id"))) == {"holdout-invalid"}


def test_a_champion_that_cannot_be_scored_leaves_nothing_to_decide_by() -> None:
    def breaks(_: pd.DataFrame) -> Any:
        raise ModelsError("prediction-failed", "It needs a column `old`.", fix="?")

    for champion in (breaks, [None] * N, ["a"]):
        verdict = judge(gate(), TABLE, right(0.9), champion)
        assert verdict.result is Result.UNDECIDED
        assert codes(verdict) == {"champion-unusable"}
    without = judge(gate(primary="log_loss"), TABLE, _sure(right(0.9)), right(0.5))
    assert (without.result, codes(without)) == (Result.UNDECIDED, {"champion-unusable"})
    worse = judge(gate(floors={"accuracy": {"min": 0.99}}, primary="log_loss"), TABLE, _sure(right(0.9)), right(0.5))
    assert worse.result is Result.REFUSED, "a reason to refuse stands, whatever else is not known"


def _sure(answers: list[Any]) -> Predictions:
    table = np.array([[0.8 if each == name else 0.1 for name in "abc"] for each in answers])
    return Predictions(answers, table, ("a", "b", "c"))


def test_a_challenger_that_cannot_be_loaded_is_not_refused() -> None:
    def breaks(_: pd.DataFrame) -> Any:
        raise ModelsError("model-not-loadable", "No such file.", fix="Look.", outcome=Outcome.UNDECIDED)

    verdict = judge(gate(), TABLE, breaks)
    assert (verdict.result, verdict.codes) == (Result.UNDECIDED, ("model-not-loadable",))


def test_less_is_better_is_turned_round() -> None:
    asked = gate(
        problem="regression", primary="rmse", metrics=["r2", "mae", "mape"], holdout={"label": "amount"}, floors={"rmse": {"max": 3}}
    )
    amount, noise = TABLE["amount"], np.random.default_rng(2).normal(size=N)
    better, worse = list(amount + noise), list(amount + 4 * noise)
    verdict = judge(asked, TABLE, better, worse)
    assert verdict.result is Result.PASSED
    assert all(each.difference > 0 for each in verdict.intervals)
    assert codes(judge(asked, TABLE, worse, better)) == {"below-floor", "worse"}
    assert verdict.confusion is None


@pytest.mark.parametrize(("primary", "value"), [("mae", "median"), ("rmse", "mean")])
def test_the_best_constant_depends_on_the_metric(primary: str, value: str) -> None:
    asked = gate(problem="regression", primary=primary, holdout={"label": "amount"})
    skewed = TABLE.assign(amount=np.exp(TABLE["x"]))
    best = float(getattr(skewed["amount"], value)())
    found = judge(asked, skewed, [best] * N).intervals[0]
    assert found.difference == pytest.approx(0)


def test_the_previous_answer_of_a_series() -> None:
    ups = ["up", "up", "down", "down"] * (N // 4)
    table = TABLE.assign(y=ups, before=["down", *ups[:-1]])
    answers = [each if number % 7 else "up" for number, each in enumerate(ups)]
    asked = gate(holdout={"order-by": "day"}, baseline={"kinds": ["previous"]}, policy={"block": 5})
    shuffled = table.sample(frac=1, random_state=1)
    found = judge(asked, shuffled, lambda frame: [answers[row] for row in frame["id"]])
    assert found.intervals[0].against == "the previous answer"
    named = judge(gate(baseline={"kinds": ["previous"], "previous": "before"}), table, answers)
    assert named.intervals[0].difference == pytest.approx(found.intervals[0].difference, abs=1 / N + 1e-9)


def test_retrieval_against_a_random_ranking() -> None:
    table = pd.DataFrame({"id": range(N), "query": [f"q{n}" for n in range(N)], "relevant": [[f"d{n % 40}"] for n in range(N)]})
    asked = gate(problem="retrieval", primary="hit_at_3", metrics=["mrr", "ndcg_at_5", "recall_at_3"], holdout={"label": "relevant"})
    good = [[f"d{(n + (n % 3 == 0)) % 40}", f"d{(n + 7) % 40}", f"d{(n + 9) % 40}"] for n in range(N)]
    verdict = judge(asked, table, good)
    assert verdict.result is Result.PASSED
    assert {line.name for line in verdict.metrics} == {"hit_at_3", "mrr", "ndcg_at_5", "recall_at_3"}
    drawn = np.random.default_rng(5)
    unknowing = [[f"d{each}" for each in drawn.permutation(40)[:3]] for _ in range(N)]
    assert codes(judge(asked, table, unknowing)) == {"not-above-baseline"}
    many = gate(problem="retrieval", primary="mrr", holdout={"label": "relevant"}, baseline={"candidates": 500})
    assert judge(many, table, good).intervals[0].difference > 0.5


def test_slices_and_confusion() -> None:
    table = TABLE.assign(site=[None, *TABLE["site"][1:]])
    verdict = judge(gate(holdout={"slices": ["site"]}, primary="balanced_accuracy"), table, right(0.9), right(0.5, 2))
    assert {line.value for line in verdict.slices} == {"north", "south", "(missing)"}
    assert sum(line.rows for line in verdict.slices) == N
    assert verdict.confusion is not None
    assert verdict.confusion.labels == ("a", "b", "c")
    assert sum(map(sum, verdict.confusion.counts)) == N
    many = judge(gate(), TABLE.assign(y=[f"c{n % 30}" for n in range(N)]), [f"c{n % 30}" for n in range(N)])
    assert many.confusion is None


def test_labels_are_compared_by_value_whatever_their_type() -> None:
    table = TABLE.assign(y=[n % 2 for n in range(N)])
    for answers in ([float(n % 2) for n in range(N)], np.array([n % 2 for n in range(N)], dtype="int8"), pd.DataFrame({"p": table["y"]})):
        assert judge(gate(floors={"accuracy": {"min": 1}}), table, answers).result is Result.PASSED
