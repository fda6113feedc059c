"""A local workspace for the tests of one module, and an environment that names no other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from local_workspace import LocalWorkspace, clear_environment


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalWorkspace]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        clear_environment(monkeypatch)
        with LocalWorkspace(tmp_path_factory.mktemp("workspace")) as server:
            yield server
