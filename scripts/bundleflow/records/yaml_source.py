"""Reads YAML so that every key and value knows its line and column, and refuses duplicate keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Path = tuple[str | int, ...]
"""Where a value stands in a document: keys and list positions from the root."""

DEPTH_LIMIT = 100
NODE_LIMIT = 200_000
"""How many values one document may hold once its aliases are spread out (a "billion laughs" ends here)."""


_PLAIN = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


@dataclass(frozen=True, order=True)
class Position:
    """A place in a text file; line and column count from 1."""

    line: int
    column: int


@dataclass(frozen=True)
class YamlProblem:
    """One finding in a YAML file.

    Args:
        position: Where it is.
        cause: What is wrong, without the position.
        fix: What to do about it.
        unknown: Path of a key that nobody knows, where that is what is wrong; else empty.
    """

    position: Position
    cause: str
    fix: str = ""
    unknown: Path = ()


@dataclass
class YamlSource:
    """A parsed YAML document and where everything in it stands.

    Args:
        data: The document as plain Python values (None for an empty file).
        keys: Position of each mapping key, by the path of its value.
        values: Position of each value, by its path.
        anchored: Where values stand that have an anchor (`&name`), so that others can refer to them.
        problems: Duplicate keys.
    """

    data: Any = None
    keys: dict[Path, Position] = field(default_factory=dict)
    values: dict[Path, Position] = field(default_factory=dict)
    anchored: set[Position] = field(default_factory=set)
    problems: list[YamlProblem] = field(default_factory=list)

    def at(self, path: Path) -> Position:
        """Position of the key at `path`, or of the value, or of the nearest parent that has one."""
        while path:
            found = self.keys.get(path) or self.values.get(path)
            if found:
                return found
            path = path[:-1]
        return self.values.get((), Position(1, 1))


class YamlError(Exception):
    """The text is not YAML; carries the one problem that stopped the parser."""

    def __init__(self, problem: YamlProblem) -> None:
        super().__init__(problem.cause)
        self.problem = problem


def parse_yaml(text: str) -> YamlSource:
    """Parse one YAML document with positions.

    Args:
        text: The file's content.

    Returns:
        The document. Duplicate keys are listed in `problems`; the last one wins in `data`.

    Raises:
        YamlError: When the text is not one well-formed YAML document, or is too large.
    """
    import yaml

    loader_class: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    source = YamlSource()
    try:
        source.anchored = _scan(text, loader_class)
        loader = loader_class(text)
        try:
            node = loader.get_single_node()
            if node is not None:
                source.data = _Reader(loader, source).value(node, (), frozenset())
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        position = Position(mark.line + 1, mark.column + 1) if mark else Position(1, 1)
        cause = " ".join(part for part in (error.context, error.problem) if part) or "not readable as YAML"
        raise YamlError(YamlProblem(position, cause, "Check the indentation, quotes and colons on this line and the one above.")) from error
    except yaml.YAMLError as error:
        raise YamlError(YamlProblem(Position(1, 1), str(error).splitlines()[0], "Save the file as UTF-8 text.")) from error
    return source


def _scan(text: str, loader_class: Any) -> set[Position]:
    """The places of anchored values. Refuses what is nested too deeply: making nodes is recursive, in C too, and would end the process."""
    import yaml

    depth = 0
    anchored = set()
    for event in yaml.parse(text, Loader=loader_class):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEPTH_LIMIT:
            raise YamlError(YamlProblem(_position(event), f"the file is nested more than {DEPTH_LIMIT} deep", "Flatten it."))
        if isinstance(event, yaml.NodeEvent) and not isinstance(event, yaml.AliasEvent) and event.anchor:
            anchored.add(_position(event))
    return anchored


class _Reader:
    """Turns YAML nodes into values and notes where each one stands."""

    def __init__(self, loader: Any, source: YamlSource) -> None:
        self.loader = loader
        self.source = source
        self.seen = 0

    def value(self, node: Any, path: Path, open_nodes: frozenset[int]) -> Any:
        import yaml

        position = _position(node)
        self.seen += 1
        if self.seen > NODE_LIMIT:
            raise YamlError(YamlProblem(position, f"the file spreads out to more than {NODE_LIMIT} values", "Use fewer aliases."))
        if id(node) in open_nodes:
            raise YamlError(YamlProblem(position, "an alias that contains itself", "Write the value out."))
        self.source.values[path] = position
        inner = open_nodes | {id(node)}
        if not isinstance(node, yaml.ScalarNode) and node.tag not in _PLAIN:
            return self.loader.construct_object(node, deep=True)  # refuses a tag that is not YAML's own
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, index), inner) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return dict(self._items(node, path, inner))
        if node.tag == "tag:yaml.org,2002:timestamp":
            return str(node.value)  # JSON, and with it every schema, knows no dates
        return self.loader.construct_object(node)

    def _items(self, node: Any, path: Path, open_nodes: frozenset[int]) -> Iterator[tuple[str, Any]]:
        written = [_key_text(key) for key, _ in node.value]
        first: dict[str, Position] = {}
        for (key_node, _), key in zip(node.value, written, strict=True):
            if key in first and key != "<<":
                cause = f"key `{key}` is given twice (first in line {first[key].line})"
                self.source.problems.append(
                    YamlProblem(_position(key_node), cause, "Keep one of them: YAML readers silently take the last.")
                )
            first.setdefault(key, _position(key_node))
        self.loader.flatten_mapping(node)
        for key_node, value_node in node.value:
            key = _key_text(key_node)
            self.source.keys[(*path, key)] = _position(key_node)
            yield key, self.value(value_node, (*path, key), open_nodes)


def _key_text(node: Any) -> str:
    """A key as it is written: `on`, `yes` and `1` stay text, as GitHub and Databricks read them."""
    return str(node.value) if isinstance(node.value, str) else "?"


def _position(node: Any) -> Position:
    return Position(node.start_mark.line + 1, node.start_mark.column + 1)
