"""The one kind of error of this package: a stable code, what is wrong, what to do, and whether it is a refusal at all."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """What an error says about the question that was asked."""

    REFUSED = "refused"
    """The answer is no, for a reason that lies in the model, the data or the registry. Exit code 1."""
    MISUSED = "misused"
    """The question itself is wrong: a gate file that cannot be used, an argument that makes no sense. Exit code 2."""
    UNDECIDED = "undecided"
    """There is no answer: something could not be reached, read or loaded. Exit code 3."""

    @property
    def exit_code(self) -> int:
        """What a command ends with."""
        return {Outcome.REFUSED: 1, Outcome.MISUSED: 2, Outcome.UNDECIDED: 3}[self]


class ModelsError(Exception):
    """Something a user can act on. Its text ends with the code in brackets, by which who follows a task's run tells the reason.

    Args:
        code: Stable word for machines, such as `gate-invalid`.
        cause: One sentence that says what is wrong, naming the file, key, model or column at fault.
        fix: What the reader can do about it.
        outcome: What it says about the question that was asked.
    """

    def __init__(self, code: str, cause: str, *, fix: str, outcome: Outcome = Outcome.REFUSED) -> None:
        super().__init__(" ".join(part for part in (cause, fix, f"[{code}]") if part))
        self.code = code
        self.cause = cause
        self.fix = fix
        self.outcome = outcome
