"""`bundle destroy`: deletes everything the bundle has deployed, and its folder."""

from __future__ import annotations

import shutil

from rehearsal.databricks_cli import approval, state
from rehearsal.databricks_cli.apply import Applier
from rehearsal.databricks_cli.args import Invocation
from rehearsal.databricks_cli.bundle import Bundle
from rehearsal.databricks_cli.diagnostics import CommandError, Diagnostics
from rehearsal.databricks_cli.plan import Plan, is_child
from rehearsal.databricks_cli.planner import Planner
from rehearsal.databricks_cli.prepare import ready_bundle


def run(invocation: Invocation, diagnostics: Diagnostics) -> int:
    """Run the command.

    Args:
        invocation: The command line; without a terminal, `--auto-approve` is needed.
        diagnostics: Takes the remarks; they are printed.

    Returns:
        0 when everything is gone, or nothing was there.

    Raises:
        CommandError: It was not approved, or somebody holds the lock.
        StopCommand: A deletion failed; the errors are among the diagnostics, and the state has what is left.
    """
    bundle = ready_bundle(invocation, diagnostics)
    if not invocation.on("auto-approve"):
        raise CommandError(
            "this command will destroy all resources deployed by this bundle, including workspace files in the deployment directory.\n"
            "Deleting data assets such as schemas, pipelines, or volumes may cause permanent data loss and should be carefully reviewed.\n"
            "To proceed, use --auto-approve."
        )
    resources = state.pull(bundle)
    root = bundle.config.text("workspace", "root_path")
    if bundle.workspace.status(root) is None:
        diagnostics.log("No active deployment found to destroy!")
        return 0
    with state.Lock(bundle, force=invocation.on("force-lock")):
        _destroy(bundle, resources, root)
    return 0


def _destroy(bundle: Bundle, resources: state.ResourceState, root: str) -> None:
    plan = _plan(bundle, resources)
    approval.check_prevent_destroy(bundle, plan)
    total = sum(1 for key in plan.entries if not is_child(key))
    if shown := [f"  delete {entry.key}" for entry in plan.shown()]:
        bundle.diagnostics.log("\n".join(["The following resources will be deleted:", *shown, ""]))
    for block in approval.dangers(plan, approval.DESTROY_TEXTS):
        bundle.diagnostics.log(f"{block}\n")
    bundle.diagnostics.log(f"All files and directories at the following location will be deleted: {root}\n")
    outcome = Applier(bundle, resources, {}, "destroying").apply(plan)
    if outcome.failed:
        state.push(bundle, resources, written=outcome.written)
        bundle.diagnostics.stop_on_error()
    bundle.workspace.delete(root, recursive=True)
    shutil.rmtree(bundle.local_state / "sync-snapshots", ignore_errors=True)
    for name in (state.RESOURCES, state.DEPLOYMENT):
        (bundle.local_state / name).unlink(missing_ok=True)
    bundle.diagnostics.log(f"Destroy: {total} deleted")


def _plan(bundle: Bundle, resources: state.ResourceState) -> Plan:
    """A plan that deletes all there is: that of a bundle without resources."""
    bundle_resources = bundle.config.get("resources")
    bundle.config.remove("resources")
    plan = Planner(bundle, resources).plan()
    if bundle_resources is not None:
        bundle.config.set(("resources",), bundle_resources)
    return plan
