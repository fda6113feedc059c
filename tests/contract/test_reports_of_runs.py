"""`bundleflow run report` of real runs on the local workspace: everything a run has, told from the API alone, tables by SQL among it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk.service.catalog import VolumeType
from databricks.sdk.service.jobs import (
    ConditionTask,
    ConditionTaskOp,
    ForEachTask,
    JobParameterDefinition,
    NotebookTask,
    Task,
    TaskDependency,
)
from jobs_support import Jobs
from run_engine_support import Ended, Kit

LAND = """
with open("/Volumes/main/report/files/in/orders.csv", "w") as file:
    file.write("id,amount\\n1,10\\n2,20\\n")
"""
LOAD = """
frame = spark.read.option("header", True).csv("/Volumes/main/report/files/in/orders.csv")
frame.write.mode("overwrite").saveAsTable("main.report.orders")
dbutils.notebook.run("./child", 60)
"""
CHILD = "spark.sql('CREATE OR REPLACE TABLE main.report.totals AS SELECT sum(amount) AS total FROM main.report.orders')"
TRAIN = """
total = spark.table("main.report.totals").collect()[0][0]
if dbutils.widgets.get("mode") == "break":
    raise ValueError(f"no model from a total of {total}")
"""


@dataclass
class Reported:
    """Two runs of one job: the first ended well, the second failed and was repaired in vain."""

    kit: Kit
    good: int
    bad: int
    warehouse: str

    def call(self, *argv: str) -> Ended:
        return self.kit.call("report", *argv)

    def record(self, *argv: str) -> dict[str, Any]:
        done = self.call(*argv, "--json")
        assert done.code == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@pytest.fixture(scope="module")
def reported(workspace: Any, jobs: Jobs, tmp_path_factory: pytest.TempPathFactory) -> Reported:
    jobs.client.schemas.create("report", "main")
    jobs.client.volumes.create("main", "report", "files", VolumeType.MANAGED)
    jobs.client.files.create_directory("/Volumes/main/report/files/in")
    warehouse = str(jobs.client.warehouses.create(name="reports", cluster_size="2X-Small").result().id)
    jobs.upload("child.py", "# Databricks notebook source\n" + CHILD)
    turn = jobs.python("turn", "import sys\nassert sys.argv[1] != 'broken'\n", parameters=["{{input}}"])
    compared = ConditionTask(op=ConditionTaskOp.EQUAL_TO, left="{{job.parameters.mode}}", right="never")
    job_id = jobs.create(
        jobs.notebook("land", LAND),
        jobs.notebook("load", LOAD, "land"),
        jobs.notebook("train", TRAIN, "load", max_retries=1, min_retry_interval_millis=1),
        Task(task_key="question", condition_task=compared, depends_on=[TaskDependency("load")]),
        Task(
            task_key="on_yes",
            notebook_task=NotebookTask(notebook_path=f"{jobs.folder}/child"),
            depends_on=[TaskDependency("question", outcome="true")],
        ),
        Task(task_key="turns", for_each_task=ForEachTask(inputs='["a", "b"]', task=turn), depends_on=[TaskDependency("question")]),
        name="reported",
        parameters=[JobParameterDefinition(name="mode", default="work")],
    )
    good = jobs.end(jobs.start(job_id)).run_id or 0
    bad = jobs.end(jobs.start(job_id, job_parameters={"mode": "break"})).run_id or 0
    kit = Kit(workspace, tmp_path_factory.mktemp("kit"))
    kit.call("repair", str(bad))
    return Reported(kit, good, bad, warehouse)


def test_tables_files_and_child_notebooks_are_told_by_task_through_the_system_table(reported: Reported) -> None:
    run = reported.record(str(reported.good), "--lineage", "--warehouse", reported.warehouse)
    uses = {(each["task"], "wrote" if each["write"] else "read", each["name"]) for each in run["lineage"]["uses"]}
    file = "/Volumes/main/report/files/in/orders.csv"
    assert uses == {
        ("land", "wrote", file),
        ("load", "read", file),
        ("load", "wrote", "main.report.orders"),
        ("load", "read", "main.report.orders"),
        ("load", "wrote", "main.report.totals"),
        ("train", "read", "main.report.totals"),
    }
    assert "filled with a delay" in run["lineage"]["note"]
    assert {each["kind"] for each in run["lineage"]["uses"]} == {"TABLE", "PATH"}


def test_a_failed_run_has_its_attempts_repair_branches_iterations_and_the_run_before(reported: Reported) -> None:
    run = reported.record(str(reported.bad))
    tasks = {task["key"]: task for task in run["tasks"]}
    assert [each["state"] for each in (tasks["train"], tasks["on_yes"])] == ["FAILED", "EXCLUDED"]
    assert tasks["train"]["attempt"] == len(tasks["train"]["earlier"]) == 3, "two tries, and two more by the repair"
    assert "no model from a total of 30" in tasks["train"]["trace"]
    assert tasks["on_yes"]["branches"] == [["question", "true"]]
    assert tasks["question"]["outcome"] == "false"
    assert [each["result_state"] for each in tasks["turns"]["iterations"]["turns"]] == ["SUCCESS", "SUCCESS"]
    assert [len(each["task_runs"]) for each in run["repairs"]] == [2]
    assert run["comparison"]["run_id"] == reported.good
    assert {each["key"]: each["change"] for each in run["comparison"]["changes"]}["train"] == "newly failing"
    assert run["notes"] == []


def test_the_page_and_the_picture_are_made_from_a_file_without_any_workspace(reported: Reported, jobs: Jobs, tmp_path: Path) -> None:
    answer = jobs.client.api_client.do("GET", "/api/2.2/jobs/runs/get", query={"run_id": reported.bad, "include_history": True})
    (tmp_path / "run.json").write_text(json.dumps(answer))
    for name in ("report.html", "graph.svg", "run.md"):
        done = reported.kit.call("report", str(tmp_path / "run.json"), "--output", str(tmp_path / name), DATABRICKS_HOST="")
        assert done.code == 0, done.stderr
    page = (tmp_path / "report.html").read_text()
    assert all(text in page for text in ("attempt 1", "Repairs", "Timeline"))
    assert "newly failing" not in page, "a file knows of no other run"
    assert (tmp_path / "graph.svg").read_text().startswith("<svg ")
    assert "```mermaid" in (tmp_path / "run.md").read_text()


def test_a_followed_run_leaves_its_report_with_tables_in_the_summary_and_as_files(reported: Reported, tmp_path: Path) -> None:
    more = {"BUNDLEFLOW_RUN_REPORTS_DIR": str(tmp_path / "runs"), "BUNDLEFLOW_LINEAGE_WAREHOUSE": reported.warehouse}
    done = reported.kit.call("watch", str(reported.good), **more)
    assert done.code == 0, done.stderr
    assert done.outputs["run-reports"] == "bundleflow-runs"
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == [f"job-{reported.good}.html", f"job-{reported.good}.json"]
    summary = (reported.kit.folder / "summary").read_text()
    assert all(text in summary for text in ("tables read and written (3)", "main.report.totals", "files/in/orders.csv"))
    assert "main.report.totals" in (tmp_path / "runs" / f"job-{reported.good}.html").read_text()
    assert json.loads((tmp_path / "runs" / f"job-{reported.good}.json").read_text())["run_id"] == reported.good


def test_what_stands_in_the_way_of_lineage_is_said_and_the_report_is_there(reported: Reported) -> None:
    done = reported.call(str(reported.good), "--lineage", "--warehouse", "0000000000000000", "-o", "markdown")
    assert done.code == 0
    assert "does not exist" in done.stderr
    assert "Lineage could not be read" in done.stdout


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["99"], "Run 99 does not exist"),
        (["https://other.example.com/jobs/1/runs/2"], "other.example.com"),
        (["https://other.example.com/ml/experiments/2"], "not the page of a job's run"),
        (["no-such-file.json"], "neither a run's id nor its address"),
        ([], "Neither a run nor a job was named"),
    ],
)
def test_what_names_no_run_is_refused_by_name(reported: Reported, argv: list[str], said: str) -> None:
    done = reported.call(*argv)
    assert done.code in (1, 2)
    assert said in done.stderr
