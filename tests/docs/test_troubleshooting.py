"""docs/troubleshooting.md quotes messages that there are, and sends to the page of the reason that they get."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bundleflow.adapters.cli_messages import explain_failure
from bundleflow.records.errors import FailureReason

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")


def rows(title: str) -> list[tuple[str, str]]:
    """First cell and whole row of the table below a heading."""
    section = PAGE.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]
    return [(line.split("|")[1].strip(), line) for line in section.splitlines() if line.startswith("| `")]


@pytest.mark.parametrize(("text", "row"), rows("Said by the Databricks CLI"))
def test_a_message_of_the_cli_has_the_reason_that_the_row_links(text: str, row: str) -> None:
    error = explain_failure(["bundle", "deploy"], f"Error: {text.strip('`')}\n", FailureReason.CLI_FAILED)
    assert f"failure-reasons/{error.reason}.md" in row


@pytest.mark.parametrize(("text", "row"), rows("Said by the kit"))
def test_a_message_of_the_kit_stands_in_its_source(text: str, row: str) -> None:
    source = "\n".join(file.read_text(encoding="utf-8") for file in sorted((ROOT / "scripts" / "bundleflow").rglob("*.py")))
    for part in re.findall(r"`([^`]+)`", text):
        assert part in source, part


def test_all_tables_are_read() -> None:
    assert len(rows("Said by the Databricks CLI")) >= 8
    assert len(rows("Said by the kit")) >= 6
