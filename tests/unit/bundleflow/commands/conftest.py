"""Fixtures of the commands' tests."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from github_world import World

sys.path.insert(0, str(Path(__file__).parent))

from project import Project


@pytest.fixture
def project(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    return Project(world, tmp_path, monkeypatch)
