"""The project's lock of the CLI: what is installed by it, what it may not vouch for, and how `cli update` writes it."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from cli_server import IMMUTABLE, KNOWN, OLD, Releases, archive, program, write_program

from bundleflow import cli
from bundleflow.adapters import cli_release
from bundleflow.adapters.cli_lock import LOCK_FILE, PLATFORMS, CliLock, load_lock
from bundleflow.adapters.cli_release import CliRelease, CliTable
from bundleflow.commands import install_cli
from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason

OTHER = "1.12.0"


def digest(version: str) -> str:
    return sha256(archive(version)).hexdigest()


def sums(version: str, changed: str = "") -> bytes:
    """A release's file of checksums, as `sha256sum` writes it; all platforms have the same file here."""
    lines = [f"{digest(version)}  {CliRelease(version, platform).file_name}" for platform in PLATFORMS if platform != changed]
    return "\n".join([*lines, f"{'0' * 64}  databricks_cli_{version}_windows_amd64.zip", ""]).encode()


def lock(runner: Path, version: str, *, mirror: str = "", checksum: str = "") -> Path:
    path = runner / "work" / LOCK_FILE
    path.write_text(CliLock(version, dict.fromkeys(PLATFORMS, checksum or digest(version)), mirror).text())
    return path


def gh(runner: Path, code: int = 0) -> None:
    write_program(runner / "bin" / "gh", f'#!/bin/sh\necho "$@" >> {runner}/gh-arguments\nexit {code}\n')


def installed(version: str) -> Path:
    return install_cli.tool_folder(version) / "databricks"


def test_the_lock_says_which_version_from_where(releases: Releases, runner: Path, table: CliTable) -> None:
    """Neither the kit's table nor GitHub's attestation knows this version: the reviewed lock vouches for it."""
    lock(runner, OLD, mirror=releases.url)
    releases.answers = [archive(OLD)]
    assert cli.main(["install-cli"]) == ExitCode.OK
    assert releases.asked == [f"/mirror/v{OLD}/databricks_cli_{OLD}_{cli_release.this_platform()}.zip"]
    assert cli_release.version_of(installed(OLD)) == OLD


def test_a_file_that_is_not_the_locked_one_is_refused(
    releases: Releases, runner: Path, table: CliTable, capsys: pytest.CaptureFixture[str]
) -> None:
    lock(runner, OLD, mirror=releases.url)
    releases.answers = [archive(OLD, {"databricks": program(OLD) + "curl evil\n"})]
    assert cli.main(["install-cli"]) == ExitCode.FAILED
    assert "but the lock says" in capsys.readouterr().err
    assert not installed(OLD).exists()
    assert not (runner / "GITHUB_PATH").exists()


def test_a_lock_cannot_contradict_the_kits_table(releases: Releases, runner: Path, table: CliTable) -> None:
    evil = archive(KNOWN, {"databricks": program(KNOWN) + "curl evil\n"})
    lock(runner, KNOWN, mirror=releases.url, checksum=sha256(evil).hexdigest())
    releases.answers = [evil]
    assert cli.main(["install-cli"]) == ExitCode.FAILED
    assert not installed(KNOWN).exists()


