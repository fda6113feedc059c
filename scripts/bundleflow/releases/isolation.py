"""Says whether two pull requests can be deployed side by side: the test target is resolved with two suffixes and compared.

What both would use is refused by name. `IDENTITY` is what makes a resource one of its kind, `WRITTEN` are settings that say where a
resource writes; both are closed lists. Everything else may be shared: catalogs, clusters and warehouses that exist, tables that are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from bundleflow.adapters.databricks_cli import DatabricksCli
from bundleflow.records.errors import BundleflowError, FailureReason

VARIABLE = "suffix"
PROBES = ("-pr101-1000001", "-pr102-1000002")
"""Two values of the variable, of the form that `test-integration` gives it."""

FOLDERS = ("root_path", "file_path", "artifact_path", "state_path", "resource_path")

IDENTITY: Mapping[str, tuple[str, ...]] = {
    "alerts": ("parent_path", "display_name"),
    "apps": ("name",),
    "catalogs": ("name",),
    "clusters": ("cluster_name",),
    "dashboards": ("parent_path", "display_name"),
    "database_catalogs": ("name",),
    "database_instances": ("name",),
    "experiments": ("name",),
    "external_locations": ("name",),
    "genie_spaces": ("parent_path", "title"),
    "instance_pools": ("instance_pool_name",),
    "job_runs": ("job_id",),
    "jobs": ("name",),
    "model_serving_endpoints": ("name",),
    "models": ("name",),
    "pipelines": ("name",),
    "postgres_branches": ("parent", "branch_id"),
    "postgres_endpoints": ("parent", "endpoint_id"),
    "postgres_projects": ("project_id",),
    "quality_monitors": ("table_name",),
    "registered_models": ("catalog_name", "schema_name", "name"),
    "schemas": ("catalog_name", "name"),
    "secret_scopes": ("name",),
    "secrets": ("catalog_name", "schema_name", "name"),
    "sql_warehouses": ("name",),
    "synced_database_tables": ("name",),
    "vector_search_endpoints": ("name",),
    "vector_search_indexes": ("name",),
    "volumes": ("catalog_name", "schema_name", "name"),
}
"""Which fields together name a resource; one of them must hang on the suffix."""
UNKNOWN_KIND = ("name", "display_name", "title")
"""The same for kinds of resources that are not on the list."""

WRITTEN: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "pipelines": (("catalog", "schema"), ("catalog", "target"), ("storage",)),
    "schemas": (("storage_root",),),
    "volumes": (("storage_location",),),
    "registered_models": (("storage_location",),),
    "experiments": (("artifact_location",),),
    "quality_monitors": (("output_schema_name",), ("assets_dir",)),
}
"""Fields of a resource that say where it writes; the last one of each group must be there for the group to count."""
WRITTEN_BELOW = ("auto_capture_config", "inference_table_config")
"""Settings anywhere in a resource that name a table by `catalog_name`, `schema_name` and `table_name_prefix`."""

_PARAMETER_WORDS = {
    "schemas": ("schema", "database"),
    "volumes": ("volume",),
    "registered_models": ("model",),
    "experiments": ("experiment",),
    "model_serving_endpoints": ("endpoint",),
}
"""Words in a parameter's name by which a bare name in it is taken for that of a resource."""
_PARAMETER_PLACES = (
    "parameters",
    "base_parameters",
    "named_parameters",
    "notebook_params",
    "job_parameters",
    "configuration",
    "spark_env_vars",
)
_RESOURCE = re.compile(r"\$\{resources\.([\w-]+)\.([\w-]+)\.([\w.-]+)\}")


@dataclass(frozen=True)
class Shared:
    """Something that both deployments would use: where it stands in the bundle, and its value."""

    place: str
    value: str

    def __str__(self) -> str:
        return f"{self.place}: {self.value}"


def check_isolation(cli: DatabricksCli, suffix: str = PROBES[0]) -> Mapping[str, Any]:
    """Refuse a target of which two pull requests could not have a deployment each.

    Args:
        cli: The CLI for the bundle and the target of a stage with `per-pull-request: true`. Only `bundle summary` is called, which
            reads (`bundle validate` would leave a folder behind for each suffix).
        suffix: One of the two suffixes that are compared.

    Returns:
        The bundle as it is with `suffix`.

    Raises:
        BundleflowError: `not-isolated` with everything that both would use, or because the deployment lock is off; what the CLI's message
            stands for when the bundle cannot be resolved.
    """
    target = cli.target or "default"
    suffixes = (suffix, PROBES[1])
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda each: resolved(cli, each), suffixes)
    check_lock(first, target)
    found = shared(first, second, suffixes)
    if found:
        raise _not_isolated(found, target, declared=VARIABLE in (first.get("variables") or {}))
    return first


