"""The documentation's code blocks are linted or run, and its links lead somewhere."""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from bundleflow.cli import COMMANDS, EXTERNAL

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


def pages() -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listing.split("\0") if name and "templates/" not in name]


class Block(NamedTuple):
    where: str
    language: str
    text: str


def blocks() -> list[Block]:
    found = []
    for page in pages():
        text = page.read_text()
        for match in re.finditer(r"^(?P<indent> *)```(?P<language>[a-z]*)\n(?P<body>.*?)^(?P=indent)```", text, re.MULTILINE | re.DOTALL):
            line = text[: match.start()].count("\n") + 1
            body = "\n".join(row.removeprefix(match["indent"]) for row in match["body"].splitlines()) + "\n"
            found.append(Block(f"{page.relative_to(ROOT)}:{line}", match["language"], body))
    return found


BLOCKS = blocks()


def of(*languages: str) -> list[object]:
    return [pytest.param(block, id=block.where) for block in BLOCKS if block.language in languages]


def test_every_block_names_a_language_that_is_checked() -> None:
    checked = {"sh", "yaml", "json", "python", "mermaid", "text", "sql", "toml"}
    assert [block.where for block in BLOCKS if block.language not in checked] == []


@pytest.mark.parametrize("block", of("yaml"))
def test_yaml_blocks(block: Block, tmp_path: Path) -> None:
    document = yaml.safe_load(block.text)
    assert document is not None
    if isinstance(document, dict) and ({"on", True} & set(document)) and "jobs" in document:
        workflow = tmp_path / ".github" / "workflows" / "example.yml"
        workflow.parent.mkdir(parents=True)
        workflow.write_text(block.text)
        result = subprocess.run([BIN / "actionlint", workflow], capture_output=True, text=True, timeout=60, check=False)
        assert result.returncode == 0, result.stdout + result.stderr
    for name, job in (document.get("jobs") or {}).items() if isinstance(document, dict) else ():
        if "/.github/workflows/" in str(job.get("uses")):
            assert job.get("permissions"), f"GitHub starts no run where job {name} does not grant what the called workflow asks for"
    if isinstance(document, dict) and "stages" in document:
        from bundleflow.records.flow import load_flow

        flow = tmp_path / "bundleflow.yml"
        flow.write_text(block.text)
        load_flow(flow)
    if isinstance(document, dict) and {"version", "warnings"} <= set(document) and "stages" not in document:
        from bundleflow.records.accepted import load_accepted

        file = tmp_path / "accepted-warnings.yml"
        file.write_text(block.text)
        assert load_accepted(file).entries


@pytest.mark.parametrize("block", of("json"))
def test_json_blocks(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize("block", of("python"))
def test_python_blocks(block: Block) -> None:
    ast.parse(block.text)


@pytest.mark.parametrize("block", of("mermaid"))
def test_mermaid_blocks(block: Block) -> None:
    """GitHub draws at most 500 edges and 50,000 characters."""
    assert block.text.split(maxsplit=1)[0] in {"flowchart", "sequenceDiagram", "gantt", "stateDiagram-v2"}
    assert len(block.text) <= 50_000
    assert block.text.count("-->") <= 500


@pytest.mark.parametrize("block", of("sh"))
def test_shell_blocks_name_commands_and_options_that_exist(block: Block) -> None:
    assert subprocess.run(["sh", "-n"], input=block.text, text=True, timeout=10, check=False).returncode == 0
    for line in block.text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if not words:
            continue
        program = words[0]
        if program.startswith("scripts/"):
            assert (ROOT / program).exists(), f"{program} is not there"
            if program == "scripts/rehearse":
                words = ["bundleflow", "rehearse", *words[1:]]
                program = "bundleflow"
        if program == "bundleflow":
            assert words[1] in {*COMMANDS, *EXTERNAL} or words[1].startswith("-"), f"bundleflow has no command {words[1]}"
            offered = help_text(words[1]) if not words[1].startswith("-") else "--help --version"
            for word in words[2:]:
                if word.startswith("--"):
                    assert word.split("=")[0] in offered, f"bundleflow {words[1]} has no option {word}"


HELP: dict[str, str] = {}


def help_text(command: str) -> str:
    if command not in HELP:
        names = [command, *(f"{command} {sub}" for sub in ("workspace", "databricks", "github") if command == "local")]
        HELP[command] = "".join(
            subprocess.run(
                [sys.executable, "-m", "bundleflow", *name.split(), "--help"], capture_output=True, text=True, timeout=60, check=False
            ).stdout
            for name in names
        )
    return HELP[command]


def links() -> list[object]:
    found = []
    for page in pages():
        text = re.sub(r"^( *)```.*?^\1```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
        local = [target for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target and not target.startswith("mailto:")]
        found += [pytest.param(page, target, id=f"{page.relative_to(ROOT)}->{target}") for target in local]
    return found


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ +(.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(("page", "target"), links())
def test_links_lead_somewhere(page: Path, target: str) -> None:
    path, _, anchor = target.partition("#")
    there = (page.parent / path).resolve() if path else page
    assert there.exists(), f"{target} is not there"
    if anchor and there.suffix == ".md":
        assert anchor in anchors(there), f"{there.name} has no heading #{anchor}"
