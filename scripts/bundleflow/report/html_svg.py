"""Drawings as inline SVG: a graph of tasks, bars on a time axis. Colours come from the page's style sheet by class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor, log10

from markupsafe import Markup, escape

from bundleflow.report.html_format import clock, seconds, seen

GRAPH_TASKS = 200
"""Larger graphs cannot be read; the timeline and the table show the tasks."""

_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
"""Distances of marks on a time axis, in seconds."""

_NODE = (176, 46)
_GAP = (44, 18)


@dataclass(frozen=True)
class Node:
    """One task in a graph: `tone` is a CSS class (ok, bad, stop, wait, skip), `state` stands below the name."""

    key: str
    state: str
    tone: str
    depends_on: tuple[str, ...] = ()


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
    steps = _STEPS if rough >= 1 else tuple(10.0 ** floor(log10(rough)) * factor for factor in (1, 2, 5, 10))
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
    left, middle, right = scale.percent(start), scale.percent(start + min(waited, duration)), scale.percent(start + duration)
    waiting = f'<rect x="{left}%" y="8" width="{middle - left:.3f}%" height="6" rx="3" class="waiting"/>' if middle > left else ""
    bar = f'<rect x="{middle}%" y="4" width="{max(right - middle, 0.35):.3f}%" height="14" rx="4" class="bar {escape(tone)}"/>'
    return Markup(f'<svg width="100%" height="22" aria-hidden="true" focusable="false">{waiting}{bar}</svg>')  # noqa: S704


def graph_svg(nodes: Sequence[Node], title: str) -> Markup:
    """Draw tasks from left to right, each right of all that it depends on.

    Args:
        nodes: The tasks; names of unknown tasks in `depends_on` are left out.
        title: What a screen reader says instead.

    Returns:
        The drawing, or nothing for a single task or more than `GRAPH_TASKS`.
    """
    if not 1 < len(nodes) <= GRAPH_TASKS:
        return Markup()
    places = _places(nodes)
    width = (max(column for column, _ in places.values()) + 1) * (_NODE[0] + _GAP[0]) - _GAP[0] + 4
    height = (max(row for _, row in places.values()) + 1) * (_NODE[1] + _GAP[1]) - _GAP[1] + 4
    edges = "".join(_edge(places[before], places[node.key]) for node in nodes for before in node.depends_on if before in places)
    boxes = "".join(_box(node, places[node.key]) for node in nodes)
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    return Markup(  # noqa: S704 (every text in it is escaped)
        f'<svg class="graph" {size} role="img" aria-label="{escape(seen(title))}">{edges}{boxes}</svg>'
    )


def _places(nodes: Sequence[Node]) -> Mapping[str, tuple[int, int]]:
    """Column (longest way from a start) and row of each node; a circle, which no workspace allows, ends in the last column."""
    column = {node.key: 0 for node in nodes}
    for _ in nodes:
        moved = False
        for node in nodes:
            before = [column[key] + 1 for key in node.depends_on if key in column]
            wanted = min(max(before, default=0), len(nodes) - 1)
            if wanted > column[node.key]:
                column[node.key] = wanted
                moved = True
        if not moved:
            break
    used: dict[int, int] = {}
    places = {}
    for node in nodes:
        row = used.get(column[node.key], 0)
        used[column[node.key]] = row + 1
        places[node.key] = (column[node.key], row)
    return places


def _corner(place: tuple[int, int]) -> tuple[int, int]:
    return place[0] * (_NODE[0] + _GAP[0]) + 2, place[1] * (_NODE[1] + _GAP[1]) + 2


def _edge(start: tuple[int, int], end: tuple[int, int]) -> str:
    (x1, y1), (x2, y2) = _corner(start), _corner(end)
    x1, y1, y2 = x1 + _NODE[0], y1 + _NODE[1] // 2, y2 + _NODE[1] // 2
    bend = max(22, (x2 - x1) // 2)
    return (
        f'<path class="edge" d="M{x1} {y1} C{x1 + bend} {y1} {x2 - bend} {y2} {x2 - 6} {y2}"/>'
        f'<path class="tip" d="M{x2 - 7} {y2 - 4} L{x2 - 1} {y2} L{x2 - 7} {y2 + 4} Z"/>'
    )


def _box(node: Node, place: tuple[int, int]) -> str:
    x, y = _corner(place)
    name = seen(node.key)
    shown = name if len(name) <= 20 else name[:19] + "…"
    return (
        f'<g class="node {escape(node.tone)}"><title>{escape(name)}: {escape(seen(node.state))}</title>'
        f'<rect x="{x}" y="{y}" width="{_NODE[0]}" height="{_NODE[1]}" rx="9"/>'
        f'<rect class="edge-mark" x="{x}" y="{y + 10}" width="4" height="{_NODE[1] - 20}" rx="2"/>'
        f'<text class="name" x="{x + 14}" y="{y + 19}">{escape(shown)}</text>'
        f'<text class="state" x="{x + 14}" y="{y + 36}">{escape(seen(node.state)[:26])}</text></g>'
    )
