"""The register of rules: each is a function over one YAML file that tells what is wrong in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .files import YamlFile

Rule = Callable[[YamlFile], Iterator[str]]
RULES: dict[str, Rule] = {}


def rule(function: Rule) -> Rule:
    RULES[function.__name__.replace("_", "-")] = function
    return function
