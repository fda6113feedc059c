"""Mapping a change to bundles: 500 bundles and 2,000 files; the time grows with their number and no faster."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from bundleflow.releases.bundle_reach import find_bundles, outside_paths, touched_bundles

YAML = "bundle:\n  name: b\ninclude: [resources/*.yml]\n"
SHARED = YAML + "sync:\n  paths: [., ../../libs/common]\n"
JOB = "resources:\n  jobs:\n    a:\n      tasks:\n        - task_key: t\n          notebook_task: {notebook_path: ../src/t.py}\n"


def repository(root: Path, bundles: int) -> Path:
    for number in range(bundles):
        folder = root / "bundles" / f"b{number:03}"
        (folder / "resources").mkdir(parents=True)
        (folder / "databricks.yml").write_text(SHARED if number % 10 == 0 else YAML)
        (folder / "resources" / "job.yml").write_text(JOB)
    return root


def seconds(root: Path, bundles: int, files: int) -> float:
    changed = [f"bundles/b{number % bundles:03}/src/file{number}.py" for number in range(files)]
    best = float("inf")
    for _ in range(3):
        started = time.process_time()
        found = find_bundles(root, ["bundles/*"])
        reach = {bundle: outside_paths(root, bundle) for bundle in found}
        assert len(touched_bundles(found, changed, reach, {"docs": []})) == bundles
        assert sum(1 for paths in reach.values() if paths) == bundles // 10
        best = min(best, time.process_time() - started)
    return best


def test_ten_times_the_bundles_cost_about_ten_times_as_much(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = seconds(repository(tmp_path / "small", 50), 50, 200)
    large = seconds(repository(tmp_path / "large", 500), 500, 2000)
    with capsys.disabled():
        print(f"\n  detect: 500 bundles, 2,000 files in {large:.2f} s of processor time; 50 and 200 in {small:.3f} s")
    assert large < 30 * small
