"""Notebooks in both formats become cells with the right language, text and line."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.executor.notebook import Cell, NotebookError, parse

SOURCE = """# Databricks notebook source
# MAGIC %md
# MAGIC # Title
# MAGIC text

# COMMAND ----------

# DBTITLE 1,Load
import pandas as pd
x = 1

# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT *
# MAGIC FROM t

# COMMAND ----------

# MAGIC %run ./setup $a="b c"

# COMMAND ----------

# MAGIC %pip install pandas

# COMMAND ----------

x % 2
"""


def test_a_source_notebook_has_its_cells_in_order_with_lines() -> None:
    cells = parse(SOURCE)
    assert [cell.language for cell in cells] == ["md", "python", "sql", "run", "pip", "python"]
    assert cells[0].text == "\n# Title\ntext"
    assert cells[2].text == "\nSELECT *\nFROM t"
    assert cells[3].text == './setup $a="b c"'
    assert cells[4].text == "install pandas"
    lines = SOURCE.split("\n")
    python = cells[1]
    first = python.text.split("\n").index("import pandas as pd")
    assert lines[python.line + first - 1] == "import pandas as pd"


def test_a_file_without_header_is_one_cell() -> None:
    assert parse("print(1)\n") == [Cell("python", "print(1)\n", 1, 1)]


def test_an_sql_notebook_has_sql_cells_and_python_by_magic() -> None:
    cells = parse("-- Databricks notebook source\nSELECT 1\n\n-- COMMAND ----------\n\n-- MAGIC %python\n-- MAGIC print(1)\n")
    assert [(cell.language, cell.text.strip()) for cell in cells] == [("sql", "SELECT 1"), ("python", "print(1)")]


def test_a_jupyter_notebook_leaves_out_what_is_no_code() -> None:
    cells = [
        {"cell_type": "markdown", "source": "# Title"},
        {"cell_type": "code", "source": ["a = 1\n", "b = 2"]},
        {"cell_type": "code", "source": "%sql\nSELECT 1"},
        {"cell_type": "code", "source": []},
    ]
    found = parse(json.dumps({"cells": cells, "metadata": {}}))
    assert [(cell.language, cell.text) for cell in found] == [("python", "a = 1\nb = 2"), ("sql", "\nSELECT 1")]


def test_something_that_only_looks_like_jupyter_is_refused() -> None:
    with pytest.raises(NotebookError, match="not a Jupyter notebook"):
        parse('{"nodes": []}')


@given(st.lists(st.text(alphabet=st.characters(categories=["L", "N"], max_codepoint=0x2000), min_size=1), min_size=1, max_size=8))
def test_cells_come_back_as_they_were_written(words: list[str]) -> None:
    text = "# Databricks notebook source\n" + "\n\n# COMMAND ----------\n\n".join(f"x = {word!r}" for word in words)
    assert [cell.text.strip() for cell in parse(text)] == [f"x = {word!r}" for word in words]
