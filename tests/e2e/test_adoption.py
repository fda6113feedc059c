"""A bundle that the kit has never seen: adopted, and rehearsed to production without an edit."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.rehearsal, pytest.mark.timeout(400)]

BARE = Path(__file__).resolve().parents[1] / "data" / "bare" / "job-only"
PROGRAM = [sys.executable, "-m", "bundleflow"]


def test_a_bare_bundle_is_adopted_and_reaches_production_without_an_edit(tmp_path: Path) -> None:
    folder = tmp_path / "nightly counts"
    shutil.copytree(BARE, folder)
    who = ["-c", "user.name=developer", "-c", "user.email=developer@example.com"]
    for argv in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "first"]):
        subprocess.run(["git", *who, "-C", str(folder), *argv], check=True, timeout=60)
    adopted = subprocess.run([*PROGRAM, "adopt", str(folder), "--yes"], capture_output=True, text=True, timeout=120, check=False)
    assert adopted.returncode == 0, adopted.stderr
    argv = [*PROGRAM, "rehearse", str(folder), "--json", "--report", str(tmp_path / "report.html")]
    played = subprocess.run(argv, capture_output=True, text=True, timeout=350, check=False)
    result = json.loads(played.stdout)
    assert (played.returncode, result["ok"]) == (0, True), played.stderr
    (story,) = result["scenarios"]
    assert [step["title"] for step in story["steps"]] == [
        "A change, as a pull request to main",
        "Push to release, approved",
        "A second change, as a pull request",
    ]
    assert {run["name"] for run in result["workflow_runs"]} == {"lint", "bundle-ci", "cd-prod"}
