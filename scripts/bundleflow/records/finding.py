"""One finding of a linter: where, what, which rule, what to do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Finding:
    """A place in a file that a linter objects to.

    Args:
        file: Path relative to the repository's root.
        line: From 1; 0 when it concerns the whole file.
        column: From 1; 0 when unknown.
        tool: Which linter says so.
        rule: The linter's name for the rule; may be empty.
        message: What is wrong, and the fix where the linter knows one.
        url: Page about the rule; may be empty.
    """

    file: str
    line: int
    column: int
    tool: str
    rule: str
    message: str
    url: str = ""

    @property
    def place(self) -> str:
        """`file:line:column`, as editors take it."""
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part)
