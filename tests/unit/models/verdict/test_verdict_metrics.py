"""Metrics and the bootstrap: each is what scikit-learn says, for the rows as they are and for any drawing of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from bundleflow_models.verdict import bootstrap
from bundleflow_models.verdict.bootstrap import Drawing, UndefinedError, difference_interval
from bundleflow_models.verdict.class_metrics import class_texts
from bundleflow_models.verdict.metric_names import CLASSIFICATION, LESS_IS_BETTER, REGRESSION, fits_problem, higher_is_better
from bundleflow_models.verdict.metrics import MissingMetricError, score
from bundleflow_models.verdict.predictions import Predictions
from bundleflow_models.verdict.ranking_metrics import query_scores

Array = np.ndarray[Any, Any]
N = 60


def classes(seed: int, kinds: str = "abc") -> tuple[Array, Predictions]:
    """Right classes, and answers with probabilities that know something."""
    generator = np.random.default_rng(seed)
    names = np.array(list(kinds))
    truth = generator.integers(0, len(names), N)
    table = generator.random((N, len(names))).round(1) + 0.05  # rounded: ties
    table[np.arange(N), truth] += 0.3
    table /= table.sum(1, keepdims=True)
    texts = class_texts(list(names))
    return texts[truth], Predictions(texts[table.argmax(1)], table, tuple(texts))


def numbers(seed: int) -> tuple[Array, Predictions]:
    generator = np.random.default_rng(seed)
    truth = 1000 + generator.normal(size=N)
    return truth, Predictions(truth + generator.normal(size=N))


def by_scikit_learn(name: str, truth: Array, answers: Predictions, rows: Array) -> float:
    right = truth[rows].astype(str) if truth.dtype == object else truth[rows]
    given = np.asarray(answers.values)[rows]
    given = given.astype(str) if given.dtype == object else given
    table = None if answers.probabilities is None else answers.probabilities[rows]
    functions: dict[str, Callable[[], float]] = {
        "accuracy": lambda: sk.accuracy_score(right, given),
        "balanced_accuracy": lambda: sk.balanced_accuracy_score(right, given),
        "f1_macro": lambda: sk.f1_score(right, given, average="macro", zero_division=0),
        "precision_macro": lambda: sk.precision_score(right, given, average="macro", zero_division=0),
        "recall_macro": lambda: sk.recall_score(right, given, average="macro", zero_division=0),
        "log_loss": lambda: sk.log_loss(right, table, labels=list(answers.classes)),
        "roc_auc": lambda: (
            sk.roc_auc_score(right, table[:, 1])
            if len(answers.classes) == 2
            else sk.roc_auc_score(right, table, multi_class="ovr", labels=list(answers.classes))
        ),
        "mae": lambda: sk.mean_absolute_error(right, given),
        "rmse": lambda: float(np.sqrt(sk.mean_squared_error(right, given))),
        "r2": lambda: sk.r2_score(right, given),
        "mape": lambda: sk.mean_absolute_percentage_error(right, given),
    }
    return float(functions[name]())


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@pytest.mark.parametrize("kinds", ["ab", "abcd"])
@pytest.mark.parametrize("name", [*CLASSIFICATION, *REGRESSION])
def test_it_is_what_scikit_learn_says_also_for_drawings(name: str, kinds: str) -> None:
    problem = "classification" if name in CLASSIFICATION else "regression"
    generator = np.random.default_rng(5)
    for seed in range(4):
        truth, answers = classes(seed, kinds) if problem == "classification" else numbers(seed)
        found = score(problem, name, truth, answers)
        assert found.value == pytest.approx(by_scikit_learn(name, truth, answers, np.arange(N)), abs=1e-9)
        drawn = generator.integers(0, N, (5, N))
        counts = np.array([np.bincount(rows, minlength=N) for rows in drawn], dtype=float)
        expected = [by_scikit_learn(name, truth, answers, rows) for rows in drawn]
        assert found.resampled(counts) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", ["mrr", "hit_at_3", "recall_at_3", "ndcg_at_3", "ndcg_at_10"])
def test_metrics_of_ranked_lists(name: str) -> None:
    generator = np.random.default_rng(3)
    documents = [f"s{number}" for number in range(10)]
    lists = [[documents[each] for each in generator.permutation(10)] for _ in range(N)]
    relevant = [frozenset(generator.choice(documents, generator.integers(1, 4), replace=False)) for _ in range(N)]
    truth = np.array([[document in each for document in documents] for each in relevant], dtype=float)
    scores = np.array([[10 - order.index(document) for document in documents] for order in lists], dtype=float)
    found = score("retrieval", name, relevant, Predictions(lists))
    if name.startswith("ndcg"):
        expected = sk.ndcg_score(truth, scores, k=int(name.rpartition("_")[2]))
    elif name == "mrr":
        expected = np.mean([1 / min(order.index(document) + 1 for document in each) for order, each in zip(lists, relevant, strict=True)])
    else:
        shown = [
            len(each & set(order[:3])) / (1 if name.startswith("hit") else len(each)) for order, each in zip(lists, relevant, strict=True)
        ]
        expected = np.mean(np.minimum(shown, 1))
    assert found.value == pytest.approx(expected)
    weights = np.zeros((1, N))
    weights[0, :2] = [N - 1, 1]
    each_query = query_scores(name, relevant, lists)
    assert found.resampled(weights) == pytest.approx([(each_query[0] * (N - 1) + each_query[1]) / N])


def test_a_list_that_names_an_id_twice_gains_nothing() -> None:
    twice = Predictions([["sb", "sa", "sa", "sa"]])
    assert score("retrieval", "recall_at_3", [frozenset(["sa", "sc"])], twice).value == 0.5
    assert score("retrieval", "hit_at_1", [frozenset(["sa"])], twice).value == 0
    assert score("retrieval", "mrr", [frozenset(["sx"])], twice).value == 0


def test_what_needs_probabilities_says_so() -> None:
    truth, answers = classes(1)
    for name in ("log_loss", "roc_auc"):
        with pytest.raises(MissingMetricError, match="needs probabilities"):
            score("classification", name, truth, Predictions(answers.values))


def test_a_certain_wrong_answer_is_dear_and_not_infinite() -> None:
    truth = class_texts(["a", "b"])
    certain = Predictions(truth, np.array([[1.0, 0.0], [1.0, 0.0]]), ("sa", "sb"))
    assert 15 < score("classification", "log_loss", truth, certain).value < 25
    unknown = Predictions(truth, np.array([[1.0], [1.0]]), ("sa",))
    assert np.isfinite(score("classification", "log_loss", truth, unknown).value), "a class that the model has never seen"


def test_a_metric_without_a_value_is_not_a_number() -> None:
    alone = class_texts(["a"] * 5)
    assert np.isnan(score("classification", "roc_auc", alone, Predictions(alone, np.ones((5, 2)) / 2, ("sa", "sb"))).value)


def test_directions_and_problems() -> None:
    assert {name for name in (*CLASSIFICATION, *REGRESSION) if not higher_is_better(name)} == LESS_IS_BETTER
    assert fits_problem("ndcg_at_10", "retrieval")
    assert not fits_problem("ndcg_at_10", "classification")
    assert not fits_problem("accuracy", "regression")


@given(st.integers(2, 40), st.integers(1, 50), st.integers(0, 2**32 - 1), st.integers(1, 50))
def test_each_drawing_takes_as_many_rows_as_there_are(rows: int, resamples: int, seed: int, block: int) -> None:
    drawing = Drawing(rows, resamples, seed, block)
    counts = np.concatenate(list(drawing.counts()))
    assert counts.shape == (resamples, rows)
    assert (counts.sum(1) == rows).all()
    assert (counts == np.concatenate(list(drawing.counts()))).all(), "the same seed draws the same rows"
    if block >= rows:
        assert (counts == 1).all(), "one block around the circle is the series itself"


def test_neighbours_are_drawn_together() -> None:
    counts = np.concatenate(list(Drawing(100, 50, 1, block=20).counts()))
    changes = (np.diff(counts, axis=1) != 0).sum(1)
    assert changes.max() <= 2 * 5, "five blocks have ten ends"


def test_many_rows_are_drawn_some_at_a_time_and_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = np.concatenate(list(Drawing(30, 40, 9).counts()))
    monkeypatch.setattr(bootstrap, "CELLS_AT_ONCE", 100)
    monkeypatch.setattr(bootstrap, "CELLS_KEPT", 0)
    parts = list(Drawing(30, 40, 9).counts())
    assert len(parts) > 1
    assert (np.concatenate(parts) == whole).all()


def mean_of(values: Array) -> Callable[[Array], Array]:
    return lambda counts: np.asarray(counts @ values / counts.sum(1))


PAIRS = st.lists(st.tuples(st.floats(-100, 100), st.floats(-100, 100)), min_size=2, max_size=30)


@settings(max_examples=50)
@given(PAIRS, st.integers(0, 100), st.floats(0.5, 0.999))
def test_the_interval_of_a_difference(pairs: list[tuple[float, float]], seed: int, confidence: float) -> None:
    one, other = (np.array(values) for values in zip(*pairs, strict=True))
    drawing = Drawing(len(pairs), 200, seed)
    low, high = difference_interval(mean_of(one), mean_of(other), drawing, confidence)
    assert low <= high
    assert (one - other).min() - 1e-9 <= low
    assert high <= (one - other).max() + 1e-9
    back = difference_interval(mean_of(other), mean_of(one), drawing, confidence)
    assert back == pytest.approx((-high, -low)), "turned round, the interval turns round"
    wider = difference_interval(mean_of(one), mean_of(other), drawing, (1 + confidence) / 2)
    assert wider[0] <= low <= high <= wider[1]
    assert difference_interval(mean_of(one), mean_of(one), drawing, confidence) == (0, 0), "nothing differs from itself"


def test_an_interval_needs_values() -> None:
    def seldom(counts: Array) -> Array:
        return np.where(np.arange(len(counts)) % 2, np.nan, 1.0)

    with pytest.raises(UndefinedError, match="100 of 200"):
        difference_interval(seldom, mean_of(np.ones(5)), Drawing(5, 200, 1), 0.9)
