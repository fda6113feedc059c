"""Fixtures of the tests of adoption."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from bundles import SHA


@pytest.fixture(autouse=True)
def pinned_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kit's commit is a fixed one: somebody may commit while the tests run."""
    monkeypatch.setenv("BUNDLEFLOW_KIT_SHA", SHA)
