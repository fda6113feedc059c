"""How long the report of a run of 1,000 tasks takes once its pages are there, with outputs, traces and lineage on it."""

from __future__ import annotations

import runpy
import time
from pathlib import Path

from bundleflow.records.run_json import run_of
from bundleflow.report.html import run_page
from bundleflow.report.markdown_run import run_markdown
from bundleflow.report.svg import graph_picture

EXAMPLES = runpy.run_path(str(Path(__file__).parents[1] / "unit" / "report" / "run_examples.py"))


def test_report_of_a_thousand_tasks() -> None:
    pages = EXAMPLES["pages_of_a_thousand"]()
    begin = time.perf_counter()
    assert len(run_of(pages).tasks) == 1000
    read = time.perf_counter()
    run = EXAMPLES["full_thousand"]()
    made = time.perf_counter()
    page = run_page(run)
    shown = time.perf_counter()
    text, picture = run_markdown(run, limit=200_000), graph_picture(run)
    end, size = time.perf_counter(), len(page.encode())
    print(f"read {read - begin:.3f} s, page {shown - made:.3f} s ({size / 1e3:.0f} kB), Markdown and picture {end - shown:.3f} s")
    assert size < 1_000_000
    assert text
    assert picture