def resolved(cli: DatabricksCli, suffix: str) -> Mapping[str, Any]:
    """The bundle as it is with a suffix; nothing is written anywhere.

    Raises:
        BundleflowError: The bundle cannot be resolved; the reason follows the CLI's message.
    """
    return replace(cli, variables={**cli.variables, VARIABLE: suffix}, echo=False).summary()


def check_lock(configuration: Mapping[str, Any], target: str) -> None:
    """Refuse a target that is deployed without a lock, as `mode: development` does unless told otherwise.

    Args:
        configuration: The bundle as `summary -o json` or `validate -o json` gives it.
        target: Name of the target, for the message.

    Raises:
        BundleflowError: `not-isolated`.
    """
    bundle = configuration.get("bundle") or {}
    lock = (bundle.get("deployment") or {}).get("lock") or {}
    off = lock.get("enabled") is False or (bundle.get("mode") == "development" and lock.get("enabled") is None)
    if off:
        why = "`mode: development` turns it off" if bundle.get("mode") == "development" else "`bundle.deployment.lock.enabled` is false"
        raise BundleflowError(
            f"Target `{target}` is deployed without a lock ({why}): a deployment and its removal could run into each other.",
            fix=f"Give target `{target}` in databricks.yml `bundle: {{deployment: {{lock: {{enabled: true}}}}}}`.",
            reason=FailureReason.NOT_ISOLATED,
        )


def shared(first: Mapping[str, Any], second: Mapping[str, Any], suffixes: tuple[str, str] = PROBES) -> list[Shared]:
    """Everything that two deployments of one bundle would both use.

    Args:
        first: The bundle with the first suffix, as `summary -o json` or `validate -o json` gives it.
        second: The same with the second.
        suffixes: The two.
    """
    others = set(_named(second, suffixes[1]))
    found = [each for each in _named(first, suffixes[0]) if each.value and each in others]
    return found + list(_parameters(first, second, suffixes[0]))


def _named(configuration: Mapping[str, Any], suffix: str) -> Iterator[Shared]:
    """Every folder, name and place of a bundle that must be a deployment's own, in a fixed order."""
    workspace = configuration.get("workspace") or {}
    yield from (Shared(f"workspace.{name}", str(workspace.get(name) or "")) for name in FOLDERS)
    for kind, key, resource in _resources(configuration):
        resolved = _resolve(resource, configuration, suffix)
        place = f"resources.{kind}.{key}"
        yield _identity(kind, place, resolved, str(workspace.get("resource_path") or ""))
        for group in WRITTEN.get(kind, ()):
            yield Shared(f"{place}.{group[-1]}", _joined(resolved, group) if resolved.get(group[-1]) else "")
        yield from _tables(resolved, place)


