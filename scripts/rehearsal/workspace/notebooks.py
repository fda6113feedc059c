"""What a notebook is, by its name and first line, and how its source and Jupyter forms turn into each other."""

from __future__ import annotations

import json
import posixpath
from dataclasses import dataclass
from typing import Any

from rehearsal.workspace.errors import invalid

HEADER = "Databricks notebook source"
COMMAND = "COMMAND ----------"
MAGIC = "MAGIC "
COMMENT = {"PYTHON": "#", "SQL": "--", "SCALA": "//", "R": "#"}
LANGUAGE_OF_EXTENSION = {".py": "PYTHON", ".sql": "SQL", ".scala": "SCALA", ".r": "R"}
EXTENSION_OF_LANGUAGE = {"PYTHON": ".py", "SQL": ".sql", "SCALA": ".scala", "R": ".r"}


@dataclass(frozen=True)
class Notebook:
    """An imported file that is a notebook.

    Attributes:
        path: Its path in the workspace: without the extension.
        language: `PYTHON`, `SQL`, `SCALA` or `R`.
        jupyter: Whether the content is an .ipynb document.
    """

    path: str
    language: str
    jupyter: bool


def recognise(path: str, content: bytes) -> Notebook | None:
    """Whether a file that is imported becomes a notebook, as Databricks decides it: by extension and first line.

    Args:
        path: The path with the file's name.
        content: Its bytes.

    Returns:
        The notebook, or None for a plain file.
    """
    stem, extension = posixpath.splitext(path)
    if extension.lower() == ".ipynb":
        document = _document(content)
        return Notebook(stem, jupyter_language(document), jupyter=True) if document else None
    language = LANGUAGE_OF_EXTENSION.get(extension.lower())
    if language is None:
        return None
    first = content.split(b"\n", 1)[0].decode("utf-8", "replace").strip()
    return Notebook(stem, language, jupyter=False) if first == f"{COMMENT[language]} {HEADER}" else None


def jupyter_language(document: dict[str, Any]) -> str:
    """The language of a Jupyter document, by its metadata; Python when it does not say."""
    metadata = document.get("metadata") or {}
    own = (metadata.get("application/vnd.databricks.v1+notebook") or {}).get("language")
    named = str(own or (metadata.get("language_info") or {}).get("name") or "python").upper()
    return named if named in COMMENT else "PYTHON"


def to_source(content: bytes) -> bytes:
    """The source form of a Jupyter document.

    Raises:
        ApiError: The content is no Jupyter document.
    """
    document = _document(content)
    if document is None:
        raise invalid("The notebook is not a valid Jupyter document")
    comment = COMMENT[jupyter_language(document)]
    cells = []
    for cell in document["cells"]:
        source = cell.get("source", "")
        lines = (source if isinstance(source, str) else "".join(source)).split("\n")
        if cell.get("cell_type") == "markdown":
            lines = ["%md", *lines]
        if lines[0].startswith("%") and not lines[0].startswith("%%"):
            lines = [f"{comment} {MAGIC}{line}" for line in lines]
        cells.append("\n".join(lines))
    separator = f"\n\n{comment} {COMMAND}\n\n"
    return f"{comment} {HEADER}\n{separator.join(cells)}\n".encode()


def to_jupyter(content: bytes, language: str) -> bytes:
    """The Jupyter form of a notebook's source."""
    comment = COMMENT[language]
    text = content.decode("utf-8", "replace").removeprefix(f"{comment} {HEADER}")
    cells: list[dict[str, Any]] = []
    for block in text.split(f"{comment} {COMMAND}"):
        lines = [line.removeprefix(f"{comment} {MAGIC}") for line in block.strip("\n").split("\n")]
        if lines[0].startswith("%md"):
            rest = [lines[0].removeprefix("%md").lstrip(), *lines[1:]]
            cells.append({"cell_type": "markdown", "metadata": {}, "source": "\n".join(rest).strip("\n")})
        else:
            cells.append({"cell_type": "code", "metadata": {}, "execution_count": None, "outputs": [], "source": "\n".join(lines)})
    metadata = {"application/vnd.databricks.v1+notebook": {"language": language.lower()}, "language_info": {"name": language.lower()}}
    return json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 0}, indent=1).encode()


def _document(content: bytes) -> dict[str, Any] | None:
    """A Jupyter document, or None when the bytes are none."""
    try:
        document = json.loads(content)
    except (ValueError, UnicodeDecodeError):
        return None
    return document if isinstance(document, dict) and isinstance(document.get("cells"), list) else None
