"""Checks of the workflows that call the kit: where each fires, and where it does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from doctor_bench import BUNDLE, FLOW, SHA, fires, git, look, project, quiet, situation

from bundleflow.adapters.runner_version import runner_version
from bundleflow.doctor import callers
from bundleflow.doctor.check import Status
from bundleflow.doctor.finding import Severity
from bundleflow.templates_callers import KIT_ROOT, render_caller


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return project(tmp_path / "project")


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
    found = fires("callers", situation(folder), Severity.WARNING)
    assert "`prod`" in found.what
    assert "/blob/main/docs/workflows/cd-prod.md " in found.fix
    assert "`stage: prod`, `environment: production`, `plan-environment: production-plan`." in found.fix


@pytest.mark.parametrize(
    ("stage", "page"),
    [
        ("{target: staging, environment: live}", "cd-dev"),
        ("{target: staging, environment: live, then-propose: release}", "cd-staging"),
        (
            "{target: staging, environment: live}\n  after: {target: prod, environment: prod, plan-environment: plan, requires: live}",
            "cd-staging",
        ),
        ("{target: test, environment: live, per-pull-request: true}", "bundle-ci"),
    ],
)
def test_the_workflow_of_a_new_stage_is_on_a_page(folder: Path, stage: str, page: str) -> None:
    (folder / "bundleflow.yml").write_text(f"{FLOW}  live: {stage}\n")
    assert f"/blob/main/docs/workflows/{page}.md " in fires("callers", situation(folder), Severity.WARNING).fix
    assert (KIT_ROOT / "docs" / "workflows" / f"{page}.md").is_file()


@pytest.fixture
def monorepo(folder: Path) -> Path:
    """Two bundles, each of which the callers deploy to staging and production."""
    for name in ("a", "b"):
        (folder / name).mkdir()
        (folder / name / "databricks.yml").write_text(BUNDLE)
    (folder / "databricks.yml").unlink()
    (folder / "bundleflow.yml").write_text(FLOW + 'bundles: ["*"]\n')
    for name in ("bundle-ci", "run-tests", "cleanup", "cd-staging", "cd-prod"):
        caller = render_caller(name, {"bundles": ["a", "b"]}, sha=SHA)
        (folder / ".github" / "workflows" / f"{name}.yml").write_text(caller)
    return folder


def test_a_bundle_that_no_workflow_deploys(monorepo: Path) -> None:
    quiet("callers", situation(monorepo))
    file = monorepo / ".github" / "workflows" / "cd-prod.yml"
    good = file.read_text()
    file.write_text(good.replace("bundle: [a, b]", "bundle: [a]"))
    assert (
        "the bundle in `b` to stage `prod`: .github/workflows/cd-prod.yml: job cd-prod deploys `a`."
        in fires("callers", situation(monorepo)).what
    )
    file.write_text(good.replace("${{ matrix.bundle }}", "./b/"))
    assert "the bundle in `a` to stage `prod`" in fires("callers", situation(monorepo)).what
    file.write_text(good.replace("bundle: [a, b]", "bundle: [a]\n        include: [{bundle: b}]"))
    quiet("callers", situation(monorepo))
    for unknown in ("${{ fromJSON(vars.BUNDLES) }}", '["${{ vars.BUNDLE }}"]'):
        file.write_text(good.replace("bundle: [a, b]", f"bundle: {unknown}"))
        quiet("callers", situation(monorepo))


def test_a_workflow_that_names_a_bundle_that_is_gone(monorepo: Path) -> None:
    file = monorepo / ".github" / "workflows" / "cd-staging.yml"
    file.write_text(file.read_text().replace("bundle: [a, b]", "bundle: [a, b, old]"))
    assert "cd-staging.yml: job cd-staging works on the bundle in `old`" in fires("callers", situation(monorepo)).what
    file.write_text(file.read_text().replace("      bundle-dir: ${{ matrix.bundle }}\n", ""))
    assert "works on the bundle in `.`, and there is none" in fires("callers", situation(monorepo)).what


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


OWN = """\
on: push
env: {{WHERE: here{workflow}}}
jobs:
  own:
    runs-on: ubuntu-24.04
    env: {{WHERE: here{job}}}
    steps:
      - uses: actions/checkout@%s
      - uses: bundleflow/bundleflow/actions/bundle-deploy@%s
        with: {{databricks-host: "${{{{ vars.DATABRICKS_HOST }}}}"{input}}}
      - name: list
        run: databricks jobs list
        env: {{WHERE: here{step}}}
"""


@pytest.mark.parametrize(
    ("place", "given", "says"),
    [
        ("workflow", 'DATABRICKS_TOKEN: "${{ secrets.T }}"', "own.yml: `env` gives the stored secret `DATABRICKS_TOKEN`"),
        ("job", "DATABRICKS_CLIENT_SECRET: \"${{ secrets['S'] }}\"", "job own: `env` gives the stored secret `DATABRICKS_CLIENT_SECRET`"),
        ("input", 'databricks-token: "${{ secrets.T }}"', "`with` gives the stored secret `databricks-token`"),
        ("input", 'databricks-client-secret: "${{ secrets.S }}"', "`with` gives the stored secret `databricks-client-secret`"),
        ("step", 'DATABRICKS_TOKEN: "${{ secrets.T }}"', "step list: `env` gives the stored secret `DATABRICKS_TOKEN`"),
    ],
)
def test_a_stored_secret_of_a_step(folder: Path, place: str, given: str, says: str) -> None:
    file = folder / ".github" / "workflows" / "own.yml"
    places = dict.fromkeys(("workflow", "job", "input", "step"), "")
    file.write_text(OWN.format(**places) % (SHA, SHA))
    quiet("stored-secrets", situation(folder))
    file.write_text(OWN.format(**(places | {place: f", {given}"})) % (SHA, SHA))
    assert says in fires("stored-secrets", situation(folder), Severity.WARNING).what


def test_a_login_that_no_secret_holds_is_none(folder: Path) -> None:
    places = dict.fromkeys(("workflow", "job", "step"), "")
    given = ', databricks-token: "${{ steps.login.outputs.token }}"'
    (folder / ".github" / "workflows" / "own.yml").write_text(OWN.format(**places, input=given) % (SHA, SHA))
    quiet("stored-secrets", situation(folder))
    for path in (folder / ".github" / "workflows").glob("*.yml"):
        path.unlink()
    assert look("stored-secrets", situation(folder)).status is Status.NOT_NEEDED


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
