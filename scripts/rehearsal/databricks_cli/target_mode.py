"""Development and production mode, presets and `run_as`: what they set, and what they do not allow."""

from __future__ import annotations

import os
import posixpath
from typing import Any

from rehearsal.databricks_cli.bundle import Bundle
from rehearsal.databricks_cli.diagnostics import CommandError
from rehearsal.databricks_cli.dyn import Node, from_plain, match, to_plain

_RUN_AS_DOCS = "https://docs.databricks.com/dev-tools/bundles/run-as.html"
_DEVELOPMENT, _PRODUCTION = "development", "production"
_PLAIN_PREFIX = {"jobs": "name", "pipelines": "name", "clusters": "cluster_name"}
_WORD_PREFIX = ("registered_models", "schemas", "model_serving_endpoints")


def set_run_as(bundle: Bundle) -> None:
    """Let jobs and pipelines run as the identity that `run_as` names.

    Raises:
        CommandError: `run_as` names no identity or two, or a resource cannot run as somebody else.
    """
    run_as = bundle.config.get("run_as")
    if run_as is None:
        return
    user, principal = run_as.text("user_name"), run_as.text("service_principal_name")
    if user and principal:
        raise CommandError("run_as section cannot specify both user_name and service_principal_name", locations=run_as.locations[:1])
    if not user and not principal:
        raise CommandError(
            "run_as section must specify exactly one identity. Neither service_principal_name nor user_name is specified",
            locations=run_as.locations[:1],
        )
    identity = user or principal
    endpoints = bundle.config.get("resources", "model_serving_endpoints")
    if endpoints is not None and endpoints.value and identity != bundle.user_name:
        raise CommandError(
            "model_serving_endpoints do not support a setting a run_as user that is different from the owner.\n"
            f"Current identity: {bundle.user_name}. Run as identity: {identity}.\n"
            f"See {_RUN_AS_DOCS} to learn more about the run_as property.",
            locations=endpoints.locations[:1],
        )
    for kind in ("jobs", "pipelines"):
        for _, _, resource in bundle.resources(kind):
            resource.set_default(("run_as",), {key: value for key, value in to_plain(run_as).items() if value})


def override_compute(bundle: Bundle) -> None:
    """Let all tasks run on one existing cluster: `--cluster-id`, `bundle.cluster_id`, or DATABRICKS_CLUSTER_ID in development."""
    config, mode = bundle.config, bundle.config.text("bundle", "mode")
    cluster_id = config.text("bundle", "cluster_id") or config.text("bundle", "compute_id")
    if cluster_id and mode == _PRODUCTION:
        bundle.diagnostics.warn(
            "Setting a cluster override for a target that uses 'mode: production' is not recommended",
            detail="It is recommended to always use the same compute for production target for consistency.",
        )
    if from_environment := os.environ.get("DATABRICKS_CLUSTER_ID"):
        if mode != _DEVELOPMENT:
            bundle.diagnostics.warn(
                "The DATABRICKS_CLUSTER_ID variable is set but is ignored since the current target does not use 'mode: development'"
            )
        else:
            cluster_id = cluster_id or from_environment
    keys = ("new_cluster", "job_cluster_key", "environment_key", "existing_cluster_id")
    for _, task in match(config, ("resources", "jobs", "*", "tasks", "*")) if cluster_id else []:
        if any(task.get(key) is not None for key in keys):
            for key in keys:
                task.remove(key)
            task.set(("existing_cluster_id",), Node(cluster_id))


def set_presets(bundle: Bundle) -> None:
    """Give the presets the values that the development mode stands for, where they are not set.

    Raises:
        CommandError: There is no such mode.
    """
    mode = bundle.config.text("bundle", "mode")
    if mode not in ("", _DEVELOPMENT, _PRODUCTION):
        raise CommandError(f"unsupported value '{mode}' specified for 'mode': must be either 'development' or 'production'")
    if mode != _DEVELOPMENT:
        return
    short = bundle.config.text("workspace", "current_user", "short_name")
    bundle.config.set_default(("bundle", "deployment", "lock", "enabled"), value=False)
    bundle.config.set_default(("presets", "name_prefix"), f"[dev {short}] ")
    bundle.config.set_default(("presets", "tags", "dev"), short)
    bundle.config.set_default(("presets", "jobs_max_concurrent_runs"), 4)
    bundle.config.set_default(("presets", "trigger_pause_status"), "PAUSED")
    bundle.config.set_default(("presets", "pipelines_development"), value=True)


def apply_presets(bundle: Bundle) -> None:
    """Apply the presets to the resources; errors are among the diagnostics."""
    presets = bundle.config.get("presets")
    if presets is None:
        return
    if (pause := presets.get("trigger_pause_status")) is not None and pause.value not in ("PAUSED", "UNPAUSED"):
        bundle.diagnostics.error("Invalid value for trigger_pause_status, should be PAUSED or UNPAUSED", locations=pause.locations[:1])
        return
    if presets.plain("source_linked_deployment"):
        raise CommandError("presets.source_linked_deployment is only supported inside a Databricks workspace")
    _apply_prefix(bundle, presets.text("name_prefix"))
    _apply_tags(bundle, presets.plain("tags") or {})
    _apply_schedules(bundle, presets)


