"""The configuration as a tree in which every value knows the places in the files it came from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from rehearsal.databricks_cli.diagnostics import Location

Scalar = str | int | float | bool | None
Content = dict[str, "Node"] | list["Node"] | Scalar
Path = tuple[str | int, ...]


class Node:
    """One value of the configuration.

    Args:
        value: A mapping or list of nodes, or a scalar.
        locations: Where it was written; the first is the one that is shown.
        key_location: Where the key stands under which it is found, for values of mappings.
        anchored: It carries a YAML anchor: a place for shared text, of which no field is expected.
    """

    __slots__ = ("anchored", "key_location", "locations", "value")

    def __init__(
        self,
        value: Content,
        locations: tuple[Location, ...] = (),
        key_location: Location | None = None,
        *,
        anchored: bool = False,
    ) -> None:
        self.value = value
        self.locations = locations
        self.key_location = key_location
        self.anchored = anchored

    @property
    def mapping(self) -> dict[str, Node]:
        """The children of a mapping; an empty mapping for anything else."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def items(self) -> list[Node]:
        """The children of a list; an empty list for anything else."""
        return self.value if isinstance(self.value, list) else []

    def get(self, *path: str | int) -> Node | None:
        """Return the node at a path below this one, or None."""
        node: Node = self
        for part in path:
            child: Node | None = None
            if isinstance(part, str) and isinstance(node.value, dict):
                child = node.value.get(part)
            elif isinstance(part, int) and isinstance(node.value, list) and 0 <= part < len(node.value):
                child = node.value[part]
            if child is None:
                return None
            node = child
        return node

    def plain(self, *path: str | int) -> Any:
        """Return the plain value at a path, or None when there is none."""
        node = self.get(*path)
        return None if node is None else to_plain(node)

    def text(self, *path: str | int) -> str:
        """Return the text at a path; empty when there is none or it is not a text."""
        node = self.get(*path)
        return node.value if node is not None and isinstance(node.value, str) else ""

    def set(self, path: Path, child: Node) -> None:
        """Put a node at a path of mapping keys; mappings on the way are made. A list on the way is indexed."""
        node = self
        for part in path[:-1]:
            node = node._child(part)
        last = path[-1]
        if isinstance(last, int):
            node.items[last] = child
            return
        if not isinstance(node.value, dict):
            node.value = {}
        node.value[last] = child

    def _child(self, part: str | int) -> Node:
        if isinstance(part, int):
            return self.items[part]
        if not isinstance(self.value, dict):
            self.value = {}
        return self.value.setdefault(part, Node({}, self.locations))

    def set_default(self, path: Path, value: Any) -> None:
        """Put a plain value at a path unless something other than null stands there."""
        present = self.get(*path)
        if present is None or present.value is None:
            self.set(path, from_plain(value, self.locations))

    def remove(self, *path: str | int) -> None:
        """Remove a key of a mapping, when it is there."""
        parent = self.get(*path[:-1])
        if parent is not None and isinstance(parent.value, dict) and isinstance(path[-1], str):
            parent.value.pop(path[-1], None)


def from_plain(value: Any, locations: tuple[Location, ...] = ()) -> Node:
    """Return a tree of nodes for plain data; every node gets the same locations."""
    if isinstance(value, dict):
        return Node({str(k): from_plain(v, locations) for k, v in value.items()}, locations)
    if isinstance(value, list):
        return Node([from_plain(v, locations) for v in value], locations)
    return Node(value, locations)


def to_plain(node: Node) -> Any:
    """Return the plain data of a tree."""
    value = node.value
    if isinstance(value, dict):
        return {key: to_plain(child) for key, child in value.items()}
    if isinstance(value, list):
        return [to_plain(child) for child in value]
    return value


def clone(node: Node) -> Node:
    """Return a copy that shares nothing that can change."""
    value = node.value
    copied: Content = value
    if isinstance(value, dict):
        copied = {key: clone(child) for key, child in value.items()}
    elif isinstance(value, list):
        copied = [clone(child) for child in value]
    return Node(copied, node.locations, node.key_location)


def walk(node: Node, path: Path = ()) -> Iterator[tuple[Path, Node]]:
    """Yield every node of a tree with its path, parents before children."""
    yield path, node
    if isinstance(node.value, dict):
        for key, child in node.value.items():
            yield from walk(child, (*path, key))
    elif isinstance(node.value, list):
        for index, child in enumerate(node.value):
            yield from walk(child, (*path, index))


def map_strings(node: Node, change: Callable[[Node, Path], Node], path: Path = ()) -> Node:
    """Return the tree with every text node replaced by what `change` returns for it."""
    if isinstance(node.value, str):
        return change(node, path)
    if isinstance(node.value, dict):
        node.value = {key: map_strings(child, change, (*path, key)) for key, child in node.value.items()}
    elif isinstance(node.value, list):
        node.value = [map_strings(child, change, (*path, index)) for index, child in enumerate(node.value)]
    return node


def match(node: Node, pattern: tuple[str, ...], path: Path = ()) -> list[tuple[Path, Node]]:
    """Return the nodes at a pattern of keys in which `*` stands for every key or index."""
    if not pattern:
        return [(path, node)]
    head, rest = pattern[0], pattern[1:]
    found: list[tuple[Path, Node]] = []
    if head == "*":
        children: list[tuple[str | int, Node]] = list(node.mapping.items()) if isinstance(node.value, dict) else list(enumerate(node.items))
        for part, child in children:
            found += match(child, rest, (*path, part))
    elif (child_node := node.get(head)) is not None:
        found += match(child_node, rest, (*path, head))
    return found


def format_path(path: Path) -> str:
    """Return a path as text: `resources.jobs.j.tasks[0].name`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else part)
    return text


_PART = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


def parse_path(text: str) -> Path:
    """Return the path that a text such as `a.b[0].c` names."""
    return tuple(key or int(index) for key, index in _PART.findall(text))


def kind(value: Any) -> str:
    """Return the word for the kind of a value that messages use."""
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "bool"
    names = {dict: "map", list: "sequence", str: "string", int: "int", float: "float"}
    return names[type(value)]
