"""Databricks' paths on this machine, requirements that are checked and not downloaded, and which tasks need libraries."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.executor.own_packages import HIDDEN, OWN_FOLDER, OnlyFromItsWheel
from rehearsal.executor.paths import PathMap
from rehearsal.executor.requirements import RequirementError, Requirements, check
from rehearsal.executor.sources import needs_more_than_python

DATA = Path("/data/of/a/workspace")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/Workspace/Users/a/x.py", f"{DATA}/workspace/Users/a/x.py"),
        ("/Repos/a/b", f"{DATA}/workspace/Repos/a/b"),
        ("/Volumes/c/s/v/f.csv", f"{DATA}/volumes/c/s/v/f.csv"),
        ("dbfs:/Volumes/c/s/v/f.csv", f"{DATA}/volumes/c/s/v/f.csv"),
        ("/dbfs/tmp/x", f"{DATA}/dbfs/tmp/x"),
        ("dbfs:/tmp/x", f"{DATA}/dbfs/tmp/x"),
        ("dbfs:/../../etc/passwd", f"{DATA}/dbfs/etc/passwd"),
        ("/tmp/x", "/tmp/x"),
        ("/Workspaces", "/Workspaces"),
        ("relative/x", "relative/x"),
    ],
)
def test_where_a_path_lies(path: str, expected: str) -> None:
    assert PathMap(DATA).physical(path) == expected


@given(
    st.sampled_from(["/Workspace", "/Volumes", "/dbfs"]),
    st.lists(st.text(alphabet="abcXYZ09._- ", min_size=1).filter(lambda s: s.strip("."))),
)
def test_there_and_back(top: str, parts: list[str]) -> None:
    path = "/".join([top, *parts])
    paths = PathMap(DATA)
    assert paths.logical(paths.physical(path)) == path


def test_quoted_paths_in_sql_only() -> None:
    text = "SELECT '/Volumes/c/s/v/x' AS a, /Volumes/c, 'see /Volumes/c' FROM delta.`/Volumes/c/s/v/t`"
    mapped = PathMap(DATA).in_sql(text)
    assert mapped == f"SELECT '{DATA}/volumes/c/s/v/x' AS a, /Volumes/c, 'see /Volumes/c' FROM delta.`{DATA}/volumes/c/s/v/t`"


@pytest.fixture
def requirements(tmp_path: Path) -> tuple[Requirements, Path, list[str]]:
    said: list[str] = []
    return Requirements(PathMap(tmp_path), tmp_path / "wheels", said.append), tmp_path, said


def test_what_is_installed_is_enough(requirements: tuple[Requirements, Path, list[str]]) -> None:
    one, _, _ = requirements
    one.pip("install -U pytest 'hypothesis>=6' --quiet")
    one.add("pytest; python_version < '3'")


@pytest.mark.parametrize("line", ["no-such-package-here", "pytest==1.0", "pytest >>= 3"])
def test_what_is_not_is_refused_by_name(requirements: tuple[Requirements, Path, list[str]], line: str) -> None:
    with pytest.raises(RequirementError, match=line.split("=")[0].split()[0]):
        requirements[0].add(line)


def test_a_requirements_file_of_the_workspace(requirements: tuple[Requirements, Path, list[str]]) -> None:
    one, data, said = requirements
    (data / "workspace").mkdir()
    (data / "workspace" / "requirements.txt").write_text("# comment\npytest\n--index-url https://example.com\n")
    one.add("-r /Workspace/requirements.txt")
    assert len(said) == 1
    with pytest.raises(RequirementError, match="is not there"):
        one.add("-r /Workspace/none.txt")


def test_a_wheel_comes_on_the_path(requirements: tuple[Requirements, Path, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    one, data, _ = requirements
    monkeypatch.setattr(sys, "path", list(sys.path))
    (data / "workspace").mkdir()
    with zipfile.ZipFile(data / "workspace" / "tools_x-0.1-py3-none-any.whl", "w") as archive:
        archive.writestr("tools_x.py", "VALUE = 5\n")
        archive.writestr("tools_x-0.1.dist-info/METADATA", "Metadata-Version: 2.1\nName: tools-x\nVersion: 0.1\nRequires-Dist: pytest\n")
    one.add("/Workspace/tools_x-0.1-py3-none-any.whl")
    import tools_x  # type: ignore[import-not-found]

    assert tools_x.VALUE == 5
    check("tools-x==0.1")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import sys, os\nprint(1)\n", False),
        ("from pathlib import Path\n", False),
        ("import pandas as pd\n", True),
        ("    from mypackage.sub import x\n", True),
        ("df = spark.table('x')\n", True),
        ("# MAGIC %pip install x\n", True),
        ("sparkling = 1\n", False),
        ('{"cells": [{"source": ["import mlflow\\n"]}]}', True),
    ],
)
def test_which_source_needs_the_loaded_libraries(text: str, *, expected: bool) -> None:
    assert needs_more_than_python(text) is expected


def test_the_package_for_the_workspace_is_found_only_in_a_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finder = OnlyFromItsWheel()
    monkeypatch.setattr(sys, "path", [OWN_FOLDER, *sys.path])
    with pytest.raises(ModuleNotFoundError, match="does not name its wheel"):
        finder.find_spec(HIDDEN)
    (tmp_path / HIDDEN).mkdir()
    (tmp_path / HIDDEN / "__init__.py").write_text("")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    found = finder.find_spec(HIDDEN)
    assert found is not None
    assert found.origin == str(tmp_path / HIDDEN / "__init__.py")
    assert finder.find_spec("json") is None, "everything else is none of its business"
