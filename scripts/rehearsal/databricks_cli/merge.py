"""Lays one tree over another: mappings merge, lists are appended, scalars are replaced."""

from __future__ import annotations

from collections.abc import Callable

from rehearsal.databricks_cli.diagnostics import CommandError
from rehearsal.databricks_cli.dyn import Node, kind


def merge(base: Node, over: Node) -> Node:
    """Return `over` laid over `base`.

    Args:
        base: What was there before.
        over: What is laid over it; a null changes nothing.

    Returns:
        A new tree. Mappings and lists keep the positions of both, base first; a scalar has those of `over` first.

    Raises:
        CommandError: One is a mapping and the other a list, or one is a scalar and the other is not.
    """
    if over.value is None:
        return base
    if base.value is None:
        return Node(over.value, over.locations + base.locations, over.key_location or base.key_location)
    key_location = base.key_location or over.key_location
    if isinstance(base.value, dict) and isinstance(over.value, dict):
        children = dict(base.value)
        for key, child in over.value.items():
            children[key] = merge(children[key], child) if key in children else child
        return Node(children, base.locations + over.locations, key_location)
    if isinstance(base.value, list) and isinstance(over.value, list):
        return Node(base.value + over.value, base.locations + over.locations, key_location)
    if isinstance(base.value, (dict, list)) or isinstance(over.value, (dict, list)):
        if _is_reference(base) or _is_reference(over):
            return over
        raise CommandError(f"cannot merge {kind(base.value)} with {kind(over.value)}", locations=base.locations + over.locations)
    return Node(over.value, over.locations + base.locations, key_location)


def merge_by_key(items: Node, key_field: str, key_of: Callable[[str], str] = str) -> Node:
    """Merge the elements of a list that have the same key, at the place of the first of them.

    Args:
        items: A list of mappings; elements that are not mappings stay as they are.
        key_field: The field that holds the key, such as `task_key`; an element without it gets the empty key.
        key_of: Makes the key that is compared from what the field says.

    Returns:
        The list with one element for each key.
    """
    order: list[Node | str] = []
    seen: dict[str, Node] = {}
    for item in items.items:
        if not isinstance(item.value, dict):
            order.append(item)
            continue
        key = key_of(item.text(key_field))
        if key in seen:
            seen[key] = merge(seen[key], item)
        else:
            seen[key] = item
            order.append(key)
    for key, item in seen.items():
        if key_field not in item.mapping:
            item.set((key_field,), Node(key, item.locations))
    return Node([seen[entry] if isinstance(entry, str) else entry for entry in order], items.locations, items.key_location)


def _is_reference(node: Node) -> bool:
    return isinstance(node.value, str) and node.value.startswith("${") and node.value.endswith("}")
