"""Checks of the project's own files: where each fires, and where it does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from doctor_bench import BUNDLE, FLOW, fires, git, look, project, quiet, situation

from bundleflow.adapters.cli_lock import LOCK_FILE, CliLock
from bundleflow.adoption.survey import Survey
from bundleflow.doctor import situation as situation_module
from bundleflow.doctor.check import Status
from bundleflow.doctor.finding import Severity
from bundleflow.records.errors import BundleflowError

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


OF_BUNDLES = ("targets", "plan-identity", "development-mode")
"""Checks of the project's own files that look into every bundle."""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: [bare\n", "databricks.yml:"),
        ("bundle: [a]\n", "`bundle`"),
        (BUNDLE.replace("staging: {", "staging: {git: y, "), "`targets.staging.git`"),
    ],
    ids=["no YAML", "a list for keys", "a text for keys"],
)
def test_a_bundle_that_cannot_be_read_passes_nothing(folder: Path, text: str, says: str) -> None:
    (folder / "databricks.yml").write_text(text)
    found = fires("bundles", situation(folder))
    assert "The bundle in `.` cannot be used: " in found.what
    assert says in found.what
    for check in OF_BUNDLES:
        assert look(check, situation(folder)).not_made == "the bundle in `.` cannot be used (see bundles)"


def test_a_bundle_that_git_ignores_passes_nothing(folder: Path) -> None:
    other = folder / "other"
    other.mkdir()
    (other / "databricks.yml").write_text(BUNDLE)
    git(folder, "init", "-q")
    (folder / ".gitignore").write_text("other/\n")
    (folder / "bundleflow.yml").write_text(FLOW + "bundles: [., other]\n")
    assert "git ignores it" in fires("bundles", situation(folder)).what
    for check in OF_BUNDLES:
        assert "`other`" in look(check, situation(folder)).not_made


def test_a_repository_that_cannot_be_looked_through_passes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> Survey:
        raise BundleflowError("Folder `x` cannot be listed.", fix="Give the right to list it.")

    monkeypatch.setattr(situation_module, "survey", refuse)
    assert "`x`" in fires("bundles", situation(folder)).what
    for check in OF_BUNDLES:
        assert look(check, situation(folder)).not_made == "Folder `x` cannot be listed. (see bundles)"
    (folder / "bundleflow.yml").unlink()
    assert "bundleflow adopt" in fires("flow-file", situation(folder)).fix


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


@pytest.mark.parametrize("order", [1, -1], ids=["the gate last", "the gate first"])
def test_own_gates(folder: Path, order: int) -> None:
    quiet("own-gates", situation(folder))
    head, *stages = FLOW.replace("environment: staging,", "environment: Production,").splitlines()
    (folder / "bundleflow.yml").write_text("\n".join([head, stages[0], *stages[1:][::order], ""]))
    found = fires("own-gates", situation(folder))
    assert "`production` is the gate of stage `prod`, and stage `staging` deploys by it" in found.what
    (folder / "bundleflow.yml").write_text(FLOW.replace("environment: staging,", "environment: live, plan-environment: production,"))
    assert "stage `staging` plans by it" in fires("own-gates", situation(folder)).what
    shared = FLOW.replace("environment: staging,", "environment: production, plan-environment: production-plan,")
    (folder / "bundleflow.yml").write_text(shared)
    quiet("own-gates", situation(folder))
    (folder / "bundleflow.yml").write_text("version: 1\nstages: {dev: {target: staging, environment: dev}}\n")
    assert look("own-gates", situation(folder)).status is Status.NOT_NEEDED


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


def test_cli_version_by_the_projects_lock(folder: Path, tmp_path: Path) -> None:
    lock = folder / LOCK_FILE
    lock.write_text(CliLock("1.12.0", {"linux_amd64": "0" * 64}).text())
    assert quiet("cli-version", situation(folder, DATABRICKS_CLI_PATH=_cli(tmp_path, "Databricks CLI v1.12.0"))) == ()
    (found,) = quiet("cli-version", situation(folder, DATABRICKS_CLI_PATH=_cli(tmp_path, "Databricks CLI v1.13.0")))
    assert "workflows use 1.12.0" in found.what
    assert "installs 1.12.0" in found.fix


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "cannot be read as JSON"),
        ('{"version": 1, "cli": "1.12.0", "sha256": {}}', "no checksums"),
        (CliLock("latest", {"linux_amd64": "0" * 64}).text(), "`latest` is not a version"),
        (CliLock("1.2.0", {"linux_amd64": "0" * 64}).text(), "1.2.0 was not tested"),
    ],
)
def test_a_lock_that_no_workflow_can_use(folder: Path, tmp_path: Path, text: str, says: str) -> None:
    (folder / LOCK_FILE).write_text(text)
    found = fires("cli-version", situation(folder, DATABRICKS_CLI_PATH=_cli(tmp_path, "Databricks CLI v1.13.0")))
    assert says in found.what
    assert "bundleflow cli update" in found.fix


def _cli(folder: Path, says: str) -> str:
    program = folder / "databricks"
    program.write_text(f"#!/bin/sh\necho '{says}'\n")
    program.chmod(0o755)
    return str(program)