def _apply_prefix(bundle: Bundle, prefix: str) -> None:
    if not prefix:
        return
    for kind, field in _PLAIN_PREFIX.items():
        for _, _, resource in bundle.resources(kind):
            resource.set((field,), Node(prefix + resource.text(field), _places(resource, field)))
    for _, _, experiment in bundle.resources("experiments"):
        folder, name = posixpath.split(experiment.text("name"))
        experiment.set(("name",), Node(posixpath.join(folder, prefix + name), _places(experiment, "name")))
    word = prefix.replace("[", "").replace("]", "").replace(" ", "_")
    kinds = [kind for kind in _WORD_PREFIX if kind != "schemas" or not bundle.config.plain("experimental", "skip_name_prefix_for_schema")]
    for kind in kinds:
        for _, _, resource in bundle.resources(kind):
            resource.set(("name",), Node(word + resource.text("name"), _places(resource, "name")))


def _apply_tags(bundle: Bundle, tags: dict[str, Any]) -> None:
    for kind, field in (("jobs", "tags"), ("pipelines", "tags"), ("clusters", "custom_tags")):
        for _, _, resource in bundle.resources(kind):
            for key, value in tags.items():
                resource.set_default((field, key), value)
    for _, _, experiment in bundle.resources("experiments"):
        present = experiment.get("tags")
        items = list(present.items) if present else []
        items += [from_plain({"key": key, "value": value}) for key, value in sorted(tags.items())]
        if items:
            experiment.set(("tags",), Node(items))


def _apply_schedules(bundle: Bundle, presets: Node) -> None:
    pause = presets.text("trigger_pause_status")
    runs = presets.plain("jobs_max_concurrent_runs")
    for trigger in ("schedule", "trigger", "continuous") if pause else ():
        for _, node in match(bundle.config, ("resources", "jobs", "*", trigger)):
            node.set_default(("pause_status",), pause)
    for _, _, job in bundle.resources("jobs") if runs else []:
        job.set_default(("max_concurrent_runs",), runs)
    for _, _, pipeline in bundle.resources("pipelines"):
        if presets.plain("pipelines_development"):
            pipeline.set_default(("development",), value=True)
        if pause == "PAUSED":
            pipeline.remove("continuous")


def _places(resource: Node, field: str) -> Any:
    node = resource.get(field)
    return node.locations if node is not None else resource.locations


def validate(bundle: Bundle) -> None:
    """Check what the mode asks for; errors are among the diagnostics."""
    mode = bundle.config.text("bundle", "mode")
    if mode == _DEVELOPMENT:
        _validate_development(bundle)
    elif mode == _PRODUCTION:
        _validate_production(bundle)


def _validate_development(bundle: Bundle) -> None:
    config, report = bundle.config, bundle.diagnostics
    short = config.text("workspace", "current_user", "short_name")
    for name in ("root_path", "file_path", "resource_path", "artifact_path", "state_path"):
        path = config.text("workspace", name)
        if path and bundle.user_name not in path and short not in path:
            report.error(
                f"{name} must start with '~/' or contain the current username or ${{workspace.current_user.short_name}} "
                "to ensure uniqueness when using 'mode: development'"
            )
            break
    prefix = config.get("presets", "name_prefix")
    if prefix is not None and prefix.value and short not in str(prefix.value) and bundle.user_name not in str(prefix.value):
        report.error(
            "prefix should contain the current username or ${workspace.current_user.short_name} "
            "to ensure uniqueness when using 'mode: development'",
            locations=prefix.locations[:1],
        )
    pause = config.get("presets", "trigger_pause_status")
    if pause is not None and pause.value == "UNPAUSED":
        report.error(
            "target with 'mode: development' cannot set trigger pause status to UNPAUSED by default", locations=pause.locations[:1]
        )


def _validate_production(bundle: Bundle) -> None:
    for _, _, pipeline in bundle.resources("pipelines"):
        if pipeline.plain("development"):
            bundle.diagnostics.error("target with 'mode: production' cannot include a pipeline with 'development: true'")
            return
    if bundle.root_path_given:
        return
    advice = (
        "A common practice is to use a username or principal name in this path, i.e. use\n\n"
        f"  root_path: /Workspace/Users/{bundle.user_name}/.bundle/${{bundle.name}}/${{bundle.target}}"
    )
    summary = "target with 'mode: production' {} set 'workspace.root_path' to make sure only one copy is deployed"
    if bundle.config.get("run_as") is not None or bundle.is_service_principal:
        from rehearsal.databricks_cli.diagnostics import Severity

        bundle.diagnostics.add(Severity.RECOMMENDATION, summary.format("should"), detail=advice)
    else:
        bundle.diagnostics.error(summary.format("must"), detail=advice)
