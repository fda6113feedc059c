"""The stand-in for the Databricks CLI does what was recorded of the real one, against the local workspace."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
import yaml
from cli_case import Case
from cli_proxy import RecordingProxy
from local_workspace import LocalWorkspace

CASES = Path(__file__).parent / "cases"
CLI = [sys.executable, "-m", "rehearsal.databricks_cli"]
NAMES = sorted(path.parent.name for path in CASES.glob("*/case.yaml"))


def test_the_recorded_cases_are_there() -> None:
    assert len(NAMES) >= 48


@pytest.mark.parametrize("name", NAMES)
def test_case(name: str, tmp_path: Path) -> None:
    server, case = tmp_path / "server", tmp_path / "case"
    server.mkdir()
    case.mkdir()
    with LocalWorkspace(server) as workspace, RecordingProxy(workspace.url) as proxy:
        found = Case(CASES / name, case, CLI, proxy).differences()
    told = [f"{where}\n--- recorded\n{_dump(recorded)}--- now\n{_dump(now)}" for where, (recorded, now) in found.items()]
    assert not told, "\n".join(told)


def test_a_different_answer_is_noticed(tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(CASES / "error-unknown-field", source)
    recorded = source / "expected" / "01-validate.yaml"
    recorded.write_text(recorded.read_text("utf-8").replace("Found 3 warnings", "Found 4 warnings"), "utf-8")
    server, case = tmp_path / "server", tmp_path / "case"
    server.mkdir()
    case.mkdir()
    with LocalWorkspace(server) as workspace, RecordingProxy(workspace.url) as proxy:
        found = Case(source, case, CLI, proxy).differences()
    assert list(found) == ["01-validate stdout"]


def _dump(value: object) -> str:
    return value + "\n" if isinstance(value, str) else yaml.safe_dump(value, sort_keys=True, width=1000)
