"""Data quality: each row is good or set aside with its reasons, none is lost, and too many bad ones stop the pipeline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

SAMPLES = 5
"""How many bad rows a message shows; the quarantine table holds all of them."""

Rule = Callable[[str], Any]


class BadDataError(ValueError):
    """A file with more bad rows than allowed; the message holds counts and samples."""


@dataclass(frozen=True)
class RawRow:
    """A row as it stands in a file.

    Args:
        line: Its line (CSV) or its number among the elements (XML), from 1.
        text: The row as it is, which quarantine keeps.
        fields: Its fields by name; None where it could not be taken apart.
        problem: Why it could not.
    """

    line: int
    text: str
    fields: Mapping[str, str] | None
    problem: str = ""


@dataclass(frozen=True)
class BadRow:
    """A row that is set aside, with every reason."""

    line: int
    text: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Checked:
    """What a check made of a file's rows: `rows_in == len(good) + len(bad)`, always."""

    rows_in: int
    good: list[dict[str, Any]]
    bad: list[BadRow]

    @property
    def bad_share(self) -> float:
        """Share of bad rows, 0 to 1; 1 for a file without rows, which is no good file either."""
        return len(self.bad) / self.rows_in if self.rows_in else 1.0


def check(rows: Iterable[RawRow], rules: Mapping[str, Rule], key: str) -> Checked:
    """Check rows.

    Args:
        rows: The rows of a file.
        rules: Field → what makes its value of the text; it raises ValueError (or ArithmeticError, as numbers do) with the reason for a
            text that is no value.
        key: Field whose value may occur once. The first row with a value is good, every further one is bad.
    """
    good: list[dict[str, Any]] = []
    bad: list[BadRow] = []
    first_line: dict[Any, int] = {}
    for row in rows:
        values, reasons = _values(row, rules)
        if not reasons and values[key] in first_line:
            reasons = [f"{key}: {values[key]} occurs twice, first in line {first_line[values[key]]}"]
        if reasons:
            bad.append(BadRow(row.line, row.text, tuple(reasons)))
        else:
            first_line[values[key]] = row.line
            good.append(values)
    return Checked(len(good) + len(bad), good, bad)


def _values(row: RawRow, rules: Mapping[str, Rule]) -> tuple[dict[str, Any], list[str]]:
    """The values of a row, and every reason why it is bad."""
    if row.fields is None:
        return {}, [row.problem]
    values, reasons = {}, []
    for name, rule in rules.items():
        try:
            values[name] = rule(row.fields.get(name, ""))
        except (ValueError, ArithmeticError) as error:  # OverflowError is one: a value that its type cannot hold spoils its row only
            reasons.append(f"{name}: {error}")
    return values, reasons


def demand(checked: Checked, source: str, max_bad_share: float, quarantine: str) -> None:
    """Stop the pipeline where too much of a file is bad.

    Args:
        checked: What the check found.
        source: Name of the file.
        max_bad_share: Largest share of bad rows that is let through, 0 to 1.
        quarantine: Table that holds the bad rows.

    Raises:
        BadDataError: More rows are bad, or the file has no row at all.
    """
    if checked.bad_share <= max_bad_share:
        return
    if not checked.rows_in:
        raise BadDataError(f"{source} has no rows.")
    counted = Counter(reason.split(":", 1)[0] for row in checked.bad for reason in row.reasons)
    samples = "".join(f"\n  line {row.line}: {'; '.join(row.reasons)}: {row.text}" for row in checked.bad[:SAMPLES])
    raise BadDataError(
        f"{source}: {len(checked.bad)} of {checked.rows_in} rows are bad ({checked.bad_share:.1%}), more than the {max_bad_share:.1%} "
        f"allowed. Nothing of the file was published. By field: {', '.join(f'{name} {n}' for name, n in counted.most_common())}. "
        f"All of them, with their reasons, are in {quarantine}. The first:{samples}"
    )
