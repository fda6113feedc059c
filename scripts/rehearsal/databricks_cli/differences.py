"""Finds where two values of one type differ, down to single fields; list items are matched by their key."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from rehearsal.databricks_cli.schema import Schema

ITEM_KEYS: dict[str, tuple[str, ...]] = {
    "jobs.Task": ("task_key",),
    "jobs.TaskDependency": ("task_key",),
    "jobs.JobCluster": ("job_cluster_key",),
    "jobs.JobEnvironment": ("environment_key",),
    "jobs.JobParameterDefinition": ("name",),
    "Permission": ("user_name", "group_name", "service_principal_name"),
    "Grant": ("principal",),
    "SecretAcl": ("principal",),
}
"""The field that names an item of a list, for types whose order in a list does not matter; the first that is set counts."""

EMBEDDED = "__embed__"
"""The field of a state whose items stand in paths without its name."""


class _Absent:
    """Stands for a field that is not there."""

    def __repr__(self) -> str:
        return "absent"


ABSENT: Any = _Absent()


@dataclass(frozen=True)
class Step:
    """One step of a path.

    Args:
        kind: `field` of an object, `key` of a mapping, `index` of a list, or `item` of a list whose items have names.
        name: The field, the key, the index as text, or the field that names the item.
        value: The item's name; empty for other kinds.
    """

    kind: str
    name: str
    value: str = ""


Steps = tuple[Step, ...]


def format_steps(steps: Steps, *, pattern: bool = False) -> str:
    """Return a path as text, such as `tasks[task_key='a'].run_if`; as a pattern, indexes, items and keys are `[*]`."""
    text = ""
    for step in steps:
        if step.kind == "field":
            if step.name != EMBEDDED:
                text += f".{step.name}" if text else step.name
        elif pattern:
            text += "[*]"
        elif step.kind == "key":
            text += f"['{step.name}']"
        elif step.kind == "index":
            text += f"[{step.name}]"
        else:
            text += f"[{step.name}='{step.value}']"
    return text


def differences(left: Any, right: Any, type_text: str, schema: Schema) -> list[Steps]:
    """Return the paths at which two values differ.

    Args:
        left: Plain data or `ABSENT`.
        right: Plain data or `ABSENT`.
        type_text: The type of both, in the notation of `schema_build`.
        schema: Knows the objects.

    Returns:
        The shortest paths that hold a difference: a whole object where one side has none, else its fields.
    """
    found: list[Steps] = []
    _compare(left, right, type_text, schema, (), found)
    return found


def _compare(left: Any, right: Any, type_text: str, schema: Schema, path: Steps, found: list[Steps]) -> None:
    if left is ABSENT or right is ABSENT or type(left) is not type(right):
        if not _same_scalar(left, right):
            found.append(path)
        return
    if isinstance(left, dict):
        for name in sorted(left.keys() | right.keys()):
            step, child = _step_into(name, type_text, schema)
            _compare(left.get(name, ABSENT), right.get(name, ABSENT), child, schema, (*path, step), found)
    elif isinstance(left, list):
        element = type_text[2:] if type_text.startswith("[]") else "any"
        names = _item_names(left, right, element)
        if names is not None:
            lefts, rights = names
            for step in dict.fromkeys((*lefts, *rights)):
                _compare(lefts.get(step, ABSENT), rights.get(step, ABSENT), element, schema, (*path, step), found)
            return
        for index in range(max(len(left), len(right))):
            pair = (left[index] if index < len(left) else ABSENT, right[index] if index < len(right) else ABSENT)
            _compare(*pair, element, schema, (*path, Step("index", str(index))), found)
    elif left != right:
        found.append(path)


def _same_scalar(left: Any, right: Any) -> bool:
    numbers = (int, float)
    return (
        isinstance(left, numbers)
        and isinstance(right, numbers)
        and not isinstance(left, bool)
        and not isinstance(right, bool)
        and left == right
    )


def _step_into(name: str, type_text: str, schema: Schema) -> tuple[Step, str]:
    if type_text.startswith("#"):
        return Step("field", name), schema.object(type_text[1:]).fields.get(name, "any")
    if type_text.startswith("{}"):
        return Step("key", name), type_text[2:]
    return Step("field", name), "any"


def _item_names(left: list[Any], right: list[Any], element: str) -> tuple[dict[Step, Any], dict[Step, Any]] | None:
    keys = ITEM_KEYS.get(element.removeprefix("#"))
    if keys is None:
        return None
    named = [{step: item for item in items if (step := item_step(item, keys)) is not None} for items in (left, right)]
    if len(named[0]) != len(left) or len(named[1]) != len(right):
        return None  # an item without a name, or two with the same: then the order counts
    return named[0], named[1]


def item_step(item: Any, keys: tuple[str, ...]) -> Step | None:
    """Return the step that leads to a list item, by the first of its naming fields that is set."""
    for key in keys:
        if isinstance(item, dict) and item.get(key):
            return Step("item", key, str(item[key]))
    return None


def look_up(value: Any, path: Steps) -> Any:
    """Return what stands at a path, or `ABSENT`."""
    for step in path:
        if step.kind in ("field", "key"):
            value = value.get(step.name, ABSENT) if isinstance(value, dict) else ABSENT
        elif not isinstance(value, list):
            return ABSENT
        elif step.kind == "index":
            value = value[int(step.name)] if int(step.name) < len(value) else ABSENT
        else:
            value = next((item for item in value if isinstance(item, dict) and str(item.get(step.name)) == step.value), ABSENT)
        if value is ABSENT:
            return ABSENT
    return value


def is_empty(value: Any) -> bool:
    """Return whether a value is what a field says that was never set: null, zero, or nothing but such values."""
    if isinstance(value, dict):
        return all(is_empty(item) for item in value.values())
    if isinstance(value, list):
        return not value
    return value in (None, "", 0, False)


def prune(value: Any, type_text: str, schema: Schema) -> Any:
    """Return a value as its type would hold it: without unknown fields, nulls, and lists and mappings that are empty.

    An object without fields stays: it says that it is wanted (`email_notifications: {}`).
    """
    if isinstance(value, dict) and type_text.startswith("#"):
        fields = schema.object(type_text[1:]).fields
        pruned = {key: prune(item, fields[key], schema) for key, item in value.items() if key in fields}
        return {key: item for key, item in pruned.items() if not _is_unset(item, fields[key])}
    if isinstance(value, dict) and type_text.startswith("{}"):
        return {key: prune(item, type_text[2:], schema) for key, item in value.items() if item is not None}
    if isinstance(value, list) and type_text.startswith("[]"):
        return [prune(item, type_text[2:], schema) for item in value if item is not None]
    return value


def _is_unset(value: Any, type_text: str) -> bool:
    return value is None or (type_text[:2] in ("[]", "{}") and not value)


@functools.cache
def matches(pattern: str, path: str) -> bool:
    """Return whether a path in pattern form (`tasks[*].run_if`) is the pattern or lies below it."""
    return path == pattern or path.startswith((pattern + ".", pattern + "["))
