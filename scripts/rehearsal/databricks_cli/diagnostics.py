"""What is said about a bundle: errors, warnings and recommendations with config paths and positions, and their text."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


class Location(NamedTuple):
    """A place in a file: its absolute path, the line and the column, both counted from 1."""

    file: str
    line: int
    column: int


class Severity(StrEnum):
    """How much a remark matters, in the words that are printed."""

    ERROR = "Error"
    WARNING = "Warning"
    RECOMMENDATION = "Recommendation"


@dataclass(frozen=True)
class Diagnostic:
    """One remark.

    Args:
        severity: How much it matters.
        summary: The first line or lines.
        detail: Text below, after an empty line.
        paths: Config paths it is about, such as `resources.jobs.j`.
        locations: Where in the files.
    """

    severity: Severity
    summary: str
    detail: str = ""
    paths: tuple[str, ...] = ()
    locations: tuple[Location, ...] = ()

    def text(self, root: str) -> str:
        """Return the remark as it is printed, file names relative to `root`, ending with one newline."""
        lines = [f"{self.severity}: {self.summary}"]
        lines += _column("  at ", self.paths)
        lines += _column("  in ", [f"{relative(loc.file, root)}:{loc.line}:{loc.column}" for loc in self.locations])
        if self.detail:
            lines += ["", self.detail.rstrip("\n")]
        return "\n".join(lines) + "\n"


@dataclass
class Diagnostics:
    """The remarks of one command, in the order they were made."""

    items: list[Diagnostic] = field(default_factory=list)
    root: str = ""
    _printed: int = 0

    def flush(self) -> None:
        """Print the remarks that were not printed yet to standard error, in the order they were made."""
        for item in self.items[self._printed :]:
            print(item.text(self.root), file=sys.stderr)
        self._printed = len(self.items)
        sys.stderr.flush()

    def log(self, line: str) -> None:
        """Print a line that is no remark on the bundle, after the remarks so far."""
        self.flush()
        print(line, file=sys.stderr, flush=True)

    def add(
        self,
        severity: Severity,
        summary: str,
        *,
        detail: str = "",
        paths: Sequence[str] = (),
        locations: Sequence[Location] = (),
    ) -> None:
        """Add one remark; see `Diagnostic` for the arguments."""
        self.items.append(Diagnostic(severity, summary, detail, tuple(p for p in paths if p), tuple(locations)))

    def warn(self, summary: str, *, detail: str = "", paths: Sequence[str] = (), locations: Sequence[Location] = ()) -> None:
        """Add a warning."""
        self.add(Severity.WARNING, summary, detail=detail, paths=paths, locations=locations)

    def error(self, summary: str, *, detail: str = "", paths: Sequence[str] = (), locations: Sequence[Location] = ()) -> None:
        """Add an error; the step that made it is finished, and nothing after it is done (see `stop_on_error`)."""
        self.add(Severity.ERROR, summary, detail=detail, paths=paths, locations=locations)

    def count(self, severity: Severity) -> int:
        """Return how many remarks of a severity there are."""
        return sum(1 for item in self.items if item.severity is severity)

    def stop_on_error(self) -> None:
        """Raise `StopCommand` when there is an error among the remarks."""
        if self.count(Severity.ERROR):
            raise StopCommand


class StopCommand(Exception):  # noqa: N818 - it is not an error of its own: what went wrong is among the diagnostics
    """The command cannot go on; the diagnostics say why."""


class CommandError(Exception):
    """One error that ends a command.

    Args:
        summary: What is printed after `Error: `.
        detail: More text, below an empty line.
        paths: Config paths it is about.
        locations: Where in the files.
    """

    def __init__(self, summary: str, detail: str = "", paths: Sequence[str] = (), locations: Sequence[Location] = ()) -> None:
        super().__init__(summary)
        self.diagnostic = Diagnostic(Severity.ERROR, summary, detail, tuple(paths), tuple(locations))


class ChildExit(Exception):  # noqa: N818 - carries an exit code, not an error
    """A program started on behalf of the user ended with this exit code, which becomes that of the command."""

    def __init__(self, code: int) -> None:
        super().__init__(f"exit {code}")
        self.code = code


def relative(file: str, root: str) -> str:
    """Return `file` relative to the folder `root` when it lies in it, with forward slashes; else unchanged."""
    prefix = root.rstrip("/") + "/"
    return file[len(prefix) :] if file.startswith(prefix) else file


def _column(label: str, values: Sequence[str]) -> list[str]:
    pad = " " * len(label)
    return [(label if index == 0 else pad) + value for index, value in enumerate(values)]
