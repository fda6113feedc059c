"""The frozen question set: read only as it was agreed upon, with what each question needs to be judged by."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from pathlib import Path

import pandas as pd

from .documents import page_id

KINDS = ("lexical", "paraphrased", "unanswerable")
"""In the document's own words; in other words; not answered by any document."""

TUNING, JUDGING = "tuning", "judging"


class QuestionsChangedError(ValueError):
    """The question set is not the one whose digest is kept beside it."""


def load(path: Path) -> pd.DataFrame:
    """Read the question set.

    Args:
        path: `questions.csv`, with `questions.sha256` beside it.

    Returns:
        `question_id`, `kind`, `purpose`, `document`, `page`, `answer` (a span that stands on the page), `question`, `relevant` (the pages
        that hold the answer, as `document#page`), `answerable`.

    Raises:
        QuestionsChangedError: Its bytes are not those whose digest is kept.
    """
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    kept = path.with_suffix(".sha256").read_text(encoding="utf-8").split()[0]
    if found != kept:
        raise QuestionsChangedError(
            f"{path.name} has the digest {found[:12]}, and {kept[:12]} is kept for it. No two chatbots can be compared with different "
            "questions: take the change back, or write the new digest into questions.sha256 and say so in the pull request."
        )
    frame = pd.read_csv(path, keep_default_na=False)
    frame["answerable"] = frame["kind"] != "unanswerable"
    frame["relevant"] = [
        [page_id(document, page)] if answerable else []
        for document, page, answerable in zip(frame["document"], frame["page"], frame["answerable"], strict=True)
    ]
    return frame


def about(frame: pd.DataFrame, documents: Collection[str]) -> pd.DataFrame:
    """The questions on some documents, and those that no document answers.

    Raises:
        ValueError: No question is about them: nothing could be judged.
    """
    found = frame[~frame["answerable"] | frame["document"].isin(documents)].reset_index(drop=True)
    if not found["answerable"].any():
        raise ValueError(f"No question is about {', '.join(documents)}: add some to evaluation/questions.csv.")
    return found


def for_purpose(frame: pd.DataFrame, purpose: str) -> pd.DataFrame:
    """The questions that tune, or those that judge."""
    return frame[frame["purpose"] == purpose].reset_index(drop=True)
