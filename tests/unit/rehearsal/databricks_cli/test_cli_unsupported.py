"""What the stand-in does not do is refused by name and place, before anything is sent anywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from rehearsal.databricks_cli.main import main
from rehearsal.databricks_cli.unsupported import WORKSPACE_KEYS


def refusal(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    folder.joinpath("databricks.yml").write_text(f"bundle:\n  name: b\n{text}\n", "utf-8")
    monkeypatch.chdir(folder)
    monkeypatch.delenv("DATABRICKS_HOST", raising=False)
    assert main(["bundle", "plan"]) == 1
    return capsys.readouterr().err


@pytest.mark.parametrize("key", WORKSPACE_KEYS)
def test_logins_written_in_the_bundle(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    value = "true" if key in ("azure_use_msi", "experimental_is_unified_host") else "x"
    told = refusal(tmp_path, f"workspace:\n  {key}: {value}", monkeypatch, capsys)
    assert f"workspace.{key} is not supported" in told
    assert "databricks.yml:4:" in told


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("python:\n  resources: ['m:f']", "resources written in Python"),
        ("experimental:\n  python_wheel_wrapper: true", "experimental.python_wheel_wrapper"),
        ("experimental:\n  use_legacy_run_as: true", "experimental.use_legacy_run_as"),
        ("presets:\n  artifacts_dynamic_version: true", "presets.artifacts_dynamic_version"),
        ("artifacts:\n  a: {type: whl, build: x, dynamic_version: true}", "dynamic_version of artifacts"),
    ],
)
def test_switches(text: str, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert named in refusal(tmp_path, text, monkeypatch, capsys)


def test_the_other_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("DATABRICKS_BUNDLE_ENGINE", "terraform")
    assert "the terraform engine is not supported" in refusal(tmp_path, "", monkeypatch, capsys)
    monkeypatch.setenv("DATABRICKS_BUNDLE_ENGINE", "steam")
    assert "unexpected setting for DATABRICKS_BUNDLE_ENGINE" in refusal(tmp_path, "", monkeypatch, capsys)


def test_profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("DATABRICKS_CONFIG_PROFILE", "prod")
    assert "DATABRICKS_CONFIG_PROFILE is not supported" in refusal(tmp_path, "", monkeypatch, capsys)


@pytest.mark.parametrize(
    ("constraint", "fits"),
    [
        (">= 0.218.0", True),
        (">= 0.218.0, < 2", True),
        ("1.13.0", True),
        ("1.13.*", True),
        ("^1.2", True),
        ("~> 1.13", True),
        (">= 2.0.0", False),
        ("< 1.13.0", False),
        ("1.12.0", False),
        ("!= 1.13.0", False),
        ("~1.12.0", False),
    ],
)
def test_the_cli_version_a_bundle_asks_for(
    constraint: str, *, fits: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = refusal(tmp_path, f'  databricks_cli_version: "{constraint}"', monkeypatch, capsys)
    assert ("version constraint not satisfied" in told) is not fits


def test_a_version_constraint_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert "invalid version constraint" in refusal(tmp_path, "  databricks_cli_version: newest", monkeypatch, capsys)
