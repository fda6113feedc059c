"""Places the nodes of a directed graph in columns so that edges run from left to right and cross seldom (Sugiyama's method)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

SWEEPS = 6
"""How often the order within the columns is improved; more changes nothing that one would see."""

Edge = tuple[str, str]


@dataclass(frozen=True)
class Layout:
    """Where everything is, in units of one column and one row.

    Args:
        places: Column and row of each node; rows need not be whole numbers.
        routes: The points that each edge passes, both ends included.
    """

    places: Mapping[str, tuple[int, float]]
    routes: Mapping[Edge, Sequence[tuple[int, float]]]

    @property
    def columns(self) -> int:
        """Number of columns."""
        return max((column for column, _ in self.places.values()), default=-1) + 1

    @property
    def rows(self) -> float:
        """Height, from the first row to the last one's end."""
        points = [row for route in self.routes.values() for _, row in route]
        return max([*points, *(row for _, row in self.places.values())], default=-1.0) + 1


def columns_of(keys: Sequence[str], edges: Sequence[Edge]) -> dict[str, int]:
    """Column of each node: the longest way to it.

    Args:
        keys: The nodes.
        edges: Without circles (see `without_circles`); both ends are among the keys.
    """
    after: dict[str, list[str]] = {key: [] for key in keys}
    waiting = dict.fromkeys(keys, 0)
    for first, second in edges:
        after[first].append(second)
        waiting[second] += 1
    column = dict.fromkeys(keys, 0)
    ready = [key for key in keys if not waiting[key]]
    for key in ready:
        for other in after[key]:
            column[other] = max(column[other], column[key] + 1)
            waiting[other] -= 1
            if not waiting[other]:
                ready.append(other)
    return column


def without_circles(keys: Sequence[str], edges: Sequence[Edge]) -> list[Edge]:
    """The edges without those that lead back to where a walk in the keys' order came from."""
    after: dict[str, list[str]] = {key: [] for key in keys}
    for first, second in edges:
        after[first].append(second)
    back: set[Edge] = set()
    state: dict[str, int] = {}  # 1: on the way, 2: done
    for root in keys:
        if root in state:
            continue
        state[root] = 1
        way = [(root, iter(after[root]))]
        while way:
            key, others = way[-1]
            other = next(others, None)
            if other is None:
                state[key] = 2
                way.pop()
            elif state.get(other) == 1:
                back.add((key, other))
            elif other not in state:
                state[other] = 1
                way.append((other, iter(after[other])))
    return [edge for edge in edges if edge not in back]


def layout(keys: Sequence[str], edges: Sequence[Edge]) -> Layout:
    """Place the nodes.

    Args:
        keys: Names of the nodes, each once; their order decides between equals.
        edges: From and to; ends that are not among the keys are left out.
    """
    known = set(keys)
    wanted = [edge for edge in dict.fromkeys(edges) if edge[0] in known and edge[1] in known and edge[0] != edge[1]]
    edges = without_circles(keys, wanted)
    column = columns_of(keys, edges)
    levels: list[list[str]] = [[] for _ in range(max(column.values(), default=-1) + 1)]
    for key in keys:
        levels[column[key]].append(key)
    chains = {edge: _chain(edge, column, levels, number) for number, edge in enumerate(edges)}
    before: dict[str, list[str]] = {name: [] for level in levels for name in level}
    after: dict[str, list[str]] = {name: [] for level in levels for name in level}
    for chain in chains.values():
        for first, second in pairwise(chain):
            before[second].append(first)
            after[first].append(second)
    _order(levels, before, after)
    rows = _rows(levels, before, after)
    at = {name: number for number, level in enumerate(levels) for name in level}
    places = {key: (column[key], rows[key]) for key in keys}
    routes = {edge: [(at[name], rows[name]) for name in chain] for edge, chain in chains.items()}
    return Layout(places, {edge: routes.get(edge) or [places[edge[0]], places[edge[1]]] for edge in wanted})


def _chain(edge: Edge, column: Mapping[str, int], levels: list[list[str]], number: int) -> list[str]:
    """The edge as a chain through every column between its ends, so that it finds its way between the nodes there."""
    middle = []
    for step in range(column[edge[0]] + 1, column[edge[1]]):
        name = f"\0{number}\0{step}"  # no task key can have this character
        levels[step].append(name)
        middle.append(name)
    return [edge[0], *middle, edge[1]]


def _order(levels: list[list[str]], before: Mapping[str, list[str]], after: Mapping[str, list[str]]) -> None:
    """Sort each column by the middle of its neighbours, from left to right and back."""
    place = {name: number for level in levels for number, name in enumerate(level)}
    for sweep in range(SWEEPS):
        neighbours = before if sweep % 2 == 0 else after
        for level in levels if sweep % 2 == 0 else reversed(levels):
            wish = {name: _middle([place[other] for other in neighbours[name]], place[name]) for name in level}
            level.sort(key=lambda name: wish[name])
            place.update({name: number for number, name in enumerate(level)})


def _middle(values: list[int], else_: float) -> float:
    return sum(values) / len(values) if values else else_


def _rows(levels: list[list[str]], before: Mapping[str, list[str]], after: Mapping[str, list[str]]) -> dict[str, float]:
    """Rows near the neighbours' without changing the order; the first row is 0."""
    row = {name: float(number) for level in levels for number, name in enumerate(level)}
    for sweep in range(SWEEPS):
        neighbours = before if sweep % 2 == 0 else after
        for level in levels if sweep % 2 == 0 else reversed(levels):
            wish = [sum(row[other] for other in found) / len(found) if (found := neighbours[name]) else row[name] for name in level]
            row.update(zip(level, _apart(wish), strict=True))
    lowest = min(row.values(), default=0.0)
    return {name: round(value - lowest, 2) for name, value in row.items()}


def _apart(wish: list[float]) -> list[float]:
    """The nearest rows to the wished ones (in the least squares) that are at least one apart: neighbours that collide form a block."""
    blocks: list[tuple[float, int]] = []  # sum of the wished starts of a block, and its length
    for number, value in enumerate(wish):
        total, count = value - number, 1
        while blocks and blocks[-1][0] / blocks[-1][1] > total / count:
            total, count = total + blocks[-1][0], count + blocks[-1][1]
            blocks.pop()
        blocks.append((total, count))
    found = [total / count for total, count in blocks for _ in range(count)]
    return [start + number for number, start in enumerate(found)]
