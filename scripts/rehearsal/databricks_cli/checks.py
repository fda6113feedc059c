"""What `validate` remarks on a configuration that can be read: some of it also before a plan and a deployment."""

from __future__ import annotations

from rehearsal.databricks_cli.bundle import Bundle
from rehearsal.databricks_cli.diagnostics import Diagnostics
from rehearsal.databricks_cli.dyn import Node, Path, format_path, match
from rehearsal.databricks_cli.schema import REFERENCE, Schema, load_schema
from rehearsal.databricks_cli.sync_files import list_files, matching

_CLUSTERS = (
    ("clusters", "*"),
    ("jobs", "*", "job_clusters", "*", "new_cluster"),
    ("jobs", "*", "tasks", "*", "new_cluster"),
    ("jobs", "*", "tasks", "*", "for_each_task", "task", "new_cluster"),
    ("pipelines", "*", "clusters", "*"),
)
_TASKS = (("jobs", "*", "tasks", "*"), ("jobs", "*", "tasks", "*", "for_each_task", "task"))
_COMPUTE = ("job_cluster_key", "environment_key", "existing_cluster_id", "new_cluster")
_NEEDS_COMPUTE = ("spark_python_task", "python_wheel_task", "spark_jar_task", "spark_submit_task")
_SINGLE_NODE = """num_workers should be 0 only for single-node clusters. To create a
valid single node cluster please ensure that the following properties
are correctly set in the cluster specification:

  spark_conf:
    spark.databricks.cluster.profile: singleNode
    spark.master: local[*]

  custom_tags:
    ResourceClass: SingleNode
"""


def fast(bundle: Bundle) -> None:
    """Make the checks that need neither files nor the workspace; errors are among the diagnostics."""
    _check_compute(bundle)
    _check_job_cluster_keys(bundle)
    _check_single_node(bundle)
    schema = load_schema()
    for name in ("artifacts", "bundle", "permissions", "resources", "run_as", "variables"):
        node = bundle.config.get(name)
        if node is not None:
            _check_shape(node, schema.object("Root").fields[name], schema, bundle.diagnostics, (name,))
    bundle.diagnostics.stop_on_error()


def full(bundle: Bundle) -> None:
    """Make the checks of `bundle validate` that look at files."""
    for section in ("exclude", "include"):
        node = bundle.config.get("sync", section)
        for index, item in enumerate(node.items if node else []):
            pattern = str(item.value)
            if not pattern.startswith("!") and not matching(bundle.sync_root, [pattern]):
                bundle.diagnostics.warn(
                    f"Pattern {pattern} does not match any files", paths=(f"sync.{section}[{index}]",), locations=item.locations
                )
    if not list_files(bundle):
        bundle.diagnostics.warn("There are no files to sync, please check your .gitignore and sync.exclude configuration")
    files = bundle.config.text("workspace", "file_path")
    if bundle.workspace.status(files) is None:
        bundle.workspace.mkdirs(files)


def _check_compute(bundle: Bundle) -> None:
    for pattern in _TASKS:
        for path, task in match(bundle.config, ("resources", *pattern)):
            if any(task.get(key) is not None for key in _COMPUTE) or not any(task.get(key) is not None for key in _NEEDS_COMPUTE):
                continue
            name = f'Task "{task.text("task_key")}"' if task.text("task_key") else "Task"
            bundle.diagnostics.error(
                "Missing required cluster or environment settings",
                detail=f"{name} requires a cluster or an environment to run.\n"
                "Specify one of the following fields: job_cluster_key, environment_key, existing_cluster_id, new_cluster.",
                paths=(format_path(path),),
                locations=task.locations[:1],
            )


def _check_job_cluster_keys(bundle: Bundle) -> None:
    for path, node in match(bundle.config, ("resources", "jobs", "*", "tasks", "*", "job_cluster_key")):
        defined = {
            item.text("job_cluster_key") for _, item in match(bundle.config, (*(str(part) for part in path[:3]), "job_clusters", "*"))
        }
        if node.value and node.value not in defined and not REFERENCE.search(str(node.value)):
            bundle.diagnostics.warn(
                f"job_cluster_key {node.value} is not defined", paths=(format_path(path),), locations=node.locations[:1]
            )


def _check_single_node(bundle: Bundle) -> None:
    for pattern in _CLUSTERS:
        for path, cluster in match(bundle.config, ("resources", *pattern)):
            if cluster.plain("num_workers") != 0 or cluster.text("policy_id") or cluster.plain("is_single_node"):
                continue
            conf, tags = cluster.plain("spark_conf") or {}, cluster.plain("custom_tags") or {}
            profile_set = conf.get("spark.databricks.cluster.profile") == "singleNode" and str(conf.get("spark.master", "")).startswith(
                "local"
            )
            if not (profile_set and tags.get("ResourceClass") == "SingleNode"):
                bundle.diagnostics.warn(
                    "Single node cluster is not correctly configured",
                    detail=_SINGLE_NODE,
                    paths=(format_path(path),),
                    locations=cluster.locations[:1],
                )


def _check_shape(node: Node, type_text: str, schema: Schema, diagnostics: Diagnostics, path: Path) -> None:
    """Warn of required fields that are not set and of values that an enumeration does not have."""
    if type_text.startswith("#") and isinstance(node.value, dict):
        owner = schema.object(type_text[1:])
        for name in owner.required:
            child = node.get(name)
            if child is None or child.value is None:
                diagnostics.warn(f'required field "{name}" is not set', paths=(format_path(path),), locations=node.locations)
        for key, child in node.value.items():
            if key in owner.fields:
                _check_shape(child, owner.fields[key], schema, diagnostics, (*path, key))
    elif type_text.startswith("{}"):
        for key, child in node.mapping.items():
            _check_shape(child, type_text[2:], schema, diagnostics, (*path, key))
    elif type_text.startswith("[]"):
        for index, child in enumerate(node.items):
            _check_shape(child, type_text[2:], schema, diagnostics, (*path, index))
    elif type_text.startswith("!") and isinstance(node.value, str) and node.value and not REFERENCE.search(node.value):
        values = schema.enum(type_text)
        if node.value not in values:
            diagnostics.warn(
                f'invalid value "{node.value}" for enum field. Valid values are [{" ".join(values)}]',
                paths=(format_path(path),),
                locations=node.locations,
            )
