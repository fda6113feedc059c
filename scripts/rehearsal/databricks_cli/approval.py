"""Asks for approval of what would lose data, which without a terminal means: refuses, unless it was given in advance."""

from __future__ import annotations

from rehearsal.databricks_cli.bundle import Bundle
from rehearsal.databricks_cli.diagnostics import CommandError
from rehearsal.databricks_cli.plan import Plan, is_child

_PIPELINES = "Lakeflow Spark Declarative Pipelines along with the\nStreaming Tables (STs) and Materialized Views (MVs) managed by them."
_VOLUMES = (
    "volumes.\nFor managed volumes, the files stored in the volume are also deleted from your\n"
    "cloud tenant within 30 days. For external volumes, the metadata about the volume\n"
    "is removed from the catalog, but the underlying files are not deleted:"
)
_SCHEMAS = "UC schemas. Any underlying data may be lost:"
DEPLOY_TEXTS = {
    "schemas": f"This action will result in the deletion or recreation of the following {_SCHEMAS}",
    "pipelines": f"This action will result in the deletion or recreation of the following {_PIPELINES} Recreating the pipelines will\n"
    "restore the defined STs and MVs through full refresh. Note that recreation is necessary when pipeline\n"
    "properties such as the 'catalog' or 'storage' are changed:",
    "volumes": f"This action will result in the deletion or recreation of the following {_VOLUMES}",
}
"""Kinds that hold data, with what is said before a deployment deletes or recreates them."""
DESTROY_TEXTS = {
    "schemas": f"This action will result in the deletion of the following {_SCHEMAS}",
    "pipelines": f"This action will result in the deletion of the following {_PIPELINES} Set 'cascade_on_destroy: false' on a pipeline "
    "to retain datasets on pipeline deletion:",
    "volumes": f"This action will result in the deletion of the following {_VOLUMES}",
}
"""The same, before everything is destroyed."""


def dangers(plan: Plan, texts: dict[str, str]) -> list[str]:
    """Return one block of text for each kind that holds data of which something would be lost."""
    blocks = []
    for kind, text in texts.items():
        lines = [
            f"  {entry.verb} {entry.key}"
            for entry in plan.shown()
            if entry.action in ("delete", "recreate") and entry.key.split(".")[1] == kind and not is_child(entry.key)
        ]
        if lines:
            blocks.append("\n".join([text, *lines]))
    return blocks


def check_prevent_destroy(bundle: Bundle, plan: Plan) -> None:
    """Refuse to delete or recreate what the bundle says must not be destroyed; not even an approval allows it.

    Raises:
        StopCommand: There is such a resource; the errors are among the diagnostics.
    """
    for entry in plan.entries.values():
        path = entry.key.split(".")
        if entry.action in ("delete", "recreate") and bundle.config.plain(*path[:3], "lifecycle", "prevent_destroy"):
            bundle.diagnostics.error(
                f"{entry.key} has lifecycle.prevent_destroy set, but the plan calls for this resource to be recreated or destroyed. "
                f"To avoid this error, disable lifecycle.prevent_destroy for {entry.key}"
            )
    bundle.diagnostics.stop_on_error()


def approve_deployment(bundle: Bundle, plan: Plan, *, approved: bool) -> None:
    """Show what data a deployment would lose, and refuse unless that was approved.

    Raises:
        CommandError: It was not.
    """
    check_prevent_destroy(bundle, plan)
    blocks = dangers(plan, DEPLOY_TEXTS)
    for block in blocks:
        bundle.diagnostics.log(f"\n{block}")
    if blocks and not approved:
        raise CommandError(
            "the deployment requires destructive actions, but the current console does not support prompting.\n"
            "Deleting data assets such as schemas, pipelines, or volumes may cause permanent data loss and should be carefully reviewed.\n"
            "To proceed, use --auto-approve after reviewing the plan above."
        )
