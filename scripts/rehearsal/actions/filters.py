"""Decides which workflows an event starts: `branches`, `tags`, `paths` and `types`, as GitHub's documentation of `on:` says."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

_DEFAULT_TYPES = {"pull_request": ["opened", "synchronize", "reopened"], "pull_request_target": ["opened", "synchronize", "reopened"]}


@dataclass(frozen=True)
class Occasion:
    """What the filters look at.

    Args:
        event: The event's name, such as `push`.
        action: Its activity type, or empty.
        ref: The full ref that was pushed, such as `refs/heads/main`; for a pull request its base branch as a full ref.
        changed: Gives the changed paths (called only where a workflow filters by paths).
        cron: The expression of a `schedule`.
    """

    event: str
    action: str
    ref: str
    changed: Callable[[], Sequence[str]]
    cron: str = ""


def triggers(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Give a workflow's `on:` as a mapping from event to its filters, whichever of the three forms it was written in."""
    on = document.get("on", {})
    if isinstance(on, str):
        return {on: {}}
    if isinstance(on, list):
        return {str(name): {} for name in on}
    return {str(name): (rules if isinstance(rules, dict) else {"list": rules or []}) for name, rules in on.items()}


def starts(document: dict[str, Any], occasion: Occasion) -> bool:
    """Say whether an event starts a workflow.

    Args:
        document: The workflow as `yamltext.load` gives it.
        occasion: The event.
    """
    found = triggers(document)
    if occasion.event not in found:
        return False
    rules = found[occasion.event]
    if occasion.event == "schedule":
        return any(entry.get("cron") == occasion.cron for entry in rules.get("list", []))
    types = rules.get("types", _DEFAULT_TYPES.get(occasion.event))
    if types and occasion.action and occasion.action not in ([types] if isinstance(types, str) else types):
        return False
    return _ref_matches(rules, occasion) and _paths_match(rules, occasion)


def _ref_matches(rules: dict[str, Any], occasion: Occasion) -> bool:
    is_tag = occasion.ref.startswith("refs/tags/")
    name = re.sub(r"^refs/(?:heads|tags)/", "", occasion.ref)
    names_branches = "branches" in rules or "branches-ignore" in rules
    names_tags = "tags" in rules or "tags-ignore" in rules
    if is_tag:
        # A push filter that names only branches leaves tags out, and the other way round.
        return not (names_branches and not names_tags) and _listed(rules, "tags", [name])
    return not (names_tags and not names_branches) and _listed(rules, "branches", [name])


def _paths_match(rules: dict[str, Any], occasion: Occasion) -> bool:
    if "paths" not in rules and "paths-ignore" not in rules:
        return True
    changed = occasion.changed()
    if "paths" in rules:
        return any(matches(_as_list(rules["paths"]), path) for path in changed)
    return any(not matches(_as_list(rules["paths-ignore"]), path) for path in changed)


def _listed(rules: dict[str, Any], key: str, names: Sequence[str]) -> bool:
    if key in rules:
        return any(matches(_as_list(rules[key]), name) for name in names)
    if f"{key}-ignore" in rules:
        return not any(matches(_as_list(rules[f"{key}-ignore"]), name) for name in names)
    return True


def _as_list(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def matches(patterns: Sequence[str], text: str) -> bool:
    """Match a name or path against GitHub's filter patterns; a later `!pattern` takes away again what an earlier one let in."""
    result = False
    for pattern in patterns:
        if pattern.startswith("!"):
            if _compiled(pattern[1:]).fullmatch(text):
                result = False
        elif _compiled(pattern).fullmatch(text):
            result = True
    return result


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str]:
    """Translate a filter pattern: `*` (no slash), `**`, `?` and `+` (repeat what stands before), `[...]`, backslash."""
    out: list[str] = []
    position = 0
    while position < len(pattern):
        char = pattern[position]
        if pattern.startswith("**/", position):
            out.append("(?:.*/)?")
            position += 3
        elif pattern.startswith("**", position):
            out.append(".*")
            position += 2
        elif char == "*":
            out.append("[^/]*")
            position += 1
        elif char in "?+" and out:
            out.append(char)
            position += 1
        elif char == "[" and "]" in pattern[position:]:
            end = pattern.index("]", position)
            out.append(pattern[position : end + 1])
            position = end + 1
        elif char == "\\" and position + 1 < len(pattern):
            out.append(re.escape(pattern[position + 1]))
            position += 2
        else:
            out.append(re.escape(char))
            position += 1
    return re.compile("".join(out))
