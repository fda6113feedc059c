"""Measures a chatbot on the frozen questions: each number with its n and its interval, beside two naive rankings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer

from .chatbot import Answer, Chatbot
from .retrieval import Index

CONFIDENCE = 0.95
RESAMPLES = 2000
SEED = 7
CHATBOT, TFIDF, RANDOM = "chatbot", "tf-idf", "random"
Values = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Measure:
    """One number.

    Args:
        ranking: `chatbot`, a naive ranking it is compared with, or the difference, question by question (`chatbot - tf-idf`).
        kind: Kind of question, or `answerable` for the first two kinds together.
        metric: `hit_at_1`, `hit_at_3`, `mrr`, `answer_contained`, `abstained`.
        n: Questions.
        value: Mean over the questions, 0 to 1; of a difference -1 to 1.
        low: Lower end of the interval (percentile bootstrap over the questions).
        high: Its upper end.
    """

    ranking: str
    kind: str
    metric: str
    n: int
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Demands:
    """What a chatbot must show; see `refusals`.

    Args:
        lexical_hit_at_3: Lowest share of lexical questions whose page is among the first three.
        lexical_contained: Lowest share of lexical questions whose answer holds the right span.
        abstained: Lowest share of unanswerable questions on which it abstains.
    """

    lexical_hit_at_3: float = 0.8
    lexical_contained: float = 0.7
    abstained: float = 0.6


def measures(asked: pd.DataFrame, answers: Sequence[Answer], rankings: Mapping[str, Sequence[Sequence[str]]]) -> list[Measure]:
    """Every measure.

    Args:
        asked: n questions, as `questions.load` gives them.
        answers: The chatbot's n answers.
        rankings: Naive rankings by name: for each question pages, the best first.
    """
    table = pd.DataFrame({"kind": asked["kind"].tolist(), "abstained": [float(each.abstained) for each in answers]})
    table["answer_contained"] = [float(contains(answer, span)) for answer, span in zip(answers, asked["answer"], strict=True)]
    found = [_measure(CHATBOT, kind, name, rows[name]) for kind, rows in _by_kind(table) for name in _of_answers(kind)]
    ranked = {CHATBOT: [each.pages for each in answers], **rankings}
    scores = {ranking: _page_table(pages, asked["relevant"]) for ranking, pages in ranked.items()}
    scores |= {f"{CHATBOT} - {ranking}": scores[CHATBOT] - scores[ranking] for ranking in rankings}
    for ranking, table_of in scores.items():
        for kind, rows in _by_kind(table_of.assign(kind=table["kind"])):
            found += [_measure(ranking, kind, name, rows[name]) for name in table_of.columns if kind != "unanswerable"]
    return found


def _page_table(ranked: Sequence[Sequence[str]], relevant: Sequence[Sequence[str]]) -> pd.DataFrame:
    return pd.DataFrame([page_scores(pages, right) for pages, right in zip(ranked, relevant, strict=True)])


def _of_answers(kind: str) -> tuple[str, ...]:
    return ("abstained",) if kind == "unanswerable" else ("answer_contained", "abstained")


def _by_kind(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    yield from table.groupby("kind", sort=True)
    answerable = table[table["kind"] != "unanswerable"]
    if len(answerable):
        yield "answerable", answerable


def page_scores(pages: Sequence[str], relevant: Sequence[str]) -> dict[str, float]:
    """How well pages are ranked for one question; 0 throughout where none of the relevant ones is listed."""
    rank = next((place for place, page in enumerate(pages, 1) if page in relevant), 0)
    return {"hit_at_1": float(rank == 1), "hit_at_3": float(0 < rank <= 3), "mrr": 1 / rank if rank else 0.0}


def contains(answer: Answer, span: str) -> bool:
    """Whether an answer holds a span, whatever the case and the spaces."""
    return bool(span) and not answer.abstained and " ".join(span.lower().split()) in " ".join(answer.text.lower().split())


def _measure(ranking: str, kind: str, metric: str, values: pd.Series) -> Measure:
    low, high = interval(values.to_numpy(dtype=np.float64))
    return Measure(ranking, kind, metric, len(values), float(values.mean()), low, high)


def interval(values: Values) -> tuple[float, float]:
    """Interval of the mean by percentile bootstrap (Efron, 1979): how far it would move with other questions of this kind.

    Args:
        values: One for each question, shape (n,).
    """
    drawn = np.random.default_rng(SEED).integers(0, len(values), size=(RESAMPLES, len(values)))
    ends = np.quantile(values[drawn].mean(axis=1), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(ends[0]), float(ends[1])


def tfidf_ranking(index: Index, asked: Sequence[str]) -> list[list[str]]:
    """All pages for each question by TF-IDF of words and pairs of words: what a chatbot should not fall behind."""
    names = list(index.pages)
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    scores = (vectorizer.fit_transform(index.pages.values()) @ vectorizer.transform(asked).T).toarray()
    return [[names[place] for place in np.argsort(-column, kind="stable")] for column in scores.T]


def random_ranking(index: Index, asked: Sequence[str]) -> list[list[str]]:
    """All pages for each question in random order."""
    names, generator = np.array(list(index.pages)), np.random.default_rng(SEED)
    return [[str(name) for name in generator.permutation(names)] for _ in asked]


def tune(chatbot: Chatbot, asked: pd.DataFrame) -> float:
    """The threshold at which most tuning questions are treated right; of equally good ones the middle of the widest gap.

    A question is treated right where the chatbot answers with the right span, or abstains and nothing else would be right. Answerable and
    unanswerable questions count the same, however many there are.

    Args:
        chatbot: A chatbot with threshold 0.
        asked: Tuning questions, both answerable and not.

    Raises:
        ValueError: There are only answerable, or only unanswerable questions.
    """
    answerable = asked["answerable"].to_numpy(dtype=bool)
    if answerable.all() or not answerable.any():
        raise ValueError("A threshold can be tuned only with answerable and unanswerable questions.")
    answers = chatbot.answers(asked["question"].tolist())
    scores = np.array([each.score for each in answers])
    right = np.array([contains(answer, span) for answer, span in zip(answers, asked["answer"], strict=True)])
    edges = np.unique(np.concatenate([[0.0], scores, [1.0]]))
    best = max(_gaps(edges), key=lambda gap: (_treated_right(gap[1], scores, right, answerable), gap[1] - gap[0]))
    return float(np.mean(best))


def _gaps(edges: Values) -> list[tuple[float, float]]:
    return list(pairwise(edges.tolist()))


def _treated_right(threshold: float, scores: Values, right: Values, answerable: Values) -> float:
    answered = scores >= threshold
    # A wrong answer to an answerable question is worse than none: abstaining counts half there.
    given = np.where(answered, right.astype(float), 0.5)
    return float(given[answerable].mean() + (~answered[~answerable]).mean())


def refusals(found: Sequence[Measure], demands: Demands) -> list[str]:
    """Why a chatbot is not good enough, a sentence each; empty where it is. Worse than TF-IDF is what shows in the whole interval.

    A kind that no question asks was not measured, and what was not measured is not good enough.

    Args:
        found: What `measures` gives.
        demands: What is asked for.
    """
    by_name = {(each.ranking, each.kind, each.metric): each for each in found}
    floors = {
        (CHATBOT, "lexical", "hit_at_3"): demands.lexical_hit_at_3,
        (CHATBOT, "lexical", "answer_contained"): demands.lexical_contained,
        (CHATBOT, "unanswerable", "abstained"): demands.abstained,
    }
    unasked = dict.fromkeys(kind for _, kind, metric in floors if (CHATBOT, kind, metric) not in by_name)
    reasons = [f"There is no judging question of kind {kind} in evaluation/questions.csv." for kind in unasked]
    reasons += [_below(by_name[key], floor) for key, floor in floors.items() if key in by_name and not by_name[key].value >= floor]
    difference = by_name.get((f"{CHATBOT} - {TFIDF}", "answerable", "mrr"))
    if difference and not difference.high >= 0:
        reasons.append(f"It ranks worse than TF-IDF: MRR {difference.value:+.2f} ({_interval_text(difference)}).")
    return reasons


def demand(found: Sequence[Measure], demands: Demands) -> None:
    """Refuse a chatbot that is not good enough.

    Raises:
        ValueError: Names every reason.
    """
    reasons = refusals(found, demands)
    if reasons:
        raise ValueError(" ".join(["The chatbot is not good enough.", *reasons]))


def _below(measure: Measure, floor: float) -> str:
    value = f"{measure.value:.2f} ({_interval_text(measure)})"
    return f"{measure.metric} of {measure.kind} questions is {value}, at least {floor} is asked for."


def _interval_text(measure: Measure) -> str:
    return f"{CONFIDENCE:.0%} interval {measure.low:.2f} to {measure.high:.2f}, n = {measure.n}"


def as_text(found: Sequence[Measure]) -> str:
    """All measures as lines for people."""
    return "\n".join(
        f"{each.ranking:16} {each.kind:13} {each.metric:17} {each.value:5.2f}  {each.low:.2f} to {each.high:.2f}  n = {each.n}"
        for each in found
    )
