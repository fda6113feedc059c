"""The documentation's tables say what the YAML says, every failure reason has its page, and the YAML names commands that exist."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundleflow.cli import COMMANDS
from bundleflow.records.errors import FailureReason

from .files import ROOT, YamlFile, all_files

REASONS = ROOT / "docs" / "failure-reasons"
KIT_FILES = [file for file in all_files() if not file.is_template]
SOURCES = "\n".join(
    path.read_text() for path in [*(ROOT / "scripts" / "bundleflow").rglob("*.py"), ROOT / "scripts" / "runner-setup"] if path.is_file()
)
MODELS = "\n".join(path.read_text() for path in (ROOT / "scripts" / "bundleflow_models").rglob("*.py"))
"""The package for the workspace names the reasons as text: it knows nothing of the kit."""


def test_tables_are_up_to_date() -> None:
    argv = [sys.executable, str(ROOT / "scripts" / "docs-tables"), "--check"]
    result = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr + "Run `.venv/bin/python scripts/docs-tables`."


def test_check_finds_a_page_that_is_out_of_date(tmp_path: Path) -> None:
    """The same script on a copy of the repository whose YAML was changed."""
    for name in (".github", "actions", "docs", "action.yml"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "docs-tables", tmp_path / "scripts")
    action = tmp_path / "action.yml"
    action.write_text(action.read_text().replace("Token of the job.", "Another token."))
    argv = [sys.executable, str(tmp_path / "scripts" / "docs-tables"), "--check"]
    result = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 1
    assert "docs/actions/bundleflow.md" in result.stderr


@pytest.mark.parametrize("reason", FailureReason)
def test_each_failure_reason_has_a_page(reason: FailureReason) -> None:
    page = (REASONS / f"{reason}.md").read_text()
    assert page.startswith(f"# {reason}\n")
    assert "## Typical causes\n\n* " in page
    assert "## What to do\n\n* " in page
    used = f"FailureReason.{reason.name}" in SOURCES or f'"{reason}"' in MODELS or reason is FailureReason.WRONG_USE
    assert used != ("never gives it out" in page)
    assert f"[{reason}]({reason}.md)" in (REASONS / "README.md").read_text()


def test_no_page_without_its_reason() -> None:
    assert {path.stem for path in REASONS.glob("*.md")} - {"README"} == set(FailureReason)


def test_each_action_has_a_readme_with_an_example() -> None:
    for file in KIT_FILES:
        if file.is_action and file.name.startswith("actions/"):
            readme = (ROOT / file.name).with_name("README.md").read_text()
            assert f"uses: bundleflow/bundleflow/{file.name.removesuffix('/action.yml')}@" in readme


def commands() -> Iterator[tuple[YamlFile, str, dict[str, str]]]:
    for file in KIT_FILES:
        for _, step in file.steps:
            line = str(step.get("run", "")).removeprefix("exec ")
            if line.startswith("bundleflow "):
                yield file, line, step.get("env", {})


COMMAND_LINES = list(commands())


@pytest.mark.parametrize(("file", "line", "env"), COMMAND_LINES, ids=[f"{file.name}: {line}" for file, line, _ in COMMAND_LINES])
def test_each_step_starts_a_command_that_exists_with_values_that_it_reads(file: YamlFile, line: str, env: dict[str, str]) -> None:
    name, *rest = shlex.split(line)[1:]
    if name != "$BUNDLEFLOW_COMMAND":
        assert name in COMMANDS
        words = [name, *(word for word in rest if word.isalpha())]  # `run start` has options of its own
        usage = subprocess.run(
            [sys.executable, "-m", "bundleflow", *words, "--help"], capture_output=True, text=True, timeout=60, check=True
        )
        for option in [word.partition("=")[0] for word in rest if word.startswith("--") and word != "--"]:
            assert option in usage.stdout
    for variable in [key for key in env if key.startswith("BUNDLEFLOW_")]:
        assert f"${variable}" in line or f'"{variable}"' in SOURCES, f"{file.name} sets {variable}, which nothing reads"


def test_each_input_is_used() -> None:
    for file in KIT_FILES:
        interface = file.data if file.is_action else file.call or {}
        body = file.text.partition("\nruns:\n" if file.is_action else "\njobs:\n")[2]
        for name in interface.get("inputs") or {}:
            assert re.search(rf"\binputs\.{re.escape(name)}\b", body), f"{file.name}: input {name} is not used"


def test_steps_that_follow_runs_give_their_place_to_the_kit() -> None:
    """A cancelled job tells only the step's shell, which does not pass it on: without `exec` the run would go on."""
    lines = [str(step.get("run", "")) for file in KIT_FILES for _, step in file.steps]
    following = [
        line for line in lines if re.search(r"bundleflow (deploy-stage|run start|test-integration$|\"\$BUNDLEFLOW_COMMAND\")", line)
    ]
    assert len(following) >= 6
    assert [line for line in following if not line.startswith("exec bundleflow ")] == []
