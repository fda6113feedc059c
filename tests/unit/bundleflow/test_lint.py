"""`bundleflow lint`: one finding for each kind of mistake, none where there is none, told everywhere."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bundleflow import cli
from bundleflow.adapters import linters as linters_module
from bundleflow.adapters.linters import Linter, run_linters
from bundleflow.commands.lint import lint, summary
from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow.records.finding import Finding
from bundleflow.templates_callers import render_caller

FLOW = """\
version: 1
stages:
  dev: {target: dev, environment: dev, run: [training]}
  prod: {target: prod, environment: production, requires: dev}
"""
BUNDLE = "bundle: {name: iris}\ninclude: [resources/*.yml]\ntargets:\n  dev: {default: true}\n  prod: {}\n"
JOBS = "resources:\n  jobs:\n    training: {name: training}\n"
WORKFLOW = """\
# Checks something, said in one line.
name: check
on: push
permissions: {}
concurrency:
  group: check-${{ github.ref }}
  cancel-in-progress: true
jobs:
  check:
    name: check
    runs-on: ubuntu-24.04
    timeout-minutes: 5
    steps:
      - run: echo hello
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository without a finding, and no Databricks CLI."""
    for name in ("BUNDLEFLOW_FLOW", "BUNDLEFLOW_BUNDLE_DIR", "DATABRICKS_CLI_PATH", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
        monkeypatch.setenv(name, str(tmp_path / name))
    root = tmp_path / "project"
    write(root, "bundleflow.yml", FLOW)
    write(root, "databricks.yml", BUNDLE)
    write(root, "resources/jobs.yml", JOBS)
    write(root, ".github/workflows/check.yml", WORKFLOW)
    monkeypatch.chdir(root)
    return root


def write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)


def found(root: Path) -> list[Finding]:
    return lint(root, Path("bundleflow.yml")).findings


def test_clean_project_passes_quickly(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start = time.monotonic()
    assert cli.main(["lint", "--json"]) == ExitCode.OK
    assert time.monotonic() - start < 10, "at most 3 s are promised on an idle machine"
    assert json.loads(capsys.readouterr().out)["findings"] == []
    assert "✅ lint: no findings" in (project.parent / "GITHUB_STEP_SUMMARY").read_text()


@pytest.mark.parametrize(
    ("file", "old", "new", "tool", "line", "says"),
    [
        ("bundleflow.yml", "environment: dev", "enviroment: dev", "flow", 3, "Did you mean `environment`?"),
        (
            "bundleflow.yml",
            "target: prod",
            "target: prd",
            "flow",
            4,
            "names target `prd`, which the bundle in `.` does not have. Did you mean `prod`?",
        ),
        ("bundleflow.yml", "[training]", "[trainin]", "flow", 3, "names job `trainin`"),
        ("bundleflow.yml", "version: 1\n", "version: 1\nbundles: [apps/*]\n", "flow", 2, "`apps/*` is no folder"),
        (
            "bundleflow.yml",
            "version: 1\n",
            "version: 1\nbundles: [../other]\n",
            "flow",
            2,
            "`../other` of `bundles` leads out of the repository",
        ),
        ("databricks.yml", "targets:\n", "target:\n", "bundle", 3, "unknown key `target`. Did you mean `targets`?"),
        (
            "databricks.yml",
            "targets:\n  dev: {default: true}\n",
            "targets:\n  dev: {}\n  dev: {}\n",
            "bundle",
            5,
            "key `dev` is given twice",
        ),
        ("databricks.yml", "[resources/*.yml]", "[resources/*.yml, more.yml]", "bundle", 2, "`more.yml`, which does not exist"),
        ("databricks.yml", "[resources/*.yml]", "[resources/*.yml, '']", "bundle", 2, "``, which does not exist"),
        ("databricks.yml", "[resources/*.yml]", "[resources/*.yml, ../x.yml]", "bundle", 2, "`../x.yml`, which does not exist"),
        ("databricks.yml", "[resources/*.yml]", "resources/*.yml", "bundle", 2, "`include` must be a list"),
        ("databricks.yml", "bundle: {name: iris}", "bundle: " + "[" * 200_000, "bundle", 1, "nested more than 100 deep"),
        ("databricks.yml", "bundle: {name: iris}", "bundle: {name: iris", "bundle", 2, ""),
        ("databricks.yml", BUNDLE, "- a\n", "bundle", 1, "must be a mapping"),
        ("databricks.yml", "dev: {default: true}", "dev: {defualt: true}", "bundle", 4, "Did you mean `default`?"),
        ("resources/jobs.yml", "{name: training}", "{name: a, taks: []}", "bundle", 3, "Did you mean `tasks`?"),
        (
            "resources/jobs.yml",
            "{name: training}",
            "{tasks: [{task_key: a, notebok_task: {}}]}",
            "bundle",
            3,
            "Did you mean `notebook_task`?",
        ),
        ("resources/jobs.yml", "  jobs:", "  job:", "bundle", 2, "Did you mean `jobs`?"),
        ("resources/jobs.yml", "training: {name: training}", "training: {name: a, name: b}", "bundle", 3, "key `name` is given twice"),
        (
            ".github/workflows/check.yml",
            "echo hello",
            "echo ${{ github.event.head_commit.message }}",
            "actionlint",
            14,
            "potentially untrusted",
        ),
        (".github/workflows/check.yml", "echo hello", "echo ${{ github.event.head_commit.message }}", "zizmor", 14, "code injection"),
        (".github/workflows/check.yml", "runs-on: ubuntu-24.04", "runson: ubuntu-24.04", "schema", 9, "runs-on"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else None,
)
def test_mistake_is_found_at_its_place(file: str, old: str, new: str, tool: str, line: int, says: str, project: Path) -> None:
    text = (project / file).read_text()
    assert old in text
    write(project, file, text.replace(old, new))
    assert any((each.file, each.tool, each.line) == (file, tool, line) and says in each.message for each in found(project)), found(project)


def test_missing_files_are_found(project: Path) -> None:
    (project / "databricks.yml").unlink()
    assert [(each.tool, each.rule) for each in found(project)] == [("bundle", "no-bundle")]
    (project / "bundleflow.yml").unlink()
    assert {(each.tool, each.rule) for each in found(project)} == {("bundle", "no-bundle"), ("flow", "flow-invalid")}


def test_action_with_a_mistake_is_found(project: Path) -> None:
    write(project, ".github/actions/x/y/action.yml", "name: x\ndescription: y\nruns: {using: composite, steps: [{run: echo}]}\n")
    assert {each.file for each in found(project)} == {".github/actions/x/y/action.yml"}


def test_jobs_that_python_code_may_define_are_not_missed(project: Path) -> None:
    write(project, "databricks.yml", BUNDLE + "python: {resources: ['resources:load']}\n")
    write(project, "resources/jobs.yml", "resources: {}\n")
    assert found(project) == []


def test_jobs_of_a_target_count(project: Path) -> None:
    write(project, "databricks.yml", BUNDLE.replace("prod: {}", "prod: {resources: {jobs: {training: {name: x}}}}"))
    write(project, "resources/jobs.yml", "resources: {}\n")
    assert found(project) == []


def test_each_bundle_of_a_monorepo_is_looked_at(project: Path) -> None:
    write(project, "bundleflow.yml", FLOW.replace("version: 1\n", "version: 1\nbundles: [apps/*]\n"))
    write(project, "apps/a/databricks.yml", BUNDLE + JOBS)
    write(project, "apps/b/databricks.yml", BUNDLE.replace("prod", "prd") + JOBS)
    assert [each.message for each in found(project)] == [
        "stage `prod` names target `prod`, which the bundle in `apps/b` does not have. Did you mean `prd`?"
    ]


def test_a_bundle_that_no_workflow_deploys_is_a_finding(project: Path) -> None:
    write(project, "bundleflow.yml", FLOW.replace("version: 1\n", "version: 1\nbundles: [apps/*]\n"))
    write(project, "apps/a/databricks.yml", BUNDLE + JOBS)
    write(project, ".github/workflows/cd-prod.yml", render_caller("cd-prod", {"bundles": ["apps/a"]}, sha="0" * 40))
    assert found(project) == []
    write(project, "apps/b/databricks.yml", BUNDLE + JOBS)
    (finding,) = found(project)
    assert (finding.file, finding.rule) == (".github/workflows/cd-prod.yml", "bundle-not-deployed")


def test_schema_of_the_cli_is_used_where_it_can_say_it(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "timeout_seconds": {"type": "integer"}},
        "additionalProperties": False,
    }
    either = {"anyOf": [job, {"type": "string", "pattern": r"\$\{.*\}"}]}
    jobs = {"type": "object", "properties": {"jobs": {"type": "object", "additionalProperties": either}}}
    schema = {"type": "object", "required": ["bundle"], "properties": {"bundle": {}, "include": {}, "targets": {}, "resources": jobs}}
    program = project.parent / "databricks"
    program.write_text(f"#!/bin/sh\n[ \"$*\" = 'bundle schema' ] && cat <<'END'\n{json.dumps(schema)}\nEND\n")
    program.chmod(0o755)
    monkeypatch.setenv("DATABRICKS_CLI_PATH", str(program))
    assert lint(project, Path("bundleflow.yml")).notes == []
    assert found(project) == []
    write(project, "resources/jobs.yml", JOBS.replace("{name: training}", "{name: training, timeout_second: 3}"))
    (finding,) = found(project)
    assert (finding.file, finding.line, finding.rule) == ("resources/jobs.yml", 3, "schema")
    assert "unknown key `timeout_second`" in finding.message
    assert "Did you mean `timeout_seconds`?" in finding.message
    program.write_text("#!/bin/sh\necho 'no schema here' >&2; exit 1\n")
    result = lint(project, Path("bundleflow.yml"))
    assert [each.message for each in result.findings] == [finding.message], "the names of fields are known without the CLI, too"
    assert "names that databricks-sdk knows" in result.notes[0]


def test_names_of_fields_are_those_of_the_locked_sdk() -> None:
    root = Path(__file__).resolve().parents[3]
    argv = [sys.executable, str(root / "scripts" / "bundle-fields"), "--check"]
    result = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr + "Run `.venv/bin/python scripts/bundle-fields`."


def test_unknown_key_with_an_anchor_is_there_to_be_referred_to(project: Path) -> None:
    write(
        project,
        "resources/jobs.yml",
        "x-defaults: &defaults\n  max_retries: 1\nx-other: {}\n" + JOBS.replace("{name: training}", "*defaults"),
    )
    assert [each.message.partition(".")[0] for each in found(project)] == [
        "unknown key `max_retries` in `resources",
        "unknown key `x-other`",
    ]


def test_references_may_stand_for_anything(project: Path) -> None:
    write(project, "databricks.yml", BUNDLE + "variables: {x: {}, tasks: {type: complex}, c: {type: complex}}\n")
    write(
        project,
        "resources/jobs.yml",
        "resources:\n  jobs:\n    training: {name: '${var.x}', tasks: '${var.tasks}', job_clusters: ['${var.c}']}\n",
    )
    assert found(project) == []


@pytest.mark.parametrize(
    ("reference", "fix"),
    [
        ("${bundle.targt}", "Did you mean `bundle.target`?"),
        ("a-${var.sufix}-b", "Did you mean `var.suffix`?"),
        ("${var.elsewhere}", "Declare it under `variables:`."),
        ("${workspace.curent_user.userName}", "Did you mean `workspace.current_user`?"),
        ("${resources.jobs.traning.id}", "Did you mean `resources.jobs.training`?"),
        ("${resources.schemas.main.name}", "The bundle has no such resource."),
        ("${target.name}", "would deploy this text as it is"),
    ],
)
def test_reference_that_leads_nowhere_is_found(project: Path, reference: str, fix: str) -> None:
    write(project, "databricks.yml", BUNDLE.replace("prod: {}", f"prod: {{workspace: {{root_path: '/x/{reference}'}}}}"))
    write(project, "resources/vars.yml", "variables: {suffix: {default: ''}}\n")
    (finding,) = found(project)
    assert (finding.file, finding.line, finding.rule) == ("databricks.yml", 5, "reference")
    assert "leads nowhere" in finding.message
    assert fix in finding.message


def test_references_that_lead_somewhere_or_are_a_shell_s(project: Path) -> None:
    name = "${bundle.target}${bundle.git.commit}${var.suffix}${workspace.current_user.userName}${resources.jobs.training.id}${HOME}"
    write(
        project, "databricks.yml", BUNDLE + f"variables: {{suffix: {{default: ''}}}}\nscripts: {{a: {{content: 'echo ${{x.y}} {name}'}}}}\n"
    )
    write(project, "resources/jobs.yml", f"resources: {{jobs: {{training: {{name: '{name}'}}}}}}\n")
    assert found(project) == []
    write(project, "databricks.yml", (project / "databricks.yml").read_text() + "python: {resources: ['r:load']}\n")
    write(project, "resources/jobs.yml", "resources: {jobs: {training: {name: '${resources.jobs.made_by_python.id}'}}}\n")
    assert found(project) == []


ACCEPTED = """\
version: 1
warnings:
  - text: "unknown field: taks at resources.jobs.training"
    target: "*"
    reason: a field of the next version
