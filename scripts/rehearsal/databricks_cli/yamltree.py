"""Reads a YAML or JSON file into a tree of nodes with positions, by the rules of YAML 1.2 for plain words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from rehearsal.databricks_cli.diagnostics import CommandError, Location
from rehearsal.databricks_cli.dyn import Node, Scalar, clone

# libyaml's loader is much faster and words its errors as the real CLI does; the pure one is there where it is missing.
Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_TAG = "tag:yaml.org,2002:"
_INT = re.compile(r"[-+]?(0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)$")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")
_WORDS: dict[str, Scalar] = {"": None, "~": None}
_WORDS |= dict.fromkeys(("null", "Null", "NULL"))
_WORDS |= dict.fromkeys(("true", "True", "TRUE"), True)
_WORDS |= dict.fromkeys(("false", "False", "FALSE"), False)


def load_file(path: Path) -> Node:
    """Read one file.

    Args:
        path: The file; its absolute path is used in positions.

    Returns:
        The tree; an empty file is a null.

    Raises:
        CommandError: The file cannot be read or is not YAML; the message has the line.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise CommandError(f"failed to load {path}: {problem}") from problem
    return load_text(text, str(path))


def load_text(text: str, name: str) -> Node:
    """Read YAML from a text; `name` stands for the file in positions and messages."""
    try:
        return _Composer(name, yaml.parse(text, Loader)).document()
    except yaml.MarkedYAMLError as problem:
        raise CommandError(f"failed to load {name}: yaml: {_where(problem)}{problem.problem or 'invalid'}") from problem
    except yaml.YAMLError as problem:
        raise CommandError(f"failed to load {name}: yaml: {problem}") from problem


def _where(problem: yaml.MarkedYAMLError) -> str:
    """The line a parser of the libyaml family names: that of the context when it is not the first, else of the problem."""
    for mark in (problem.context_mark, problem.problem_mark):
        if mark is not None and mark.line:
            return f"line {mark.line + isinstance(problem, yaml.scanner.ScannerError)}: "
    return ""


class _Composer:
    """Makes nodes from the parser's events, which still know anchors and positions."""

    def __init__(self, name: str, events: Iterator[yaml.Event]) -> None:
        self.name = name
        self.events = events
        self.anchors: dict[str, Node] = {}

    def document(self) -> Node:
        """Return the first document of the file; an empty file is a null."""
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                root = self._node(next(self.events))
                for _ in self.events:  # what follows is read, too, so that its errors are told
                    pass
                return root
        return Node(None, (Location(self.name, 1, 1),))

    def _location(self, event: yaml.Event) -> Location:
        mark = event.start_mark
        return Location(self.name, mark.line + 1, mark.column + 1) if mark is not None else Location(self.name, 1, 1)

    def _node(self, event: yaml.Event) -> Node:
        assert isinstance(event, yaml.NodeEvent)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                line = self._location(event).line
                raise CommandError(f"failed to load {self.name}: yaml: line {line}: unknown anchor '{event.anchor}' referenced")
            return clone(self.anchors[event.anchor])
        node = Node(None, (self._location(event),), anchored=event.anchor is not None)
        if isinstance(event, yaml.MappingStartEvent):
            node.value = self._mapping()
        elif isinstance(event, yaml.SequenceStartEvent):
            items: list[Node] = []
            while not isinstance(following := next(self.events), yaml.SequenceEndEvent):
                items.append(self._node(following))
            node.value = items
        elif isinstance(event, yaml.ScalarEvent):
            node.value = _scalar(event)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def _mapping(self) -> dict[str, Node]:
        merged: dict[str, Node] = {}
        own: dict[str, Node] = {}
        while not isinstance(key := next(self.events), yaml.MappingEndEvent):
            if not isinstance(key, yaml.ScalarEvent):
                line = self._location(key).line
                raise CommandError(f"failed to load {self.name}: yaml: line {line}: key is not a scalar")
            child = self._node(next(self.events))
            if key.value == "<<" and key.implicit[0]:
                for source in child.items or [child]:
                    for name, inherited in self._merge_source(source).items():
                        merged.setdefault(name, inherited)
                continue
            child.key_location = self._location(key)
            own[str(key.value)] = child  # of a key written twice, the last one counts
        return {name: child for name, child in merged.items() if name not in own} | own

    def _merge_source(self, source: Node) -> dict[str, Node]:
        if not isinstance(source.value, dict):
            raise CommandError(f"failed to load {self.name}: map merge requires map or sequence of maps as the value")
        return source.value


def _scalar(event: yaml.ScalarEvent) -> Scalar:
    text = str(event.value)
    if not event.implicit[0]:  # quoted, a block, or with a tag of its own
        return _number(text) if event.tag in (f"{_TAG}int", f"{_TAG}float") else text
    return _WORDS[text] if text in _WORDS else _number(text)


def _number(text: str) -> Scalar:
    digits = text.replace("_", "")
    if _INT.match(text):
        sign, body = ("-", digits[1:]) if digits.startswith("-") else ("", digits.lstrip("+"))
        if body.isdigit() and len(body) > 1 and body[0] == "0":
            return int(sign + body, 8) if not set(body) & set("89") else text
        return int(sign + body, 0)
    if _FLOAT.match(digits):
        return float(digits)
    return text
