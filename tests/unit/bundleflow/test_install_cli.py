"""install-cli against a release server on this machine: good, tampered, truncated, failing for a while, missing."""

from __future__ import annotations

import zipfile
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from cli_server import IMMUTABLE, KNOWN, OLD, Releases, archive, program, write_program

from bundleflow import cli
from bundleflow.adapters import cli_release
from bundleflow.adapters.cli_release import CliRelease, CliTable
from bundleflow.commands import install_cli
from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason


def install(releases: Releases, version: str = KNOWN) -> int:
    return cli.main(["install-cli", "--version", version, "--mirror", releases.url])


def reason_given(runner: Path) -> str:
    lines = (runner / "GITHUB_OUTPUT").read_text().splitlines() if (runner / "GITHUB_OUTPUT").exists() else []
    return next((lines[index + 1] for index, line in enumerate(lines) if line.startswith("failure-reason<<")), "")


def installed(runner: Path, version: str = KNOWN) -> Path:
    return install_cli.tool_folder(version) / "databricks"


def test_good_download_is_verified_unpacked_and_put_on_path(releases: Releases, runner: Path, table: CliTable) -> None:
    releases.answers = [archive(KNOWN)]
    assert install(releases) == ExitCode.OK
    assert releases.asked == [f"/mirror/v{KNOWN}/databricks_cli_{KNOWN}_{cli_release.this_platform()}.zip"]
    assert (runner / "GITHUB_PATH").read_text() == f"{installed(runner).parent}\n"
    assert KNOWN in (runner / "GITHUB_OUTPUT").read_text()
    assert cli_release.version_of(installed(runner)) == KNOWN
    assert not list((runner / "work").iterdir()), "nothing is written where the bundle is"
    assert sorted(path.name for path in installed(runner).parent.iterdir()) == ["databricks"]


def test_second_time_the_tool_cache_is_used(releases: Releases, runner: Path, table: CliTable) -> None:
    releases.answers = [archive(KNOWN), 500]
    assert install(releases) == ExitCode.OK
    assert install(releases) == ExitCode.OK
    assert len(releases.asked) == 1


def test_cache_that_an_interrupted_job_left_is_not_used(releases: Releases, runner: Path, table: CliTable) -> None:
    releases.answers = [archive(KNOWN)]
    write_program(installed(runner), program(KNOWN))
    assert install(releases) == ExitCode.OK
    assert len(releases.asked) == 1


def test_right_version_on_path_needs_no_download(releases: Releases, runner: Path, table: CliTable) -> None:
    write_program(runner / "bin" / "databricks", program(IMMUTABLE) + "echo 'and says more'\n")
    releases.answers = [500]
    assert install(releases, IMMUTABLE) == ExitCode.OK
    assert releases.asked == []
    assert not (runner / "GITHUB_PATH").exists()


@pytest.mark.parametrize("text", [program("1.8.0"), program("1.9.0-dev"), "#!/bin/sh\necho Version 0.18.0\n", "#!/bin/sh\nexit 1\n"])
def test_other_version_on_path_is_not_used(text: str, releases: Releases, runner: Path, table: CliTable) -> None:
    """Also not the old tool of the same name from PyPI."""
    write_program(runner / "bin" / "databricks", text)
    releases.answers = [archive(KNOWN)]
    assert install(releases) == ExitCode.OK
    assert (runner / "GITHUB_PATH").exists()


def test_trouble_for_a_while_is_sat_out(releases: Releases, runner: Path, table: CliTable, capsys: pytest.CaptureFixture[str]) -> None:
    releases.answers = [503, 503, archive(KNOWN)]
    assert install(releases) == ExitCode.OK
    assert len(releases.asked) == 3
    assert "HTTP 503" in capsys.readouterr().err


