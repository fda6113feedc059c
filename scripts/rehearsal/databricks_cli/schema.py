"""Checks a tree against the known fields: unknown fields and wrong types become warnings and are dropped."""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from typing import Any

from rehearsal.databricks_cli.diagnostics import Diagnostics
from rehearsal.databricks_cli.dyn import Node, Path, Scalar, format_path, kind
from rehearsal.databricks_cli.schema_build import FIELDS_FILE
from rehearsal.databricks_cli.schema_root import ENUMS, OBJECTS, RESOURCE_EXTRAS

REFERENCE = re.compile(r"\$\{([a-zA-Z]+(?:[-_]*[a-zA-Z0-9]+)*(?:\.[a-zA-Z]+(?:[-_]*[a-zA-Z0-9]+)*(?:\[[0-9]+\])*)*(?:\[[0-9]+\])*)\}")
"""A reference to another value: `${var.catalog}`, `${resources.jobs.train.id}`."""

_TRUE = frozenset(("true", "y", "Y", "yes", "on"))
_FALSE = frozenset(("false", "n", "N", "no", "off"))
_ZERO: dict[str, Scalar] = {"string": "", "int": 0, "float": 0.0, "bool": False}


@dataclass(frozen=True)
class ObjectType:
    """An object: the type of each field, and the fields that must be set."""

    fields: dict[str, str]
    required: tuple[str, ...]


class Schema:
    """All known objects and enumerations."""

    def __init__(self, content: dict[str, Any]) -> None:
        raw: dict[str, dict[str, Any]] = content["objects"] | OBJECTS
        for name, extra in RESOURCE_EXTRAS.items():
            entry = raw[f"resource.{name}"]
            raw[f"resource.{name}"] = entry | {"fields": entry["fields"] | extra | {"lifecycle": "#Lifecycle"}}
        self._raw = raw
        self._enums: dict[str, list[str]] = content["enums"] | ENUMS

    @functools.cache  # noqa: B019 - there is one schema for the life of the process
    def object(self, name: str) -> ObjectType:
        """Return the object of a name."""
        entry = self._raw[name]
        return ObjectType(entry["fields"], tuple(entry.get("required", ())))

    def enum(self, type_text: str) -> list[str]:
        """Return the values of an enumeration given as `!name`."""
        return self._enums[type_text[1:]]

    def at(self, type_text: str, path: Path) -> str | None:
        """Return the type of what stands at a path below a value of the given type; None when nothing may stand there."""
        for part in path:
            if type_text == "any":
                return "any"
            if isinstance(part, int):
                if not type_text.startswith("[]"):
                    return None
                type_text = type_text[2:]
            elif type_text.startswith("{}"):
                type_text = type_text[2:]
            elif type_text.startswith("#") and part in self.object(type_text[1:]).fields:
                type_text = self.object(type_text[1:]).fields[part]
            else:
                return None
        return type_text

    def zero(self, type_text: str) -> Scalar:
        """Return what a scalar field says that was not set; None for other types."""
        return "" if type_text.startswith("!") else _ZERO.get(type_text)

    def normalize(self, node: Node, type_text: str, diagnostics: Diagnostics, path: Path = ()) -> Node | None:
        """Check a tree against a type, convert scalars where that loses nothing, and drop what does not fit.

        Args:
            node: The tree.
            type_text: Its type, in the notation of `schema_build`.
            diagnostics: Takes one warning for each field that is dropped.
            path: The path of the tree, for the warnings.

        Returns:
            The tree that fits, or None when it does not fit at all.
        """
        if type_text == "any" or is_reference(node):
            return node
        if type_text.startswith("#"):
            return self._object(node, self.object(type_text[1:]), diagnostics, path)
        if type_text.startswith("{}"):
            return self._mapping(node, type_text[2:], diagnostics, path)
        if type_text.startswith("[]"):
            return self._list(node, type_text[2:], diagnostics, path)
        return _scalar(node, "string" if type_text.startswith("!") else type_text, diagnostics, path)

    def _object(self, node: Node, owner: ObjectType, diagnostics: Diagnostics, path: Path) -> Node | None:
        if node.value is None:
            return node
        if not isinstance(node.value, dict):
            _mismatch("map", node, diagnostics, path)
            return None
        children: dict[str, Node] = {}
        for key, child in node.value.items():
            if key not in owner.fields:
                if not child.anchored:
                    where = (child.key_location,) if child.key_location else child.locations
                    diagnostics.warn(f"unknown field: {key}", paths=(format_path(path),), locations=where)
                continue
            kept = self.normalize(child, owner.fields[key], diagnostics, (*path, key))
            if kept is not None:
                children[key] = kept
        return Node(children, node.locations, node.key_location)

    def _mapping(self, node: Node, type_text: str, diagnostics: Diagnostics, path: Path) -> Node | None:
        if node.value is None:
            return node
        if not isinstance(node.value, dict):
            _mismatch("map", node, diagnostics, path)
            return None
        checked = {key: self.normalize(child, type_text, diagnostics, (*path, key)) for key, child in node.value.items()}
        return Node({key: child for key, child in checked.items() if child is not None}, node.locations, node.key_location)

    def _list(self, node: Node, type_text: str, diagnostics: Diagnostics, path: Path) -> Node | None:
        if node.value is None:
            return node
        if not isinstance(node.value, list):
            _mismatch("sequence", node, diagnostics, path)
            return None
        checked = [self.normalize(child, type_text, diagnostics, (*path, index)) for index, child in enumerate(node.value)]
        return Node([child for child in checked if child is not None], node.locations, node.key_location)


