"""actionlint, zizmor (pedantic) and GitHub's schemas find nothing, in the kit and in a rendered template."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from bundleflow.adapters.linters import linters, run_linters
from bundleflow.commands.lint import ACTION_PATTERNS, lint

from .files import ROOT, YamlFile, all_files

BASELINE = Path(__file__).parent / "baseline"


def files_of(*, templates: bool) -> list[YamlFile]:
    return [file for file in all_files() if file.is_template is templates]


def copy(files: list[YamlFile], target: Path) -> tuple[list[str], list[str]]:
    """Write files as a repository has them; workflows and actions by name."""
    workflows, actions = [], []
    for file in files:
        name = re.sub(r"^templates/[^/]+/|\.jinja$", "", file.name)
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_text(file.text)
        (actions if file.is_action else workflows).append(name)
    return workflows, actions


def test_no_finding_in_the_kit() -> None:
    files = files_of(templates=False)
    workflows = [file.name for file in files if not file.is_action]
    actions = [file.name for file in files if file.is_action]
    assert workflows
    assert actions
    assert run_linters(ROOT, linters(ROOT, workflows, actions, [".github/dependabot.yml"])) == []


@pytest.mark.parametrize("template", sorted({file.name.split("/")[1] for file in files_of(templates=True)}))
def test_no_finding_in_callers(template: str, tmp_path: Path) -> None:
    workflows, actions = copy([file for file in files_of(templates=True) if file.name.startswith(f"templates/{template}/")], tmp_path)
    assert workflows
    assert run_linters(tmp_path, linters(tmp_path, workflows, actions)) == []


@pytest.mark.parametrize("path", sorted(BASELINE.glob("*.yml")), ids=lambda path: path.stem)
def test_tools_find_the_baselines_defects(path: Path, tmp_path: Path) -> None:
    (tmp_path / ".github/workflows").mkdir(parents=True)
    shutil.copy(path, tmp_path / ".github/workflows")
    findings = run_linters(tmp_path, linters(tmp_path, [f".github/workflows/{path.name}"], []))
    assert {"zizmor"} <= {finding.tool for finding in findings}


@pytest.mark.parametrize(
    ("text", "tools"),
    [
        ("on: push\njobs:\n  a: {b: c: d}\n", {"schema"}),
        ("on: push\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps:\n      - rn: x\n", {"actionlint", "schema", "zizmor"}),
    ],
    ids=["not YAML", "not a workflow"],
)
def test_broken_workflow_is_a_finding_and_not_a_broken_tool(text: str, tools: set[str], tmp_path: Path) -> None:
    (tmp_path / ".github/workflows").mkdir(parents=True)
    (tmp_path / ".github/workflows/a.yml").write_text(text)
    findings = run_linters(tmp_path, linters(tmp_path, [".github/workflows/a.yml"], []))
    assert tools <= {finding.tool for finding in findings}
    assert {finding.file for finding in findings} == {".github/workflows/a.yml"}


def test_suppressions_have_a_reason_and_a_link() -> None:
    """A comment that silences a linter says why, and where that can be read."""
    for file in all_files():
        for line in file.text.splitlines():
            if re.search(r"zizmor: ignore|actionlint[- ]ignore", line):
                assert re.search(r"ignore\[[\w-]+\]:? \S.{15,} https://\S+", line), f"{file.name}: {line.strip()}"


def test_lint_looks_at_every_action_of_the_kit() -> None:
    found = {str(path.relative_to(ROOT)) for pattern in ACTION_PATTERNS for path in ROOT.glob(pattern)}
    assert {file.name for file in files_of(templates=False) if file.is_action} <= found


def test_lint_command_finds_the_kit_clean_apart_from_the_flow_file_that_it_does_not_have() -> None:
    result = lint(ROOT, Path("bundleflow.yml"))
    assert {(finding.tool, finding.rule) for finding in result.findings} <= {("flow", "flow-invalid"), ("bundle", "no-bundle")}
    assert result.files["workflows"] >= 7
