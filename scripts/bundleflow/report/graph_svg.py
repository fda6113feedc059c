"""Draws a graph of tasks or tables as inline SVG; the colours come by class from `assets/graph.css`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup, escape

from bundleflow.report.graph_layout import layout
from bundleflow.report.html_format import seen

NODES_AT_MOST = 150
"""Larger graphs cannot be read; they are drawn by stages."""
EDGES_AT_MOST = 600

_HEIGHT, _ROW, _GAP, _MARGIN = 52, 70, 52, 6
_BESIDE, _BELOW = 26, 44
_WIDTHS, _STATE_WIDTH, _SLIM = (148, 340), 200, 164
_NAME_PIXELS, _STATE_PIXELS = 7.7, 6.4
"""Width of a middling character of a node's two lines."""
_LONG_NAME, _LONG_NAME_PIXELS = 20, 8.6
"""Names of more characters have room for the widest font that a system may show them in; a shorter one has it in the box's margin."""

_SIGNS = {
    "ok": '<path d="M-3.2 .3l2.2 2.2 4.3-4.7"/>',
    "bad": '<path d="M-2.6-2.6l5.2 5.2M2.6-2.6l-5.2 5.2"/>',
    "stop": '<path d="M-3 0h6"/>',
    "skip": '<path d="M-3 0h6"/>',
    "wait": '<path d="M0-3.6V0l2.4 1.6"/>',
}
"""What stands in a node's disc, so that its state can be told without its colour."""


@dataclass(frozen=True)
class Node:
    """One box of a graph.

    Args:
        key: Its name, each once.
        state: The second line.
        tone: How it looks: `ok`, `bad`, `stop`, `wait`, `skip`, `plan` (a task that has not run), `data` (a table).
        depends_on: Keys of the boxes that it has an arrow from.
        badge: A short text in its corner, such as `try 2`.
        href: A place on the page, `#task-3`; empty for no link.
        folded: Drawn as a stack: one box stands for many.
        labels: Text at the arrow from a box, such as `true`.
        faint: Boxes whose arrow was not taken.
        short: The first line, where that is not the whole key.
    """

    key: str
    state: str
    tone: str
    depends_on: tuple[str, ...] = ()
    badge: str = ""
    href: str = ""
    folded: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    faint: frozenset[str] = frozenset()
    short: str = ""

    @property
    def name(self) -> str:
        """The first line."""
        return self.short or self.key


def fits(nodes: Sequence[Node]) -> bool:
    """Whether a graph can be read when it is drawn as it is."""
    return len(nodes) <= NODES_AT_MOST and sum(len(node.depends_on) for node in nodes) <= EDGES_AT_MOST


def graph_svg(
    nodes: Sequence[Node], title: str, *, room: int = 0, attributes: str = "", style: str = "", least: int = 2, slim: bool = False
) -> Markup:
    """Draw boxes from left to right, each right of all that it depends on, or from the top down, each below all of it.

    Args:
        nodes: The boxes; names of unknown ones in `depends_on` are left out.
        title: What a screen reader says instead.
        room: Width in pixels that there is; a drawing that is wider from left to right is drawn from the top down, where that is
            narrower. 0 for no limit.
        attributes: Further attributes of the element (trusted).
        style: A style sheet to put into it (trusted), for a drawing that stands alone.
        least: How many boxes there must be to draw them at all.
        slim: With boxes closer to each other, for a phone.

    Returns:
        The drawing, or nothing for fewer boxes than `least` or more than can be read (see `fits`).
    """
    if len(nodes) < least or not fits(nodes):
        return Markup()
    found = layout([node.key for node in nodes], [(before, node.key) for node in nodes for before in node.depends_on])
    beside = _BESIDE // 2 if slim else _BESIDE
    width = _width(nodes)
    across = Frame(width, found.columns, found.rows)
    fitting = min(width, max(_SLIM, int((room - 2 * _MARGIN + beside) / found.rows - beside)))
    below = Frame(fitting, found.columns, found.rows, beside, down=True)
    down = bool(room) and across.size[0] > room and below.size[0] < across.size[0]
    frame = below if down else across
    width = frame.width
    by_key = {node.key: node for node in nodes}
    edges, labels = [], []
    for (before, after), route in found.routes.items():
        node, way = by_key[after], frame.way(route)
        edges.append(_edge(way, down=down, faint=before in node.faint))
        if node.labels.get(before):
            labels.append(_label(way, node.labels[before]))
    boxes = "".join(_box(node, frame.corner(found.places[node.key]), width) for node in nodes)
    # A drawing with links inside is a group of them; one without is one picture.
    role = "group" if any(node.href for node in nodes) else "img"
    sheet = f"<style>{style}</style>" if style else ""
    return Markup(  # noqa: S704 (every text in it is escaped)
        f'<svg class="graph" {attributes}width="{frame.size[0]}" height="{frame.size[1]}" viewBox="0 0 {frame.size[0]} {frame.size[1]}" '
        f'role="{role}" aria-label="{escape(seen(title))}">{sheet}{"".join(edges)}{boxes}{"".join(labels)}</svg>'
    )


