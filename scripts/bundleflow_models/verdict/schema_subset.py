"""Checks plain values against the part of JSON Schema that the gate file uses; a Databricks runtime need not have jsonschema."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

KEYWORDS = frozenset(
    [
        *("$schema", "$id", "$ref", "$defs", "title", "description", "default", "type", "const", "enum", "required", "properties"),
        *("additionalProperties", "propertyNames", "minProperties", "maxProperties", "items", "uniqueItems", "minLength", "pattern"),
        *("minimum", "maximum"),
    ]
)
"""What is understood here; a test holds the schema to it."""

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}


def problems(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], where: str = "") -> Iterator[str]:
    """Find what a value violates.

    Args:
        value: What was read.
        schema: The schema of this value.
        root: The whole schema, for `$ref` into its `$defs`.
        where: Name of the value, such as `policy.eps`; empty for the whole file.

    Yields:
        One sentence for each violation, naming the key.
    """
    schema = resolve(schema, root)
    name = f"`{where}`" if where else "the file"
    if "type" in schema and not _is(value, schema["type"]):
        kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
        yield f"{name} must be of type {' or '.join(kinds)}, not {value!r:.60}"
        return
    if "const" in schema and value != schema["const"]:
        yield f"{name} must be {schema['const']!r}, not {value!r:.60}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{name} must be one of {', '.join(map(repr, schema['enum']))}, not {value!r:.60}"
    if isinstance(value, str):
        yield from _text_problems(value, schema, name)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _number_problems(value, schema, name)
    elif isinstance(value, list):
        if schema.get("uniqueItems") and any(each in value[:index] for index, each in enumerate(value)):
            yield f"{name} names something twice"
        for index, each in enumerate(value):
            yield from problems(each, schema.get("items", {}), root, f"{where}[{index}]")
    elif isinstance(value, dict):
        yield from _mapping_problems(value, schema, root, where)


def resolve(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema with its `$ref` followed; what stands beside the reference wins."""
    if "$ref" not in schema:
        return schema
    target: Any = root
    for part in str(schema["$ref"]).removeprefix("#/").split("/"):
        target = target[part]
    return {**target, **{key: value for key, value in schema.items() if key != "$ref"}}


def _is(value: Any, kinds: str | list[str]) -> bool:
    wanted = [kinds] if isinstance(kinds, str) else kinds
    if isinstance(value, bool):
        return "boolean" in wanted
    if isinstance(value, float) and not abs(value) < float("inf"):
        return False
    return any(isinstance(value, _TYPES[kind]) for kind in wanted)


def _text_problems(value: str, schema: Mapping[str, Any], name: str) -> Iterator[str]:
    if len(value) < schema.get("minLength", 0):
        yield f"{name} is empty"
    elif "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{name} cannot be {value!r:.60} ({schema.get('description', schema['pattern'])})"


def _number_problems(value: float, schema: Mapping[str, Any], name: str) -> Iterator[str]:
    if value < schema.get("minimum", value):
        yield f"{name} must be at least {schema['minimum']}, not {value}"
    if value > schema.get("maximum", value):
        yield f"{name} must be at most {schema['maximum']}, not {value}"


def _mapping_problems(value: Mapping[Any, Any], schema: Mapping[str, Any], root: Mapping[str, Any], where: str) -> Iterator[str]:
    known = schema.get("properties", {})
    rest = schema.get("additionalProperties", {})
    inside = f" in `{where}`" if where else ""
    for key in schema.get("required", ()):
        if key not in value:
            yield f"key `{key}` is missing{inside}"
    if not schema.get("minProperties", 0) <= len(value) <= schema.get("maxProperties", len(value)):
        yield f"`{where}` must have {' or '.join(f'`{key}`' for key in known)}, one of them"
    for key, each in value.items():
        place = f"{where}.{key}" if where else str(key)
        if key in known:
            yield from problems(each, known[key], root, place)
        elif rest is False:
            close = get_close_matches(str(key), known, n=1)
            yield f"unknown key `{key}`{inside}" + (f", did you mean `{close[0]}`?" if close else "")
        else:
            if "propertyNames" in schema:
                yield from problems(key, schema["propertyNames"], root, place)
            yield from problems(each, rest, root, place)
