"""The index: chunks with their vectors, searched by brute force (100,000 of them take a fraction of a second), kept as one file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .documents import Chunk, Page
from .embedding import Embedder, Vectors


@dataclass(frozen=True)
class Found:
    """A chunk that fits a question.

    Args:
        chunk: The chunk.
        score: Cosine of the angle between the two vectors, at most 1.
    """

    chunk: Chunk
    score: float


@dataclass(frozen=True)
class Index:
    """Chunks and their vectors.

    Args:
        chunks: n chunks.
        vectors: Shape (n, dimensions), rows of length 1.
        embedder: Name of what made the vectors; questions have to be embedded by the same.
        pages: Text of each page by its name, `document#page`.
    """

    chunks: tuple[Chunk, ...]
    vectors: Vectors
    embedder: str
    pages: Mapping[str, str]

    @classmethod
    def of(cls, chunks: Sequence[Chunk], pages: Sequence[Page], embedder: Embedder) -> Index:
        """Embed the chunks of pages."""
        vectors = embedder.embed([chunk.text for chunk in chunks])
        return cls(tuple(chunks), vectors, embedder.name, {page.page_id: page.text for page in pages})

    def search(self, question: Vectors, pages: int) -> list[Found]:
        """The best chunk of each of the best pages, the best first; of equally good ones the first in the index.

        Args:
            question: The question's vector, shape (dimensions,).
            pages: How many pages.
        """
        scores = self.vectors @ question
        best: dict[str, Found] = {}
        for place in np.argsort(-scores, kind="stable"):
            chunk = self.chunks[place]
            best.setdefault(chunk.page_id, Found(chunk, float(scores[place])))
            if len(best) == pages:
                break
        return list(best.values())

    def save(self, path: Path) -> None:
        """Write the index to one `.npz` file without pickled objects."""
        columns = ("chunk_id", "document", "text")
        texts = {name: np.array([getattr(chunk, name) for chunk in self.chunks], dtype=np.str_) for name in columns}
        names, pages = (np.array(list(each), dtype=np.str_) for each in (self.pages.keys(), self.pages.values()))
        numbers = np.array([chunk.page for chunk in self.chunks], dtype=np.int64)
        vectors, embedder = self.vectors.astype(np.float32), np.array(self.embedder)
        np.savez_compressed(path, page=numbers, vectors=vectors, embedder=embedder, page_names=names, page_texts=pages, **texts)

    @classmethod
    def load(cls, path: Path) -> Index:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as found:
            columns = zip(found["chunk_id"], found["document"], found["page"], found["text"], strict=True)
            chunks = tuple(Chunk(str(key), str(document), int(page), str(text)) for key, document, page, text in columns)
            pages = {str(name): str(text) for name, text in zip(found["page_names"], found["page_texts"], strict=True)}
            return cls(chunks, found["vectors"].astype(np.float64), str(found["embedder"]), pages)
