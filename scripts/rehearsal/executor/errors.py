"""Exceptions of the executor's own."""

from __future__ import annotations


class NotebookExit(BaseException):
    """Ends a notebook: `dbutils.notebook.exit(value)`. No `Exception`, so that `except Exception` does not swallow it."""

    def __init__(self, value: str) -> None:
        super().__init__(value)
        self.value = value


class TaskEnded(BaseException):
    """The task was cancelled or took too long; it has a moment to record what it made."""


class TaskRefused(Exception):  # noqa: N818 - a refusal, shown to the user as its message
    """The task asks for something that is not imitated; the message names it."""
