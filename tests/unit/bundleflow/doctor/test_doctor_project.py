"""Checks of the project's own files: where each fires, and where it does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from doctor_bench import BUNDLE, FLOW, SHA, fires, git, look, project, quiet, situation

from bundleflow.adapters.runner_version import runner_version
from bundleflow.doctor import callers
from bundleflow.doctor.check import Status
from bundleflow.doctor.finding import Severity
from bundleflow.templates_callers import render_caller

GATE = """\
version: 1
problem: classification
holdout: {table: main.iris.holdout, key: [id], label: species, min-rows: 50}
primary: accuracy
floors: {accuracy: {min: 0.8}}
policy: {rule: non-inferior, eps: 0.05}
"""
MODELS = "models: {classifier: {gate: gates/iris.yml}}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return project(tmp_path / "project")


def test_flow_file(folder: Path) -> None:
    quiet("flow-file", situation(folder))
    (folder / "bundleflow.yml").write_text(FLOW.replace("target: staging", "taget: staging"))
    assert "bundleflow.yml:4:" in fires("flow-file", situation(folder)).what
    assert look("bundles", situation(folder)).not_made == "there is no valid `bundleflow.yml` (see flow-file)"
    (folder / "bundleflow.yml").unlink()
    assert "bundleflow adopt" in fires("flow-file", situation(folder)).fix
    (folder / "databricks.yml").unlink()
    assert "bundleflow new" in fires("flow-file", situation(folder)).fix


def test_bundles(folder: Path) -> None:
    quiet("bundles", situation(folder))
    (folder / "bundleflow.yml").write_text(FLOW.replace("environment: staging,", "environment: staging, run: [tidi],"))
    assert "did you mean `tidy`" in fires("bundles", situation(folder)).what.lower()
    (folder / "bundleflow.yml").write_text(FLOW + 'bundles: ["nowhere"]\n')
    assert "nowhere" in fires("bundles", situation(folder)).what
    assert "see bundles" in look("targets", situation(folder)).not_made


def test_a_bundle_that_the_flow_file_leaves_out_is_a_note(folder: Path) -> None:
    (folder / "other").mkdir()
    (folder / "other" / "databricks.yml").write_text("bundle: {name: other}\n")
    (found,) = quiet("bundles", situation(folder))
    assert "`other`" in found.what


def test_targets(folder: Path) -> None:
    quiet("targets", situation(folder))
    (folder / "databricks.yml").write_text(BUNDLE.replace("staging: {workspace: {", "staging: {workspace: {profile: mine, "))
    assert "profile" in fires("targets", situation(folder)).what
    (folder / "databricks.yml").write_text(BUNDLE.replace("variables:", "variables:\n  catalog: {description: c}"))
    assert "`catalog`" in fires("targets", situation(folder)).what
    with_host = BUNDLE.replace("staging: {workspace: {", "staging: {workspace: {host: https://a.example.com, ")
    (folder / "databricks.yml").write_text(with_host)
    here = situation(folder, stage="staging", DATABRICKS_HOST="https://b.example.com")
    assert "https://b.example.com" in fires("targets", here).what
    (found,) = quiet("targets", situation(folder, stage="staging", DATABRICKS_HOST="https://a.example.com/"))
    assert found.severity is Severity.NOTE


def test_plan_identity(folder: Path) -> None:
    quiet("plan-identity", situation(folder))
    without_folder = BUNDLE.replace(", workspace: {root_path: /Workspace/Deployments/small/prod}", "")
    (folder / "databricks.yml").write_text(without_folder)
    assert "plan-depends-on-identity" in fires("plan-identity", situation(folder)).why
    one = FLOW.replace("requires: staging", 'requires: staging, approval: {one-identity: "until it has a folder"}')
    (folder / "bundleflow.yml").write_text(one)
    quiet("plan-identity", situation(folder))
    (folder / "bundleflow.yml").write_text("version: 1\nstages: {dev: {target: staging, environment: dev}}\n")
    assert look("plan-identity", situation(folder)).status is Status.NOT_NEEDED


def test_development_mode(folder: Path) -> None:
    quiet("development-mode", situation(folder))
    (folder / "databricks.yml").write_text(BUNDLE.replace("staging: {", "staging: {mode: development, "))
    assert "`staging`" in fires("development-mode", situation(folder), Severity.WARNING).what


def test_gate_files(folder: Path) -> None:
    assert look("gate-files", situation(folder)).status is Status.NOT_NEEDED
    (folder / "bundleflow.yml").write_text(FLOW + MODELS)
    assert "gates/iris.yml" in fires("gate-files", situation(folder)).what
    gate = folder / "gates" / "iris.yml"
    gate.parent.mkdir()
    gate.write_text(GATE)
    quiet("gate-files", situation(folder))
    gate.write_text("version: 1\n")
    assert "gate-invalid" in fires("gate-files", situation(folder)).why


def test_exceptions(folder: Path) -> None:
    entry = "policy: {allow: [{resource: schemas.old, action: delete, reason: moved to another place, expires: %s}]}\n"
    quiet("exceptions", situation(folder))
    (folder / "bundleflow.yml").write_text(FLOW + entry % "2020-01-31")
    assert "2020-01-31" in fires("exceptions", situation(folder), Severity.WARNING).what
    (folder / "bundleflow.yml").write_text(FLOW + entry % "2999-01-31")
    assert quiet("exceptions", situation(folder)) == ()


def test_an_accepted_warning_that_expired(folder: Path) -> None:
    (folder / "bundleflow.yml").write_text(FLOW + "warnings: accepted.yml\n")
    entry = "version: 1\nwarnings:\n  - {target: prod, text: unknown field, reason: known since long, expires: %s}\n"
    (folder / "accepted.yml").write_text(entry % "2020-01-31")
    assert "accepted.yml" in fires("exceptions", situation(folder), Severity.WARNING).what
    (folder / "accepted.yml").write_text(entry % "2999-01-31")
    quiet("exceptions", situation(folder))


def test_callers(folder: Path) -> None:
    quiet("callers", situation(folder))
    file = folder / ".github" / "workflows" / "cd-prod.yml"
    good = file.read_text()
    file.write_text(good.replace("      environment: production\n", "      environment: prod\n"))
    assert "`environment: prod`" in fires("callers", situation(folder)).what
    file.write_text(good.replace("stage: prod", "stage: live"))
    assert "`live`" in fires("callers", situation(folder)).what
    file.write_text(good.replace("      actions: read # read the evidence of staging and the approval\n", ""))
    assert "actions: read" in fires("callers", situation(folder)).what
    file.write_text("jobs: {a: [}\n")
    assert "cd-prod.yml" in fires("callers", situation(folder)).what
    file.unlink()
    assert "`prod`" in fires("callers", situation(folder), Severity.WARNING).what


def test_pins(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (folder / ".github" / "workflows").glob("*.yml"):
        path.unlink()
    assert look("pins", situation(folder)).status is Status.NOT_NEEDED
    kit = tmp_path / "kit"
    kit.mkdir()
    git(kit, "init", "-q")
    for subject in ("one", "two", "three"):
        git(kit, "commit", "-q", "--allow-empty", "-m", subject)
    monkeypatch.setattr(callers, "KIT_ROOT", kit)
    head, old = git(kit, "rev-parse", "HEAD"), git(kit, "rev-parse", "HEAD~2")
    lint, ci = (folder / ".github" / "workflows" / f"{name}.yml" for name in ("lint", "bundle-ci"))
    lint.write_text(render_caller("lint", {}, sha=head))
    quiet("pins", situation(folder))
    lint.write_text(render_caller("lint", {}, sha=old))
    assert "2 commits behind the kit here" in fires("pins", situation(folder), Severity.WARNING).what
    ci.write_text(render_caller("bundle-ci", {}, sha=head))
    assert "2 commits:" in fires("pins", situation(folder), Severity.WARNING).what
    ci.write_text(render_caller("bundle-ci", {}, sha=head).replace(head, "v1"))
    assert "`v1`" in fires("pins", situation(folder), Severity.WARNING).what


def test_a_pin_that_nobody_here_knows_is_not_told_as_current(folder: Path) -> None:
    result = look("pins", situation(folder))
    assert result.status is Status.NOT_MADE, SHA
    assert "origin" in result.not_made


def test_stored_secrets(folder: Path) -> None:
    quiet("stored-secrets", situation(folder))
    file = folder / ".github" / "workflows" / "cd-staging.yml"
    good = file.read_text()
    file.write_text(good + "    secrets:\n      databricks-token: ${{ secrets.T }}\n")
    assert "databricks-token" in fires("stored-secrets", situation(folder), Severity.WARNING).what
    file.write_text(good + "    secrets: inherit\n")
    assert "inherit" in fires("stored-secrets", situation(folder), Severity.WARNING).what


def test_runner(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert look("runner", situation(folder)).status is Status.NOT_NEEDED
    own = f"on: push\njobs:\n  a:\n    runs-on: [self-hosted]\n    steps:\n      - uses: bundleflow/bundleflow/actions/setup@{SHA}\n"
    (folder / ".github" / "workflows" / "own.yml").write_text(own)
    (found,) = quiet("runner", situation(folder))
    assert "2.336.0" in found.fix
    in_job = situation(folder, GITHUB_ACTIONS="true")
    for version, check in (("2.335.1", fires), ("2.336.0", quiet)):
        proc = _processes(tmp_path / version, version)
        monkeypatch.setattr(callers, "runner_version", lambda proc=proc: runner_version(proc, 30))
        check("runner", in_job)
    monkeypatch.setattr(callers, "runner_version", lambda: runner_version(tmp_path / "nothing", 30))
    assert look("runner", in_job).status is Status.NOT_MADE


def _processes(folder: Path, version: str) -> Path:
    """A /proc in which process 30 was started by a shell (20), and that by the runner's worker (10)."""
    programs = folder / "bin"
    programs.mkdir(parents=True)
    (programs / "Runner.Worker").touch()
    (programs / "bash").touch()
    listener = programs / "Runner.Listener"
    listener.write_text(f"#!/bin/sh\necho {version}\n")
    listener.chmod(0o755)
    for pid, parent, program in ((30, 20, "bash"), (20, 10, "bash"), (10, 1, "Runner.Worker")):
        place = folder / "proc" / str(pid)
        place.mkdir(parents=True)
        (place / "exe").symlink_to(programs / program)
        (place / "status").write_text(f"Name:\tx\nPPid:\t{parent}\n")
    return folder / "proc"


