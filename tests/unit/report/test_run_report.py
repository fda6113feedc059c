"""A run read from the API's JSON, compared, drawn and rendered: attempts, branches, compute, limits of size."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import run_examples as examples

from bundleflow.adapters.workspace_runs import deployment_of
from bundleflow.records.errors import BundleflowError
from bundleflow.records.run import Compute, Lineage, RunRecord, TableUse, TaskRecord, in_order
from bundleflow.records.run_json import page_of, run_of
from bundleflow.report.graph_layout import layout
from bundleflow.report.graph_svg import Node, graph_svg
from bundleflow.report.html import run_page
from bundleflow.report.html_run import run_view
from bundleflow.report.markdown_run import run_markdown
from bundleflow.report.markdown_run_graph import CHARACTERS_AT_MOST, EDGES_AT_MOST, graph, lineage_graph, timeline
from bundleflow.report.run_graph import STAGES_AT_MOST, lineage_nodes
from bundleflow.report.run_times import spans
from bundleflow.report.svg import graph_picture
from bundleflow.runs.compare import compare
from bundleflow.runs.lineage import statement, task_of_run, uses_of
from bundleflow.runs.planned import planned_run
from bundleflow.runs.reference import run_from_file, run_id_of

MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def run() -> RunRecord:
    return examples.pipeline()


@pytest.fixture(scope="module")
def large() -> RunRecord:
    return run_of(examples.pages_of_a_thousand())


def of(run: RunRecord, key: str) -> TaskRecord:
    return next(task for task in run.tasks if task.key == key)


def test_attempts_repairs_branches_and_iterations_are_read(run: RunRecord) -> None:
    assert [each.number for each in of(run, "ingest_xml").earlier] == [0]
    assert of(run, "ingest_xml").attempt == 1
    assert of(run, "ingest_xml").result_state == "SUCCESS"
    assert (of(run, "enough_rows").outcome, of(run, "enough_rows").condition) == ("true", "{{tasks.aggregate.values.rows}} > 1000")
    assert of(run, "too_few").branches == (("enough_rows", "false"),)
    assert of(run, "each_region").iterations.words == "4 of 4 iterations succeeded"
    assert [(each.number, each.id, each.task_runs) for each in run.repairs] == [(1, 555, (113, 111, 112))]
    assert run.failed_tasks == ("evaluate", "report", "send_mail")
    assert run.schedule == "0 0 2 * * ? (Europe/Brussels)"
    assert run.parameters == (("catalog", "prod"), ("date", "2026-11-21"))


def test_tasks_that_did_not_start_come_last_each_after_what_it_waits_for() -> None:
    tasks = [
        TaskRecord("a", depends_on=("b",)),
        TaskRecord("b", depends_on=("z",)),
        TaskRecord("z", start_ms=5),
        TaskRecord("y", start_ms=9),
    ]
    assert [task.key for task in in_order(tasks)] == ["z", "y", "b", "a"]
    circle = [TaskRecord("a", depends_on=("b",)), TaskRecord("b", depends_on=("a",))]
    assert [task.key for task in in_order(circle)] == ["a", "b"]


def test_only_what_failed_itself_is_told_as_failed() -> None:
    state = {"life_cycle_state": "TERMINATED", "result_state": "UPSTREAM_FAILED", "state_message": "Upstream task failed."}
    failed = {"task_key": "a", "run_id": 2, "notebook_task": {}, "state": {"life_cycle_state": "TERMINATED", "result_state": "FAILED"}}
    run = page_of({"run_id": 1, "tasks": [failed, {"task_key": "b", "run_id": 3, "notebook_task": {}, "state": state}]}).run
    run = replace(run, tasks=tuple(replace(task, error=f"error of {task.key}") for task in run.tasks))
    assert [view.task.key for view in run_view(run).failed] == ["a"]
    text = run_markdown(run, limit=10_000)
    assert "error of a" in text
    assert "error of b" not in text
    before = replace(run, tasks=tuple(replace(task, result_state="SUCCESS", start_ms=1, end_ms=1001) for task in run.tasks))
    assert [(each.key, each.change) for each in compare(run, before).changes] == [("a", "newly failing"), ("b", "not run")]


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ({"job_cluster_key": "pipeline"}, "job cluster pipeline, Standard_DS3_v2, 4 workers, 17.3.x-scala2.13"),
        ({"existing_cluster_id": "1-2-abc"}, "cluster 1-2-abc"),
        (
            {"new_cluster": {"spark_version": "17", "node_type_id": "n", "autoscale": {"min_workers": 2, "max_workers": 8}}},
            "new cluster, n, 2 to 8 workers, 17",
        ),
        ({"new_cluster": {"node_type_id": "n", "driver_node_type_id": "d", "num_workers": 0}}, "new cluster, n, driver d, single node"),
        ({"environment_key": "default"}, "serverless environment default"),
        ({}, "serverless"),
    ],
)  # fmt: skip
def test_compute_is_told_in_words(task: dict[str, Any], words: str) -> None:
    clusters = examples.pipeline_json()["job_clusters"]
    found = page_of({"run_id": 1, "job_clusters": clusters, "tasks": [{"task_key": "a", "notebook_task": {}, **task}]}).run
    assert found.tasks[0].compute.words == words


def test_pages_are_merged_and_a_missing_one_is_said(large: RunRecord) -> None:
    assert len(large.tasks) == 1000
    assert large.parameters == (("catalog", "prod"), ("date", "2026-11-21")), "they stand on every page"
    part = run_of(examples.pages_of_a_thousand()[:3])
    assert len(part.tasks) == 300
    assert "after task 300 is missing" in part.notes[0]


@pytest.mark.parametrize("text", ["", "[]", "no json", '{"tasks": []}', '[{"run_id": 1}, {"run_id": 2}]', '{"run_id": 1} {', "7"])
def test_a_file_that_holds_no_run_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(BundleflowError, match="holds no job run"):
        run_from_file(tmp_path / "run.json")


def test_the_json_of_a_report_is_not_taken_for_a_run(tmp_path: Path, run: RunRecord) -> None:
    (tmp_path / "run.json").write_text(json.dumps(run.as_dict()))
    with pytest.raises(BundleflowError, match="the JSON of a run report"):
        run_from_file(tmp_path / "run.json")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_may_come_from_any_shell_and_says_what_it_lacks(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "run.json").write_text(json.dumps(examples.pipeline_json()), encoding=encoding)
    found = run_from_file(tmp_path / "run.json")
    assert found.run_id == 100
    assert "errors and their traces" in found.notes[0]


def test_pages_one_after_the_other_in_a_file_are_one_run(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("\n".join(json.dumps(page) for page in examples.pages_of_a_thousand()))
    assert len(run_from_file(tmp_path / "run.json").tasks) == 1000


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("42", 42),
        ("https://example.com/jobs/7/runs/42?o=1", 42),
        ("https://example.com/?o=1#job/7/run/42", 42),
        ("https://EXAMPLE.com/jobs/7/runs/42", 42),
        ("run.json", None),
    ],
)
def test_a_run_is_named_by_its_id_or_its_address(text: str, number: int | None) -> None:
    assert run_id_of(text, "https://example.com") == number


@pytest.mark.parametrize(("host", "told"), [("", "not set"), ("https://other.example.com", "https://other.example.com")])
def test_an_address_never_decides_where_the_login_goes(host: str, told: str) -> None:
    with pytest.raises(BundleflowError, match=f"DATABRICKS_HOST is {told}") as caught:
        run_id_of("https://example.com/jobs/7/runs/42", host)
    assert "Set DATABRICKS_HOST to https://example.com" in caught.value.fix


def test_a_run_is_compared_with_the_one_before() -> None:
    def task(key: str, result: str, seconds: float) -> TaskRecord:
        return TaskRecord(key, 1, "notebook", "TERMINATED", result, start_ms=1, end_ms=1 + round(1000 * seconds))

    before = RunRecord(1, tasks=(task("a", "SUCCESS", 60), task("b", "SUCCESS", 60), task("c", "SUCCESS", 1), task("d", "FAILED", 5),
                                 task("e", "SUCCESS", 9), task("f", "FAILED", 1)))  # fmt: skip
    now = RunRecord(2, tasks=(task("a", "SUCCESS", 90), task("b", "SUCCESS", 40), task("c", "SUCCESS", 3), task("d", "SUCCESS", 5),
                              task("f", "FAILED", 1), task("g", "FAILED", 1), task("h", "SUCCESS", 1)))  # fmt: skip
    found = [(each.key, each.change) for each in compare(now, replace(before, tasks=(*before.tasks, task("g", "SUCCESS", 1)))).changes]
    assert found == [
        ("g", "newly failing"), ("f", "still failing"), ("a", "slower"), ("e", "gone"), ("h", "new"), ("d", "fixed"), ("b", "faster"),
    ]  # fmt: skip


def test_every_part_of_a_run_stands_in_its_markdown(run: RunRecord) -> None:
    text = run_markdown(run, limit=100_000)
    for expected in (
        "newly failing",
        "Standard\\_DS3\\_v2",
        "QualityError",
        "repair 1",
        "prod.gold.scores",
        "`9f3c1e7a52d0`",
        "0 0 2",
        "gantt",
    ):
        assert expected in text
    assert text.count("```mermaid") == 3, "the graph, the timeline, the tables"
    assert '-.->|"false"|' in text, "the branch that was not taken"


def test_every_part_of_a_run_stands_on_its_page_and_nothing_is_loaded(run: RunRecord) -> None:
    page = run_page(run)
    for expected in ("What failed", "Compared with the run before", "Tables", "Compute", "Repairs", "4 of 4 iterations", "commit/9f3c1e7a"):
        assert expected in page
    assert not re.search(r"<script|src=|@import|url\((?!data:)", page)
    assert set(re.findall(r'href="#([\w-]+)"', page)) <= set(re.findall(r'id="([\w-]+)"', page)), (
        "every link within the page leads somewhere"
    )


def test_a_thousand_tasks_fit_into_a_page_and_into_what_github_draws(large: RunRecord) -> None:
    page = run_page(large)
    assert len(page.encode()) < MEGABYTE
    assert "layer_24_task_39" in page
    drawn = graph(large)
    assert 0 < len(drawn) <= CHARACTERS_AT_MOST
    assert drawn.count("-->") <= min(STAGES_AT_MOST, EDGES_AT_MOST)
    assert "1 failed" in drawn
    assert len(run_markdown(large, limit=60_000)) <= 60_000
    assert timeline(large) == ""


def test_what_failed_is_named_where_its_error_is_not_known(large: RunRecord) -> None:
    message = "Workload failed, see run output for details."
    assert "`layer_24_task_39` failed:** " + message in run_markdown(large, limit=100_000)
    assert [view.task.key for view in run_view(large).failed] == ["layer_24_task_39"]
    assert message in run_page(large).partition('id="failed"')[2].partition("</section>")[0]


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ({"queue_ms": 5_000, "setup_ms": 10_000, "execution_ms": 60_000}, [("queue", 95, 100), ("setup", 100, 110), ("work", 110, 170)]),
        ({"queue_ms": 5_000, "setup_ms": 10_000, "execution_ms": 55_000}, [("queue", 100, 105), ("setup", 105, 115), ("work", 115, 170)]),
        ({}, [("work", 100, 170)]),
        ({"setup_ms": 90_000}, [("setup", 100, 170), ("work", 170, 170)]),
    ],
    ids=["queue before the start", "queue within", "work alone", "ended while it was set up"],
)
def test_queue_set_up_and_work_are_told_apart(times: dict[str, int], expected: list[tuple[str, int, int]]) -> None:
    task = TaskRecord("a", 1, "notebook", "TERMINATED", "SUCCESS", start_ms=100_000, end_ms=170_000, **times)
    assert [(span.kind, span.start_ms // 1000, span.end_ms // 1000) for span in spans(task, 0)] == expected
    drawn = timeline(RunRecord(1, tasks=(task, replace(task, key="b"))))
    assert ("queue :" in drawn) is any(kind == "queue" for kind, _, _ in expected)
    assert ("set-up :done" in drawn) is any(kind == "setup" for kind, _, _ in expected)


def test_too_many_edges_are_drawn_by_stages() -> None:
    keys = [f"t{number}" for number in range(60)]
    tasks = tuple(TaskRecord(key, depends_on=tuple(keys[: 20 if number >= 20 else 0])) for number, key in enumerate(keys))
    assert sum(len(task.depends_on) for task in tasks) > EDGES_AT_MOST
    assert "stage 2" in graph(RunRecord(1, tasks=tasks))


def test_the_picture_is_a_file_of_its_own_and_always_the_same(run: RunRecord) -> None:
    picture = graph_picture(run)
    root = ElementTree.fromstring(picture)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "prefers-color-scheme: dark" in picture
    assert "http" not in picture.replace("http://www.w3.org/2000/svg", "")
    assert picture == graph_picture(examples.pipeline())
    assert "<a " not in picture


def test_a_job_is_drawn_before_it_has_ever_run() -> None:
    tasks = [
        {"task_key": "b", "spark_jar_task": {"main_class_name": "com.example.Transform"}, "depends_on": [{"task_key": "a"}]},
        {"task_key": "a", "notebook_task": {"notebook_path": "/x/ingest"}},
    ]
    bundle = {"bundle": {"name": "p", "target": "dev"}, "resources": {"jobs": {"pipeline": {"name": "Pipeline", "tasks": tasks}}}}
    run = planned_run(bundle, "pipeline")
    assert [task.key for task in run.tasks] == ["b", "a"]
    picture = graph_picture(run)
    assert "Spark JAR · Transform" in picture
    assert "success" not in picture
    with pytest.raises(BundleflowError, match="no job `pipelin`") as caught:
        planned_run(bundle, "pipelin")
    assert "Did you mean `pipeline`?" in caught.value.fix


def test_a_graph_with_a_circle_is_laid_out_too() -> None:
    found = layout(["a", "b", "c"], [("a", "b"), ("b", "c"), ("c", "a")])
    assert [found.places[key][0] for key in "abc"] == [0, 1, 2]
    assert set(found.routes) == {("a", "b"), ("b", "c"), ("c", "a")}


def test_boxes_of_one_column_never_overlap(run: RunRecord) -> None:
    keys = [task.key for task in run.tasks]
    found = layout(keys, [(before, task.key) for task in run.tasks for before in task.depends_on])
    for column in range(found.columns):
        rows = sorted(row for at, row in found.places.values() if at == column)
        assert all(second - first >= 0.99 for first, second in pairwise(rows))


def test_lineage_is_asked_by_day_and_by_every_run_id(run: RunRecord) -> None:
    text = statement(run)
    assert "event_date BETWEEN DATE'2026-11-21' AND DATE'2026-11-22'" in text
    assert all(f"'{number}'" in text for number in (100, 101, 102, 103, 113))
    assert "system.access.table_lineage" in text


def test_lineage_of_rows_is_told_by_task_and_once(run: RunRecord) -> None:
    rows = [
        ["a.b.c", None, "TABLE", "a.b.d", None, "TABLE", "104", "100"],
        ["a.b.c", None, "TABLE", None, None, None, "100", "100"],
        [None, "/Volumes/x", "PATH", None, None, None, "102", "100"],
        [None, None, None, "a.b.e", None, "VIEW", "100", "100"],
    ]
    assert uses_of(rows, task_of_run(run)) == (
        TableUse("a.b.e", "VIEW", write=True),
        TableUse("/Volumes/x", "PATH", task="ingest_xml"),
        TableUse("a.b.c", task="transform"),
        TableUse("a.b.d", write=True, task="transform"),
    )


def test_upstream_and_downstream_of_the_whole_run_are_named(run: RunRecord) -> None:
    assert run.lineage
    assert run.lineage.upstream == ("/Volumes/prod/landing/files/orders.csv", "/Volumes/prod/landing/files/customers.xml")
    assert run.lineage.downstream[-1] == "prod.gold.scores"
    text = run_markdown(run, limit=100_000)
    assert "Upstream, only read: `/Volumes/prod/landing/files/orders.csv`" in text
    assert "Downstream, written" in run_page(run)


def test_tables_files_and_models_are_drawn_by_their_own_name_and_their_place(run: RunRecord) -> None:
    names = {"prod.gold.scores": "TABLE", "/Volumes/prod/in/orders.csv": "PATH", "prod.ml.forecast/3": "MODEL", "local": "VIEW"}
    lineage = Lineage(tuple(TableUse(name, kind, task="train") for name, kind in names.items()))
    drawn = {node.key: (node.name, node.state) for node in lineage_nodes(run, lineage) if node.tone == "data"}
    assert drawn == {
        "prod.gold.scores": ("scores", "prod.gold"),
        "/Volumes/prod/in/orders.csv": ("orders.csv", "/Volumes/prod/in"),
        "prod.ml.forecast/3": ("forecast/3", "model · prod.ml"),
        "local": ("local", "view"),
    }


def test_a_wide_graph_is_drawn_as_narrow_as_the_page_asks_for() -> None:
    nodes = [
        Node("start of everything", "", "ok"),
        *(Node(f"a task with a long name {number}", "", "ok", ("start of everything",)) for number in range(4)),
    ]
    nodes += [Node(f"end {step}", "", "ok", (f"end {step - 1}" if step else "start of everything",)) for step in range(4)]
    widths = [int(re.findall(r'width="(\d+)"', graph_svg(nodes, "t", room=room))[0]) for room in (0, 1040)]
    assert widths[1] <= 1040 < widths[0]


def test_a_table_that_is_read_and_written_in_a_circle_is_drawn(run: RunRecord) -> None:
    uses = (
        TableUse("t", task="train"),
        TableUse("s", write=True, task="train"),
        TableUse("s", task="evaluate"),
        TableUse("t", write=True, task="evaluate"),
    )
    looped = replace(run, lineage=Lineage(uses))
    nodes = {node.key: node.depends_on for node in lineage_nodes(looped, Lineage(uses))}
    assert nodes == {"train": ("t",), "evaluate": ("s",), "s": ("train",), "t": ("evaluate",)}
    assert lineage_graph(looped).count("-->") == 4
    assert "evaluate" in run_page(looped)


def test_the_metadata_of_a_deployment_is_read_and_nonsense_refused() -> None:
    git = {"branch": "release", "commit": "abc", "origin_url": "https://example.com/x.git"}
    found = deployment_of(json.dumps({"version": 1, "config": {"bundle": {"name": "p", "target": "prod", "git": git}}}).encode())
    assert (found.bundle, found.target, found.commit, found.branch) == ("p", "prod", "abc", "release")
    with pytest.raises((ValueError, KeyError)):
        deployment_of(b"{}")


def test_compute_that_nothing_ran_on_is_left_out() -> None:
    ran = TaskRecord("a", 1, "notebook", "TERMINATED", "SUCCESS", start_ms=1, end_ms=2, compute=Compute("cluster", "one"))
    skipped = TaskRecord("b", 2, "notebook", "SKIPPED", "EXCLUDED", compute=Compute("cluster", "two"))
    text = run_markdown(RunRecord(1, tasks=(ran, skipped)), limit=10_000)
    assert "<summary>compute</summary>" in text
    folded = text.partition("<summary>compute</summary>")[2]
    assert "cluster one" in folded
    assert "cluster two" not in folded
