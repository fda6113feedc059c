"""Releases of the Databricks CLI: which versions are known, download with retries, verification, safe unpacking.

The CLI is not redistributable, so it is fetched where it runs. A download is used only when its SHA-256 stands in `cli-checksums.json`
or in the project's reviewed lock, or, for releases that GitHub made immutable, when GitHub's own attestation covers it.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
import shutil
import stat
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason

REPOSITORY = "databricks/cli"
RELEASES_URL = f"https://github.com/{REPOSITORY}/releases/download"
TABLE_FILE = Path(__file__).resolve().parent.parent / "cli-checksums.json"
ATTEMPTS = 4
TIMEOUT_S = 60.0
"""Longest silence of the server."""
DOWNLOAD_LIMIT_S = 600.0
ZIP_LIMIT_BYTES = 200_000_000
PROGRAM_LIMIT_BYTES = 600_000_000
VERIFY_LIMIT_S = 120.0
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class CliTable:
    """What the kit knows about the CLI's releases (`cli-checksums.json`).

    Args:
        pinned: Version that the kit is tested with.
        oldest: Oldest version that works with it.
        below: First version that it was not tested with.
        immutable_from: First version whose release GitHub has made immutable, so that it can be verified by attestation.
        sha256: SHA-256 of the zip files, by version and then by platform such as `linux_amd64`.
    """

    pinned: str
    oldest: str
    below: str
    immutable_from: str
    sha256: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def load_table(path: Path = TABLE_FILE) -> CliTable:
    """Read the table of known releases."""
    data = json.loads(path.read_text(encoding="utf-8"))
    return CliTable(data["pinned"], data["oldest"], data["below"], data["immutable-from"], data["sha256"])


@dataclass(frozen=True)
class CliRelease:
    """One release for one platform.

    Args:
        version: Such as `1.13.0`.
        platform: Such as `linux_amd64`.
        base_url: Where releases lie: `<base_url>/v1.13.0/databricks_cli_1.13.0_linux_amd64.zip`.
    """

    version: str
    platform: str
    base_url: str = RELEASES_URL

    @property
    def file_name(self) -> str:
        """Name of the zip file."""
        return f"databricks_cli_{self.version}_{self.platform}.zip"

    @property
    def url(self) -> str:
        """Address of the zip file."""
        return f"{self.base_url.rstrip('/')}/v{self.version}/{self.file_name}"

    @property
    def checksums_name(self) -> str:
        """Name of the release's file of checksums."""
        return f"databricks_cli_{self.version}_SHA256SUMS"

    @property
    def checksums_url(self) -> str:
        """Address of the release's file of checksums."""
        return f"{self.base_url.rstrip('/')}/v{self.version}/{self.checksums_name}"


def version_key(version: str) -> tuple[int, ...]:
    """A version for comparing: `1.13.0` is newer than `1.9.0`."""
    return tuple(int(part) for part in version.split("."))


def this_platform() -> str:
    """This machine as the CLI's releases name it.

    Raises:
        BundleflowError: `wrong-use` on a system that the kit does not support.
    """
    system = platform.system().lower()
    machine = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine().lower())
    if system not in ("linux", "darwin") or machine is None:
        raise BundleflowError(
            f"The kit does not install the Databricks CLI on {platform.system()} {platform.machine()}.",
            fix="Use a Linux or macOS runner (amd64 or arm64), such as ubuntu-24.04.",
            exit_code=ExitCode.USAGE,
        )
    return f"{system}_{machine}"


def check_version(version: str, table: CliTable) -> None:
    """Refuse a version that is not one, or that the kit was not tested with.

    Raises:
        BundleflowError: `wrong-use` that names the range.
    """
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise BundleflowError(
            f"`{version}` is not a version of the Databricks CLI.",
            fix=f"Give three numbers such as {table.pinned}, or leave `cli-version` out.",
            exit_code=ExitCode.USAGE,
        )
    if not version_key(table.oldest) <= version_key(version) < version_key(table.below):
        raise BundleflowError(
            f"Databricks CLI {version} was not tested with this kit ({table.oldest} up to, not including, {table.below}, was).",
            fix=f"Leave `cli-version` out to get {table.pinned}, or use a newer release of the kit.",
            exit_code=ExitCode.USAGE,
        )


