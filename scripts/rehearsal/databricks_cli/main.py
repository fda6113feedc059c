"""Entry point of the stand-in: reads the command line, runs one command, prints its errors, gives its exit code."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

from rehearsal.databricks_cli import CLI_VERSION, STAND_IN, args
from rehearsal.databricks_cli.args import Invocation
from rehearsal.databricks_cli.diagnostics import ChildExit, CommandError, Diagnostics, StopCommand
from rehearsal.databricks_cli.http_client import ApiError

_MODULES = {
    "bundle validate": "command_validate",
    "bundle plan": "command_plan",
    "bundle deploy": "command_deploy",
    "bundle run": "command_run",
    "bundle summary": "command_summary",
    "bundle destroy": "command_destroy",
    "bundle debug list-targets": "command_list_targets",
}


def main(argv: Sequence[str]) -> int:
    """Run one command.

    Args:
        argv: What would follow `databricks` on a command line.

    Returns:
        The exit code: 0 or 1, or that of a script the user had started.
    """
    diagnostics = Diagnostics()
    try:
        invocation = args.parse(argv)
        if invocation.help_wanted:
            print(args.help_text(invocation), end="")
            return 0
        if invocation.command == "version":
            print(f"Databricks CLI v{CLI_VERSION}\n({STAND_IN}, for rehearsing and testing)")
            return 0
        if invocation.text("profile"):
            raise CommandError(
                "--profile is not supported by the stand-in for the Databricks CLI; use DATABRICKS_HOST and DATABRICKS_TOKEN"
            )
        return _run(invocation, diagnostics)
    except CommandError as problem:
        diagnostics.items.append(problem.diagnostic)
    except ApiError as problem:
        diagnostics.error(problem.message)
    except StopCommand:
        pass
    except ChildExit as ended:
        return ended.code
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        diagnostics.error("interrupted")
    diagnostics.flush()
    return 1


def _run(invocation: Invocation, diagnostics: Diagnostics) -> int:
    module = importlib.import_module(f"rehearsal.databricks_cli.{_MODULES[invocation.command]}")
    code = int(module.run(invocation, diagnostics))
    diagnostics.flush()
    sys.stdout.flush()
    return code
