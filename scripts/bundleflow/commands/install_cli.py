"""`bundleflow install-cli`: the Databricks CLI that the project locked, from PATH, the tool cache, or downloaded and verified."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bundleflow.adapters import cli_release
from bundleflow.adapters.cli_lock import LOCK_FILE, CliLock, load_lock
from bundleflow.adapters.runner import Runner
from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason

EXAMPLES = """examples:
  bundleflow install-cli
  bundleflow install-cli --version 1.9.0 --mirror https://mirror.example.com/databricks-cli

Version, checksums and mirror are those of databricks-cli.lock.json where there is one (see `bundleflow cli update`), else the kit's own.

inputs by environment: BUNDLEFLOW_CLI_VERSION, BUNDLEFLOW_CLI_MIRROR, RUNNER_TOOL_CACHE
"""


@dataclass(frozen=True)
class Wanted:
    """What is to be installed.

    Args:
        release: Version, platform and where it lies.
        locked: SHA-256 that the lock gives; empty: the version is not locked.
        reviewed: Whether somebody has reviewed the lock.
    """

    release: cli_release.CliRelease
    locked: str
    reviewed: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--version", default=os.environ.get("BUNDLEFLOW_CLI_VERSION", ""), help="version, in place of the lock's")
    parser.add_argument(
        "--mirror",
        default=os.environ.get("BUNDLEFLOW_CLI_MIRROR", ""),
        help="base URL of a mirror of the CLI's GitHub releases (default: the lock's)",
    )
    parser.add_argument("--lock", type=Path, default=Path(LOCK_FILE), help=f"the lock (default: {LOCK_FILE})")


def run(args: argparse.Namespace) -> int:
    """Make `databricks` of the wanted version the one that later steps find.

    Returns:
        Exit code 0.

    Raises:
        BundleflowError: `cli-unverified`, `wrong-use` or `outside-trouble`.
    """
    table = cli_release.load_table()
    wanted = _wanted(args.version, args.mirror, load_lock(args.lock), table, os.environ)
    version = wanted.release.version
    program = _on_path(version) or _cached(wanted)
    how = "was there"
    if program is None:
        cli_release.check_base_url(wanted.release.base_url)
        program, how = _install(wanted, table)
    _say(f"Databricks CLI {version}: {program} ({how})")
    _tell_runner(program, version)
    return ExitCode.OK


def _wanted(version: str, mirror: str, lock: CliLock | None, table: cli_release.CliTable, env: Mapping[str, str]) -> Wanted:
    """What the input asks for, else the lock, else the kit's own version."""
    platform = cli_release.this_platform()
    if lock and version and version != lock.cli:
        _say(f"`cli-version` asks for {version}; {LOCK_FILE} has {lock.cli}, which is not used")
        lock = None
    version = version or (lock.cli if lock else table.pinned)
    cli_release.check_version(version, table)
    base_url = mirror or (lock.mirror if lock else "") or cli_release.RELEASES_URL
    release = cli_release.CliRelease(version, platform, base_url)
    # bundle-ci keeps a pull request's own code from running; a lock that it brings must not choose the program that plans there.
    reviewed = not env.get("GITHUB_EVENT_NAME", "").startswith("pull_request")
    return Wanted(release, lock.checksum(platform) if lock else "", reviewed)


def _on_path(version: str) -> Path | None:
    """What the runner's image brings is as trusted as the image."""
    found = os.environ.get("DATABRICKS_CLI_PATH") or shutil.which("databricks")
    return Path(found) if found and cli_release.version_of(found) == version else None


def _cached(wanted: Wanted) -> Path | None:
    """The program in the tool cache, where it is still the one that was verified, and comes from the archive that the lock names."""
    folder = tool_folder(wanted.release.version)
    program = folder / "databricks"
    try:
        archive, verified = _marker(folder).read_text(encoding="utf-8").split()
        whole = cli_release.sha256_of(program) == verified and wanted.locked in ("", archive)
    except (OSError, ValueError):
        return None
    return program if whole and cli_release.version_of(program) == wanted.release.version else None


def _marker(folder: Path) -> Path:
    """The file beside a folder of the tool cache which says that it is whole: SHA-256 of archive and program."""
    return folder.with_name(folder.name + ".complete")


def tool_folder(version: str) -> Path:
    """Where the CLI lies in the runner's tool cache (its convention: NAME/VERSION/ARCHITECTURE)."""
    root = os.environ.get("RUNNER_TOOL_CACHE") or os.environ.get("AGENT_TOOLSDIRECTORY")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    machine = {"amd64": "x64"}.get(cli_release.this_platform().partition("_")[2], "arm64")
    return (Path(root) if root else cache / "bundleflow" / "tools") / "databricks" / version / machine


def _install(wanted: Wanted, table: cli_release.CliTable) -> tuple[Path, str]:
    release = wanted.release
    folder = tool_folder(release.version)
    _refuse_bundle_folder(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _marker(folder).unlink(missing_ok=True)
        with tempfile.TemporaryDirectory(prefix="bundleflow-cli-") as temporary:
            archive = Path(temporary) / release.file_name
            _say(f"Downloading {release.url}")
            cli_release.download(release.url, archive, say=_say)
            how = cli_release.verify(release, archive, table, locked=wanted.locked, reviewed=wanted.reviewed)
            program = cli_release.unpack(archive, folder)
            _marker(folder).write_text(f"{cli_release.sha256_of(archive)} {cli_release.sha256_of(program)}\n", encoding="utf-8")
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
