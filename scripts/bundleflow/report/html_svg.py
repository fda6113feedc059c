"""A time axis and its bars as inline SVG. Colours come from the page's style sheet by class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log10

from markupsafe import Markup, escape

from bundleflow.report.html_format import clock, seconds

_DAY = 86400
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, _DAY)
"""Distances of marks on a time axis, in seconds; beyond the last one they are round numbers of days, below the first of seconds."""


@dataclass(frozen=True)
class Axis:
    """A time axis in seconds: its length and where its marks are."""

    length: float
    ticks: tuple[float, ...]

    def percent(self, at: float) -> float:
        """Where a point in time lies, in percent of the axis."""
        return round(100 * min(max(at / self.length, 0.0), 1.0), 3)


def axis(length: float, wanted: int = 6) -> Axis:
    """An axis of `length` seconds with about `wanted` marks at round numbers."""
    length = max(length, 0.001)
    rough = length / wanted
    unit = 1 if rough < 1 else _DAY
    power = unit * 10.0 ** floor(log10(rough / unit))
    steps = _STEPS if 1 <= rough <= _DAY else tuple(power * factor for factor in (1, 2, 5, 10))
    step = next((each for each in steps if each >= rough), steps[-1])
    return Axis(length, tuple(step * number for number in range(int(length / step) + 1)))


def axis_svg(scale: Axis) -> Markup:
    """The axis' marks with their times."""
    short = scale.length < 10
    parts = []
    for tick in scale.ticks:
        at = scale.percent(tick)
        if at > 96:
            continue
        anchor = "start" if at < 3 else "middle"
        text = (seconds(tick) if tick else "0 s") if short else clock(tick)
        parts.append(f'<text x="{at}%" y="12" text-anchor="{anchor}">{text}</text>')
    return Markup(f'<svg class="axis" width="100%" height="16" aria-hidden="true" focusable="false">{"".join(parts)}</svg>')  # noqa: S704


def lines_svg(scale: Axis) -> Markup:
    """The lines that run down behind the bars, one for each mark."""
    lines = "".join(f'<line x1="{at}%" x2="{at}%" y1="0" y2="100%"/>' for at in map(scale.percent, scale.ticks))
    return Markup(f'<svg class="lines" width="100%" height="100%" aria-hidden="true" focusable="false">{lines}</svg>')  # noqa: S704


def bar_svg(scale: Axis, start: float, duration: float, tone: str, waited: float = 0.0) -> Markup:
    """One bar of a timeline: the time waited (thin), then the work.

    Args:
        scale: The axis it stands on.
        start: Seconds.
        duration: Seconds, the time waited included.
        tone: CSS class of the bar.
        waited: Seconds at the beginning of `duration`.
    """
    waited = min(waited, duration)
    parts = [Part(start, waited, "waiting")] if scale.percent(start + waited) > scale.percent(start) else []
    return bars_svg(scale, [*parts, Part(start + waited, duration - waited, f"bar {tone}")])


@dataclass(frozen=True)
class Part:
    """A stretch of time on an axis: start and length in seconds, and the CSS classes of its bar."""

    start: float
    length: float
    looks: str


def bars_svg(scale: Axis, parts: Sequence[Part]) -> Markup:
    """Stretches of time on one line; heights come from the style sheet. One that is too short is drawn as a thin mark."""
    bars = []
    for part in parts:
        left = scale.percent(part.start)
        width = max(scale.percent(part.start + part.length) - left, 0.35)
        bars.append(f'<rect x="{_number(min(left, 99.65))}%" width="{_number(width)}%" class="{escape(part.looks)}"/>')
    return Markup(f'<svg class="bars" aria-hidden="true">{"".join(bars)}</svg>')  # noqa: S704


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
