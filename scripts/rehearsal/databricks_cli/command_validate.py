"""`bundle validate`: says whether the configuration is right, or prints it as it was understood."""

from __future__ import annotations

from rehearsal.databricks_cli import checks, output
from rehearsal.databricks_cli.args import Invocation
from rehearsal.databricks_cli.diagnostics import CommandError, Diagnostics, Severity, StopCommand
from rehearsal.databricks_cli.prepare import Preparation


def run(invocation: Invocation, diagnostics: Diagnostics) -> int:
    """Run the command.

    Args:
        invocation: The command line.
        diagnostics: Takes the remarks; they are printed.

    Returns:
        0, or 1 when there are errors, or warnings with `--strict`.

    Raises:
        CommandError: An option that is not supported was given.
    """
    if invocation.on("include-locations"):
        raise CommandError("--include-locations is not supported by the stand-in for the Databricks CLI")
    preparation = Preparation(invocation, diagnostics)
    if preparation.load() and preparation.bundle is not None:
        try:
            checks.fast(preparation.bundle)
            checks.full(preparation.bundle)
        except StopCommand:
            pass
    diagnostics.flush()
    verdict = output.verdict(diagnostics)
    failed = diagnostics.count(Severity.ERROR) > 0
    warnings = diagnostics.count(Severity.WARNING)
    bundle = preparation.bundle
    if invocation.text("output") == "json":
        if preparation.root_found:
            print(output.to_json(output.without_empty(bundle.config.plain()) if bundle else {}))
    else:
        lines = output.head(bundle) if bundle else []
        print("\n".join([*lines, *([""] if lines else []), verdict]))
    if invocation.on("strict") and warnings and not failed:
        phrase = "1 warning was" if warnings == 1 else f"{warnings} warnings were"
        diagnostics.error(f"{phrase} found. Warnings are not allowed in strict mode")
        return 1
    return int(failed)
