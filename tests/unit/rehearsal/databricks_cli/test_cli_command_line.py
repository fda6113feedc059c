"""The command line: what is not supported is refused by name, the help says what this is, and starting it is cheap."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rehearsal.databricks_cli import args
from rehearsal.databricks_cli.diagnostics import CommandError
from rehearsal.databricks_cli.main import main
from rehearsal.databricks_cli.schema_build import FIELDS_FILE, build
from rehearsal.databricks_cli.schema_root import REFUSED_RESOURCES


def test_the_version_names_the_cli_first_and_the_stand_in_second(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == "Databricks CLI v1.13.0"
    assert "bundleflow's stand-in" in second


@pytest.mark.parametrize("argv", [["--help"], ["bundle", "--help"], ["bundle", "deploy", "--help"], ["bundle", "nonsense"], []])
def test_help_says_what_it_is(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 0
    assert "bundleflow's stand-in for the Databricks CLI 1.13.0" in capsys.readouterr().out


@pytest.mark.parametrize("command", args.REFUSED)
def test_commands_that_are_not_there_are_refused_by_name(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command.split()) == 1
    assert command in capsys.readouterr().err


@pytest.mark.parametrize("kind", REFUSED_RESOURCES)
def test_kinds_of_resources_that_are_not_there_are_refused_by_name(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = f"bundle:\n  name: b\nresources:\n  {kind}:\n    x:\n      name: y\n"
    tmp_path.joinpath("databricks.yml").write_text(text, "utf-8")
    monkeypatch.chdir(tmp_path)
    assert main(["bundle", "plan"]) == 1
    told = capsys.readouterr().err
    assert f"resources of kind {kind} are not supported" in told
    assert "databricks.yml:5:5" in told


@pytest.mark.parametrize(
    ("argv", "problem"),
    [
        (["bundle", "plan", "--nope"], "unknown flag: --nope"),
        (["bundle", "plan", "-z"], "unknown shorthand flag: 'z' in -z"),
        (["bundle", "plan", "--target"], "flag needs an argument: --target"),
        (["bundle", "deploy", "--force=maybe"], 'invalid argument "maybe" for "--force" flag'),
        (["clusters", "list"], 'unknown command "clusters"'),
        (["bundle", "validate", "-p", "x"], "--profile is not supported"),
    ],
)
def test_wrong_use_is_told(argv: list[str], problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 1
    assert problem in capsys.readouterr().err


def test_flags_may_stand_anywhere_and_repeat() -> None:
    found = args.parse(["-t", "dev", "bundle", "--var", "a=1,b=2", "plan", "--var=c=3", "-qq", "-ojson"])
    assert (found.command, found.text("target"), found.texts("var")) == ("bundle plan", "dev", ["a=1", "b=2", "c=3"])
    assert (found.count("quiet"), found.text("output")) == (2, "json")


def test_what_follows_two_dashes_is_kept() -> None:
    found = args.parse(["bundle", "run", "job", "--", "--day", "monday"])
    assert (found.arguments, found.rest) == (["job"], ["--day", "monday"])
    with pytest.raises(CommandError, match="unknown flag"):
        args.parse(["bundle", "run", "job", "--day", "monday"])


def test_a_bundle_with_code_of_its_own_is_refused_where_that_is_restricted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mark = tmp_path / "ran"
    text = f"bundle:\n  name: b\nexperimental:\n  scripts:\n    preinit: touch {mark}\n"
    tmp_path.joinpath("databricks.yml").write_text(text, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABRICKS_BUNDLE_RESTRICTED_CODE_EXECUTION", "1")
    assert main(["bundle", "validate"]) == 1
    assert "DATABRICKS_BUNDLE_RESTRICTED_CODE_EXECUTION" in capsys.readouterr().err
    assert not mark.exists()


def test_targets_are_listed_without_a_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    text = "bundle: {name: b}\ntargets:\n"
    text += "  dev: {default: true, mode: development}\n"
    text += "  prod: {workspace: {host: https://h.example.com}}\n"
    tmp_path.joinpath("databricks.yml").write_text(text, "utf-8")
    monkeypatch.chdir(tmp_path)
    assert main(["bundle", "debug", "list-targets", "-o", "json"]) == 0
    targets = json.loads(capsys.readouterr().out)["targets"]
    assert targets == [{"default": True, "mode": "development", "name": "dev"}, {"host": "https://h.example.com", "name": "prod"}]


def test_the_table_of_fields_is_that_of_the_installed_sdk() -> None:
    assert FIELDS_FILE.read_text("utf-8") == build()


def test_starting_imports_nothing_heavy(tmp_path: Path) -> None:
    tmp_path.joinpath("databricks.yml").write_text("bundle: {name: b}\n", "utf-8")
    code = (
        "import sys; from rehearsal.databricks_cli.main import main; main(['bundle', 'validate']); "
        "heavy = [m for m in ('databricks.sdk', 'mlflow', 'pandas', 'requests', 'starlette') if m in sys.modules]; print(heavy)"
    )
    env = {name: value for name, value in os.environ.items() if not name.startswith("DATABRICKS_")}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, text=True, capture_output=True, timeout=30, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
