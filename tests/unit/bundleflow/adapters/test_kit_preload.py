"""Importing beside other work: whoever needs the library waits for it, also when the import fails."""

from __future__ import annotations

import subprocess
import sys


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


def test_two_threads_never_import_one_package_at_once() -> None:
    code = """
from bundleflow.adapters.preload import GITHUB, SDK, preload, wait
import sys
preload(GITHUB, SDK)
preload(SDK)
wait(SDK)
assert "databricks.sdk.service.jobs" in sys.modules
wait(GITHUB)
from github import Github
from databricks.sdk import WorkspaceClient
wait("never asked for")
print("fine")
"""
    assert run(code) == "fine\n"


def test_a_failed_import_keeps_nobody_waiting() -> None:
    out = run(
        "from bundleflow.adapters.preload import preload, wait\npreload('no_such_module')\nwait('no_such_module')\nimport no_such_module"
    )
    assert out.endswith("No module named 'no_such_module'\n")


def test_a_process_may_end_in_the_middle() -> None:
    code = "from bundleflow.adapters.preload import GITHUB, SDK, preload\npreload(GITHUB, SDK)\nimport sys; sys.exit(3)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (3, "")
