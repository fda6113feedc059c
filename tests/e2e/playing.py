"""Plays scenarios by the command, and compares what stopped them with what should have."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rehearsal import scenarios

LIMIT_S = 800
Stops = dict[str, list[tuple[str, str]]]
"""Scenario → who stopped it, and how the reason begins, in the order of its scenes."""


def play(names: Iterable[str], folder: Path) -> dict[str, Any]:
    """Play scenarios on one stage for each template; the result as `--json` gives it, with exit code, progress and report beside it."""
    wanted = ",".join(names)
    argv = [sys.executable, "-m", "bundleflow", "rehearse", "--scenario", wanted, "--json", "--report", str(folder / "report.html")]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.stdout.startswith("{"), done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    found["exit_code"], found["progress"], found["report"] = done.returncode, done.stderr, (folder / "report.html").read_text()
    return found


def played(result: dict[str, Any], name: str) -> dict[str, Any]:
    """One scenario of a result."""
    (found,) = [scenario for scenario in result["scenarios"] if scenario["name"] == name]
    return dict(found)


def check_stops(result: dict[str, Any], name: str, stopped_by: list[tuple[str, str]]) -> None:
    """Check that a scenario was played whole, that all was as expected, and that it was stopped where and why it should be."""
    scenario = played(result, name)
    wrong = [(step["title"], check) for step in scenario["steps"] for check in step["checks"] if not check["ok"]]
    assert wrong == []
    assert len(scenario["steps"]) == len(scenarios.STORIES[name].scenes)
    stops = [(step["stopped_where"], step["stopped_why"]) for step in scenario["steps"] if step["stopped"]]
    assert [where for where, _ in stops] == [where for where, _ in stopped_by]
    assert [why for (_, why), (_, reason) in zip(stops, stopped_by, strict=True) if not why.startswith(reason)] == []