@pytest.mark.parametrize("event", ["pull_request", "pull_request_target"])
def test_a_pull_requests_own_lock_vouches_for_nothing(
    event: str, releases: Releases, runner: Path, table: CliTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    evil = archive(OTHER, {"databricks": program(OTHER) + "curl evil\n"})
    monkeypatch.setenv("GITHUB_EVENT_NAME", event)
    lock(runner, OTHER, mirror=releases.url, checksum=sha256(evil).hexdigest())
    releases.answers = [evil]
    gh(runner, code=1)
    assert cli.main(["install-cli"]) == ExitCode.FAILED
    assert not installed(OTHER).exists()
    gh(runner, code=0)
    lock(runner, OTHER, mirror=releases.url)
    releases.answers = [archive(OTHER)]
    assert cli.main(["install-cli"]) == ExitCode.OK


def test_a_version_by_input_takes_the_locks_place(
    releases: Releases, runner: Path, table: CliTable, capsys: pytest.CaptureFixture[str]
) -> None:
    lock(runner, OLD, mirror="https://mirror.example.com")
    releases.answers = [archive(KNOWN)]
    assert cli.main(["install-cli", "--version", KNOWN, "--mirror", releases.url]) == ExitCode.OK
    assert f"{LOCK_FILE} has {OLD}, which is not used" in capsys.readouterr().err


def test_offline_the_tool_cache_serves_and_else_the_error_says_how(
    releases: Releases, runner: Path, table: CliTable, capsys: pytest.CaptureFixture[str]
) -> None:
    lock(runner, OLD, mirror=releases.url)
    releases.answers = [archive(OLD)]
    assert cli.main(["install-cli"]) == ExitCode.OK
    lock(runner, OLD, mirror="http://127.0.0.1:9")
    assert cli.main(["install-cli"]) == ExitCode.OK
    lock(runner, OTHER, mirror="http://127.0.0.1:9")
    capsys.readouterr()
    assert cli.main(["install-cli"]) == ExitCode.TROUBLE
    error = capsys.readouterr().err
    assert "http://127.0.0.1:9/v1.12.0/" in error
    assert "in its tool cache or on its PATH" in error


def test_a_cached_program_that_was_changed_is_not_even_started(releases: Releases, runner: Path, table: CliTable) -> None:
    lock(runner, OLD, mirror=releases.url)
    releases.answers = [archive(OLD)]
    assert cli.main(["install-cli"]) == ExitCode.OK
    write_program(installed(OLD), f"#!/bin/sh\ntouch {runner}/started\necho 'Databricks CLI v{OLD}'\n")
    assert cli.main(["install-cli"]) == ExitCode.OK
    assert len(releases.asked) == 2
    assert not (runner / "started").exists()


def test_a_cached_program_of_another_archive_is_fetched_again(releases: Releases, runner: Path, table: CliTable) -> None:
    lock(runner, OLD, mirror=releases.url)
    releases.answers = [archive(OLD)]
    assert cli.main(["install-cli"]) == ExitCode.OK
    lock(runner, OLD, mirror=releases.url, checksum="0" * 64)
    assert cli.main(["install-cli"]) == ExitCode.FAILED
    assert len(releases.asked) == 2


def test_update_locks_by_the_releases_own_checksums(
    releases: Releases, runner: Path, table: CliTable, capsys: pytest.CaptureFixture[str]
) -> None:
    gh(runner)
    releases.answers = [sums(IMMUTABLE)]
    assert cli.main(["cli", "update", "--mirror", releases.url, "--json"]) == ExitCode.OK
    out, err = capsys.readouterr()
    data = json.loads(out)
    assert (data["cli"], data["before"], data["changed"], data["written"]) == (IMMUTABLE, "", True, True)
    assert f'+    "linux_amd64": "{digest(IMMUTABLE)}"' in err
    assert releases.asked == [f"/mirror/v{IMMUTABLE}/databricks_cli_{IMMUTABLE}_SHA256SUMS"]
    assert (runner / "gh-arguments").read_text().split()[:3] == ["release", "verify-asset", f"v{IMMUTABLE}"]
    written = load_lock(Path(LOCK_FILE))
    assert written == CliLock(IMMUTABLE, dict.fromkeys(PLATFORMS, digest(IMMUTABLE)), releases.url)
    assert [path.name for path in Path().iterdir()] == [LOCK_FILE]

    # What was locked is what is installed, from the mirror that the lock keeps.
    (runner / "bin" / "gh").unlink()
    releases.answers = [archive(IMMUTABLE)]
    assert cli.main(["install-cli"]) == ExitCode.OK


def test_update_again_changes_nothing_and_a_dry_run_only_shows(
    releases: Releases, runner: Path, table: CliTable, capsys: pytest.CaptureFixture[str]
) -> None:
    gh(runner)
    path = lock(runner, IMMUTABLE, mirror=releases.url)
    before = path.read_text()
    releases.answers = [sums(IMMUTABLE)]
    assert cli.main(["cli", "update"]) == ExitCode.OK
    assert "says so already" in capsys.readouterr().err
    releases.answers = [sums(OTHER)]
    assert cli.main(["cli", "update", "--version", OTHER, "--dry-run", "--json"]) == ExitCode.OK
    out, err = capsys.readouterr()
    assert f'-  "cli": "{IMMUTABLE}"' in err
    assert json.loads(out)["written"] is False
    assert path.read_text() == before


@pytest.mark.parametrize(
    ("version", "answer", "code", "says"),
    [
        (IMMUTABLE, sums(IMMUTABLE), 1, "attestation"),
        (IMMUTABLE, sums(IMMUTABLE, changed="linux_arm64"), 0, "linux_arm64"),
        (IMMUTABLE, b"<html>log in</html>", 0, "has no SHA-256"),
        (OLD, sums(OLD), 0, "not immutable"),
        (KNOWN, sums(KNOWN).replace(digest(KNOWN).encode(), b"0" * 64), 0, "the kit's table says"),
    ],
    ids=["no attestation", "a platform is missing", "no checksums", "nothing can verify it", "contradicts the kit"],
)
def test_update_refuses_checksums_that_nothing_verifies(
    version: str,
    answer: bytes,
    code: int,
    says: str,
    releases: Releases,
    runner: Path,
    table: CliTable,
    capsys: pytest.CaptureFixture[str],
) -> None:
    gh(runner, code)
    releases.answers = [answer]
    assert cli.main(["cli", "update", "--version", version, "--mirror", releases.url]) == ExitCode.FAILED
    assert says in capsys.readouterr().err
    assert not Path(LOCK_FILE).exists()


def test_update_of_a_version_that_the_kit_knows_needs_no_attestation(
    releases: Releases, runner: Path, table: CliTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = replace(table, sha256={KNOWN: dict.fromkeys(PLATFORMS, digest(KNOWN))})
    monkeypatch.setattr(cli_release, "load_table", lambda: whole)
    releases.answers = [sums(KNOWN)]
    assert cli.main(["cli", "update", "--version", KNOWN, "--mirror", releases.url]) == ExitCode.OK
    assert not (runner / "gh-arguments").exists()
    assert load_lock(Path(LOCK_FILE)) == CliLock(KNOWN, dict(whole.sha256[KNOWN]), releases.url)


def test_update_takes_no_version_that_the_kit_was_not_tested_with(
    runner: Path, table: CliTable, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["cli", "update", "--version", "1.20.0"]) == ExitCode.USAGE
    assert "was not tested" in capsys.readouterr().err


def test_a_folder_that_is_not_there_is_named(runner: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["cli", "update", "nowhere"]) == ExitCode.USAGE
    assert "no folder nowhere" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "JSON"),
        ("[]", "no JSON object"),
        ('{"version": 2, "cli": "1.9.0", "sha256": {}}', "`version` 2"),
        ('{"version": 1, "cli": "1.9.0", "sha256": {"linux_amd64": "x"}}', "no SHA-256"),
        (f'{{"version": 1, "sha256": {{"linux_amd64": "{"a" * 64}"}}}}', "`cli`"),
        ('{"version": 1, "cli": "1.9.0", "sha256": {}}', "no checksums"),
        ('{"version": 1, "cli": "1.9.0", "sha256": {"windows": "x"}}', "platform `windows`"),
        ('{"version": 1, "cli": "1.9.0", "checksums": {}}', "unknown key `checksums`"),
    ],
)
def test_a_lock_that_was_written_by_hand_is_refused(text: str, says: str, runner: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path(LOCK_FILE).write_text(text)
    assert cli.main(["install-cli"]) == ExitCode.USAGE
    error = capsys.readouterr().err
    assert says in error
    assert "bundleflow cli update" in error


def test_a_platform_that_the_lock_leaves_out_is_refused() -> None:
    with pytest.raises(BundleflowError, match="no checksum") as caught:
        CliLock("1.9.0", {"linux_amd64": "a" * 64}).checksum("darwin_arm64")
    assert caught.value.reason is FailureReason.CLI_UNVERIFIED
