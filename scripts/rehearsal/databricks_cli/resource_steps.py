"""Steps over the resources: items with the same key are joined, defaults are set, deployments are marked."""

from __future__ import annotations

from typing import Any

from rehearsal.databricks_cli.bundle import Bundle
from rehearsal.databricks_cli.dyn import Node, from_plain, match
from rehearsal.databricks_cli.merge import merge_by_key
from rehearsal.databricks_cli.schema import is_reference

_KEYED = (
    ("jobs", "job_clusters", "job_cluster_key"),
    ("jobs", "parameters", "name"),
    ("jobs", "tasks", "task_key"),
)
"""Lists of resources whose items are joined when they have the same key."""

DEFAULTS: tuple[tuple[tuple[str, ...], str, Any], ...] = (
    (("jobs", "*"), "name", "Untitled"),
    (("jobs", "*"), "max_concurrent_runs", 1),
    (("jobs", "*"), "queue", {"enabled": True}),
    (("jobs", "*", "schedule"), "pause_status", "UNPAUSED"),
    (("jobs", "*", "trigger"), "pause_status", "UNPAUSED"),
    (("jobs", "*", "continuous"), "pause_status", "UNPAUSED"),
    (("pipelines", "*"), "edition", "ADVANCED"),
    (("pipelines", "*"), "channel", "CURRENT"),
    (("volumes", "*"), "volume_type", "MANAGED"),
    (("clusters", "*"), "autotermination_minutes", 60),
    (("sql_warehouses", "*"), "auto_stop_mins", 120),
    (("sql_warehouses", "*"), "enable_photon", True),
    (("sql_warehouses", "*"), "max_num_clusters", 1),
    (("sql_warehouses", "*"), "spot_instance_policy", "COST_OPTIMIZED"),
)
"""What the CLI itself adds to resources that do not say otherwise: where, which field, which value."""


def merge_items_by_key(bundle: Bundle) -> None:
    """Join list items with the same key (a target's `tasks` override those of the bundle), and sort the tasks."""
    for kind, field, key in _KEYED:
        for _, resource in match(bundle.config, ("resources", kind, "*")):
            items = resource.get(field)
            if items is not None and isinstance(items.value, list):
                joined = merge_by_key(items, key)
                if field == "tasks":
                    joined.value = sorted(joined.items, key=lambda item: item.text("task_key"))
                resource.set((field,), joined)
    for _, pipeline in match(bundle.config, ("resources", "pipelines", "*")):
        clusters = pipeline.get("clusters")
        if clusters is not None and isinstance(clusters.value, list):
            for cluster in clusters.items:
                cluster.set_default(("label",), "default")
            pipeline.set(("clusters",), merge_by_key(clusters, "label", str.lower))


def link_schemas(bundle: Bundle) -> None:
    """Let volumes and pipelines in a schema of this bundle refer to it, so that it is made first and its prefix is theirs."""
    schemas = [(key, node.text("catalog_name"), node.text("name")) for _, key, node in bundle.resources("schemas")]
    for kind, catalog_field, fields in (("volumes", "catalog_name", ("schema_name",)), ("pipelines", "catalog", ("schema", "target"))):
        for _, _, resource in bundle.resources(kind):
            for field in fields:
                node = resource.get(field)
                for key, catalog, name in schemas:
                    if node is not None and node.value and (catalog, name) == (resource.text(catalog_field), node.value):
                        node.value = f"${{resources.schemas.{key}.name}}"


def set_defaults(bundle: Bundle) -> None:
    """Add what the CLI adds to resources, and the path of each volume."""
    for pattern, field, value in DEFAULTS:
        for _, node in match(bundle.config, ("resources", *pattern)):
            if isinstance(node.value, dict):
                node.set_default((field,), value)
    for _, _, volume in bundle.resources("volumes"):
        parts = [_resolved(bundle, volume.text(field)) for field in ("catalog_name", "schema_name", "name")]
        if all(parts):
            volume.set(("volume_path",), Node("/Volumes/" + "/".join(parts)))


def annotate(bundle: Bundle) -> None:
    """Mark jobs and pipelines as deployed by a bundle, and jobs as not to be edited by hand."""
    deployment = {"kind": "BUNDLE", "metadata_file_path": f"{bundle.config.text('workspace', 'state_path')}/metadata.json"}
    for _, _, job in bundle.resources("jobs"):
        job.set(("deployment",), from_plain(deployment))
        job.set(("edit_mode",), Node("UI_LOCKED"))
        job.set(("format",), Node("MULTI_TASK"))
    for _, _, pipeline in bundle.resources("pipelines"):
        pipeline.set(("deployment",), from_plain(deployment))


def _resolved(bundle: Bundle, text: str) -> str:
    """Follow a reference to a field that another resource of the bundle sets."""
    if is_reference(Node(text)) and text.startswith("${resources."):
        return bundle.config.text(*text[2:-1].split("."))
    return text
