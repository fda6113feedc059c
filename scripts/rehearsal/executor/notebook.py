"""Reads a notebook, in Databricks' source format or as .ipynb, into cells."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

HEADERS = {"# Databricks notebook source": ("#", "python"), "-- Databricks notebook source": ("--", "sql"),
           "// Databricks notebook source": ("//", "scala")}  # fmt: skip
MAGIC_NAMES = ("md", "sql", "run", "pip", "sh", "fs", "python", "scala", "r", "html", "config", "environment", "conda", "skip")
FIRST_MAGIC = re.compile(r"%(?P<name>[A-Za-z_]+)(?:-sandbox)?(?:[ \t]+|$|(?=\n))")


class NotebookError(ValueError):
    """A file that is no notebook, or one that cannot be read; the message says why."""


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        language: `python`, `sql`, `md`, `run`, `pip`, `sh`, `fs`, or another magic's name.
        text: Its content without the magic's first word.
        line: Number of its first line in the file (in an .ipynb: always 1).
        number: Its place in the notebook, from 1.
    """

    language: str
    text: str
    line: int
    number: int


def parse(content: str, language: str = "python") -> list[Cell]:
    """Return the cells of a notebook.

    Args:
        content: The file's text.
        language: The notebook's default language, in small letters, for a file without a header.

    Raises:
        NotebookError: it looks like an .ipynb but is none.
    """
    content = content.removeprefix("\ufeff")
    if content.lstrip().startswith("{"):
        return _jupyter(content, language)
    return _source(content, language)


def is_notebook_source(content: str) -> bool:
    """Return whether a text begins with the header of a notebook in source format."""
    return content.removeprefix("\ufeff").split("\n", 1)[0].strip() in HEADERS


def _source(content: str, language: str) -> list[Cell]:
    lines = content.split("\n")
    comment = "--" if language == "sql" else "#"
    start = 0
    header = HEADERS.get(lines[0].strip()) if lines else None
    if header:
        comment, language = header
        start = 1
    separator = re.compile(rf"^{re.escape(comment)} COMMAND -+\s*$")
    groups: list[tuple[int, list[str]]] = [(start + 1, [])]
    for number, line in enumerate(lines[start:], start + 1):
        if separator.match(line):
            groups.append((number + 1, []))
        else:
            groups[-1][1].append(line)
    cells: list[Cell] = []
    for first, group in groups:
        cell = _cell(group, first, comment, language, len(cells) + 1)
        if cell is not None:
            cells.append(cell)
    return cells


def _cell(lines: list[str], first: int, comment: str, language: str, number: int) -> Cell | None:
    title = re.compile(rf"^{re.escape(comment)} DBTITLE ")
    magic = re.compile(rf"^{re.escape(comment)} MAGIC ?(.*)$")
    plain = ["" if title.match(line) else line for line in lines]
    matches = [magic.match(line) for line in plain]
    if any(matches) and all(match or not line.strip() for match, line in zip(matches, plain, strict=True)):
        text = "\n".join(match.group(1) if match else "" for match in matches)
        offset = len(text) - len(text.lstrip("\n"))
        return _magic_cell(text.strip("\n"), first + offset, language, number)
    text = "\n".join(match.group(1) if match else line for match, line in zip(matches, plain, strict=True))
    return Cell(language, text, first, number) if text.strip() else None


def _magic_cell(text: str, first: int, language: str, number: int) -> Cell:
    match = FIRST_MAGIC.match(text)
    if match is None or match.group("name").lower() not in MAGIC_NAMES:
        return Cell(language, text, first, number)
    name = match.group("name").lower()
    if name == "pip" and len([line for line in text.split("\n") if line.strip()]) > 1:
        return Cell("python", text, first, number)  # several commands: the lines are looked at one by one
    return Cell(name, text[match.end() :].lstrip(" "), first, number)


def _jupyter(content: str, language: str) -> list[Cell]:
    try:
        document = json.loads(content)
        raw = document["cells"]
    except (ValueError, KeyError, TypeError) as error:
        raise NotebookError(f"This is not a Jupyter notebook: {error}") from error
    kernel = (document.get("metadata") or {}).get("language_info", {}).get("name", language)
    cells: list[Cell] = []
    for entry in raw:
        source = entry.get("source", "")
        text = source if isinstance(source, str) else "".join(source)
        if entry.get("cell_type") != "code" or not text.strip():
            continue
        stripped = text.lstrip("\n")
        cells.append(_magic_cell(stripped, 1, kernel if kernel in ("python", "sql") else "python", len(cells) + 1))
    return cells
