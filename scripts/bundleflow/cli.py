"""The command line: finds the command's module, imports only that, and is the one place that reports errors."""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import FrameType

from bundleflow import __version__
from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason


@dataclass(frozen=True)
class Command:
    """A command by name, with the module that carries it out (imported only when called)."""

    help: str
    module: str = ""


# A command's module offers `add_arguments(parser)` and `run(args) -> int`, and may give an `EXAMPLES` text.
COMMANDS: dict[str, Command] = {
    "ci": Command("check a pull request: strict validation, a plan of every target, one comment", "bundleflow.commands.ci"),
    "test-integration": Command("deploy a pull request's own copy, run its jobs, destroy it", "bundleflow.commands.test_integration"),
    "cleanup": Command("remove what closed or forgotten pull requests have left deployed", "bundleflow.commands.cleanup"),
    "deploy-stage": Command(
        "deploy a stage: check, plan, compare with the approval, deploy, run, record", "bundleflow.commands.deploy_stage"
    ),
    "propose-release": Command("open or update the one release pull request", "bundleflow.commands.propose_release"),
    "preview-release": Command(
        "plan the stage after this one, for the release pull request to show", "bundleflow.commands.preview_release"
    ),
    "plan-release": Command("check the evidence and make the plan to be approved", "bundleflow.commands.plan_release"),
    "explain-gate": Command("say why a job behind a gate never began", "bundleflow.commands.explain_gate"),
    "validate": Command("validate a target of the bundle", "bundleflow.commands.validate"),
    "plan": Command("show what a deployment would change; `plan render FILE` shows a saved plan", "bundleflow.commands.plan"),
    "deploy": Command("plan and deploy a target", "bundleflow.commands.deploy"),
    "run": Command("start, watch, cancel or report a job's run", "bundleflow.commands.run_job"),
    "model": Command("judge, approve, promote and roll back a model, or see where it stands", "bundleflow.commands.model"),
    "comment": Command("write or update one comment on a pull request", "bundleflow.commands.comment"),
    "record": Command("file a deployment on GitHub", "bundleflow.commands.record"),
    "detect": Command("list the bundles that a change touches", "bundleflow.commands.detect"),
    "status": Command("show what each stage was last deployed from", "bundleflow.commands.status"),
    "doctor": Command("check repository, GitHub and workspace for what stops a deployment", "bundleflow.commands.doctor"),
    "required-check": Command("sum up the jobs of a workflow as one check", "bundleflow.commands.required_check"),
    "new": Command("make a new project from a template", "bundleflow.commands.new"),
    "adopt": Command("propose the flow file and the callers for an existing bundle, and write them", "bundleflow.commands.adopt"),
    "update": Command("bring a repository to this kit: pins, the template's changes, what is deprecated", "bundleflow.commands.update"),
    "deploy-cicd": Command("adopt the repository of this job: one pull request, or a patch", "bundleflow.commands.deploy_cicd"),
    "install-cli": Command("put the pinned Databricks CLI on PATH, verified", "bundleflow.commands.install_cli"),
    "cli": Command("lock the project to a version of the Databricks CLI and its checksums", "bundleflow.commands.cli_update"),
    "lint": Command("check workflows, bundleflow.yml and the bundle's YAML, without any credential", "bundleflow.commands.lint"),
    "test-unit": Command("run the project's unit tests, without any credential", "bundleflow.commands.test_unit"),
}

EXTERNAL = {
    "rehearse": "play a project's way to production on this machine",
    "local": "start one of the rehearsal's stand-ins: workspace, databricks, github",
}
"""Commands of packages outside the kit, found by entry point `bundleflow.commands`."""


def _external(name: str, argv: Sequence[str]) -> int:
    from importlib.metadata import entry_points

    missing = BundleflowError(
        f"`bundleflow {name}` needs the rehearsal, which is not installed here.",
        fix="Run `scripts/setup` in a checkout of bundleflow; it installs the rehearsal beside the kit.",
        reason=FailureReason.WRONG_USE,
        exit_code=ExitCode.USAGE,
    )
    found = [point for point in entry_points(group="bundleflow.commands") if point.name == name]
    if not found:
        raise missing
    try:
        function = found[0].load()
    except ModuleNotFoundError as error:
        missing.details = str(error)
        raise missing from error
    return int(function(list(argv)))


def _parser() -> argparse.ArgumentParser:
    width = max(len(name) for name in [*COMMANDS, *EXTERNAL])
    listing = "\n".join(f"  {name:<{width}}  {command.help}" for name, command in COMMANDS.items())
    listing += "\n" + "\n".join(f"  {name:<{width}}  {text}" for name, text in EXTERNAL.items())
    parser = argparse.ArgumentParser(
        prog="bundleflow",
        description="Takes a Databricks bundle from development to staging to production.",
        epilog=f"commands:\n{listing}\n\n`bundleflow COMMAND --help` shows a command's options and examples.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"bundleflow {__version__}")
    parser.add_argument("command", metavar="COMMAND", help="one of the commands below")
    return parser


def _run(argv: Sequence[str]) -> int:
    parser = _parser()
    if not argv or argv[0].startswith("-"):
        if not argv:
            parser.print_help(sys.stderr)
            return ExitCode.USAGE
        parser.parse_args(argv)
    name, rest = argv[0], argv[1:]
    if name in EXTERNAL:
        return _external(name, rest)
    if name not in COMMANDS:
        from difflib import get_close_matches

        close = get_close_matches(name, [*COMMANDS, *EXTERNAL], n=1)
        raise BundleflowError(
            f"There is no command `{name}`.",
            fix=f"Did you mean `bundleflow {close[0]}`?" if close else "`bundleflow --help` lists the commands.",
            exit_code=ExitCode.USAGE,
        )
    module = importlib.import_module(COMMANDS[name].module)
    command_parser = argparse.ArgumentParser(
        prog=f"bundleflow {name}",
        description=COMMANDS[name].help,
        epilog=getattr(module, "EXAMPLES", ""),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(command_parser)
    return int(module.run(command_parser.parse_args(rest)))


def main(argv: Sequence[str]) -> int:
    """Run one command.

    Args:
        argv: The arguments after the program's name.

    Returns:
        The exit code (see `ExitCode`).
    """
    try:
        return _run(list(argv))
    except BundleflowError as error:
        from bundleflow.commands.failure import report_failure

        report_failure(error)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 141
    except OSError as error:
        from bundleflow.commands.failure import report_failure

        report_failure(_system_error(error))
        return ExitCode.TROUBLE


def _system_error(error: OSError) -> BundleflowError:
    """What the system refused (disk full, no right to a file), for people."""
    where = f" ({error.filename})" if error.filename else ""
    return BundleflowError(
        f"The system refused: {error.strerror or error}{where}.",
        fix="Check the disk's room and the rights on the file or folder, then try again.",
        reason=FailureReason.OUTSIDE_TROUBLE,
        exit_code=ExitCode.TROUBLE,
    )


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def script() -> None:
    """Entry point of the installed `bundleflow` program; told to stop, a command ends what it started."""
    signal.signal(signal.SIGTERM, _stop)
    sys.exit(main(sys.argv[1:]))