def check_base_url(url: str) -> None:
    """Refuse an address that is neither https nor on this machine.

    Raises:
        BundleflowError: `wrong-use` that names the input.
    """
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1"):
        return
    raise BundleflowError(
        f"The mirror `{url}` is not an https address.",
        fix="Give `cli-mirror` as https://HOST/PATH; below it lie v1.13.0/databricks_cli_1.13.0_linux_amd64.zip and so on.",
        exit_code=ExitCode.USAGE,
    )


def version_of(program: str | Path) -> str | None:
    """The version that an installed `databricks` says it is; None when it does not say."""
    try:
        result = subprocess.run([str(program), "version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"Databricks CLI v(\d+\.\d+\.\d+)(?![\w.+-])", result.stdout)
    return found.group(1) if found and result.returncode == 0 else None


def download(url: str, target: Path, *, say: Callable[[str], None], pause_s: float = 2.0) -> None:
    """Fetch a file of a release.

    Args:
        url: Its address; checked by `check_base_url` before.
        target: File to write.
        say: Told about each new attempt.
        pause_s: Seconds before the second attempt; doubled for each further one.

    Raises:
        BundleflowError: `wrong-use` when the server has no such file, `outside-trouble` when it cannot be had.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _fetch(url, target)
            return
        except urllib.error.HTTPError as error:
            trouble = f"HTTP {error.code}"
            if error.code in (401, 403, 404, 410):
                raise _not_there(url, error.code) from error
        except (OSError, HTTPException, _IncompleteError) as error:
            trouble = str(getattr(error, "reason", error)) or type(error).__name__
        if attempt < ATTEMPTS:
            wait = pause_s * 2 ** (attempt - 1)
            say(f"Download failed ({trouble}); attempt {attempt + 1} of {ATTEMPTS} in {wait:g} s")
            time.sleep(wait)
    raise BundleflowError(
        f"The Databricks CLI could not be downloaded: {url} gave {trouble} in {ATTEMPTS} attempts.",
        fix="Run the job again. A runner without access to github.com needs a mirror (`cli-mirror`, or `mirror` in the "
        "lock), or that version in its tool cache or on its PATH; then nothing is downloaded.",
        reason=FailureReason.OUTSIDE_TROUBLE,
        exit_code=ExitCode.TROUBLE,
    )


class _IncompleteError(Exception):
    """The connection ended, or the time was up, before the whole file was there."""


def _fetch(url: str, target: Path) -> None:
    deadline = time.monotonic() + DOWNLOAD_LIMIT_S
    request = urllib.request.Request(url, headers={"User-Agent": "bundleflow"})  # noqa: S310  checked by check_base_url
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer, target.open("wb") as file:  # noqa: S310  as above
        expected = int(answer.headers.get("Content-Length") or -1)
        size = 0
        while chunk := answer.read(CHUNK_BYTES):
            size += len(chunk)
            if size > ZIP_LIMIT_BYTES:
                raise _IncompleteError(f"the file is larger than {ZIP_LIMIT_BYTES // 1_000_000} MB")
            if time.monotonic() > deadline:
                raise _IncompleteError(f"not done after {DOWNLOAD_LIMIT_S:g} s")
            file.write(chunk)
        if expected >= 0 and size != expected:
            raise _IncompleteError(f"only {size} of {expected} bytes came")


def _not_there(url: str, code: int) -> BundleflowError:
    return BundleflowError(
        f"{url} answers {code}: there is no such release, or it may not be read.",
        fix="Check the inputs `cli-version` and `cli-mirror` of actions/setup, or version and mirror of the lock.",
        exit_code=ExitCode.USAGE,
    )


def verify(release: CliRelease, archive: Path, table: CliTable, *, locked: str = "", reviewed: bool = True) -> str:
    """Make sure that a download is what Databricks released.

    Args:
        release: What it should be.
        archive: The downloaded zip file, named as the release names it.
        table: Known checksums.
        locked: SHA-256 that the project's lock gives; empty: the version is not locked.
        reviewed: Whether somebody has reviewed the lock. In a pull request nobody has: it can refuse a file there, and vouch for none.

    Returns:
        How it was verified, for the log.

    Raises:
        BundleflowError: `cli-unverified`.
    """
    found = sha256_of(archive)
    known = table.sha256.get(release.version, {}).get(release.platform)
    for checksum, source in ((known, "the kit's table"), (locked, "the lock")):
        if checksum and found != checksum:
            raise unverified(
                f"{release.file_name} has SHA-256 {found}, but {source} says {checksum}.",
                "Do not use this file. If it came through a mirror, compare the mirror with the official release.",
            )
    if known:
        return f"SHA-256 {known[:12]}… stands in the kit's table"
    if locked and reviewed:
        return f"SHA-256 {locked[:12]}… stands in the lock"
    return attest(release, archive, table)


def attest(release: CliRelease, file: Path, table: CliTable) -> str:
    """Make sure, by GitHub's attestation, that a file belongs to a release; only immutable releases have one.

    Args:
        release: Which one.
        file: The downloaded file.
        table: Says which releases are immutable.

    Returns:
        How it was verified, for the log.

    Raises:
        BundleflowError: `cli-unverified`.
    """
    if version_key(release.version) < version_key(table.immutable_from):
        raise unverified(
            f"The kit knows no checksum of Databricks CLI {release.version} for {release.platform}, and the release is not immutable.",
            f"Leave `cli-version` out to get {table.pinned}, or take a version that {TABLE_FILE.name} lists.",
        )
    return _verify_by_attestation(release, file)


def _verify_by_attestation(release: CliRelease, file: Path) -> str:
    gh = shutil.which("gh")
    if gh is None:
        raise unverified(
            f"Databricks CLI {release.version} is verified by `gh release verify-asset`, and there is no `gh` on PATH.",
            "Hosted runners have GitHub's `gh`. On your own runner install it (2.81 or newer), or put the CLI itself on PATH.",
        )
    argv = [gh, "release", "verify-asset", f"v{release.version}", str(file), "--repo", REPOSITORY]
    try:
        result = subprocess.run(argv, capture_output=True, text=True, timeout=VERIFY_LIMIT_S, check=False, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired as error:
        raise unverified(f"`gh release verify-asset` gave no answer in {VERIFY_LIMIT_S:g} s.", "Run the job again.") from error
    if result.returncode:
        raise unverified(
            f"GitHub's attestation of the release does not cover {file.name} (gh exit code {result.returncode}).",
            "If gh asks for a login, give GH_TOKEN; if it knows no `verify-asset`, update gh. Otherwise do not use this file.",
            (result.stdout + result.stderr).strip(),
        )
    return "GitHub's attestation of the immutable release covers it"


def unverified(cause: str, fix: str, details: str = "") -> BundleflowError:
    """The refusal to use what cannot be verified."""
    return BundleflowError(cause, fix=fix, reason=FailureReason.CLI_UNVERIFIED, exit_code=ExitCode.FAILED, details=details)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unpack(archive: Path, folder: Path) -> Path:
    """Take the one program out of the zip file; nothing else in it is written, whatever it is called.

    Args:
        archive: A verified zip file.
        folder: Existing folder for the program.

    Returns:
        The program, executable.

    Raises:
        BundleflowError: `cli-unverified` when the archive is not what a release holds.
    """
    program = folder / "databricks"
    with tempfile.TemporaryDirectory(dir=folder, prefix=".databricks-") as temporary:
        part = Path(temporary) / "databricks"
        try:
            with zipfile.ZipFile(archive) as zipped:
                entry = zipped.getinfo("databricks")
                if stat.S_ISLNK(entry.external_attr >> 16) or entry.file_size > PROGRAM_LIMIT_BYTES:
                    raise unverified(f"{archive.name} holds something else than the CLI's program.", "Do not use this file.")
                with zipped.open(entry) as source, part.open("wb") as target:
                    _copy(source, target)
        except (KeyError, zipfile.BadZipFile) as error:
            raise unverified(f"{archive.name} is not a zip file with a program `databricks`: {error}.", "Do not use this file.") from error
        part.chmod(0o755)
        part.replace(program)
    return program


def _copy(source: IO[bytes], target: IO[bytes]) -> None:
    """Copy at most the allowed size, also when the archive lies about it."""
    size = 0
    while chunk := source.read(CHUNK_BYTES):
        size += len(chunk)
        if size > PROGRAM_LIMIT_BYTES:
            raise zipfile.BadZipFile("larger than it says")
        target.write(chunk)
