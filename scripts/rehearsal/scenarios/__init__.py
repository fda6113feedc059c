"""The stories that a rehearsal can play, as data."""

from __future__ import annotations

from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from rehearsal.scenarios import data_pipeline
from rehearsal.scenarios.accidents import ACCIDENTS
from rehearsal.scenarios.green import GREEN
from rehearsal.scenarios.model import Story
from rehearsal.scenarios.pdf_chatbot import PDF_CHATBOT
from rehearsal.scenarios.promotions import PROMOTIONS
from rehearsal.scenarios.runs import RUNS
from rehearsal.scenarios.stock import STOCK
from rehearsal.scenarios.stopped import STOPPED

STORIES: dict[str, Story] = {
    story.name: story for story in (GREEN, *STOPPED, *ACCIDENTS, *RUNS, *PROMOTIONS, *data_pipeline.STORIES, STOCK, PDF_CHATBOT)
}
"""Every story by its name. A new one is a value in a module of its own, and a line here."""


def choose(name: str) -> list[Story]:
    """Give the stories for `--scenario`.

    Args:
        name: A story's name, several with commas between them, or `all`.

    Raises:
        BundleflowError: There is no such story.
    """
    if name == "all":
        return list(STORIES.values())
    if "," in name:
        return [story for each in name.split(",") for story in choose(each.strip())]
    if name not in STORIES:
        import difflib

        close = difflib.get_close_matches(name, STORIES, n=1)
        raise BundleflowError(
            f"There is no scenario `{name}`.",
            fix=f"Did you mean `{close[0]}`?" if close else f"Use `all`, or one of: {', '.join(STORIES)}.",
            reason=FailureReason.WRONG_USE,
            exit_code=ExitCode.USAGE,
        )
    return [STORIES[name]]
