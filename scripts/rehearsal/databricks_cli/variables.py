"""The bundle's variables: short forms in targets, and where each takes its value from."""

from __future__ import annotations

import json
import os
from typing import Any

from rehearsal.databricks_cli.bundle import Bundle
from rehearsal.databricks_cli.diagnostics import CommandError
from rehearsal.databricks_cli.dyn import Node, clone, from_plain, match

_DEFINITION_KEYS = frozenset(("default", "lookup", "description", "type"))


def expand_shorthands(tree: Node) -> None:
    """Write `targets.T.variables.V: value` out as `{default: value}`, wherever V is not a definition already."""
    for pattern in (("targets", "*", "variables"), ("environments", "*", "variables")):
        for _, variables in match(tree, pattern):
            for name, node in variables.mapping.items():
                if not _is_definition(node) and node.value is not None:
                    written: dict[str, Node] = {"default": Node(node.value, node.locations)}
                    if isinstance(node.value, (dict, list)):
                        written["type"] = Node("complex", node.locations)
                    variables.mapping[name] = Node(written, node.locations, node.key_location)


def _is_definition(node: Node) -> bool:
    keys = node.mapping.keys()
    return bool(keys) and keys <= _DEFINITION_KEYS and len(keys) <= 3 and len(keys & {"default", "lookup"}) == 1


def override(bundle: Bundle, target: str, overrides: Node) -> None:
    """Lay a target's variables over the bundle's.

    Raises:
        CommandError: A variable is given a value that the bundle does not define.
    """
    for name, over in overrides.mapping.items():
        defined = bundle.config.get("variables", name)
        if defined is None:
            problem = f"variable {name} is not defined but is assigned a value"
            raise CommandError(f"failed to perform target override for target={target}: {problem}")
        if not isinstance(defined.value, dict):
            defined.value = {}
        for key, other in (("default", "lookup"), ("lookup", "default")):
            if (value := over.get(key)) is not None:
                defined.mapping[key] = value  # a complex default is replaced, not merged
                defined.mapping.pop(other, None)
        for key in ("type", "description"):
            if (value := over.get(key)) is not None and value.value is not None:
                defined.mapping[key] = value


def assign_flags(bundle: Bundle, assignments: list[str]) -> None:
    """Give variables the values of `--var`.

    Raises:
        CommandError: An assignment has no `=`, or names a variable that is not defined or is complex.
    """
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals:
            raise CommandError(f"unexpected flag value for variable assignment: {assignment}")
        defined = bundle.config.get("variables", name)
        if defined is None:
            raise CommandError(f"variable {name} has not been defined")
        if _is_complex(defined):
            raise CommandError(f"setting variables of complex type via --var flag is not supported: {name}")
        _set_value(defined, Node(value, defined.locations))


def set_values(bundle: Bundle) -> None:
    """Give each variable without a value that of the environment, the overrides file or its default.

    Raises:
        CommandError: A variable has no value, has a lookup (not supported), or the overrides file is wrong.
    """
    variables = bundle.config.get("variables")
    overrides = _read_overrides(bundle)
    for name, node in (variables.mapping if variables else {}).items():
        if node.get("value") is not None:
            continue
        if not isinstance(node.value, dict):
            node.value = {}
        given = os.environ.get(f"BUNDLE_VAR_{name}")
        if given is not None:
            if _is_complex(node):
                raise CommandError(
                    f"setting via environment variables (BUNDLE_VAR_{name}) is not supported for complex variable {name}",
                )
            _set_value(node, Node(given, node.locations))
        elif name in overrides:
            _set_value(node, _from_file(bundle, name, node, overrides[name]))
        elif (default := node.get("default")) is not None and default.value is not None:
            _set_value(node, clone(default))
        elif node.get("lookup") is not None:
            raise CommandError(
                f"variable {name} has a lookup, which the stand-in does not support; give it a value, for example by BUNDLE_VAR_{name}",
                locations=node.locations,
            )
        else:
            raise CommandError(
                f"no value assigned to required variable {name}. Variables are usually assigned in databricks.yml, "
                "and they can be overridden "
                f'using "--var", the BUNDLE_VAR_{name} environment variable, or .databricks/bundle/<target>/variable-overrides.json'
            )


def _from_file(bundle: Bundle, name: str, node: Node, value: Any) -> Node:
    if isinstance(value, (dict, list)) and not _is_complex(node):
        file = _overrides_file(bundle)
        raise CommandError(f"variable {name} is not of type complex, but the value in the variable file is a complex type: {file}")
    return from_plain(value, node.locations)


def _overrides_file(bundle: Bundle) -> str:
    return str(bundle.local_state / "variable-overrides.json")


def _read_overrides(bundle: Bundle) -> dict[str, Any]:
    file = bundle.local_state / "variable-overrides.json"
    if not file.is_file():
        return {}
    try:
        content = json.loads(file.read_text("utf-8"))
    except ValueError as problem:
        raise CommandError(f"failed to parse variables file {file}: {problem}") from problem
    if not isinstance(content, dict):
        raise CommandError(f"failed to parse variables file {file}: invalid format")
    for name in content:
        if bundle.config.get("variables", name) is None:
            raise CommandError(f"variable {name} is not defined but is assigned a value in {file}")
    return content


def _is_complex(node: Node) -> bool:
    return node.text("type") == "complex"


def _set_value(node: Node, value: Node) -> None:
    if not isinstance(node.value, dict):
        node.value = {}
    node.value["value"] = value
