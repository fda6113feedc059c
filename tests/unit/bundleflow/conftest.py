"""Fixtures of the kit's tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cli_server import IMMUTABLE, KNOWN, Releases, archive, serving
from github_world import World

from bundleflow.adapters import cli_release
from bundleflow.adapters.cli_release import CliTable


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World(tmp_path)
    yield found
    found.stop()


@pytest.fixture
def releases() -> Iterator[Releases]:
    with serving() as state:
        yield state


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A runner's folders and files, and nothing of this machine's environment; waits are short."""
    for name in (
        "DATABRICKS_CLI_PATH",
        "AGENT_TOOLSDIRECTORY",
        "BUNDLEFLOW_BUNDLE_DIR",
        "BUNDLEFLOW_CLI_VERSION",
        "BUNDLEFLOW_CLI_MIRROR",
        "GITHUB_EVENT_NAME",
    ):
        monkeypatch.delenv(name, raising=False)
    for name in ("GITHUB_PATH", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("RUNNER_TOOL_CACHE", str(tmp_path / "cache"))
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr(cli_release.time, "sleep", lambda seconds: None)
    return tmp_path


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> CliTable:
    known = {KNOWN: {cli_release.this_platform(): sha256(archive(KNOWN)).hexdigest()}}
    table = CliTable(pinned=IMMUTABLE, oldest="1.9.0", below="1.14.0", immutable_from="1.12.0", sha256=known)
    monkeypatch.setattr(cli_release, "load_table", lambda: table)
    return table
