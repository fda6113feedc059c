"""What the security tests share: the helpers of the kit's and the stand-ins' own tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
for folder in ("contract", "unit/bundleflow", "unit/bundleflow/commands", "unit/report"):
    if str(TESTS / folder) not in sys.path:
        sys.path.insert(0, str(TESTS / folder))

from github_world import World  # noqa: E402
from project import Project  # noqa: E402


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World(tmp_path)
    yield found
    found.stop()


@pytest.fixture
def project(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    return Project(world, tmp_path, monkeypatch)
