"""Writes `fields.json`: the fields, types, enumerations and required keys of bundle resources, as databricks-sdk knows them.

`python -m rehearsal.databricks_cli.schema_build` writes the file next to this module. It is kept in the repository,
because importing the SDK takes longer than a whole command of the stand-in may take; a test compares the two.

A type is a short text: `string`, `int`, `float`, `bool`, `any`, `[]T` (list), `{}T` (mapping with free keys),
`#name` (an object of that name), `!name` (an enumeration of that name).
"""

from __future__ import annotations

import dataclasses
import enum
import importlib
import inspect
import json
import types
import typing
from pathlib import Path
from typing import Any

FIELDS_FILE = Path(__file__).with_name("fields.json")

SOURCES: dict[str, tuple[str, str]] = {
    "jobs": ("jobs", "JobSettings"),
    "pipelines": ("pipelines", "PipelinesAPI.create"),
    "experiments": ("ml", "ExperimentsAPI.create_experiment"),
    "registered_models": ("catalog", "RegisteredModelsAPI.create"),
    "model_serving_endpoints": ("serving", "ServingEndpointsAPI.create"),
    "schemas": ("catalog", "SchemasAPI.create"),
    "volumes": ("catalog", "VolumesAPI.create"),
    "catalogs": ("catalog", "CatalogsAPI.create"),
    "clusters": ("compute", "ClusterSpec"),
    "sql_warehouses": ("sql", "WarehousesAPI.create"),
}
"""Where the SDK describes what a resource of a kind may contain: a data class, or the parameters of its `create` method."""

NOT_IN_BODY = {("serving.EndpointCoreConfigInput", "name")}
"""Fields that the SDK's data classes have because they are part of a request's path; no resource has them."""

_SCALARS: dict[Any, str] = {str: "string", int: "int", float: "float", bool: "bool", Any: "any"}


class _Collector:
    """Follows type hints and collects every object and enumeration they reach."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.enums: dict[str, list[str]] = {}

    def type_text(self, hint: Any) -> str:
        """Return the short text of a type hint and collect what it names."""
        if hint in _SCALARS:
            return _SCALARS[hint]
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin in (typing.Union, types.UnionType):
            return self.type_text(next(a for a in arguments if a is not type(None)))
        if origin is list:
            return "[]" + self.type_text(arguments[0])
        if origin is dict:
            return "{}" + self.type_text(arguments[1])
        if isinstance(hint, type) and issubclass(hint, enum.Enum):
            return "!" + self._enum(hint)
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            return "#" + self._object(hint)
        return "any" if origin is not None or hint is dict else "string"

    def _name(self, owner: type) -> str:
        return f"{owner.__module__.rsplit('.', 1)[-1]}.{owner.__name__}"

    def _enum(self, owner: type[enum.Enum]) -> str:
        name = self._name(owner)
        self.enums[name] = sorted(str(member.value) for member in owner)
        return name

    def _object(self, owner: type) -> str:
        name = self._name(owner)
        if name not in self.objects:
            self.objects[name] = {}
            hints = typing.get_type_hints(owner)
            fields = [f for f in dataclasses.fields(owner) if (name, f.name) not in NOT_IN_BODY]
            required = [f.name for f in fields if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING]
            self.objects[name] = self._entry({f.name: hints[f.name] for f in fields}, required)
        return name

    def _entry(self, hints: dict[str, Any], required: list[str]) -> dict[str, Any]:
        entry: dict[str, Any] = {"fields": {key: self.type_text(hint) for key, hint in sorted(hints.items())}}
        if required:
            entry["required"] = sorted(required)
        return entry

    def resource(self, kind: str, module_name: str, owner_name: str) -> None:
        """Collect one kind of resource under the name `resource.KIND`."""
        module = importlib.import_module(f"databricks.sdk.service.{module_name}")
        owner: Any = module
        for part in owner_name.split("."):
            owner = getattr(owner, part)
        if dataclasses.is_dataclass(owner):
            self.objects[f"resource.{kind}"] = self.objects[self._object(typing.cast("type", owner))]
            return
        hints = typing.get_type_hints(owner)
        parameters = {n: p for n, p in inspect.signature(owner).parameters.items() if n not in ("self", "timeout")}
        required = [n for n, p in parameters.items() if p.default is inspect.Parameter.empty]
        self.objects[f"resource.{kind}"] = self._entry({n: hints[n] for n in parameters}, required)


def build() -> str:
    """Return the text of `fields.json` for the installed databricks-sdk.

    Returns:
        JSON with `objects` (name → `fields`, `required`) and `enums` (name → values), sorted, one trailing newline.
    """
    collector = _Collector()
    for kind, (module, owner) in SOURCES.items():
        collector.resource(kind, module, owner)
    content = {"objects": collector.objects, "enums": collector.enums}
    return json.dumps(content, sort_keys=True, separators=(",", ":")) + "\n"


if __name__ == "__main__":
    FIELDS_FILE.write_text(build(), "utf-8")
