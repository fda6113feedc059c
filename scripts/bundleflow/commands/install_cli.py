"""`bundleflow install-cli`: the pinned Databricks CLI, from PATH, the tool cache, or downloaded and verified."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from bundleflow.adapters import cli_release
from bundleflow.adapters.runner import Runner
from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason

EXAMPLES = """examples:
  bundleflow install-cli
  bundleflow install-cli --version 1.9.0 --mirror https://mirror.example.com/databricks-cli

inputs by environment: BUNDLEFLOW_CLI_VERSION, BUNDLEFLOW_CLI_MIRROR, RUNNER_TOOL_CACHE
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--version", default=os.environ.get("BUNDLEFLOW_CLI_VERSION", ""), help="version (default: the pinned one)")
    parser.add_argument(
        "--mirror", default=os.environ.get("BUNDLEFLOW_CLI_MIRROR", ""), help="base URL of a mirror of the CLI's GitHub releases"
    )


def run(args: argparse.Namespace) -> int:
    """Make `databricks` of the wanted version the one that later steps find.

    Returns:
        Exit code 0.

    Raises:
        BundleflowError: `cli-unverified`, `wrong-use` or `outside-trouble`.
    """
    table = cli_release.load_table()
    version = args.version or table.pinned
    cli_release.check_version(version, table)
    program = _on_path(version) or _cached(version)
    how = "was there"
    if program is None:
        release = cli_release.CliRelease(version, cli_release.this_platform(), args.mirror or cli_release.RELEASES_URL)
        cli_release.check_base_url(release.base_url)
        program, how = _install(release, table)
    _say(f"Databricks CLI {version}: {program} ({how})")
    _tell_runner(program, version)
    return ExitCode.OK


def _on_path(version: str) -> Path | None:
    found = os.environ.get("DATABRICKS_CLI_PATH") or shutil.which("databricks")
    return Path(found) if found and cli_release.version_of(found) == version else None


def _cached(version: str) -> Path | None:
    folder = tool_folder(version)
    program = folder / "databricks"
    complete = folder.with_name(folder.name + ".complete").exists()
    return program if complete and cli_release.version_of(program) == version else None


def tool_folder(version: str) -> Path:
    """Where the CLI lies in the runner's tool cache (its convention: NAME/VERSION/ARCHITECTURE)."""
    root = os.environ.get("RUNNER_TOOL_CACHE") or os.environ.get("AGENT_TOOLSDIRECTORY")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    machine = {"amd64": "x64"}.get(cli_release.this_platform().partition("_")[2], "arm64")
    return (Path(root) if root else cache / "bundleflow" / "tools") / "databricks" / version / machine


def _install(release: cli_release.CliRelease, table: cli_release.CliTable) -> tuple[Path, str]:
    folder = tool_folder(release.version)
    _refuse_bundle_folder(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="bundleflow-cli-") as temporary:
            archive = Path(temporary) / release.file_name
            _say(f"Downloading {release.url}")
            cli_release.download(release, archive, say=_say)
            how = cli_release.verify(release, archive, table)
            program = cli_release.unpack(archive, folder)
        folder.with_name(folder.name + ".complete").touch()
    except OSError as error:
        raise BundleflowError(
            f"The Databricks CLI could not be written to {folder}: {error}.",
            fix="Free disk space, or let RUNNER_TOOL_CACHE name a folder that the runner may write.",
            reason=FailureReason.OUTSIDE_TROUBLE,
            exit_code=ExitCode.TROUBLE,
        ) from error
    found = cli_release.version_of(program)
    if found != release.version:
        raise BundleflowError(
            f"{program} was verified, but does not run as Databricks CLI {release.version} here (it says {found or 'nothing'}).",
            fix="Check that the runner's system and processor are what the runner says they are.",
            reason=FailureReason.CLI_FAILED,
        )
    return program, how


def _refuse_bundle_folder(folder: Path) -> None:
    """A bundle uploads its folder to the workspace: no program belongs there."""
    bundle = Path(os.environ.get("BUNDLEFLOW_BUNDLE_DIR") or ".").resolve()
    if (bundle / "databricks.yml").is_file() and folder.resolve().is_relative_to(bundle):
        raise BundleflowError(
            f"The tool cache {folder} lies inside the bundle {bundle}, which is uploaded to the workspace.",
            fix="Let RUNNER_TOOL_CACHE name a folder outside the bundle.",
            exit_code=ExitCode.USAGE,
        )


def _tell_runner(program: Path, version: str) -> None:
    runner = Runner.here()
    runner.output("cli-version", version)
    path_file = os.environ.get("GITHUB_PATH")
    if path_file and shutil.which("databricks") != str(program):
        with Path(path_file).open("a", encoding="utf-8") as file:
            file.write(f"{program.parent}\n")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