def is_reference(node: Node) -> bool:
    """Return whether a node is a text that consists of one reference and nothing else."""
    return isinstance(node.value, str) and REFERENCE.fullmatch(node.value) is not None


@functools.cache
def load_schema() -> Schema:
    """Return the schema; it is read once."""
    return Schema(json.loads(FIELDS_FILE.read_text("utf-8")))


def _mismatch(expected: str, node: Node, diagnostics: Diagnostics, path: Path) -> None:
    found = kind(node.value)
    diagnostics.warn(f"expected {expected}, found {found}", paths=(format_path(path),), locations=node.locations)


def _scalar(node: Node, type_text: str, diagnostics: Diagnostics, path: Path) -> Node | None:
    value = node.value
    if value is None:
        diagnostics.warn(f"expected a {type_text} value, found null", paths=(format_path(path),), locations=node.locations)
        return None
    if isinstance(value, (dict, list)):
        _mismatch(type_text, node, diagnostics, path)
        return None
    converters = {"string": _to_string, "bool": _to_bool, "int": _to_int, "float": _to_float}
    converted, problem = converters[type_text](value)
    if problem:
        diagnostics.warn(problem, paths=(format_path(path),), locations=node.locations)
        return None
    return node if converted is value else Node(converted, node.locations, node.key_location)


def _to_string(value: str | float | bool) -> tuple[Scalar, str]:
    if isinstance(value, str):
        return value, ""
    if isinstance(value, bool):
        return ("true" if value else "false"), ""
    return str(int(value) if isinstance(value, float) and value.is_integer() else value), ""


def _to_bool(value: str | float | bool) -> tuple[Scalar, str]:
    if isinstance(value, bool):
        return value, ""
    if isinstance(value, str) and value in _TRUE | _FALSE:
        return value in _TRUE, ""
    return (value, "") if _has_reference(value) else (None, f"expected bool, found {kind(value)}")


def _to_int(value: str | float | bool) -> tuple[Scalar, str]:
    if isinstance(value, bool):
        return None, "expected int, found bool"
    if isinstance(value, int):
        return value, ""
    if isinstance(value, float):
        return (
            (int(value), "") if value.is_integer() else (None, f'cannot accurately represent "{value:g}" as integer due to precision loss')
        )
    try:
        return int(value), ""
    except ValueError:
        return (value, "") if _has_reference(value) else (None, f'cannot parse "{value}" as an integer')


def _to_float(value: str | float | bool) -> tuple[Scalar, str]:
    if isinstance(value, bool):
        return None, "expected float, found bool"
    if isinstance(value, (int, float)):
        return value, ""
    try:
        return float(value), ""
    except ValueError:
        return (value, "") if _has_reference(value) else (None, f'cannot parse "{value}" as a floating point number')


def _has_reference(value: Any) -> bool:
    return isinstance(value, str) and REFERENCE.search(value) is not None
