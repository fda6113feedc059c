"""Reads from a bundle's files what the stage needs before any workspace is there: name, targets, catalogs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rehearsal.actions import yamltext
from rehearsal.rehearse.hosts import bundle_folders, files_of

_REFERENCE = re.compile(r"\$\{([^}]+)\}")
_DEPTH = 10
IMPLICIT_TARGET = "default"
"""The one target of a bundle that declares none."""


@dataclass(frozen=True)
class BundleFacts:
    """What was read; of several bundles, what they have together.

    Args:
        name: The bundle's name; of several bundles, the name of the project's folder.
        targets: Names of the targets that all of them have.
        catalogs: Target → catalogs that it uses and does not make; they must exist beforehand, as in reality.
        jobs: Keys of its jobs.
        models: Keys of its registered models.
        schemas: Schemas as `catalog.schema` that its resources name and that it does not make; they must exist beforehand too.
        count: How many bundles there are.
        parameters: Job parameters, as pairs of the job's key and the parameter's name.
        identities: Whom `run_as` names, as pairs of `user_name` or `service_principal_name` and the name; they must exist beforehand too.
    """

    name: str
    targets: tuple[str, ...]
    catalogs: dict[str, tuple[str, ...]]
    jobs: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    identities: tuple[tuple[str, str], ...] = ()
    schemas: tuple[str, ...] = ()
    count: int = 1
    parameters: tuple[tuple[str, str], ...] = ()


def read(root: Path) -> BundleFacts:
    """Read the files of a project's bundles.

    Args:
        root: The project's folder.
    """
    found = [_read_one(folder) for folder in bundle_folders(root)]
    if len(found) == 1:
        return found[0]
    targets = [target for target in (found[0].targets if found else ()) if all(target in each.targets for each in found)]
    return BundleFacts(
        root.name,
        tuple(targets),
        {target: tuple(sorted({catalog for each in found for catalog in each.catalogs[target]})) for target in targets},
        tuple(job for each in found for job in each.jobs),
        tuple(model for each in found for model in each.models),
        tuple(sorted({identity for each in found for identity in each.identities})),
        tuple(sorted({schema for each in found for schema in each.schemas})),
        len(found),
        tuple(pair for each in found for pair in each.parameters),
    )


def _read_one(folder: Path) -> BundleFacts:
    merged: dict[str, Any] = {}
    for file in files_of(folder):
        _merge(merged, yamltext.load_file(file))
    name = str((merged.get("bundle") or {}).get("name", ""))
    targets = merged.get("targets") or {IMPLICIT_TARGET: {}}
    catalogs = {}
    identities: set[tuple[str, str]] = set()
    schemas: set[str] = set()
    for target, own in targets.items():
        document = _merge({key: value for key, value in merged.items() if key != "targets"}, own or {})
        values = _variables(document, {"bundle.name": name, "bundle.target": str(target)})
        catalogs[str(target)] = tuple(sorted(_catalogs(document, values)))
        schemas |= _schemas(document, values)
        identities |= {(kind, _resolve(who, values)) for kind in ("user_name", "service_principal_name") for who in _run_as(document, kind)}
    resources = merged.get("resources") or {}
    jobs, models = (tuple(str(key) for key in resources.get(kind) or {}) for kind in ("jobs", "registered_models"))
    named = tuple(sorted(each for each in identities if "${" not in each[1]))
    settings = resources.get("jobs") or {}
    parameters = tuple((key, str(each.get("name"))) for key in jobs for each in (settings[key] or {}).get("parameters") or [])
    return BundleFacts(name, tuple(catalogs), catalogs, jobs, models, named, tuple(sorted(schemas)), parameters=parameters)


def _merge(into: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    for key, value in other.items():
        old = into.get(key)
        into[key] = _merge(dict(old), value) if isinstance(old, dict) and isinstance(value, dict) else value
    return into


def _variables(document: dict[str, Any], known: dict[str, str]) -> dict[str, str]:
    """Give what references of one target stand for, as far as the files say it."""
    values = dict(known)
    for name, rule in (document.get("variables") or {}).items():
        # A target writes `catalog: prod`, or, as the declaration does, `catalog: {default: prod}`.
        value = rule.get("default") if isinstance(rule, dict) else rule
        if isinstance(value, str | int):
            values[f"var.{name}"] = str(value)
    return values


def _run_as(value: Any, kind: str) -> list[str]:
    """List the names that `run_as` gives, here or below."""
    if isinstance(value, list):
        return [found for item in value for found in _run_as(item, kind)]
    if not isinstance(value, dict):
        return []
    own = value.get("run_as")
    here = [own[kind]] if isinstance(own, dict) and isinstance(own.get(kind), str) else []
    return here + [found for item in value.values() for found in _run_as(item, kind)]


def _catalogs(document: dict[str, Any], values: dict[str, str]) -> set[str]:
    found = {values[name] for name in values if re.fullmatch(r"var\.(?:\w+_)?catalog(?:_name)?", name)}
    found |= set(_values_of(document.get("resources"), "catalog_name"))
    own = {str(item.get("name")) for item in ((document.get("resources") or {}).get("catalogs") or {}).values() if isinstance(item, dict)}
    resolved = {_resolve(value, values) for value in found}
    return {value for value in resolved if value and "${" not in value} - {_resolve(value, values) for value in own}


def _schemas(document: dict[str, Any], values: dict[str, str]) -> set[str]:
    """Give the schemas that resources stand in, without those that the bundle makes."""
    resources = document.get("resources") or {}
    own: set[str] = set()
    used: set[str] = set()
    for kind, items in resources.items():
        for item in (items or {}).values():
            if not isinstance(item, dict) or not item.get("catalog_name"):
                continue
            last = "name" if kind == "schemas" else "schema_name"
            full = ".".join(_resolve(str(item.get(key) or ""), values) for key in ("catalog_name", last))
            (own if kind == "schemas" else used).add(full)
    return {full for full in used - own if "${" not in full and all(full.split(".")) and full.count(".") == 1}


def _values_of(value: Any, key: str) -> list[str]:
    if isinstance(value, dict):
        own = [str(value[key])] if isinstance(value.get(key), str) else []
        return own + [found for item in value.values() for found in _values_of(item, key)]
    if isinstance(value, list):
        return [found for item in value for found in _values_of(item, key)]
    return []


def _resolve(text: str, values: dict[str, str]) -> str:
    for _ in range(_DEPTH):
        replaced = _REFERENCE.sub(lambda match: values.get(match[1], match[0]), text)
        if replaced == text:
            break
        text = replaced
    return text