def test_truncated_answer_is_asked_for_again(releases: Releases, runner: Path, table: CliTable) -> None:
    def half(handler: BaseHTTPRequestHandler) -> None:
        data = archive(KNOWN)
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[: len(data) // 2])
        handler.close_connection = True

    releases.answers = [half, archive(KNOWN)]
    assert install(releases) == ExitCode.OK
    assert len(releases.asked) == 2


def test_trouble_that_stays_ends_after_some_attempts(releases: Releases, runner: Path, table: CliTable) -> None:
    releases.answers = [502]
    assert install(releases) == ExitCode.TROUBLE
    assert len(releases.asked) == cli_release.ATTEMPTS
    assert reason_given(runner) == "outside-trouble"


def test_connection_refused_is_trouble_outside(runner: Path, table: CliTable, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["install-cli", "--version", KNOWN, "--mirror", "http://127.0.0.1:9"]) == ExitCode.TROUBLE
    assert "cli-mirror" in capsys.readouterr().err


def test_missing_release_is_not_asked_for_again(
    releases: Releases, runner: Path, table: CliTable, capsys: pytest.CaptureFixture[str]
) -> None:
    releases.answers = [404]
    assert install(releases) == ExitCode.USAGE
    assert len(releases.asked) == 1
    assert "`cli-version` and `cli-mirror`" in capsys.readouterr().err


def test_tampered_file_is_refused(releases: Releases, runner: Path, table: CliTable, capsys: pytest.CaptureFixture[str]) -> None:
    releases.answers = [archive(KNOWN, {"databricks": program(KNOWN) + "curl evil\n"})]
    assert install(releases) == ExitCode.FAILED
    assert len(releases.asked) == 1
    assert reason_given(runner) == "cli-unverified"
    assert "the kit's table says" in capsys.readouterr().err
    assert not installed(runner).exists()
    assert not (runner / "GITHUB_PATH").exists()


def test_version_without_checksum_and_attestation_is_refused(releases: Releases, runner: Path, table: CliTable) -> None:
    releases.answers = [archive(OLD)]
    assert install(releases, OLD) == ExitCode.FAILED
    assert reason_given(runner) == "cli-unverified"


def test_immutable_release_is_verified_by_gh(releases: Releases, runner: Path, table: CliTable) -> None:
    write_program(runner / "bin" / "gh", f'#!/bin/sh\necho "$@" > {runner}/gh-arguments\n')
    releases.answers = [archive(IMMUTABLE)]
    assert install(releases, IMMUTABLE) == ExitCode.OK
    words = (runner / "gh-arguments").read_text().split()
    assert words[:3] == ["release", "verify-asset", f"v{IMMUTABLE}"]
    assert words[3].endswith(f"/databricks_cli_{IMMUTABLE}_{cli_release.this_platform()}.zip")
    assert words[4:] == ["--repo", "databricks/cli"]


@pytest.mark.parametrize(
    "text", ["#!/bin/sh\necho 'no attestation' >&2; exit 1\n", "#!/bin/sh\nexit 4\n", None], ids=["refuses", "login", "missing"]
)
def test_immutable_release_without_attestation_is_refused(
    text: str | None, releases: Releases, runner: Path, table: CliTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(runner / "bin"))
    if text:
        write_program(runner / "bin" / "gh", text)
    releases.answers = [archive(IMMUTABLE)]
    assert install(releases, IMMUTABLE) == ExitCode.FAILED
    assert reason_given(runner) == "cli-unverified"
    assert not installed(runner, IMMUTABLE).exists()


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--version", "latest"], "not a version"),
        (["--version", "1.8.0"], "was not tested"),
        (["--version", "1.14.0"], "was not tested"),
        (["--version", "1.9.0", "--mirror", "http://mirror.example.com"], "not an https address"),
        (["--version", "1.9.0", "--mirror", "file:///etc"], "not an https address"),
    ],
)
def test_wrong_use_is_refused_before_anything_is_fetched(
    argv: list[str], says: str, runner: Path, table: CliTable, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["install-cli", *argv]) == ExitCode.USAGE
    assert says in capsys.readouterr().err


