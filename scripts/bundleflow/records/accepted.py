"""The file of accepted warnings: which remarks about a bundle do not fail a pull request, why, and until when."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, cast

from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow.records.schema_problems import schema_problems
from bundleflow.records.yaml_source import YamlError, YamlProblem, YamlSource, parse_yaml

SCHEMA_FILE = Path(__file__).with_name("accepted.schema.json")
EVERY_TARGET = "*"


@dataclass(frozen=True)
class Remark:
    """One remark about a bundle that fails a pull request unless it is accepted.

    Args:
        target: Target that it was made for.
        message: Its first line.
        path: Where in the configuration, such as `resources.jobs.train`; empty when it names nothing.
        place: `file:line:column`; empty when it names no file.
    """

    target: str
    message: str
    path: str = ""
    place: str = ""

    @property
    def text(self) -> str:
        """Message and path, as an entry of the file names them."""
        return f"{self.message} at {self.path}" if self.path else self.message


@dataclass(frozen=True)
class AcceptedWarning:
    """One entry: `text` or `pattern` (the other one is empty), a target or `*`, the reason, the last day or None."""

    target: str
    reason: str
    text: str = ""
    pattern: str = ""
    expires: date | None = None
    line: int = 0

    def fits(self, remark: Remark) -> bool:
        """Whether the entry speaks of this remark, whatever the day."""
        if self.target not in (EVERY_TARGET, remark.target):
            return False
        return bool(re.fullmatch(self.pattern, remark.text)) if self.pattern else self.text in (remark.message, remark.text)

    def holds(self, day: date) -> bool:
        """Whether it has not expired."""
        return self.expires is None or day <= self.expires


@dataclass(frozen=True)
class Accepted:
    """All entries of the file; without a file there are none."""

    path: Path | None = None
    entries: tuple[AcceptedWarning, ...] = ()

    def covers(self, remark: Remark, day: date) -> bool:
        """Whether a remark is accepted on a day."""
        return any(each.holds(day) and each.fits(remark) for each in self.entries)

    def remarks_on_itself(self, remarks: Iterable[Remark], day: date) -> Iterator[str]:
        """What there is to say about the file: entries that fit nothing, entries that have expired.

        Args:
            remarks: The remarks of every target.
            day: Today in UTC.
        """
        found = list(remarks)
        for each in self.entries:
            what = f"{self.path}:{each.line}: `{each.pattern or each.text}` for target `{each.target}`"
            if not each.holds(day):
                yield f"{what} expired on {each.expires}: take it out, or give it a later day."
            elif not any(each.fits(remark) for remark in found):
                yield f"{what} fits no warning any more: take it out."


def load_accepted(path: Path | None) -> Accepted:
    """Read the file of accepted warnings.

    Args:
        path: The file; None when the flow file names none.

    Raises:
        BundleflowError: `flow-invalid` (exit code 2) that names file:line:column and the fix.
    """
    if path is None:
        return Accepted()
    source, problems = check_accepted(path)
    if problems:
        raise _error(path, problems)
    return Accepted(path, tuple(_entry(each, source.at(("warnings", index)).line) for index, each in enumerate(source.data["warnings"])))


def check_accepted(path: Path) -> tuple[YamlSource, list[YamlProblem]]:
    """Find every problem of a file of accepted warnings (used by `bundleflow lint`, which shows them all).

    Returns:
        The parsed file and its problems; the source is empty when the file is not YAML.

    Raises:
        BundleflowError: `flow-invalid` (exit code 2) when it cannot be read.
    """
    try:
        source = parse_yaml(path.read_text(encoding="utf-8"))
    except YamlError as error:
        return YamlSource(), [error.problem]
    except (OSError, UnicodeDecodeError) as error:
        raise BundleflowError(
            f"The file of accepted warnings {path} cannot be read: {error}.",
            fix="Correct `warnings:` of the flow file; the path is relative to the repository's root.",
            reason=FailureReason.FLOW_INVALID,
            exit_code=ExitCode.USAGE,
        ) from error
    problems = [*source.problems, *schema_problems(source, load_schema())]
    return source, problems or list(_meaning_problems(source))


def load_schema() -> dict[str, Any]:
    """The JSON Schema of the file (also published for editors)."""
    import json

    return cast("dict[str, Any]", json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))


def _meaning_problems(source: YamlSource) -> Iterator[YamlProblem]:
    for index, each in enumerate(source.data["warnings"]):
        at = ("warnings", index)
        try:
            re.compile(each.get("pattern", ""))
        except re.error as error:
            position = source.at((*at, "pattern"))
            yield YamlProblem(position, f"`pattern` is no regular expression: {error}", "Correct it, or give `text` instead.")
        try:
            date.fromisoformat(each.get("expires", "2000-01-01"))
        except ValueError:
            cause = f"`{each['expires']}` is no day of the calendar"
            yield YamlProblem(source.at((*at, "expires")), cause, "Write it as `YYYY-MM-DD`.")


def _entry(data: dict[str, str], line: int) -> AcceptedWarning:
    expires = date.fromisoformat(data["expires"]) if "expires" in data else None
    return AcceptedWarning(data["target"], data["reason"], data.get("text", ""), data.get("pattern", ""), expires, line)


def _error(path: Path, problems: list[YamlProblem]) -> BundleflowError:
    lines = [f"{path}:{each.position.line}:{each.position.column}: {each.cause}" for each in problems]
    return BundleflowError(
        lines[0], fix=problems[0].fix, reason=FailureReason.FLOW_INVALID, exit_code=ExitCode.USAGE, details="\n".join(lines[1:])
    )
