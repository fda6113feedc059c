"""Adoption of a bundle that the kit has never seen: its time is printed; it grows with the number of bundles and no faster."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from bundleflow.adoption.files import proposed_files
from bundleflow.adoption.proposal import propose
from bundleflow.adoption.survey import survey
from bundleflow.templates_callers import KIT_ROOT

SHA = "0123456789abcdef0123456789abcdef01234567"
BARE = KIT_ROOT / "tests" / "data" / "bare"
TARGETS = "targets:\n  dev: {mode: development}\n  staging: {}\n  prod: {mode: production}\n"
JOB = "resources:\n  jobs:\n    j:\n      name: j\n"


def seconds(root: Path) -> float:
    started = time.process_time()
    assert proposed_files(propose(survey(root)), SHA)
    return time.process_time() - started


def many(root: Path, count: int) -> Path:
    for number in range(count):
        folder = root / f"b{number:03}"
        folder.mkdir(parents=True)
        (folder / "databricks.yml").write_text(f"bundle: {{name: b{number}}}\n{TARGETS}{JOB}")
    return root


def test_adoption_takes_as_long_as_there_are_bundles(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seconds(BARE / "job-only")  # imports and the kit's own tables
    bare = {folder.name: seconds(folder) for folder in sorted(BARE.iterdir())}
    small, large = seconds(many(tmp_path / "small", 10)), seconds(many(tmp_path / "large", 100))
    with capsys.disabled():
        told = ", ".join(f"{name} {taken:.3f} s" for name, taken in bare.items())
        print(f"\n  adopt: {told}; 100 bundles {large:.2f} s, 10 bundles {small:.2f} s (processor time, after imports)")
    assert large < 30 * small
