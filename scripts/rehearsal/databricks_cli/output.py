"""Texts that several commands print: the head with name, target and workspace, and JSON."""

from __future__ import annotations

import json
from typing import Any

from rehearsal.databricks_cli.bundle import Bundle
from rehearsal.databricks_cli.diagnostics import Diagnostics, Severity


def head(bundle: Bundle) -> list[str]:
    """Return the lines that name bundle, target and workspace, as far as they are known."""
    lines = []
    if isinstance(bundle.config.plain("bundle", "name"), str) and bundle.name:
        lines.append(f"Name: {bundle.name}")
    if bundle.target:
        lines.append(f"Target: {bundle.target}")
    facts = {
        "Host": bundle.config.text("workspace", "host"),
        "User": bundle.user_name,
        "Path": bundle.config.text("workspace", "root_path"),
    }
    if bundle.user_name:
        lines.append("Workspace:")
        lines += [f"  {name}: {value}" for name, value in facts.items() if value]
    return lines


def verdict(diagnostics: Diagnostics) -> str:
    """Return the last line of `validate`: how many remarks of each kind there are."""
    parts = []
    for severity in Severity:
        number = diagnostics.count(severity)
        if number:
            parts.append(f"{number} {severity.lower()}{'' if number == 1 else 's'}")
    if not parts:
        return "Validation OK!"
    if len(parts) < 3:
        return "Found " + " and ".join(parts)
    return f"Found {', '.join(parts[:-1])}, and {parts[-1]}"


def without_empty(value: Any) -> Any:
    """Return plain data without nulls, and without the empty mappings and lists that nulls leave."""
    if isinstance(value, dict):
        return {key: without_empty(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_empty(item) for item in value]
    return value


def to_json(value: Any) -> str:
    """Return JSON as the CLI prints it: two blanks of indent, keys sorted, characters as they are."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