def _resources(configuration: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for kind, items in sorted((configuration.get("resources") or {}).items()):
        for key, resource in sorted((items or {}).items()):
            # `summary` shows what is deployed and gone from the bundle as well, without its settings.
            if isinstance(resource, Mapping) and resource.get("modified_status") != "deleted":
                yield kind, key, resource


def _identity(kind: str, place: str, resource: Mapping[str, Any], folder: str) -> Shared:
    fields = IDENTITY.get(kind) or tuple(name for name in UNKNOWN_KIND if name in resource)
    given = {"parent_path": folder, **resource}
    if not any(name in resource for name in fields):
        # Nothing names it; then all that is set does.
        return Shared(place, str({name: value for name, value in sorted(resource.items()) if name not in ("modified_status", "id", "url")}))
    return Shared(f"{place}.{fields[-1]}", _joined(given, fields))


def _joined(resource: Mapping[str, Any], fields: Sequence[str]) -> str:
    joint = "/" if fields[0] in ("parent_path", "parent") else "."
    return joint.join(str(resource[name]) for name in fields if resource.get(name) not in (None, ""))


def _tables(value: Any, place: str) -> Iterator[Shared]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            if key in WRITTEN_BELOW and isinstance(each, Mapping):
                yield Shared(f"{place}.{key}", _joined(each, ("catalog_name", "schema_name", "table_name_prefix")))
            else:
                yield from _tables(each, f"{place}.{key}")
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _tables(each, f"{place}[{index}]")


def _resolve(value: Any, configuration: Mapping[str, Any], suffix: str, depth: int = 0) -> Any:
    """A value with references to other resources replaced; what only a deployment knows (an id) is its own, so it gets the suffix."""
    if isinstance(value, Mapping):
        return {key: _resolve(each, configuration, suffix, depth) for key, each in value.items()}
    if isinstance(value, list):
        return [_resolve(each, configuration, suffix, depth) for each in value]
    if not isinstance(value, str) or depth > 8:
        return value

    def replaced(match: re.Match[str]) -> str:
        found: Any = ((configuration.get("resources") or {}).get(match[1]) or {}).get(match[2])
        for part in match[3].split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        return str(_resolve(found, configuration, suffix, depth + 1)) if isinstance(found, str | int) else f"{match[0]}{suffix}"

    return _RESOURCE.sub(replaced, value)


def _parameters(first: Mapping[str, Any], second: Mapping[str, Any], suffix: str) -> Iterator[Shared]:
    """Parameters that name a resource of the bundle without its suffix: the code would then write where all others do."""
    own = [
        (kind, _identity(kind, "", _resolve(resource, first, suffix), "").value.replace(suffix, ""))
        for kind, _, resource in _resources(first)
        if kind in _PARAMETER_WORDS
    ]
    other = {(place, name): value for place, name, value in _given(second)}
    for place, name, value in _given(first):
        if other.get((place, name)) == value and any(_means(kind, full, name, value) for kind, full in own):
            yield Shared(place, value)


def _given(configuration: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Each parameter of each resource: where it stands, its name, its value."""
    for kind, key, resource in _resources(configuration):
        yield from _parameters_below(resource, f"resources.{kind}.{key}")


def _parameters_below(value: Any, place: str) -> Iterator[tuple[str, str, str]]:
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from _parameters_below(each, f"{place}[{index}]")
    elif isinstance(value, Mapping):
        for key, each in value.items():
            if key not in _PARAMETER_PLACES:
                yield from _parameters_below(each, f"{place}.{key}")
            elif isinstance(each, Mapping):
                yield from ((f"{place}.{key}.{name}", str(name), str(text)) for name, text in each.items())
            elif isinstance(each, list):
                yield from (
                    (f"{place}.{key}.{item['name']}", str(item["name"]), str(item.get("default", item.get("value", ""))))
                    if isinstance(item, Mapping) and "name" in item
                    else (f"{place}.{key}[{index}]", "", str(item))
                    for index, item in enumerate(each)
                )


def _means(kind: str, full: str, name: str, value: str) -> bool:
    """Whether a parameter's value names the resource `full` (its suffix taken away) or something in it."""
    joint = "/" if kind == "experiments" else "."
    if joint in full and (value == full or value.startswith((f"{full}.", f"{full}/"))):
        return True
    if kind == "volumes" and value.startswith(f"/Volumes/{full.replace('.', '/')}"):
        return True
    return value == full.rpartition(joint)[2] and any(word in name.lower() for word in _PARAMETER_WORDS[kind])


def _not_isolated(found: Sequence[Shared], target: str, *, declared: bool) -> BundleflowError:
    one = found[0]
    fix = "" if declared else f'Declare the variable in databricks.yml: `variables: {{{VARIABLE}: {{default: ""}}}}`. '
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    named = ", ".join(f"`{each.place}` ({each.value})" for each in found[:8])
    return BundleflowError(
        f"Target `{target}` is not isolated: two pull requests would share {named}{more if len(found) > 8 else ''}",
        fix=f"{fix}Put `${{var.{VARIABLE}}}` into it, such as `{one.place.rpartition('.')[2]}: {one.value}${{var.{VARIABLE}}}`"
        f"{', and into each of the others' if len(found) > 1 else ''}.",
        reason=FailureReason.NOT_ISOLATED,
        details="\n".join(str(each) for each in found),
    )
