"""What the tests of the doctor share: a project folder, one check made on it, and what must come out."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from bundleflow.doctor.check import Result, Status, examine
from bundleflow.doctor.finding import Finding, Severity
from bundleflow.doctor.registry import CHECKS
from bundleflow.doctor.situation import Situation
from bundleflow.templates_callers import render_caller

SHA = "a" * 40
FLOW = """\
version: 1
stages:
  test: {target: test, environment: test, per-pull-request: true}
  staging: {target: staging, environment: staging, then-propose: release}
  prod: {target: prod, plan-environment: production-plan, environment: production, requires: staging}
"""
BUNDLE = """\
bundle: {name: small}
variables:
  suffix: {default: ""}
targets:
  test: {workspace: {root_path: "/Workspace/Deployments/small/test${var.suffix}"}}
  staging: {workspace: {root_path: /Workspace/Deployments/small/staging}}
  prod: {mode: production, workspace: {root_path: /Workspace/Deployments/small/prod}}
resources:
  jobs:
    tidy: {name: "tidy${var.suffix}"}
"""


def project(folder: Path, **files: str) -> Path:
    """A project in which every check of its files is quiet; `files` (with `__` for `/`) take the place of what is there."""
    texts = {"bundleflow.yml": FLOW, "databricks.yml": BUNDLE}
    for name in ("lint", "bundle-ci", "run-tests", "cleanup", "cd-staging", "cd-prod"):
        texts[f".github/workflows/{name}.yml"] = render_caller(name, {}, sha=SHA)
    texts |= {name.replace("__", "/"): text for name, text in files.items()}
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def situation(root: Path, *, stage: str = "", environment: str = "", offline: bool = False, **env: str) -> Situation:
    """What there is to look at, with nothing of this process's environment."""
    return Situation(root, {"PATH": os.defpath} | env, offline, stage, environment)


def look(check: str, where: Situation) -> Result:
    """Make one check."""
    (result,) = examine([each for each in CHECKS if each.id == check], where)
    return result


def fires(check: str, where: Situation, severity: Severity = Severity.ERROR) -> Finding:
    """Make one check that must find something; the first finding of this severity, which says what, why and how to go on."""
    result = look(check, where)
    assert result.status is Status.FOUND, result
    found = next(each for each in result.findings if each.severity is severity)
    assert found.what
    assert found.why
    assert found.fix
    return found


def quiet(check: str, where: Situation) -> tuple[Finding, ...]:
    """Make one check that must pass, wholly made; its notes."""
    result = look(check, where)
    assert result.status is Status.PASSED, result
    return result.findings


def git(folder: Path, *argv: str) -> str:
    """Run git in a folder, as `developer`."""
    who = ["-c", "user.name=developer", "-c", "user.email=developer@example.com"]
    done = subprocess.run(["git", *who, *argv], cwd=folder, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip()
