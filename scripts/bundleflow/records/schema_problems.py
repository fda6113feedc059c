"""JSON Schema violations of a YAML file in words: where, which key, what it may be, and what was probably meant."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bundleflow.records.yaml_source import Path, YamlProblem, YamlSource

_KINDS = {
    "object": "a mapping (keys with values)",
    "array": "a list",
    "string": "a text",
    "boolean": "`true` or `false`",
    "integer": "a whole number",
    "number": "a number",
}


def schema_problems(source: YamlSource, schema: Mapping[str, Any], *, ignore: Iterable[tuple[Path, str]] = ()) -> Iterator[YamlProblem]:
    """Check a parsed file against a JSON Schema (draft 2020-12 unless the schema says otherwise).

    Args:
        source: The file.
        schema: The schema.
        ignore: Pairs of a place and a schema keyword that are not looked at, such as `((), "required")`.

    Yields:
        One problem for each violation, with the nearest known key where one was misspelt.
    """
    from jsonschema import Draft202012Validator
    from jsonschema.validators import validator_for

    ignored = set(ignore)
    validator = validator_for(schema, default=Draft202012Validator)(schema)
    errors = [error for error in validator.iter_errors(source.data) if (tuple(error.absolute_path), error.validator) not in ignored]
    found = dict.fromkeys(problem for error in errors for problem in _explain(_innermost(error), source))
    # A misspelt key is also a missing one: say only what it was meant to be.
    meant = {(problem.inside, problem.fix) for problem in found if problem.kind == "unknown"}
    for problem in found:
        if problem.kind != "missing" or (problem.inside, f"Did you mean `{problem.key}`?") not in meant:
            yield YamlProblem(problem.position, problem.cause, problem.fix, problem.unknown)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`Did you mean ...?` for a word that is nearly one of the known ones; empty when none is near."""
    from difflib import get_close_matches

    names = list(known)
    for spelling in (word, word.lower().replace("_", "-"), word.lower().replace("-", "_")):
        close = get_close_matches(spelling, names, n=1, cutoff=0.6)
        if close:
            return f"Did you mean `{close[0]}`?"
    return ""


def shorten(value: object) -> str:
    """A value as JSON, cut to 60 characters."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


@dataclass(frozen=True)
class _Found(YamlProblem):
    """A problem with what is needed to see that two of them are one."""

    kind: str = ""
    inside: str = ""
    key: str = ""


def _innermost(error: Any) -> Any:
    """Of alternatives (anyOf, oneOf) that all failed, the one that came furthest: the one that was meant."""
    from jsonschema.exceptions import best_match

    return best_match([error])


def _explain(error: Any, source: YamlSource) -> Iterator[_Found]:
    where = tuple(error.absolute_path)
    name = ".".join(str(part) for part in where)
    inside = f" in `{name}`" if name else ""
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = list(error.schema.get("properties", {}))
        for key in sorted(set(error.instance) - set(known)):
            if source.values.get((*where, key)) in source.anchored:
                continue  # there to be referred to by `*name`; the Databricks CLI takes it so, too
            fix = did_you_mean(key, known) or f"Known keys here: {_listed(known)}."
            yield _Found(source.at((*where, key)), f"unknown key `{key}`{inside}", fix, (*where, key), "unknown", inside, key)
    elif error.validator == "required":
        for key in (key for key in error.validator_value if key not in error.instance):
            description = error.schema.get("properties", {}).get(key, {}).get("description", "")
            fix = f"Add `{key}:`. {description}".strip()
            yield _Found(source.at(where), f"key `{key}` is missing{inside}", fix, (), "missing", inside, key)
    elif "propertyNames" in error.absolute_schema_path:
        key = str(error.instance)
        yield _Found(source.at((*where, key)), f"`{key}` cannot be a name{inside}", "Use letters, digits, `.`, `_` and `-`.")
    else:
        what = f"`{name}`" if name else "the file"
        fix = _hint(error) or error.schema.get("description", "") or "Correct the value."
        yield _Found(source.at(where), f"{what} {_wrong(error)}", fix)


def _listed(names: list[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:20])
    return shown + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _hint(error: Any) -> str:
    values = error.validator_value
    if error.validator != "enum" or not isinstance(error.instance, str):
        return ""
    return did_you_mean(error.instance, [value for value in values if isinstance(value, str)])


def _wrong(error: Any) -> str:
    value = error.validator_value
    shown = shorten(error.instance)
    if error.validator == "type":
        kinds = [value] if isinstance(value, str) else value
        return f"must be {' or '.join(_KINDS.get(kind, kind) for kind in kinds)}, not {shown}"
    if error.validator == "const":
        return f"must be {shorten(value)}, not {shown}"
    if error.validator == "enum":
        return f"must be one of {_listed([str(each) for each in value])}, not {shown}"
    if error.validator in ("minLength", "minItems", "minProperties"):
        return "is empty"
    if error.validator == "uniqueItems":
        return "names the same thing twice"
    if error.validator == "maxLength":
        return f"is longer than {value} characters"
    return "is empty" if not str(error.instance).strip() else f"has a value that is not allowed: {shown}"
