"""The one kind of error of this package; the kit's commands turn it into theirs, a notebook shows it as it is."""

from __future__ import annotations


class ModelsError(Exception):
    """Something that a person can act on.

    Args:
        cause: One sentence that says what is wrong, naming model, version, file or key.
        fix: What the reader can do about it.
        reason: The kit's failure reason, such as `no-verdict` (closed list: `docs/failure-reasons`).
        details: Longer text, such as another system's own message.
    """

    def __init__(self, cause: str, *, fix: str = "", reason: str = "wrong-use", details: str = "") -> None:
        super().__init__(" ".join(part for part in (cause, fix) if part))
        self.cause = cause
        self.fix = fix
        self.reason = reason
        self.details = details