def test_tool_cache_inside_the_bundle_is_refused(
    releases: Releases, runner: Path, table: CliTable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (runner / "work" / "databricks.yml").write_text("bundle: {name: x}\n")
    monkeypatch.setenv("RUNNER_TOOL_CACHE", str(runner / "work" / "tools"))
    releases.answers = [archive(KNOWN)]
    assert install(releases) == ExitCode.USAGE
    assert "uploaded to the workspace" in capsys.readouterr().err


def test_folder_that_cannot_be_written_is_named(
    releases: Releases, runner: Path, table: CliTable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (runner / "file").write_text("")
    monkeypatch.setenv("RUNNER_TOOL_CACHE", str(runner / "file"))
    releases.answers = [archive(KNOWN)]
    assert install(releases) == ExitCode.TROUBLE
    assert "could not be written" in capsys.readouterr().err


@pytest.mark.parametrize(
    "entries",
    [{"../databricks": "x"}, {"bin/databricks": "x"}, {"readme": "x"}],
    ids=["climbs out", "elsewhere", "no program"],
)
def test_archive_with_other_entries_writes_nothing(entries: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(archive(KNOWN, entries))
    (tmp_path / "out").mkdir()
    with pytest.raises(BundleflowError) as caught:
        cli_release.unpack(tmp_path / "a.zip", tmp_path / "out")
    assert caught.value.reason is FailureReason.CLI_UNVERIFIED
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.zip", "out"]


def test_link_and_oversized_entries_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = zipfile.ZipInfo("databricks")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as zipped:
        zipped.writestr(link, "/etc/passwd")
    (tmp_path / "big.zip").write_bytes(archive(KNOWN))
    with pytest.raises(BundleflowError, match="something else"):
        cli_release.unpack(tmp_path / "link.zip", tmp_path)
    monkeypatch.setattr(cli_release, "PROGRAM_LIMIT_BYTES", 10)
    with pytest.raises(BundleflowError, match="something else"):
        cli_release.unpack(tmp_path / "big.zip", tmp_path)
    (tmp_path / "no.zip").write_bytes(b"no zip")
    with pytest.raises(BundleflowError, match="not a zip file"):
        cli_release.unpack(tmp_path / "no.zip", tmp_path)
    assert not (tmp_path / "databricks").exists()


def test_download_larger_than_any_release_is_given_up(releases: Releases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli_release, "ZIP_LIMIT_BYTES", 10)
    releases.answers = [archive(KNOWN)]
    with pytest.raises(BundleflowError, match="larger than"):
        cli_release.download(CliRelease(KNOWN, "linux_amd64", releases.url).url, tmp_path / "a.zip", say=lambda text: None, pause_s=0)


def test_known_table_is_complete_and_the_pinned_version_can_be_verified() -> None:
    table = cli_release.load_table()
    assert set(table.sha256["1.9.0"]) == {"linux_amd64", "linux_arm64", "darwin_amd64", "darwin_arm64"}
    assert all(len(value) == 64 and int(value, 16) for known in table.sha256.values() for value in known.values())
    cli_release.check_version(table.pinned, table)
    assert cli_release.version_key(table.pinned) >= cli_release.version_key(table.immutable_from) or table.pinned in table.sha256


def test_versions_are_compared_as_numbers() -> None:
    assert cli_release.version_key("1.13.0") > cli_release.version_key("1.9.0")


def test_other_systems_are_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli_release.platform, "system", lambda: "Windows")
    with pytest.raises(BundleflowError, match="Windows"):
        cli_release.this_platform()


def test_nothing_is_left_in_the_temporary_folder(
    releases: Releases, runner: Path, table: CliTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    (runner / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(runner / "tmp"))
    releases.answers = [archive(KNOWN)]
    assert install(releases) == ExitCode.OK
    assert list((runner / "tmp").iterdir()) == []
