"""Reports stay small and say what they leave out: texts, attempts, iterations, tables, marks on the time axis."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import run_examples as examples

from bundleflow.records.run import Attempt, Iterations, Lineage, RunRecord, TableUse, TaskRecord
from bundleflow.report.graph_svg import Node, graph_svg
from bundleflow.report.html import run_page
from bundleflow.report.html_run import CARDS_AT_MOST, TURNS_AT_MOST, run_view
from bundleflow.report.html_svg import axis
from bundleflow.report.markdown_run import run_markdown
from bundleflow.report.markdown_run_graph import CHARACTERS_AT_MOST, timeline
from bundleflow.report.run_graph import lineage_nodes
from bundleflow.report.run_room import NAMES_AT_MOST, TEXT_BYTES, text_limit
from bundleflow.report.run_times import ATTEMPTS_SHOWN

MEGABYTE = 1_000_000
DAY = 86_400


@pytest.fixture(scope="module")
def full() -> RunRecord:
    return examples.full_thousand()


@pytest.fixture(scope="module")
def page(full: RunRecord) -> str:
    return run_page(full)


def test_a_thousand_tasks_with_outputs_traces_and_tables_stay_below_a_megabyte(full: RunRecord, page: str) -> None:
    assert sum(bool(task.output) for task in full.tasks) >= 45
    assert sum(bool(task.trace) for task in full.tasks) == 30
    assert len(page.encode()) < MEGABYTE
    assert len(run_markdown(full, limit=200_000)) <= 200_000


def test_what_is_left_out_of_a_large_run_is_said(full: RunRecord, page: str) -> None:
    view = run_view(full)
    assert view.cut_to
    assert f"cut to {view.cut_to:,} characters each" in page
    assert len(view.cards) == CARDS_AT_MOST
    assert f"{view.untold}\N{NO-BREAK SPACE}more task".replace("\N{NO-BREAK SPACE}", " ") in page
    assert sum(len(row.read) + len(row.wrote) for row in view.lineage_rows) <= NAMES_AT_MOST
    assert len(view.lineage_rows) + view.lineage_more == 1000
    assert f"… and {view.lineage_more} more tasks." in page
    assert "… and 100 more.</p>" in page, "tasks that differ from the run before"


def test_texts_are_cut_alike_and_only_where_it_must_be() -> None:
    short, quoted = TaskRecord("a", output="x" * 1000), TaskRecord("b", output='"' * 20_000)
    assert text_limit([short] * 60) == 0
    assert 0 < text_limit([quoted] * 60) <= TEXT_BYTES / 60 / len("&#34;")
    assert text_limit([TaskRecord("c", output="x" * 20_000)] * 7) == 0


def test_a_small_run_is_shown_whole_and_no_trace_is_printed_twice() -> None:
    run = examples.pipeline()
    long = replace(run, tasks=tuple(replace(task, output=task.key + "y" * 20_000) for task in run.tasks))
    page = run_page(long)
    assert "characters each" not in page
    assert all(task.output in page for task in long.tasks)
    assert page.count("in check_quality") == 1
    assert run_view(long).cut_to == 0


def tried(count: int) -> TaskRecord:
    earlier = tuple(
        Attempt(number, number, "TERMINATED", "FAILED", f"attempt {number} fell", 1000 * number + 1000, 1000 * number + 1900)
        for number in range(count)
    )
    return TaskRecord(
        "a", 9999, "notebook", "TERMINATED", "SUCCESS", start_ms=1000 * count + 1000, end_ms=1000 * count + 2000, attempt=count,
        earlier=earlier,
    )  # fmt: skip


def test_of_many_attempts_the_last_ones_are_shown() -> None:
    other = TaskRecord("b", 2, "notebook", "TERMINATED", "SUCCESS", start_ms=1, end_ms=2)
    run = RunRecord(1, tasks=(tried(2000), other))
    assert timeline(run) == "", "it would be too long for GitHub"
    page, text = run_page(run), run_markdown(run, limit=200_000)
    for shown in (page, text):
        assert "1,990 earlier attempts before these" in shown
        assert ("attempt 1999 fell" in shown, "attempt 1989 fell" in shown) == (True, False)
    assert page.count('class="bar before') == ATTEMPTS_SHOWN
    fewer = timeline(replace(run, tasks=(tried(ATTEMPTS_SHOWN), other)))
    assert 0 < len(fewer) <= CHARACTERS_AT_MOST
    assert "before these" not in run_page(replace(run, tasks=(tried(ATTEMPTS_SHOWN), other)))


def test_iterations_that_are_not_listed_are_counted() -> None:
    turns = tuple(Attempt(number, number, "TERMINATED", "SUCCESS") for number in range(TURNS_AT_MOST + 5))
    task = TaskRecord("a", 2, "for_each", "TERMINATED", "SUCCESS", iterations=Iterations(len(turns), turns=turns))
    assert "and 5 more iterations" in run_page(RunRecord(1, tasks=(task,)))


def test_names_of_one_task_that_are_not_listed_are_counted() -> None:
    lineage = Lineage(tuple(TableUse(f"t{number}", task="a") for number in range(25)))
    run = RunRecord(1, tasks=(TaskRecord("a", 2),), lineage=lineage)
    assert "and 5 more" in run_page(run).partition('class="tables"')[2]
    assert "`t19` and 5 more |" in run_markdown(run, limit=100_000)


@pytest.mark.parametrize("days", [0.00001, 0.5, 3, 7, 60, 365, 9999, 3_000_000])
def test_a_time_axis_of_any_length_has_a_few_marks_at_round_numbers(days: float) -> None:
    ticks = axis(days * DAY).ticks
    assert 2 <= len(ticks) <= 8
    step = ticks[1]
    assert days < 6 or re.fullmatch(r"[125]0*", f"{step / DAY:.0f}")


def test_the_run_has_a_box_of_its_own_where_a_task_is_called_like_the_job() -> None:
    run = RunRecord(123, key="train", tasks=(TaskRecord("train", 2, "notebook"), TaskRecord("other", 3)))
    nodes = {node.key: node for node in lineage_nodes(run, Lineage((TableUse("a"), TableUse("b", task="train"))))}
    assert nodes["run 123"].depends_on == ("a",)
    assert nodes["train"].depends_on == ("b",)
    plain = replace(run, key="job")
    assert "job" in {node.key for node in lineage_nodes(plain, Lineage((TableUse("a"),)))}


@pytest.mark.parametrize(
    ("name", "widest"), [("01-PDF-Advance-Data-Preprocessing", 280.3), ("04-Deploy-Model-As-Endpoint", 226.7), ("ingest_orders", 103.8)]
)
@pytest.mark.parametrize(("tone", "left"), [("plan", 14), ("ok", 34)])
def test_a_name_stays_in_its_box_in_the_widest_font(name: str, widest: float, tone: str, left: int) -> None:
    """`widest` is the name's width in DejaVu Sans Bold of 13.5 pixels, which a system without any of the page's fonts may show."""
    drawn = graph_svg([Node(name, "", tone)], "t", least=1)
    assert f">{name}</text>" in drawn
    width = int(re.findall(r'<rect x="6" y="10" width="(\d+)"', drawn)[0])
    assert left + widest <= width - 4
