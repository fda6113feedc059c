"""The one required check: skipped jobs pass, failed and cancelled ones do not, and it is never late."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bundleflow.commands.required_check import read_needs
from bundleflow.records.errors import BundleflowError, FailureReason

SCRIPT = Path(__file__).resolve().parents[4] / "scripts" / "runner-check"


def check(folder: Path, needs: str, *argv: str) -> tuple[subprocess.CompletedProcess[str], str, str]:
    """Run it as the action does: with Python alone, no package."""
    env = {"BUNDLEFLOW_NEEDS": needs, "GITHUB_ACTIONS": "true", "PATH": "/usr/bin:/bin"}
    files = {name: folder / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    for file in files.values():
        file.touch()
    argv = (sys.executable, "-I", "-S", str(SCRIPT), *argv)
    done = subprocess.run(
        argv, env={**env, **{k: str(v) for k, v in files.items()}}, capture_output=True, text=True, timeout=60, check=False
    )
    return done, files["GITHUB_OUTPUT"].read_text(), files["GITHUB_STEP_SUMMARY"].read_text()


def needs(**results: str) -> str:
    return json.dumps({name.replace("_", "-"): {"result": result, "outputs": {}} for name, result in results.items()})


def test_skipped_jobs_count_as_passed(tmp_path: Path) -> None:
    done, output, summary = check(tmp_path, needs(detect="success", bundle_ci="skipped"))
    assert (done.returncode, output) == (0, "")
    assert "✅ All jobs passed" in summary
    assert "| ✅ | `bundle-ci` | `skipped` |" in summary


@pytest.mark.parametrize("result", ["failure", "cancelled", "", "something new"])
def test_failed_and_cancelled_jobs_do_not_pass(tmp_path: Path, result: str) -> None:
    done, output, summary = check(tmp_path, needs(detect="success", bundle_ci=result), "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout) == {"passed": False, "jobs": {"detect": "success", "bundle-ci": result}}
    assert FailureReason.NEEDED_JOB_FAILED in output
    assert "Not passed: `bundle-ci`" in done.stderr
    assert "::error title=bundleflow%3A needed-job-failed::" in done.stderr
    assert "❌ Not all jobs passed" in summary


def test_names_of_jobs_are_text(tmp_path: Path) -> None:
    done, _, summary = check(tmp_path, json.dumps({"a|b\n::error::x`<b>": {"result": "success"}}))
    assert done.returncode == 0
    assert "\n::error::x" not in done.stdout + done.stderr
    (row,) = [line for line in summary.splitlines() if line.startswith("| ✅")]
    assert "<b>" not in row or "`" in row


@pytest.mark.parametrize("text", ["", "{}", "[]", "no JSON", '{"a": {}}', '{"a": "success"}', "7"])
def test_a_check_that_could_not_fail_is_wrong_use(text: str) -> None:
    with pytest.raises(BundleflowError, match=r"BUNDLEFLOW_NEEDS|needs no job") as caught:
        read_needs(text)
    assert "toJSON(needs)" in caught.value.fix
