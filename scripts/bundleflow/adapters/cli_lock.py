"""The project's lock of the Databricks CLI: version, checksums and mirror in one small file beside `bundleflow.yml`.

Written by `bundleflow cli update` and committed; `actions/setup` installs what it says. See docs/decisions/0006-cli-lock.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bundleflow.adapters.cli_release import CliRelease, CliTable, attest, unverified
from bundleflow.records.errors import BundleflowError, ExitCode

LOCK_FILE = "databricks-cli.lock.json"
LOCK_VERSION = 1
PLATFORMS = ("darwin_amd64", "darwin_arm64", "linux_amd64", "linux_arm64")
"""What the kit installs the CLI on."""
KEYS = ("version", "cli", "mirror", "sha256")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SUM = re.compile(r"(?P<sha256>[0-9a-fA-F]{64}) [ *](?P<name>\S+)")


@dataclass(frozen=True)
class CliLock:
    """What a project has locked.

    Args:
        cli: Version of the CLI, such as `1.13.0`.
        sha256: SHA-256 of the zip files, by platform such as `linux_amd64`.
        mirror: Base URL of a mirror of the CLI's releases; empty: GitHub.
    """

    cli: str
    sha256: Mapping[str, str] = field(default_factory=dict)
    mirror: str = ""

    def text(self) -> str:
        """The lock file's text, the same for the same lock."""
        data: dict[str, object] = {"version": LOCK_VERSION, "cli": self.cli}
        if self.mirror:
            data["mirror"] = self.mirror
        return json.dumps(data | {"sha256": dict(sorted(self.sha256.items()))}, indent=2) + "\n"

    def checksum(self, platform: str) -> str:
        """The locked checksum for a platform.

        Raises:
            BundleflowError: `cli-unverified`: the lock has none.
        """
        if platform not in self.sha256:
            raise unverified(
                f"{LOCK_FILE} has no checksum of Databricks CLI {self.cli} for {platform}.",
                f"Write it anew: bundleflow cli update --version {self.cli}",
            )
        return self.sha256[platform]


def load_lock(path: Path) -> CliLock | None:
    """Read a project's lock.

    Args:
        path: The file, usually `databricks-cli.lock.json` at the repository's root.

    Returns:
        The lock; None when there is no such file.

    Raises:
        BundleflowError: `wrong-use` that names the key at fault.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _wrong(path, f"cannot be read as JSON: {error}") from error
    if not isinstance(data, dict):
        raise _wrong(path, "is no JSON object")
    for key in data:
        if key not in KEYS:
            raise _wrong(path, f"has an unknown key `{key}` (keys: {', '.join(KEYS)})")
    if data.get("version") != LOCK_VERSION:
        raise _wrong(path, f"has `version` {data.get('version')!r}; this kit reads {LOCK_VERSION}")
    return CliLock(_text(path, data, "cli"), _checksums(path, data.get("sha256")), _text(path, data, "mirror") if "mirror" in data else "")


def _text(path: Path, data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    if not isinstance(value, str) or not value:
        raise _wrong(path, f"has no text under `{key}`")
    return value


def _checksums(path: Path, given: object) -> Mapping[str, str]:
    if not isinstance(given, dict) or not given:
        raise _wrong(path, "has no checksums under `sha256`")
    for platform, value in given.items():
        if platform not in PLATFORMS:
            raise _wrong(path, f"names the platform `{platform}` (platforms: {', '.join(PLATFORMS)})")
        if not isinstance(value, str) or not _SHA256.fullmatch(value):
            raise _wrong(path, f"has no SHA-256 (64 small hexadecimal digits) for `{platform}`")
    return given


def read_checksums(release: CliRelease, file: Path, table: CliTable) -> tuple[Mapping[str, str], str]:
    """Take the checksums of the zip files from a release's own file of checksums, once that is verified.

    Args:
        release: Which release; its platform does not matter.
        file: The downloaded file, in the format of `sha256sum`.
        table: What the kit knows; where it knows the release, that decides.

    Returns:
        SHA-256 by platform, and how they were verified.

    Raises:
        BundleflowError: `cli-unverified`: the file contradicts the kit's table, no attestation covers it, or a platform is missing.
    """
    sums = {}
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        if found := _SUM.fullmatch(line.strip()):
            sums[found["name"]] = found["sha256"].lower()
    wanted = {platform: CliRelease(release.version, platform).file_name for platform in PLATFORMS}
    missing = [name for name in wanted.values() if name not in sums]
    if missing:
        raise unverified(f"{file.name} has no SHA-256 of {missing[0]}.", "Check the mirror; do not use this file.")
    checksums = {platform: sums[name] for platform, name in wanted.items()}
    known = table.sha256.get(release.version, {})
    for platform, checksum in known.items():
        if checksums.get(platform) != checksum:
            raise unverified(
                f"{file.name} says {checksums.get(platform)} for {platform}, but the kit's table says {checksum}.",
                "Do not use this file. If it came through a mirror, compare the mirror with the official release.",
            )
    if set(known) == set(PLATFORMS):
        return checksums, "the kit's table has the same checksums"
    return checksums, attest(release, file, table)


def _wrong(path: Path, what: str) -> BundleflowError:
    return BundleflowError(
        f"{path} {what}.",
        fix="It is written by `bundleflow cli update` and not by hand: restore it from git, or delete it and write it anew.",
        exit_code=ExitCode.USAGE,
    )
