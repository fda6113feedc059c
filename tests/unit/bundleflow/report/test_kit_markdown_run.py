"""A run as Markdown: facts, graph, table, errors; hostile task names stay names."""

from __future__ import annotations

import re
from dataclasses import replace

from bundleflow.records.run import RunRecord, TaskRecord
from bundleflow.report.markdown_run import run_markdown
from bundleflow.report.markdown_run_graph import graph
from bundleflow.report.terminal import run_text

TASKS = (
    TaskRecord(
        "prepare", 11, "notebook", "TERMINATED", "SUCCESS", start_ms=1_000, end_ms=3_000, output="done", url="http://127.0.0.1/t/11"
    ),
    TaskRecord(
        "train",
        12,
        "notebook",
        "TERMINATED",
        "FAILED",
        start_ms=3_000,
        end_ms=4_000,
        depends_on=("prepare",),
        error="boom",
        trace="T\nboom",
    ),
)
RUN = RunRecord(
    9, 4, "iris", "model_training", "http://127.0.0.1/r/9", "TERMINATED", "FAILED", "a task failed", start_ms=1_000, end_ms=4_000,
    parameters=(("alpha", "0.5"),), tasks=TASKS,
)  # fmt: skip


def test_a_failed_run_says_what_failed() -> None:
    text = run_markdown(RUN, limit=60_000)
    assert "❌ Job model\\_training: FAILED" in text
    assert "[run 9](http://127.0.0.1/r/9)" in text
    assert "**`train` failed:** boom" in text
    assert "`alpha` = `0.5`" in text
    assert "t0 --> t1" in text
    assert RUN.failed_tasks == ("train",)
    assert "train" in run_text(RUN)


def test_hostile_names_cannot_leave_the_graph() -> None:
    name = 'x"]; click t0 "javascript:alert(1)" %%\n```'
    lines = graph(replace(RUN, tasks=(replace(TASKS[0], key=name), TASKS[1]))).splitlines()
    assert [line for line in lines if line.startswith("```")] == ["```mermaid", "```"]
    assert re.fullmatch(r'  t0\["[\w #;.-]+<br>[\w #;.-]+"\]:::ok', lines[2])


def test_a_run_of_a_thousand_tasks_is_cut_at_whole_parts() -> None:
    tasks = tuple(replace(TASKS[1], key=f"task_{number}", run_id=number) for number in range(1000))
    text = run_markdown(replace(RUN, tasks=tasks), limit=60_000)
    assert len(text) <= 60_000
    assert "mermaid" not in text, "without dependencies there is one stage, which is no graph"
    assert len(re.findall(r"^`{3,}", text, re.MULTILINE)) % 2 == 0


def test_the_record_as_json_has_what_is_derived() -> None:
    data = RUN.as_dict()
    assert (data["state"], data["failed_tasks"], data["duration_ms"]) == ("FAILED", ["train"], 3_000)
    assert data["tasks"][0]["state"] == "SUCCESS"
