"""Keeps the page of a large run small: how long the texts of its tasks may be, and which of its tables are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from markupsafe import escape

from bundleflow.records.run import Lineage, TaskRecord
from bundleflow.report.html_format import head, seen, tail

TEXT_BYTES = 150_000
"""What all errors, traces, outputs and messages on the page of a large run may take, as HTML in UTF-8."""
_LENGTHS = (20_000, 10_000, 5_000, 3_000, 2_000, 1_500, 1_000, 700, 500, 300, 200)
NAMES_AT_MOST, NAMES_IN_A_CELL = 600, 20
"""How many names of tables the table by tasks shows, and how many of one task in one of its columns."""


@dataclass(frozen=True)
class LineageRow:
    """What one task read and wrote.

    Args:
        task: Its key; empty for the run as a whole.
        read: Names, at most `NAMES_IN_A_CELL`.
        wrote: As `read`.
        more_read: How many further ones it read.
        more_wrote: As `more_read`.
    """

    task: str
    read: Sequence[str]
    wrote: Sequence[str]
    more_read: int = 0
    more_wrote: int = 0


def text_limit(tasks: Sequence[TaskRecord]) -> int:
    """How many characters each text of these tasks may have, so that all of them together stay below `TEXT_BYTES`.

    Returns:
        The limit; 0 when nothing has to be cut.
    """
    texts = [text for task in tasks for text in (task.error, task.error, task.message, task.message, tail(task.trace), task.output)]
    longest = max(map(len, texts), default=0)
    for limit in (longest, *(each for each in _LENGTHS if each < longest)):
        if sum(_size(text[:limit]) for text in texts) <= TEXT_BYTES:
            return limit if limit < longest else 0
    return _LENGTHS[-1]


def shortened(task: TaskRecord, limit: int) -> TaskRecord:
    """The task with no text longer than that; of a trace the end is kept, of the others the beginning."""
    return replace(
        task,
        error=head(task.error, limit),
        message=head(task.message, limit),
        trace=tail(task.trace, limit),
        output=head(task.output, limit),
    )


def lineage_rows(lineage: Lineage | None) -> tuple[list[LineageRow], int]:
    """What each task read and wrote, and of how many further tasks it is not shown, because there are too many names."""
    if lineage is None:
        return [], 0
    found: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    for use in lineage.uses:
        found.setdefault(use.task, ({}, {}))[use.write].setdefault(use.name)
    rows: list[LineageRow] = []
    left = NAMES_AT_MOST
    for key, (read, wrote) in found.items():
        shown_read, shown_wrote = list(read)[:NAMES_IN_A_CELL], list(wrote)[:NAMES_IN_A_CELL]
        left -= len(shown_read) + len(shown_wrote)
        if left < 0:
            break
        rows.append(LineageRow(key, shown_read, shown_wrote, len(read) - len(shown_read), len(wrote) - len(shown_wrote)))
    return rows, len(found) - len(rows)


def _size(text: str) -> int:
    return len(str(escape(seen(text))).encode("utf-8", "backslashreplace"))
