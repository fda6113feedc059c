"""How often the gate is right: retrains of equal skill, a better model, a series without any signal; seeded, on cached answers.

Each rate is printed with its number of judgements and its 95 % interval (Wilson): `pytest -s tests/benchmarks/test_gate_rates.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, sqrt
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom
from sklearn.ensemble import RandomForestClassifier

from bundleflow.templates_callers import KIT_ROOT
from bundleflow_models.verdict import Gate, Result, Verdict, judge, load_gate

TRIALS = 1000
ROWS = 300
STOCK_DAYS, STOCK_FLOOR = 650, 0.60  # the stock template's hold-out (2023-01-02 to 2025-06-30) and its gate file
EPS = 0.03
NOMINAL = 0.05
Array = np.ndarray[Any, Any]


def gate(**more: Any) -> Gate:
    return load_gate(
        {
            "version": 1,
            "problem": "classification",
            "holdout": {"label": "y"},
            "primary": "accuracy",
            "policy": {"resamples": 1000},
            "checks": {"pinned": "off", "leakage": "off"},
            **more,
        }
    )


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson, Probable inference, the law of succession, and statistical inference, 1927)."""
    z, share = 1.96, hits / trials
    middle, half = share + z * z / (2 * trials), z * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return max(0.0, (middle - half) / (1 + z * z / trials)), min(1.0, (middle + half) / (1 + z * z / trials))


def told(record: Callable[[str, object], None], what: str, hits: int) -> float:
    """Print a rate with n and interval, and give it."""
    low, high = wilson(hits, TRIALS)
    line = f"{hits / TRIALS:.1%} (n = {TRIALS}, 95 % interval {low:.1%} to {high:.1%})"
    print(f"{what}: {line}")
    record(what, line)
    return hits / TRIALS


def at_most(share: float) -> float:
    """A share and two standard errors on top."""
    return share + 2 * sqrt(share * (1 - share) / TRIALS)


def no_worse(verdict: Verdict) -> bool:
    """What `non-inferior` with EPS says about the same interval."""
    return verdict.intervals[-1].low > -EPS


class Answers:
    """Rows of differing difficulty, and answers of a wanted skill to them."""

    def __init__(self, seed: int) -> None:
        self.drawn = np.random.default_rng(seed)
        self.labels = self.drawn.choice(["a", "b", "c"], ROWS)
        self.ease = self.drawn.beta(4, 1, ROWS)  # how likely a model of this recipe is right, row by row; 0.8 on average

    @property
    def table(self) -> pd.DataFrame:
        return pd.DataFrame({"y": self.labels})

    def model(self, more: float = 0.0) -> Array:
        """Answers: right with the row's ease, a share `more` of the way nearer to certain."""
        right = self.drawn.random(ROWS) < self.ease + more * (1 - self.ease)
        wrong = (np.searchsorted(["a", "b", "c"], self.labels) + self.drawn.integers(1, 3, ROWS)) % 3
        return np.where(right, self.labels, np.array(["a", "b", "c"])[wrong])


def test_retrains_of_equal_skill_are_seldom_promoted(record_property: Callable[[str, object], None]) -> None:
    verdicts = []
    for seed in range(TRIALS):
        rows = Answers(seed)
        verdicts.append(judge(gate(), rows.table, rows.model(), rows.model()))
    assert all("not-above-baseline" not in verdict.codes for verdict in verdicts), "all of them are above the naive baseline"
    promoted = told(record_property, "equal skill, promoted under superior", sum(v.result is Result.PASSED for v in verdicts))
    told(record_property, f"equal skill, promoted under non-inferior with eps {EPS}", sum(map(no_worse, verdicts)))
    assert promoted <= at_most(NOMINAL)


@pytest.fixture(scope="module")
def forests() -> tuple[Array, Array]:
    """Right answers of a large pool of rows, and the answers of forests that differ in their seed alone: shape (forests, rows)."""
    drawn = np.random.default_rng(1)
    features = drawn.normal(size=(8400, 4))
    label = np.where(features[:, 0] + features[:, 1] * features[:, 2] + drawn.normal(size=8400) * 0.7 > 0, "up", "down")
    made = [RandomForestClassifier(20, max_depth=5, random_state=seed).fit(features[:400], label[:400]) for seed in range(16)]
    return label[400:], np.array([each.predict(features[400:]) for each in made])


def test_forests_no_better_than_the_champion_are_seldom_promoted(
    forests: tuple[Array, Array], record_property: Callable[[str, object], None]
) -> None:
    """Forests of other seeds differ a little in skill: a promotion is wrong where the challenger is no better on all rows of the pool."""
    label, answers = forests
    skill = (answers == label).mean(1)
    drawn = np.random.default_rng(2)
    promoted = wrong = no_worse_passed = 0
    for _ in range(TRIALS):
        rows = drawn.choice(len(label), ROWS, replace=False)
        one, other = drawn.choice(len(answers), 2, replace=False)
        verdict = judge(gate(), pd.DataFrame({"y": label[rows]}), answers[one][rows], answers[other][rows])
        passed = verdict.result is Result.PASSED
        promoted += passed
        wrong += passed and skill[one] <= skill[other]
        no_worse_passed += no_worse(verdict)
    print(f"accuracy of the {len(answers)} forests on all {len(label)} rows: {skill.min():.3f} to {skill.max():.3f}")
    told(record_property, "another seed, promoted under superior", promoted)
    told(record_property, f"another seed, promoted under non-inferior with eps {EPS}", no_worse_passed)
    assert told(record_property, "another seed, promoted under superior and no better on the pool", wrong) <= at_most(NOMINAL)


def test_a_better_model_is_promoted(record_property: Callable[[str, object], None]) -> None:
    hits = 0
    for seed in range(TRIALS):
        rows = Answers(seed)
        champion, challenger = rows.model(), rows.model(more=0.5)  # 0.8 against 0.9 on average
        hits += judge(gate(), rows.table, challenger, champion).result is Result.PASSED
    assert told(record_property, "planted better by 10 points, promoted under superior", hits) >= 0.9


@pytest.mark.parametrize(("days", "floor"), [(250, 0.55), (STOCK_DAYS, STOCK_FLOOR)])
def test_a_series_without_signal_is_never_let_through(days: int, floor: float, record_property: Callable[[str, object], None]) -> None:
    """On a short series a low floor is passed by luck, and the naive answers refuse; the stock template's floor is not."""
    asked = gate(
        holdout={"label": "y", "order-by": "day"},
        floors={"accuracy": {"min": floor}},
        baseline={"kinds": ["constant", "previous"]},
        policy={"resamples": 1000, "block": 5},
    )
    dates = pd.date_range("2026-01-01", periods=days)
    passed = lucky = 0
    for seed in range(TRIALS):
        drawn = np.random.default_rng(seed)
        table = pd.DataFrame({"day": dates, "y": drawn.choice(["up", "down"], days)})
        verdict = judge(asked, table, drawn.choice(["up", "down"], days))
        passed += verdict.result is Result.PASSED
        lucky += "below-floor" not in verdict.codes
        assert "not-above-baseline" in verdict.codes, "luck with the floor is no knowledge"
    told(record_property, f"no signal, {days} days: above a floor of {floor} by luck", lucky)
    told(record_property, f"no signal, {days} days: let through as first champion", passed)
    assert passed == 0
    if (days, floor) == (STOCK_DAYS, STOCK_FLOOR):
        assert lucky == 0
        assert binom.sf(ceil(floor * days) - 1, days, 0.5) < 1e-6
        assert load_gate(KIT_ROOT / "templates" / "stock" / "gates" / "stock.yml").floors == {"accuracy": floor}
