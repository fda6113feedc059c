"""The chatbot: finds pages, has them read, answers with its sources, or says that the documents do not tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .embedding import Embedder, embedder
from .readers import Reader, reader
from .retrieval import Found, Index

ABSTAINED = "The documents do not answer this question."
RANKED_PAGES = 10
"""Pages that an answer lists as found."""


@dataclass(frozen=True)
class Settings:
    """What a chatbot is made of; logged with the model.

    Args:
        embedding_endpoint: Serving endpoint that embeds; empty: hashed letters.
        language_endpoint: Serving endpoint with a language model; empty: extractive.
        passages: Pages that the reader gets.
        threshold: Lowest score that is answered; below it the chatbot abstains.
    """

    embedding_endpoint: str = ""
    language_endpoint: str = ""
    passages: int = 3
    threshold: float = 0.0


@dataclass(frozen=True)
class Answer:
    """An answer.

    Args:
        text: What is said.
        abstained: Whether the documents do not tell.
        sources: What the answer rests on; empty where the chatbot abstains.
        pages: Pages as `document#page`, the best first.
        score: How sure the reader was, at most 1.
    """

    text: str
    abstained: bool
    sources: tuple[Found, ...]
    pages: tuple[str, ...]
    score: float


class Chatbot:
    """Answers questions.

    Args:
        index: The documents.
        settings: How.
        embeds: What embeds questions; None: what `settings` names.
        reads: What reads; None: what `settings` names.

    Raises:
        ValueError: The index was made by another embedder.
    """

    def __init__(self, index: Index, settings: Settings, embeds: Embedder | None = None, reads: Reader | None = None) -> None:
        self.index, self.settings = index, settings
        self._embedder = embeds or embedder(settings.embedding_endpoint)
        self.reader = reads or reader(settings.language_endpoint, self._embedder)
        if index.embedder != self._embedder.name:
            raise ValueError(f"The index was embedded by {index.embedder}, questions would be by {self._embedder.name}: run the job again.")

    def answers(self, questions: Sequence[str]) -> list[Answer]:
        """Answer questions, in their order."""
        vectors = self._embedder.embed(questions)
        return [self._answer(question, vector) for question, vector in zip(questions, vectors, strict=True)]

    def _answer(self, question: str, vector: Any) -> Answer:
        found = self.index.search(vector, RANKED_PAGES)
        reading = self.reader.read(question, [self._whole_page(each) for each in found[: self.settings.passages]])
        pages = tuple(each.chunk.page_id for each in found)
        if not reading.answer or reading.score < self.settings.threshold:
            return Answer(ABSTAINED, True, (), pages, reading.score)
        return Answer(reading.answer, False, reading.used, pages, reading.score)

    def _whole_page(self, found: Found) -> Found:
        """The page of a chunk, because a sentence may stand on the border of two chunks."""
        return replace(found, chunk=replace(found.chunk, text=self.index.pages[found.chunk.page_id]))


def as_row(answer: Answer, answered_by: str) -> dict[str, Any]:
    """An answer as the model gives it out: `prediction` holds the pages, which a verdict compares."""
    sources = [{"document": each.chunk.document, "page": each.chunk.page, "score": round(each.score, 6)} for each in answer.sources]
    return {
        "answer": answer.text, "abstained": answer.abstained, "sources": sources, "prediction": list(answer.pages),
        "score": round(answer.score, 6), "answered_by": answered_by,
    }  # fmt: skip


def from_row(row: Mapping[str, Any]) -> Answer:
    """The answer that a model gave out, without its sources' text."""
    return Answer(str(row["answer"]), bool(row["abstained"]), (), tuple(row["prediction"]), float(row["score"]))
