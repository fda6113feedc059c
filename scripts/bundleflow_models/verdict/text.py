"""A verdict as plain text: for a terminal, a notebook's output, and (as drawings) inside a fenced block of Markdown."""

from __future__ import annotations

import unicodedata

from bundleflow_models.verdict.record import Check, Confusion, Interval, Result, Verdict

BAR_WIDTH = 41
_MARKS = {"passed": "✓", "failed": "✗", "undecided": "?", "noted": "·"}
_COLOURS = {Result.PASSED: "32", Result.REFUSED: "31", Result.UNDECIDED: "33"}


def verdict_text(verdict: Verdict, *, colour: bool = False) -> str:
    """The verdict for people: result, checks, numbers, drawings.

    Args:
        verdict: The verdict.
        colour: Whether the result is coloured (a terminal).
    """
    parts = [headline(verdict, colour=colour), "\n".join(_check_line(check) for check in verdict.checks)]
    if verdict.metrics:
        parts.append("\n".join(metric_rows(verdict)))
    if verdict.intervals:
        parts.append("\n".join(interval_bars(verdict.intervals)))
    if verdict.confusion is not None:
        parts.append("\n".join(confusion_rows(verdict.confusion)))
    if verdict.slices:
        parts.append("\n".join(slice_rows(verdict)))
    return "\n\n".join(parts)


def headline(verdict: Verdict, *, colour: bool = False) -> str:
    """One line: which version, what was said, against which champion, on how many rows."""
    word = str(verdict.result).upper()
    if colour:
        word = f"\x1b[{_COLOURS[verdict.result]}m{word}\x1b[0m"
    name = f"{visible(verdict.model)} version {visible(verdict.version)}" if verdict.model else "challenger"
    reasons = f" ({visible(', '.join(dict.fromkeys(verdict.codes)))})" if verdict.codes else ""
    rows = f", {verdict.holdout_rows} hold-out rows" if verdict.holdout_rows else ""
    return f"{word}{reasons}: {name}, champion {visible(verdict.champion)}{rows}"


def _check_line(check: Check) -> str:
    fix = f"\n    {visible(check.fix)}" if check.fix and check.state in ("failed", "undecided") else ""
    return f"{_MARKS[check.state]} {visible(check.text)}{fix}"


def metric_rows(verdict: Verdict) -> list[str]:
    """A table of the metrics, one line each."""
    rows: list[tuple[str, ...]] = [("metric", "challenger", "champion", "floor")]
    for line in verdict.metrics:
        arrow = "↑" if line.higher_is_better else "↓"
        rows.append((f"{visible(line.name)} {arrow}", number(line.challenger), number(line.champion), number(line.floor)))
    return _aligned(rows)


def slice_rows(verdict: Verdict) -> list[str]:
    """A table of the slices, one line each."""
    rows: list[tuple[str, ...]] = [("slice", "rows", f"challenger {visible(verdict.primary)}", "champion")]
    rows += [
        (f"{visible(line.column)} = {visible(line.value)}", str(line.rows), number(line.challenger), number(line.champion))
        for line in verdict.slices
    ]
    return _aligned(rows)


def confusion_rows(confusion: Confusion) -> list[str]:
    """A table of right classes (lines) against predicted ones (columns)."""
    labels = [visible(label) for label in confusion.labels]
    rows: list[tuple[str, ...]] = [("right \\ predicted", *labels)]
    rows += [(label, *(str(count) if count else "·" for count in counts)) for label, counts in zip(labels, confusion.counts, strict=True)]
    return _aligned(rows)


def interval_bars(intervals: tuple[Interval, ...]) -> list[str]:
    """One bar for each difference, all on one scale; `│` is the bound that the whole bar must lie right of, `●` the difference."""
    edges = [edge for each in intervals for edge in (each.low, each.high, each.bound, each.difference)]
    left, right = min(edges), max(edges)
    room = (right - left) or 1.0

    def place(value: float) -> int:
        return round((value - left) / room * (BAR_WIDTH - 1))

    lines = []
    width = max(len(each.against) for each in intervals)
    for each in intervals:
        cells = [" "] * BAR_WIDTH
        for index in range(place(each.low), place(each.high) + 1):
            cells[index] = "━"
        cells[place(each.bound)] = "│"
        cells[place(each.difference)] = "●"
        mark = "✓" if each.above else "✗"
        ends = f"{each.difference:+.4g}  [{each.low:+.4g}, {each.high:+.4g}]"
        lines.append(f"{mark} {visible(each.against):<{width}}  {''.join(cells)}  {ends}")
    return lines


def number(value: float | None) -> str:
    """A number with four digits; `-` for none."""
    return "-" if value is None else f"{value:.4g}"


def visible(text: str) -> str:
    r"""One line in which nothing is hidden: line breaks are blanks, control and direction marks are shown as `\u....`."""
    line = " ".join(str(text).split())
    return "".join(f"\\u{ord(char):04x}" if unicodedata.category(char)[0] == "C" else char for char in line)


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(widths[0]) if place == 0 else cell.rjust(widths[place]) for place, cell in enumerate(row)).rstrip()
        for row in rows
    ]
