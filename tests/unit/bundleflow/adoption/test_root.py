"""Where `adopt` and `update` may write: at the top of a repository, or in a folder that is in none."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from bundles import ISOLATED, repository, tree

from bundleflow.cli import main
from bundleflow.records.errors import ExitCode


@pytest.mark.parametrize("command", ["adopt", "update"])
def test_a_folder_inside_of_a_repository_is_refused(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = repository(tmp_path / "r", {"sub/databricks.yml": ISOLATED})
    before = tree(folder)
    assert main([command, str(folder / "sub"), "--yes"]) == ExitCode.USAGE
    said = capsys.readouterr().err
    assert f"the repository begins at {folder.resolve()}" in said
    assert "git init" in said
    assert tree(folder) == before


def test_a_link_to_the_top_of_a_repository_is_its_top(tmp_path: Path) -> None:
    folder = repository(tmp_path / "r", {"databricks.yml": ISOLATED})
    (tmp_path / "link").symlink_to(folder)
    assert main(["adopt", str(tmp_path / "link"), "--yes"]) == ExitCode.OK
    assert (folder / "bundleflow.yml").is_file()


def test_without_git_the_line_that_takes_it_back_works_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    folder = tmp_path / "no repository"
    folder.mkdir()
    (folder / "databricks.yml").write_text(ISOLATED)
    assert main(["adopt", str(folder), "--yes"]) == ExitCode.OK
    *_, said, command = capsys.readouterr().err.splitlines()
    assert said == "This folder is no git repository yet. Take it back:"
    assert command.startswith("  cd ")
    subprocess.run(["sh", "-c", command.strip()], check=True, timeout=60)
    assert list(tree(folder)) == ["databricks.yml"]
