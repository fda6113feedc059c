"""The command as its users meet it: lines, JSON, exit codes, annotations and summary; and its documentation."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from doctor_bench import FLOW, project

from bundleflow.cli import main
from bundleflow.commands.doctor import EXAMPLES
from bundleflow.doctor.check import PAGE as PATH
from bundleflow.doctor.check import Area, Check, Result, Status, examine
from bundleflow.doctor.finding import Finding, NotMadeError, Severity, error, note
from bundleflow.doctor.registry import CHECKS
from bundleflow.doctor.situation import Situation
from bundleflow.doctor.tell import WIDTH, markdown, result_lines
from bundleflow.records.errors import FailureReason

ROOT = Path(__file__).resolve().parents[4]
PAGE = (ROOT / "docs" / PATH).read_text(encoding="utf-8")
TESTS = "\n".join(path.read_text(encoding="utf-8") for path in sorted(Path(__file__).parent.glob("test_doctor_*.py")))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return project(tmp_path / "project")


def call(folder: Path, *argv: str, **env: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, with nothing to log in with."""
    command = [sys.executable, "-m", "bundleflow", "doctor", *argv]
    given = {"PATH": os.defpath, "HOME": str(folder)} | env
    return subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True, timeout=120, check=False)


def test_a_project_without_any_login_passes_what_can_be_checked(folder: Path) -> None:
    done = call(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok  flow-file" in done.stdout
    assert "--  environments" in done.stdout
    assert "0 errors, 0 warnings" in done.stdout
    assert "\033" not in done.stdout
    assert [line for line in done.stdout.splitlines() if len(line) > WIDTH and "https://" not in line] == []


def test_findings_are_told_everywhere(folder: Path, tmp_path: Path) -> None:
    (folder / "bundleflow.yml").write_text(FLOW.replace("staging: {target", "staging: {taget"))
    output, summary = tmp_path / "output", tmp_path / "summary"
    job = {"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary), "BUNDLEFLOW_OFFLINE": "true"}
    done = call(folder, "--json", **job)
    assert done.returncode == 1
    data = json.loads(done.stdout)
    (first, *_) = data["checks"]
    assert (data["worst"], first["id"], first["status"]) == ("error", "flow-file", "found")
    assert "taget" in first["findings"][0]["what"]
    assert first["docs"].endswith("docs/doctor/README.md#flow-file")
    assert "!!  flow-file" in done.stderr, "people are told on standard error"
    assert "::error title=bundleflow doctor%3A flow-file" in done.stderr
    text = summary.read_text()
    assert "| ❌ | [flow-file](" in text
    assert "**Not made**" in text
    said = output.read_text()
    assert f"\n{FailureReason.DOCTOR_FAILED}\n" in said
    assert re.search(r"worst<<.*\nerror\n", said)


@pytest.mark.parametrize(
    ("argv", "code", "says"),
    [
        (["--only", "flow-fil"], 2, "flow-file"),
        (["--stage", "stagin"], 2, "staging"),
        (["nowhere"], 2, "nowhere"),
        (["--only", "flow-file", "--only", "pins", "--offline"], 0, "2 checks"),
        (["--list"], 0, "required-checks"),
    ],
)
def test_options(
    folder: Path, argv: list[str], code: int, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in list(os.environ):
        if name.startswith(("DATABRICKS_", "GITHUB_", "BUNDLEFLOW_", "GH_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(folder)
    assert main(["doctor", *argv]) == code
    told = capsys.readouterr()
    assert says in told.out + told.err


def test_help_says_the_exit_codes() -> None:
    assert "exit code: 0 no finding of severity error" in EXAMPLES
    assert [line for line in EXAMPLES.splitlines() if len(line) > WIDTH] == []


def _one(*findings: Finding, refusal: Exception | None = None) -> Result:
    def look(_: Situation) -> Iterator[Finding]:
        yield from findings
        if refusal:
            raise refusal

    check = Check("probe", "a probe", Area.PROJECT, (), look)
    (result,) = examine([check], Situation(Path(), {}))
    return result


def test_what_was_found_before_a_refusal_stays() -> None:
    result = _one(error("a", "b", "c"), refusal=NotMadeError("no right"))
    assert (result.status, result.not_made, len(result.findings)) == (Status.FOUND, "no right", 1)
    assert _one(note("a"), refusal=NotMadeError("no right")).status is Status.NOT_MADE
    assert _one(note("a")).status is Status.PASSED


def test_hostile_names_reach_neither_terminal_nor_markdown_nor_runner() -> None:
    hostile = "\033[31m`<img src=x>`\n::error::x\n##[error]x [a](http://b)"
    result = _one(error(hostile, hostile, hostile))
    lines = "\n".join(result_lines(result, colour=False))
    assert "\033" not in lines
    assert not re.search(r"^\s*::", lines, re.MULTILINE)
    assert "##[" not in lines
    text = markdown([result])
    assert "<img" not in re.sub(r"`[^`]*`", "", text)
    assert "[a](http" not in text


def test_offline_asks_nobody(folder: Path) -> None:
    """Every address in the environment is one that answers nothing: whoever asked would have to say so."""
    nowhere = "http://127.0.0.1:9"
    job = {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "team/iris", "GITHUB_TOKEN": "t", "GITHUB_API_URL": nowhere}
    oidc = {"ACTIONS_ID_TOKEN_REQUEST_URL": f"{nowhere}/token?x=1", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t"}
    there = Situation(folder, {"PATH": os.defpath, "DATABRICKS_HOST": nowhere, **job, **oidc}, offline=True, stage_name="staging")
    results = list(examine(CHECKS, there))
    assert {each.status for each in results if each.check.area is not Area.PROJECT} == {Status.NOT_MADE}
    assert [each.check.id for each in results if "reach" in each.not_made or "could not be had" in each.not_made] == []


def test_commands_are_not_broken_over_lines() -> None:
    command = "databricks permissions update directories 1234567890 --json '{\"access_control_list\": []}' and some more words"
    result = _one(error(f"Some words before it, and then `{command}`, and after.", "b", f"An administrator runs:\n{command}"))
    lines = list(result_lines(result, colour=False))
    assert sum(command in line for line in lines) == 2
    assert f"           {command}" in lines


def test_colours_where_they_are_asked_for() -> None:
    result = _one(error("a", "b", "c"))
    assert "\033[31m" in "\n".join(result_lines(result, colour=True))
    assert "\033" not in "\n".join(result_lines(result, colour=False))


# The documentation, and that every check is tested on both sides


def test_the_page_lists_every_check() -> None:
    rows = [f"| [{check.id}](#{check.id}) | {check.title} | {', '.join(check.needs) or 'nothing'} |" for check in CHECKS]
    found = re.findall(r"^\| \[.*$", PAGE, re.MULTILINE)
    assert found == rows, "write these rows into the page:\n" + "\n".join(rows)


def test_texts_name_pages_by_an_address_that_is_there() -> None:
    """A project has no copy of the kit's documentation."""
    sources = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "scripts" / "bundleflow" / "doctor").glob("*.py"))]
    assert [found for text in sources for found in re.findall(r"\bdocs/[\w./-]+\.md", text) if found != f"docs/{PATH}"] == []
    pages = {page for text in sources for page in re.findall(r"docs_url\([\"']([^\"']+)[\"']\)", text)}
    assert len(pages) > 2
    assert [page for page in sorted(pages) if not (ROOT / "docs" / page).is_file()] == []


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_each_check_has_its_section_and_a_test_on_either_side(check: Check) -> None:
    section = re.search(rf"^## {re.escape(check.id)}\n\n(.+?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert section, f"{PATH} has no section of {check.id}"
    assert len(section[1]) > 80
    for side in ("fires", "quiet"):
        call = rf'{side}\("{re.escape(check.id)}"|check\("{re.escape(check.id)}"'
        assert re.search(call, TESTS), f"no test says {side}({check.id!r}, ...)"


def test_no_section_without_its_check() -> None:
    assert re.findall(r"^## (.+)$", PAGE, re.MULTILINE) == [check.id for check in CHECKS]


def test_every_severity_is_known_to_the_page() -> None:
    assert all(f"`{severity}`" in PAGE for severity in Severity)
