"""What the tests of templates share: a local workspace that bundles are validated against."""

from __future__ import annotations

import select
import subprocess
import sys
from collections.abc import Iterator

import pytest
from rendered import SECONDS


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a local workspace."""
    command = [sys.executable, "-m", "bundleflow", "local", "workspace", "--data", str(tmp_path_factory.mktemp("workspace"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            assert select.select([process.stdout], [], [], SECONDS)[0], "the workspace did not start"
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
