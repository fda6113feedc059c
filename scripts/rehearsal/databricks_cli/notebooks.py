"""Tells notebooks from plain files, as the workspace does when they are imported."""

from __future__ import annotations

import json
from pathlib import Path

EXTENSIONS = (".py", ".r", ".scala", ".sql", ".ipynb")
"""File name endings a notebook may have."""

_MARKS = {
    ".py": "# Databricks notebook source",
    ".r": "# Databricks notebook source",
    ".scala": "// Databricks notebook source",
    ".sql": "-- Databricks notebook source",
}


def is_notebook(file: Path) -> bool:
    """Return whether a file would become a notebook: by its first line, or as a Jupyter notebook with a language."""
    extension = file.suffix.lower()
    if extension == ".ipynb":
        return _is_jupyter(file)
    mark = _MARKS.get(extension)
    if mark is None:
        return False
    with file.open("rb") as stream:
        first = stream.readline(len(mark) + 8)
    return first.decode("utf-8", "replace").lstrip("\ufeff").rstrip() == mark


def _is_jupyter(file: Path) -> bool:
    try:
        content = json.loads(file.read_text("utf-8"))
    except (ValueError, OSError):
        return False
    return isinstance(content, dict) and "cells" in content and "nbformat" in content