"""


def test_accepted_unknown_field_is_no_finding(project: Path) -> None:
    write(project, "bundleflow.yml", FLOW + "warnings: accepted.yml\n")
    write(project, "resources/jobs.yml", JOBS.replace("{name: training}", "{name: training, taks: []}"))
    write(project, "accepted.yml", ACCEPTED)
    assert found(project) == []
    write(project, "accepted.yml", ACCEPTED.replace('"*"', "dev"))
    assert [each.rule for each in found(project)] == ["schema"], "the CLI says it for every target"
    write(project, "accepted.yml", ACCEPTED + "    expires: 2020-01-01\n")
    assert [each.rule for each in found(project)] == ["schema"]


@pytest.mark.parametrize(
    ("text", "file", "line", "says"),
    [
        (ACCEPTED.replace("target:", "targt:"), "accepted.yml", 4, "Did you mean `target`?"),
        (ACCEPTED + "    expires: 2026-02-30\n", "accepted.yml", 6, "no day of the calendar"),
        ("version: [", "accepted.yml", 2, ""),
        (None, "bundleflow.yml", 5, "`accepted.yml` cannot be read"),
    ],
    ids=["key", "day", "yaml", "missing"],
)
def test_file_of_accepted_warnings_is_checked(project: Path, text: str | None, file: str, line: int, says: str) -> None:
    write(project, "bundleflow.yml", FLOW + "warnings: accepted.yml\n")
    if text is not None:
        write(project, "accepted.yml", text)
    assert any((each.file, each.line, each.rule) == (file, line, "flow-invalid") and says in each.message for each in found(project)), (
        found(project)
    )


def test_findings_are_told_everywhere(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    write(project, "databricks.yml", BUNDLE + "evil: '::error::x'\n\"a|b`<b>\\n\": 1\n")
    assert cli.main(["lint"]) == ExitCode.FAILED
    captured = capsys.readouterr()
    assert "databricks.yml:6:1: unknown key `evil`" in captured.err
    assert "::error title=bundle%3A schema,file=databricks.yml,line=6,col=1::unknown key `evil`." in captured.err
    assert "lint-failed" in (project.parent / "GITHUB_OUTPUT").read_text()
    text = (project.parent / "GITHUB_STEP_SUMMARY").read_text()
    assert "| `databricks.yml:6:1` |" in text
    assert "<b>" not in text
    rows = [line for line in text.splitlines() if line.startswith("| `databricks.yml:7")]
    assert len(rows) == 1
    assert rows[0].replace("\\|", "").count("|") == 5


def test_summary_of_hostile_findings_keeps_its_shape() -> None:
    text = summary([Finding("a|b\n.yml", 1, 1, "zizmor", "r", "x | y\n<script> [a](b)", "javascript:alert(1)")], {"workflows": 1}, [], 0.1)
    assert "<script>" not in text
    assert "(javascript:" not in text
    assert len([line for line in text.splitlines() if line.startswith("| `a")]) == 1


def test_missing_tool_is_wrong_use_with_a_fix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BundleflowError, match="not installed") as caught:
        run_linters(tmp_path, [Linter("x", ("no-such-linter",), lambda result: [])])
    assert caught.value.exit_code is ExitCode.USAGE
    assert "tools: lint" in caught.value.fix


@pytest.mark.parametrize(
    ("script", "says"),
    [("exit 7", "broke (exit code 7)"), ("echo no json", "does not understand"), ("sleep 30", "gave no answer in 0.5 s")],
)
def test_broken_tool_is_trouble_and_not_a_pass(script: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "actionlint-x"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(linters_module, "LIMIT_S", 0.5)
    with pytest.raises(BundleflowError) as caught:
        run_linters(tmp_path, [Linter("x", ("actionlint-x",), lambda result: json.loads(result.stdout))])
    assert says in caught.value.cause
    assert caught.value.reason is FailureReason.OUTSIDE_TROUBLE