@pytest.mark.parametrize(
    ("says", "severity"),
    [("Databricks CLI v1.8.0", Severity.ERROR), ("Databricks CLI v1.20.0", Severity.WARNING), ("Version 0.18.0", Severity.ERROR)],
)
def test_cli_version_that_does_not_fit(folder: Path, tmp_path: Path, says: str, severity: Severity) -> None:
    fires("cli-version", situation(folder, DATABRICKS_CLI_PATH=_cli(tmp_path, says)), severity)


def test_cli_version_that_fits(folder: Path, tmp_path: Path) -> None:
    assert quiet("cli-version", situation(folder, DATABRICKS_CLI_PATH=_cli(tmp_path, "Databricks CLI v1.13.0"))) == ()
    (found,) = quiet("cli-version", situation(folder, DATABRICKS_CLI_PATH=_cli(tmp_path, "Databricks CLI v1.10.0")))
    assert "1.13.0" in found.what
    nowhere = situation(folder, PATH=str(tmp_path / "nothing"))
    assert look("cli-version", nowhere).status is Status.NOT_MADE
    fires("cli-version", situation(folder, PATH=str(tmp_path / "nothing"), GITHUB_ACTIONS="true"))


def _cli(folder: Path, says: str) -> str:
    program = folder / "databricks"
    program.write_text(f"#!/bin/sh\necho '{says}'\n")
    program.chmod(0o755)
    return str(program)
