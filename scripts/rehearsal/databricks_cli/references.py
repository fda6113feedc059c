"""References from one resource to another: found in a state, resolved as far as the plan allows, and again when applied."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rehearsal.databricks_cli.diagnostics import CommandError
from rehearsal.databricks_cli.differences import ABSENT
from rehearsal.databricks_cli.dyn import Path, format_path, parse_path
from rehearsal.databricks_cli.schema import REFERENCE, Schema

_ELSEWHERE = "resources."
Resolver = Callable[[str, Path], Any]
"""Gives the value of a field of a node (`resources.jobs.a`, `("id",)`), or `UNKNOWN` while it is not known."""


class _Unknown:
    """Stands for a value that only the deployment will know."""

    def __repr__(self) -> str:
        return "unknown"


UNKNOWN: Any = _Unknown()


@dataclass(frozen=True)
class Target:
    """What a reference leads to.

    Args:
        node: The resource, such as `resources.jobs.train`.
        path: The field of it.
        label: The reference as it was written.
    """

    node: str
    path: Path
    label: str


@dataclass
class Resolved:
    """A state with its references resolved as far as they are known.

    Args:
        value: The state; what is not known is empty in it, or still has the reference where a text may have one.
        variables: Path in the state → text with the references that are not known yet.
    """

    value: dict[str, Any]
    variables: dict[str, str] = field(default_factory=dict)


def targets(text: str) -> list[Target]:
    """Return the references to resources in a text."""
    found = []
    for hit in REFERENCE.finditer(text):
        if hit[1].startswith(_ELSEWHERE):
            path = parse_path(hit[1])
            found.append(Target(".".join(str(part) for part in path[:3]), path[3:], hit[0]))
    return found


def all_targets(value: Any) -> list[Target]:
    """Return the references to resources anywhere in plain data."""
    if isinstance(value, str):
        return targets(value) if "${" in value else []
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [target for child in children for target in all_targets(child)]


def resolve_state(template: dict[str, Any], type_text: str, schema: Schema, resolver: Resolver, emptied: tuple[str, ...] = ()) -> Resolved:
    """Resolve the references of a state.

    Args:
        template: The state with references.
        type_text: Its type.
        schema: Knows the types of fields, so that a number stays one.
        resolver: Gives values.
        emptied: Fields that are empty while they are not known, instead of keeping the reference.

    Returns:
        The state and what remains.

    Raises:
        CommandError: A value does not fit its field.
    """
    result = Resolved({})

    def visit(value: Any, path: Path) -> Any:
        if isinstance(value, dict):
            return {key: visit(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [visit(item, (*path, index)) for index, item in enumerate(value)]
        if not isinstance(value, str) or not targets(value):
            return value
        kind = schema.at(type_text, path) or "any"
        known = substitute(value, resolver)
        if known is not UNKNOWN:
            return convert(known, kind, value)
        result.variables[format_path(path)] = value
        if path[-1] in emptied:
            return ""
        return {"int": 0, "float": 0, "bool": False}.get(kind, value)

    result.value = visit(template, ())
    return result


def substitute(text: str, resolver: Resolver) -> Any:
    """Return a text with its references to resources replaced, or `UNKNOWN` when one of them is not known."""
    found = targets(text)
    if len(found) == 1 and found[0].label == text:
        return resolver(found[0].node, found[0].path)
    values = {target.label: resolver(target.node, target.path) for target in found}
    if any(value is UNKNOWN for value in values.values()):
        return UNKNOWN
    pattern = re.compile("|".join(re.escape(label) for label in values))
    return pattern.sub(lambda hit: _text(values[hit[0]]), text)


def convert(value: Any, kind: str, text: str) -> Any:
    """Return a resolved value in the type of its field."""
    try:
        if kind == "int":
            return int(value)
        if kind == "float":
            return float(value)
    except (TypeError, ValueError) as problem:
        raise CommandError(f"cannot use the value of {text} as a number: {value!r}") from problem
    return _text(value) if kind == "string" or kind.startswith("!") else value


def _text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def plain_at(value: Any, path: Path) -> Any:
    """Return what stands at a path of plain data, or `ABSENT`."""
    for part in path:
        known = part in value if isinstance(value, dict) else isinstance(value, list) and isinstance(part, int) and part < len(value)
        if not known:
            return ABSENT
        value = value[part]
    return value


def put(value: dict[str, Any], path: str, item: Any) -> None:
    """Put an item at a path, given as text, of plain data; the way must exist."""
    steps = parse_path(path)
    place: Any = value
    for step in steps[:-1]:
        place = place[step]
    place[steps[-1]] = item
