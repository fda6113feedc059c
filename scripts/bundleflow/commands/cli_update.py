"""`bundleflow cli update`: locks a project to a version of the Databricks CLI, by the release's own verified checksums."""

from __future__ import annotations

import argparse
import difflib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason

if TYPE_CHECKING:
    from bundleflow.adapters.cli_lock import CliLock

EXAMPLES = """examples:
  bundleflow cli update                             lock the version that this kit is tested with
  bundleflow cli update --version 1.12.0            lock another one (the kit names those that it was tested with)
  bundleflow cli update --dry-run                   only show the change
  bundleflow cli update --mirror https://mirror.example.com/databricks-cli
  bundleflow cli update --mirror ""                 from GitHub again

The checksums come from the release's own file of checksums, and that is verified: by the kit's table, or by GitHub's attestation of
the release (`gh release verify-asset`). The lock is databricks-cli.lock.json; commit it. Nothing is installed."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The action and its options."""
    parser.add_argument("action", choices=["update"], metavar="ACTION", help="update: write the lock")
    parser.add_argument("dir", metavar="DIR", nargs="?", type=Path, default=Path(), help="root of the repository (default: .)")
    parser.add_argument("--version", default="", help="version to lock (default: the one that this kit is tested with)")
    parser.add_argument(
        "--mirror", metavar="URL", help="base URL of a mirror of the CLI's GitHub releases, kept in the lock (default: the lock's)"
    )
    parser.add_argument("--dry-run", action="store_true", help="show the change, and write nothing")
    parser.add_argument("--json", action="store_true", help="print the result as JSON on standard output")


def run(args: argparse.Namespace) -> int:
    """Fetch, verify, show, write.

    Returns:
        Exit code 0.

    Raises:
        BundleflowError: `cli-unverified`, `wrong-use` or `outside-trouble`; the lock is then as it was.
    """
    from bundleflow.adapters.cli_lock import LOCK_FILE, load_lock
    from bundleflow.commands.context import print_json, tell

    if not args.dir.is_dir():
        raise BundleflowError(f"There is no folder {args.dir}.", fix="Give the root of a repository.", exit_code=ExitCode.USAGE)
    path = args.dir / LOCK_FILE
    present = load_lock(path)
    mirror = args.mirror if args.mirror is not None else present.mirror if present else ""
    lock, how = _released(args.version, mirror)
    old, new = path.read_text(encoding="utf-8") if present else "", lock.text()
    tell(f"Databricks CLI {lock.cli}: {how}")
    _show(old, new)
    changed = old != new
    if changed and not args.dry_run:
        _write(path, new)
        tell(f"Wrote {path}; commit it. The next plan names the new version.")
    if not changed:
        tell(f"{path} says so already.")
    if args.json:
        print_json(
            {
                "cli": lock.cli,
                "before": present.cli if present else "",
                "mirror": lock.mirror,
                "sha256": dict(lock.sha256),
                "verified": how,
                "changed": changed,
                "written": changed and not args.dry_run,
            }
        )
    return ExitCode.OK


def _released(version: str, mirror: str) -> tuple[CliLock, str]:
    """The lock for a release, from its verified checksums, and how they were verified."""
    from bundleflow.adapters import cli_release
    from bundleflow.adapters.cli_lock import CliLock, read_checksums
    from bundleflow.commands.context import tell

    table = cli_release.load_table()
    version = version or table.pinned
    cli_release.check_version(version, table)
    release = cli_release.CliRelease(version, cli_release.this_platform(), mirror or cli_release.RELEASES_URL)
    cli_release.check_base_url(release.base_url)
    with tempfile.TemporaryDirectory(prefix="bundleflow-cli-") as temporary:
        file = Path(temporary) / release.checksums_name
        tell(f"Downloading {release.checksums_url}")
        cli_release.download(release.checksums_url, file, say=tell)
        checksums, how = read_checksums(release, file, table)
    return CliLock(version, checksums, mirror), how


def _show(old: str, new: str) -> None:
    from bundleflow.adapters.cli_lock import LOCK_FILE
    from bundleflow.commands.adopt import say

    start = f"a/{LOCK_FILE}" if old else "/dev/null"
    for line in difflib.unified_diff(old.splitlines(), new.splitlines(), start, f"b/{LOCK_FILE}", lineterm=""):
        say(line, colour={"+": "32", "-": "31", "@": "36"}.get(line[:1], ""))


def _write(path: Path, text: str) -> None:
    """Write the lock whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise BundleflowError(
            f"{path} could not be written: {error.strerror or error}.",
            fix="Give a folder that you may write, on a disk with room.",
            reason=FailureReason.OUTSIDE_TROUBLE,
            exit_code=ExitCode.TROUBLE,
        ) from error
    finally:
        part.unlink(missing_ok=True)
