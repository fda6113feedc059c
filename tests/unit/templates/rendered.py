"""Helpers of the tests of templates: runs a tool in a rendered project, reads its files and its pinned packages."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from bundleflow.templates_callers import KIT_ROOT

SECONDS = 120
CACHES = {"__pycache__", ".ruff_cache", ".cache", ".git", ".pytest_cache"}

LINTERS = pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["zizmor", "--pedantic", "--offline", "--no-progress", "."],
        [sys.executable, "-m", "bundleflow", "lint"],
    ],
    ids=["ruff", "format", "zizmor", "bundleflow lint"],
)
"""What finds nothing in any project."""


def tool(*command: str, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(folder), **more}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False)


def own_tests(folder: Path) -> subprocess.CompletedProcess[str]:
    return tool(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio", folder=folder)


def own_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and not CACHES & set(path.parts)]


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def pins(text: str) -> set[tuple[str, str]]:
    """Names and versions of what a text of requirements pins."""
    return set(re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;\\]+)", text, re.MULTILINE))


def check_packages(project: Path, packages: set[tuple[str, str]]) -> None:
    """Packages of a project's tasks are those of its tests and of the rehearsal; MLflow need not be among the tests'."""
    rehearsal = pins((KIT_ROOT / "scripts" / "requirements" / "dev.txt").read_text(encoding="utf-8"))
    locked = pins((project / "tests" / "requirements.txt").read_text(encoding="utf-8"))
    asked = pins((project / "tests" / "requirements.in").read_text(encoding="utf-8"))
    assert asked <= locked
    assert packages
    assert packages <= rehearsal
    assert {pin for pin in packages if pin[0] != "mlflow"} <= asked


def check_notebooks(project: Path, *, below: int) -> None:
    """Notebooks of a project are thin, `below` so many lines each, and tell a rehearsal from a workspace by nothing."""
    for path in (project / "notebooks").iterdir():
        text = path.read_text(encoding="utf-8")
        assert text.startswith("# Databricks notebook source\n")
        assert len(text.splitlines()) < below
        assert not [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        assert not re.search(r"rehears|\blocal\b|127\.0\.0\.1|environ", text)
