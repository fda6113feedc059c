# /// script
# requires-python = ">=3.11"
# dependencies = ["reportlab==5.1.0"]
# ///
"""Makes the sample PDFs and the frozen questions of this project, the same bytes each time: `uv run sample_data/make.py`.

Each page states one fact of facts.json among sentences that state none. The company and all facts are invented.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import random
import textwrap
from itertools import groupby
from pathlib import Path
from typing import Any

from reportlab import rl_config
from reportlab.lib.pagesizes import A5
from reportlab.pdfgen.canvas import Canvas

FOLDER = Path(__file__).parent
QUESTIONS = FOLDER.parent / "evaluation" / "questions.csv"
COLUMNS = ["question_id", "kind", "purpose", "document", "page", "answer", "question"]
SEED = 11
TUNING_EACH = 3
"""Every third fact and question tunes the chatbot; the others judge it."""

FILLER = [
    "The staff at the counter are glad to help with any question.",
    "Please read the notes at the end of this chapter as well.",
    "The company renews its handbooks whenever something changes.",
    "Passengers find more about this on the boards in the harbour.",
    "Nothing in this chapter replaces the advice of the crew.",
    "Details may differ on public holidays and during festivals.",
    "The rules on this page apply to all crossings of the line.",
    "Travellers with special needs are asked to call in good time.",
    "A printed copy of this document lies in the saloon of every ship.",
    "The harbour office keeps a record of all such matters.",
    "Older editions of this document are no longer valid.",
    "Comments on this page are welcome and are read by the editors.",
    "The captain decides in all cases that are not described here.",
    "Signs on board show the way and are lit at night.",
    "Most passengers find their way without any help.",
    "This was agreed with the harbour authority some time ago.",
]


def pages_of(facts: list[dict[str, Any]]) -> list[tuple[str, list[str]]]:
    """Heading and sentences of each page of a document."""
    chance = random.Random(f"{SEED} {facts[0]['document']}")  # noqa: S311 - sample data
    made = []
    for fact in facts:
        around = chance.sample(FILLER, 6)
        place = chance.randrange(1, 6)
        made.append((fact["heading"], [*around[:place], fact["sentence"], *around[place:]]))
    return made


def pdf(title: str, pages: list[tuple[str, list[str]]]) -> bytes:
    """A document, one page for each heading; neither compressed nor dated, so that its bytes are always the same."""
    rl_config.invariant = 1
    stream = io.BytesIO()
    canvas = Canvas(stream, pagesize=A5, pageCompression=0)
    canvas.setTitle(title)
    for number, (heading, sentences) in enumerate(pages, 1):
        text = canvas.beginText(50, 520)
        text.setFont("Helvetica-Bold", 14)
        text.textLine(f"{title}: {heading}")
        text.setFont("Helvetica", 11)
        for line in ["", *textwrap.wrap(" ".join(sentences), 58), "", f"Page {number}"]:
            text.textLine(line)
        canvas.drawText(text)
        canvas.showPage()
    canvas.save()
    return stream.getvalue()


def questions(content: dict[str, Any]) -> list[list[Any]]:
    """The question set: each fact asked in its own words and in other ones, and questions that no document answers."""
    rows = []
    for number, fact in enumerate(content["facts"]):
        purpose = "judging" if number % TUNING_EACH else "tuning"
        evidence = [fact["document"], fact["page"], fact["answer"]]
        rows.append([f"L{number + 1:02d}", "lexical", purpose, *evidence, fact["lexical"]])
        rows.append([f"P{number + 1:02d}", "paraphrased", purpose, *evidence, fact["paraphrased"]])
    for number, question in enumerate(content["unanswerable"]):
        rows.append([f"U{number + 1:02d}", "unanswerable", "judging" if number % TUNING_EACH else "tuning", "", 0, "", question])
    return sorted(rows)


def main() -> None:
    """Write the PDFs, the questions and their digest."""
    content = json.loads((FOLDER / "facts.json").read_text(encoding="utf-8"))
    (FOLDER / "pdf").mkdir(exist_ok=True)
    for name, group in groupby(content["facts"], key=lambda fact: fact["document"]):
        facts = list(group)
        (FOLDER / "pdf" / name).write_bytes(pdf(facts[0]["title"], pages_of(facts)))
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *questions(content)])
    QUESTIONS.parent.mkdir(exist_ok=True)
    QUESTIONS.write_bytes(text.getvalue().encode())
    digest = hashlib.sha256(text.getvalue().encode()).hexdigest()
    QUESTIONS.with_suffix(".sha256").write_text(f"{digest}  {QUESTIONS.name}\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
