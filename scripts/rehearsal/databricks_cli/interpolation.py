"""Puts values into the places that refer to them: `${var.x}`, `${bundle.x}`, `${workspace.x}`."""

from __future__ import annotations

from rehearsal.databricks_cli.diagnostics import CommandError
from rehearsal.databricks_cli.dyn import Node, Path, clone, format_path, map_strings, parse_path, walk
from rehearsal.databricks_cli.schema import REFERENCE, Schema, is_reference, load_schema

RESOLVED_PREFIXES = ("bundle", "workspace", "variables")
"""First words of references that are resolved when a bundle is loaded; those to resources wait for the plan."""


def resolve(config: Node) -> Node:
    """Resolve all references of a configuration that can be resolved without the workspace.

    Args:
        config: The whole configuration; variables have their values.

    Returns:
        The configuration; references with other first words, such as `${resources...}`, are left as they are.

    Raises:
        CommandError: A reference leads nowhere, in a circle, or to a mapping inside a longer text.
    """
    resolver = _Resolver(config, load_schema())
    # Variables first: what else refers to them finds them resolved.
    for name in sorted(config.mapping, key=lambda key: (key != "variables", key)):
        config.mapping[name] = map_strings(config.mapping[name], resolver.replace, (name,))
    return config


class _Resolver:
    """Looks references up in one configuration and remembers what it found."""

    def __init__(self, config: Node, schema: Schema) -> None:
        self.config = config
        self.schema = schema
        self.known: dict[str, Node] = {}

    def replace(self, node: Node, path: Path) -> Node:
        """Return the text node at a path with its references resolved."""
        return self._text(node, [format_path(path)])

    def _text(self, node: Node, chain: list[str]) -> Node:
        text = node.value
        if not isinstance(text, str) or "${" not in text:
            return node
        if is_reference(node):
            found = self._reference(REFERENCE.fullmatch(text)[1], chain)  # type: ignore[index]
            if found is None:
                return node
            copied = clone(found)
            return Node(copied.value, node.locations, node.key_location)
        pieces: list[str] = []
        end = 0
        for hit in REFERENCE.finditer(text):
            found = self._reference(hit[1], chain)
            pieces += [text[end : hit.start()], hit[0] if found is None else _as_text(found, hit[1])]
            end = hit.end()
        return Node("".join([*pieces, text[end:]]), node.locations, node.key_location)

    def _reference(self, name: str, chain: list[str]) -> Node | None:
        """Return what a reference leads to, or None when it is not one of those resolved here."""
        path = parse_path(name)
        if path[0] == "var":
            path = ("variables", path[1] if len(path) > 1 else "", "value", *path[2:])
        if path[0] not in RESOLVED_PREFIXES:
            return None
        if name in self.known:
            return self.known[name]
        if name in chain:
            raise CommandError(f"cycle detected in field resolution: {' -> '.join([*chain, name])}")
        found = self._look_up(path, name, [*chain, name])
        for _, part in walk(found):
            if isinstance(part.value, str) and "${" in part.value:
                part.value = self._text(part, [*chain, name]).value
        self.known[name] = found
        return found

    def _look_up(self, path: Path, name: str, chain: list[str]) -> Node:
        node = self.config
        for index, part in enumerate(path):
            child = node.get(part)
            if child is None:
                return self._unset(path, name)
            if is_reference(child) and index + 1 < len(path):
                child = self._text(child, chain)  # the way leads through another reference
            node = child
        return clone(node)

    def _unset(self, path: Path, name: str) -> Node:
        """A field that exists and was not set is empty; anything else is a mistake."""
        field = self.schema.at("#Root", path)
        zero = self.schema.zero(field) if field is not None and path[0] != "variables" else None
        if zero is None:
            raise CommandError(f"reference does not exist: ${{{name}}}")
        return Node(zero)


def _as_text(node: Node, name: str) -> str:
    value = node.value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    raise CommandError(f"cannot interpolate non-string value: ${{{name}}}")
