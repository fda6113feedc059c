"""Rewrites names inside `${{ }}` expressions, leaving string literals and everything outside the braces as they are."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

_BRACES = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_TOKEN = re.compile(r"'(?:[^']|'')*'|[A-Za-z_][\w-]*(?:\s*\.\s*[A-Za-z_*][\w-]*)*")

Rename = Callable[[str], str | None]
"""Gets a dotted name such as `github.token`; gives what stands for it in the copy, or None to leave it."""


def literal(value: str) -> str:
    """Write a value as a string literal of the expression language."""
    return "'" + value.replace("'", "''") + "'"


def rewrite_expression(text: str, rename: Rename) -> str:
    """Rewrite the names in one expression (without the braces)."""

    def replace(match: re.Match[str]) -> str:
        found = match.group(0)
        if found.startswith("'"):
            return found
        return rename(re.sub(r"\s", "", found)) or found

    return _TOKEN.sub(replace, text)


def rewrite_text(text: str, rename: Rename) -> str:
    """Rewrite the names in every `${{ }}` of a text."""
    return _BRACES.sub(lambda match: "${{" + rewrite_expression(match.group(1), rename) + "}}", text)


def rewrite_condition(text: str, rename: Rename) -> str:
    """Rewrite an `if:`, which is an expression with or without braces."""
    return rewrite_text(text, rename) if "${{" in text else rewrite_expression(text, rename)


def rewrite_value(value: Any, rename: Rename) -> Any:
    """Rewrite every text in a tree of mappings and lists."""
    if isinstance(value, str):
        return rewrite_text(value, rename)
    if isinstance(value, dict):
        return {key: rewrite_value(item, rename) for key, item in value.items()}
    if isinstance(value, list):
        return [rewrite_value(item, rename) for item in value]
    return value


def names_in(value: Any) -> set[str]:
    """Give the dotted names that occur in the expressions of a tree."""
    found: set[str] = set()

    def note(name: str) -> None:
        found.add(name)

    rewrite_value(value, note)
    return found


def condition_as_expression(text: str) -> str:
    """Give an `if:` as one expression without braces, so that it can be joined with another."""
    stripped = text.strip()
    match = _BRACES.fullmatch(stripped)
    if match and "${{" not in match.group(1):
        return match.group(1).strip()
    if "${{" not in stripped:
        return stripped
    # Text with braces inside is a format string that GitHub takes as true unless it comes out empty.
    parts = re.split(r"(\$\{\{.*?\}\})", stripped)
    texts = [f"format('{{0}}', {part[3:-2].strip()})" if part.startswith("${{") else literal(part) for part in parts if part]
    places = "".join(f"{{{number}}}" for number in range(len(texts)))
    return f"format('{places}', {', '.join(texts)}) != ''"
