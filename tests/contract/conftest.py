"""A local workspace for the tests of one module, an environment that names no other, and the kit's runs on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from jobs_support import Jobs
from local_workspace import LocalWorkspace, clear_environment
from run_engine_support import Kit


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalWorkspace]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        clear_environment(monkeypatch)
        with LocalWorkspace(tmp_path_factory.mktemp("workspace")) as server:
            yield server


@pytest.fixture(scope="module")
def jobs(workspace: LocalWorkspace) -> Jobs:
    return Jobs.on(workspace)


@pytest.fixture
def kit(workspace: LocalWorkspace, tmp_path: Path) -> Iterator[Kit]:
    yield Kit(workspace, tmp_path)
    workspace.call("DELETE", "/_local/faults")
