"""Embeddings of texts: hashed letters on the machine itself, or a serving endpoint of the workspace by its name."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, HashingVectorizer

from .endpoints import Endpoint

Vectors = np.ndarray[Any, np.dtype[np.float64]]
HASHED = "hashed-letters-1024"
"""Name of the embedder that needs nothing but this machine."""

BATCH = 64
"""Texts that an endpoint is sent at a time."""


class Embedder(Protocol):
    """What turns texts into vectors."""

    name: str

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Embed n texts.

        Returns:
            Shape (n, dimensions), each row of length 1, or 0 where nothing of the text is known.
        """
        ...


class HashedLetters:
    """Counts of the letter sequences of a text, hashed to 1,024 numbers: no model and no download.

    It finds words and their forms. It does not know that two words mean the same.
    """

    name = HASHED

    @cached_property
    def _vectorizer(self) -> HashingVectorizer:
        return HashingVectorizer(analyzer="char_wb", ngram_range=(3, 5), n_features=1024, preprocessor=content_words)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See `Embedder`."""
        return np.asarray(self._vectorizer.transform(texts).toarray(), dtype=np.float64)


class EndpointEmbedder:
    """A serving endpoint that embeds, with OpenAI's form of request and answer, as Databricks' foundation models have it.

    Args:
        endpoint: The endpoint.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.name, self._endpoint = endpoint.name, endpoint

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See `Embedder`.

        Raises:
            ValueError: The endpoint answered with another number of vectors.
        """
        found: list[list[float]] = []
        for start in range(0, len(texts), BATCH):
            data = self._endpoint.ask({"input": list(texts[start : start + BATCH])})["data"]
            found += [each["embedding"] for each in sorted(data, key=lambda each: each["index"])]
        if len(found) != len(texts):
            raise ValueError(f"The endpoint {self.name} gave {len(found)} vectors for {len(texts)} texts.")
        return unit_rows(np.asarray(found, dtype=np.float64))


def embedder(endpoint: str) -> Embedder:
    """The embedder that a name means.

    Args:
        endpoint: Name of a serving endpoint; empty: `HashedLetters`.
    """
    return EndpointEmbedder(Endpoint(endpoint)) if endpoint else HashedLetters()


def unit_rows(vectors: Vectors) -> Vectors:
    """Rows of length 1; a row of zeros stays one."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths == 0, 1, lengths)


def content_words(text: str) -> str:
    """A text in small letters without its most common English words."""
    words = "".join(letter if letter.isalnum() or letter == "-" else " " for letter in text.lower()).split()
    return " ".join(word for word in words if word not in ENGLISH_STOP_WORDS)
