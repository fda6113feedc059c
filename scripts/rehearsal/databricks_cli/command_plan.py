"""`bundle plan`: says what a deployment would do."""

from __future__ import annotations

from rehearsal.databricks_cli import output
from rehearsal.databricks_cli.args import Invocation
from rehearsal.databricks_cli.bundle import Bundle
from rehearsal.databricks_cli.diagnostics import CommandError, Diagnostics
from rehearsal.databricks_cli.plan import Plan
from rehearsal.databricks_cli.planner import Planner
from rehearsal.databricks_cli.prepare import ready_bundle
from rehearsal.databricks_cli.state import pull, pull_files


def run(invocation: Invocation, diagnostics: Diagnostics) -> int:
    """Run the command.

    Args:
        invocation: The command line.
        diagnostics: Takes the remarks; they are printed.

    Returns:
        0, whether there is anything to do or not.
    """
    bundle = ready_bundle(invocation, diagnostics, check=True, build=True)
    state = pull(bundle)
    check_branch(bundle, force=invocation.on("force"))
    pull_files(bundle)
    plan = Planner(bundle, state).plan(selection(invocation))
    if invocation.text("output") == "json":
        print(output.to_json(plan.to_plain()))
    else:
        print(to_text(plan, quiet=invocation.count("quiet")))
    return 0


def selection(invocation: Invocation) -> list[str] | None:
    """Return the resources of `--select`, or None when it was not given."""
    return invocation.texts("select") if "select" in invocation.values else None


def check_branch(bundle: Bundle, *, force: bool) -> None:
    """Refuse a branch other than the one the bundle says; a detached head is not checked.

    Raises:
        CommandError: The work tree is on another branch.
    """
    expected, actual = bundle.config.text("bundle", "git", "branch"), bundle.config.text("bundle", "git", "actual_branch")
    if force or not expected or not actual or expected == actual:
        return
    raise CommandError(
        f"not on the right Git branch:\n  expected according to configuration: {expected}\n  actual: {actual}\n"
        "To deploy from this branch anyway, use --force. Note that this may push unexpected code to the target."
    )


def to_text(plan: Plan, *, quiet: int) -> str:
    """Return the plan as text; `quiet` leaves out the actions, twice given also the totals."""
    lines = [f"{entry.verb} {entry.short}" for entry in plan.shown()] if not quiet else []
    numbers = plan.counts()
    total = "Plan: {created} to add, {changed} to change, {deleted} to delete, {unchanged} unchanged".format(**numbers)
    if plan.not_selected is not None:
        total += f", {plan.not_selected} not selected"
    return "\n".join([*lines, *([""] if lines else []), *([total] if quiet < 2 else [])])
