"""What a command loads before its own work: nothing that takes long, and each heavy library only where it is needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bundleflow.cli import COMMANDS

HEAVY = ("databricks.sdk", "github", "requests", "mlflow", "pandas", "jinja2", "jsonschema", "cryptography", "asyncio")


def loaded(code: str) -> set[str]:
    """Names of the modules that a new process has after running `code`."""
    text = f"{code}\nimport sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=60, check=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_commands_help_loads_no_heavy_library(name: str) -> None:
    modules = loaded(
        f"import contextlib, io\nfrom bundleflow.cli import main\nwith contextlib.suppress(SystemExit): main([{name!r}, '--help'])"
    )
    assert COMMANDS[name].module in modules
    assert not modules & set(HEAVY)


def test_a_saved_plan_is_shown_without_sdk_and_github() -> None:
    plan = Path(__file__).parents[1] / "data" / "plans" / "drift.json"
    code = f"from bundleflow.cli import main\nassert main(['plan', 'render', {str(plan)!r}, '--markdown']) == 0"
    assert not loaded(code) & set(HEAVY)
