"""A verdict's picture as SVG: the differences with their intervals, and the confusion table; an artifact of the run."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

from bundleflow_models.verdict.record import Confusion, Interval, Result, Verdict
from bundleflow_models.verdict.text import headline, visible

WIDTH, LINE, LEFT, RIGHT = 720, 34, 190, 40
CELL = 34
_COLOURS = {Result.PASSED: "#1a7f37", Result.REFUSED: "#cf222e", Result.UNDECIDED: "#9a6700"}
LABEL_LIMIT = 24


def verdict_svg(verdict: Verdict) -> str:
    """The picture.

    Args:
        verdict: The verdict; names in it may be anything, they are escaped.
    """
    parts = [_text(16, 26, headline(verdict), f'font-weight="bold" fill="{_COLOURS[verdict.result]}"', limit=110)]
    top = 56
    if verdict.intervals:
        parts.append(_intervals(verdict.intervals, top))
        top += LINE * len(verdict.intervals) + 40
    if verdict.confusion is not None:
        parts.append(_confusion(verdict.confusion, top))
        top += CELL * (len(verdict.confusion.labels) + 1) + 30
    body = "\n".join(parts)
    style = 'font-family="system-ui, sans-serif" font-size="13" fill="#1f2328"'
    width = max(WIDTH, 0 if verdict.confusion is None else LEFT + CELL * 2 * len(verdict.confusion.labels) + RIGHT)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {top}" width="{width}" height="{top}" role="img" {style}>'
    return f'{head}\n<rect width="100%" height="100%" fill="#ffffff"/>\n{body}\n</svg>\n'


def _intervals(intervals: Sequence[Interval], top: int) -> str:
    edges = [edge for each in intervals for edge in (each.low, each.high, each.bound, each.difference)]
    low, high = min(edges), max(edges)
    room = (high - low) or 1.0

    def x(value: float) -> float:
        return LEFT + (value - low) / room * (WIDTH - LEFT - RIGHT)

    parts = []
    for index, each in enumerate(intervals):
        y = top + LINE * index + 12
        colour = "#1a7f37" if each.above else "#cf222e"
        parts.append(_text(16, y + 4, f"against {each.against}"))
        parts.append(
            f'<line x1="{x(each.bound):.1f}" x2="{x(each.bound):.1f}" y1="{y - 12}" y2="{y + 12}" stroke="#59636e" stroke-dasharray="3 2"/>'
        )
        parts.append(f'<line x1="{x(each.low):.1f}" x2="{x(each.high):.1f}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="4"/>')
        parts.append(f'<circle cx="{x(each.difference):.1f}" cy="{y}" r="6" fill="{colour}"/>')
    y = top + LINE * len(intervals) + 12
    scale = (
        f"difference of {intervals[0].metric}, right is better: {low:+.4g} to {high:+.4g}; dashed: the bound that the bar must lie right of"
    )
    return "\n".join([*parts, _text(16, y, scale, 'font-size="11" fill="#59636e"', limit=120)])


def _confusion(confusion: Confusion, top: int) -> str:
    largest = max((count for row in confusion.counts for count in row), default=0) or 1
    parts = [_text(16, top + 14, "right class, by predicted class", 'font-size="11" fill="#59636e"')]
    for column, label in enumerate(confusion.labels):
        parts.append(_text(LEFT + CELL * 2 * column + CELL, top + 14, label, 'text-anchor="middle" font-size="11"', limit=10))
    for row, (label, counts) in enumerate(zip(confusion.labels, confusion.counts, strict=True)):
        y = top + CELL * (row + 1) - 8
        parts.append(_text(16, y + 21, label))
        for column, count in enumerate(counts):
            x = LEFT + CELL * 2 * column
            style = f'fill="{"#1a7f37" if row == column else "#cf222e"}" fill-opacity="{0.05 + 0.6 * count / largest:.2f}"'
            parts.append(f'<rect x="{x}" y="{y}" width="{CELL * 2 - 2}" height="{CELL - 2}" {style}/>')
            parts.append(_text(x + CELL, y + 21, str(count), 'text-anchor="middle"'))
    return "\n".join(parts)


def _text(x: float, y: float, text: str, style: str = "", limit: int = LABEL_LIMIT) -> str:
    shown = visible(text)
    shown = shown if len(shown) <= limit else shown[: limit - 1] + "…"
    return f'<text x="{x}" y="{y}" {style}>{escape(shown)}</text>'
