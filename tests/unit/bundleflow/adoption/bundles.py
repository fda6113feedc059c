"""Repositories with bundles of odd shapes, for the tests of adoption."""

from __future__ import annotations

import subprocess
from pathlib import Path

SHA = "0123456789abcdef0123456789abcdef01234567"

GROWN = """\
bundle: {name: Orders_ETL}
include: [conf/*.yaml]
variables:
  catalog: {default: main}
targets:
  DEV:
    default: true
    mode: development
  qua:
    workspace: {root_path: /Shared/deploy/orders qua}
  PRD:
    mode: production
    workspace: {root_path: /Workspace/Deployments/orders, profile: somebody}
    run_as: {service_principal_name: 11111111-2222-3333-4444-555555555555}
"""
GROWN_JOB = """\
resources:
  jobs:
    Load-Orders:
      name: "[${bundle.target}] load orders"
      schedule: {quartz_cron_expression: "0 0 4 * * ?", timezone_id: UTC}
      tasks:
        - task_key: load
          notebook_task: {notebook_path: ../load.py, base_parameters: {catalog: "${var.catalog}"}}
"""
ISOLATED = """\
bundle: {name: iso}
variables:
  suffix: {default: ""}
targets:
  dev: {}
  ci:
    workspace: {root_path: "/Workspace/Deployments/iso/ci${var.suffix}"}
    presets: {name_prefix: "${var.suffix} "}
  prod: {workspace: {root_path: /Workspace/Deployments/iso/prod}}
resources:
  jobs:
    j: {name: j}
"""
BARE = "bundle: {name: bare}\nresources: {jobs: {hello: {name: hello}}}\n"
HOME = """\
bundle: {name: single}
targets:
  live-eu:
    mode: production
    workspace: {root_path: "~/.bundle/${bundle.name}"}
"""


def repository(folder: Path, files: dict[str, str], *, branch: str = "main") -> Path:
    """Write files into a new git repository."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q", "-b", branch)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", "first")
    return folder


def git(folder: Path, *argv: str) -> str:
    """Run git as a developer."""
    who = ["-c", "user.name=developer", "-c", "user.email=developer@example.com"]
    done = subprocess.run(["git", *who, "-C", str(folder), *argv], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def grown(folder: Path) -> Path:
    """A bundle with names of its own, an include, a schedule and `run_as`."""
    return repository(folder, {"databricks.yml": GROWN, "conf/jobs.yaml": GROWN_JOB, "load.py": "# Databricks notebook source\n"})


def tree(folder: Path) -> dict[str, str]:
    """Every file but git's own, with its text."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and ".git" not in path.relative_to(folder).parts)
    return {path.relative_to(folder).as_posix(): path.read_text() for path in found}