@dataclass(frozen=True)
class Frame:
    """Turns places of the layout into pixels.

    Args:
        width: Width of a box.
        columns: Number of columns of the layout.
        rows: Number of its rows.
        beside: Distance of two boxes that stand beside each other.
        down: Whether the columns go from the top down instead of from left to right.
    """

    width: int
    columns: int
    rows: float
    beside: int = _BESIDE
    down: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the drawing."""
        x, y = self.corner((self.columns - 1, self.rows - 1))
        return x + self.width + _MARGIN, y + _HEIGHT + _MARGIN

    def corner(self, place: tuple[int, float]) -> tuple[int, int]:
        """Where a box's upper left corner is."""
        column, row = place
        if self.down:
            return _MARGIN + round(row * (self.width + self.beside)), _MARGIN + 4 + column * (_HEIGHT + _BELOW)
        return _MARGIN + column * (self.width + _GAP), _MARGIN + 4 + round(row * _ROW)

    def way(self, route: Sequence[tuple[int, float]]) -> list[tuple[int, int]]:
        """The points of an arrow: out of its first box, past those between, up to its last one."""
        out, into, tip = (
            ((self.width // 2, _HEIGHT), (self.width // 2, 0), 8) if self.down else ((self.width, _HEIGHT // 2), (0, _HEIGHT // 2), 8)
        )
        corners = [self.corner(place) for place in route]
        points = [(corners[0][0] + out[0], corners[0][1] + out[1])]
        for x, y in corners[1:-1]:
            points += [(x + into[0], y + into[1]), (x + out[0], y + out[1])]
        x, y = corners[-1][0] + into[0], corners[-1][1] + into[1]
        return [*points, (x, y - tip) if self.down else (x - tip, y)]


def _width(nodes: Sequence[Node]) -> int:
    """Width of all boxes, by the longest text in them; a long second line is cut rather."""
    names = max(len(node.name) * _name_pixels(node.name) + _badge_width(node) for node in nodes) + 50
    states = max(len(node.state) for node in nodes) * _STATE_PIXELS + 46
    return round(min(max(names, min(states, _STATE_WIDTH), _WIDTHS[0]), _WIDTHS[1]))


def _name_pixels(name: str) -> float:
    return _LONG_NAME_PIXELS if len(name) > _LONG_NAME else _NAME_PIXELS


def _edge(way: Sequence[tuple[int, int]], *, down: bool, faint: bool) -> str:
    """An arrow along its points."""
    x, y = way[0]
    path = f"M{x} {y}"
    for next_x, next_y in way[1:]:
        if (x == next_x) if down else (y == next_y):
            path += f" L{next_x} {next_y}"
        elif down:
            bend = max(18, (next_y - y) // 2)
            path += f" C{x} {y + bend} {next_x} {next_y - bend} {next_x} {next_y}"
        else:
            bend = max(20, (next_x - x) // 2)
            path += f" C{x + bend} {y} {next_x - bend} {next_y} {next_x} {next_y}"
        x, y = next_x, next_y
    tip = f"M{x - 4} {y} L{x} {y + 7} L{x + 4} {y} Z" if down else f"M{x} {y - 4} L{x + 7} {y} L{x} {y + 4} Z"
    look = " faint" if faint else ""
    return f'<path class="edge{look}" d="{path}"/><path class="tip{look}" d="{tip}"/>'


def _label(way: Sequence[tuple[int, int]], text: str) -> str:
    (x1, y1), (x2, y2) = way[:2]
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    half = len(text) * 3.2 + 7
    return (
        f'<g class="branch"><rect x="{x - half:.0f}" y="{y - 9:.0f}" width="{2 * half:.0f}" height="18" rx="9"/>'
        f'<text x="{x:.0f}" y="{y + 4:.0f}" text-anchor="middle">{escape(seen(text))}</text></g>'
    )


def _box(node: Node, at: tuple[int, int], width: int) -> str:
    x, y = at
    whole, name, state = seen(node.key), seen(node.name), seen(node.state)
    badge = _badge(node, x + width - 8, y + 19) if node.badge else ""
    stack = f'<rect class="behind-it" x="{x + 6}" y="{y + 5}" width="{width - 12}" height="{_HEIGHT}" rx="9"/>' if node.folded else ""
    left = 34 if node.tone in _SIGNS else 14
    shown = _cut(name, (width - left - 12 - _badge_width(node)) / _name_pixels(name))
    sign = f'<g class="disc" transform="translate({x + 19} {y + 19})"><circle r="7.5"/>{_SIGNS[node.tone]}</g>' if left == 34 else ""
    body = (
        f'<g class="node {escape(node.tone)}"><title>{escape(whole)}: {escape(state)}</title>{stack}'
        f'<rect x="{x}" y="{y}" width="{width}" height="{_HEIGHT}" rx="{4 if node.tone == "data" else 10}"/>{sign}'
        f'<text class="name" x="{x + left}" y="{y + 23}">{escape(shown)}</text>'
        f'<text class="state" x="{x + left}" y="{y + 40}">{escape(_cut(state, (width - left - 10) / _STATE_PIXELS))}</text>{badge}</g>'
    )
    if not re.fullmatch(r"#[\w-]+", node.href):
        return body
    return f'<a href="{node.href}" aria-label="{escape(whole)}: {escape(state)}">{body}</a>'


def _badge_width(node: Node) -> float:
    return len(node.badge) * _STATE_PIXELS + 16 if node.badge else 0.0


def _badge(node: Node, right: int, middle: int) -> str:
    width = _badge_width(node) - 4
    return (
        f'<g class="badge-mark"><rect x="{right - width:.0f}" y="{middle - 8}" width="{width:.0f}" height="16" rx="8"/>'
        f'<text x="{right - width / 2:.0f}" y="{middle + 4}" text-anchor="middle">{escape(seen(node.badge))}</text></g>'
    )


def _cut(text: str, length: float) -> str:
    """A text that is no longer than that; of a path its end is kept, which tells it from others."""
    if len(text) <= length:
        return text
    kept = max(1, int(length) - 1)
    return "…" + text[-kept:] if text.startswith(("/", "dbfs:/", "s3://", "abfss://", "gs://")) else text[:kept] + "…"
