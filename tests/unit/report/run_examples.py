"""Job runs as `jobs/runs/get` answers them: what the reports are tested and looked at with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bundleflow.records.run import (
    Comparison,
    DeploymentRecord,
    Lineage,
    RunRecord,
    TableUse,
    TaskChange,
)
from bundleflow.records.run_json import run_of

BEGIN = 1_795_226_400_000  # 2026-11-21 02:00:00 UTC
HOST = "https://example.cloud.databricks.com"
TRACE = """Traceback (most recent call last):
  File "/Workspace/Users/pipeline/.bundle/data_pipeline/prod/files/notebooks/05_evaluate", line 14, in <module>
    check_quality(scores, least=0.85)
  File "/Workspace/Users/pipeline/.bundle/data_pipeline/prod/files/src/pipeline/quality.py", line 41, in check_quality
    raise QualityError(f"accuracy is {found:.3f}, at least {least} is wanted")
pipeline.quality.QualityError: accuracy is 0.812, at least 0.85 is wanted
"""

Json = dict[str, Any]


def task(key: str, number: int, kind: str, about: Json, at: tuple[float, float, float], **more: Any) -> Json:
    """A task that ended with success.

    Args:
        key: Its key.
        number: Its run id.
        kind: `notebook`, ...
        about: What stands in the field of its kind.
        at: Seconds from the run's start to its own, of set-up and of work.
        more: Further fields; `result` is its result, `after` what it depends on.
    """
    start, setup, work = (round(1000 * each) for each in at)
    result, after = more.pop("result", "SUCCESS"), more.pop("after", [])
    failed = {"state_message": "Workload failed, see run output for details."} if result == "FAILED" else {"state_message": ""}
    found: Json = {
        "task_key": key,
        "run_id": number,
        "run_if": "ALL_SUCCESS",
        f"{kind}_task": about,
        "state": {"life_cycle_state": "TERMINATED", "result_state": result, **failed},
        "start_time": BEGIN + start,
        "end_time": BEGIN + start + setup + work,
        "setup_duration": setup,
        "execution_duration": work,
        "cleanup_duration": 0,
        "attempt_number": 0,
        "run_page_url": f"{HOST}/jobs/7/runs/{number}?o=1",
        "depends_on": [{"task_key": each} if isinstance(each, str) else each for each in after],
    }
    return found | more


def notebook(name: str) -> Json:
    """What stands in `notebook_task`."""
    return {"notebook_path": f"/Workspace/Users/pipeline/.bundle/data_pipeline/prod/files/notebooks/{name}", "source": "WORKSPACE"}


def pipeline_json() -> Json:
    """A run with a retry, a repair, a condition with two branches, a for-each task, a failure and what follows from it."""
    shared = {"job_cluster_key": "pipeline", "cluster_instance": {"cluster_id": "1121-020001-abcdefgh"}}
    first = task("ingest_xml", 102, "notebook", notebook("02_ingest_xml"), (0, 212, 9), result="FAILED", **shared)
    tasks = [
        task("ingest_csv", 101, "notebook", notebook("01_ingest_csv"), (0, 212, 31), **shared),
        first,
        task("ingest_xml", 103, "notebook", notebook("02_ingest_xml"), (232, 1, 27), attempt_number=1, **shared),
        task(
            "transform",
            104,
            "spark_jar",
            {"main_class_name": "com.example.pipeline.Transform"},
            (262, 2, 96),
            after=["ingest_csv", "ingest_xml"],
            **shared,
        ),
        task("aggregate", 105, "notebook", notebook("03_aggregate"), (361, 1, 40), after=["transform"], **shared),
        task(
            "enough_rows",
            106,
            "condition",
            {"op": "GREATER_THAN", "left": "{{tasks.aggregate.values.rows}}", "right": "1000", "outcome": "true"},
            (402, 0, 0.2),
            after=["aggregate"],
        ),
        task(
            "each_region",
            107,
            "for_each",
            {
                "inputs": '["eu", "us", "apac", "latam"]',
                "concurrency": 2,
                "task": {"task_key": "region"},
                "stats": {"task_run_stats": {"total_iterations": 4, "succeeded_iterations": 4, "completed_iterations": 4}},
            },
            (403, 0, 61),
            after=[{"task_key": "enough_rows", "outcome": "true"}],
        ),
        task(
            "train", 108, "notebook", notebook("04_train"), (403, 1, 118), after=[{"task_key": "enough_rows", "outcome": "true"}], **shared
        ),
        task(
            "evaluate",
            109,
            "notebook",
            notebook("05_evaluate"),
            (522, 1, 22),
            after=["train", "each_region"],
            result="FAILED",
            environment_key="quality",
        ),
        task(
            "evaluate",
            113,
            "notebook",
            notebook("05_evaluate"),
            (900, 8, 21),
            after=["train", "each_region"],
            result="FAILED",
            environment_key="quality",
            attempt_number=1,
        ),
        task("too_few", 110, "notebook", notebook("09_too_few"), (403, 0, 0), after=[{"task_key": "enough_rows", "outcome": "false"}]),
        task(
            "report", 111, "sql", {"warehouse_id": "0a1b2c3d4e5f6a7b", "file": {"path": "sql/report.sql"}}, (929, 0, 0), after=["evaluate"]
        ),
        task("send_mail", 112, "python_wheel", {"package_name": "pipeline", "entry_point": "mail"}, (929, 0, 0), after=["report"]),
    ]
    tasks[-3]["state"] = {"life_cycle_state": "SKIPPED", "result_state": "EXCLUDED", "state_message": "The condition was not met."}
    for each in tasks[-2:]:
        each["state"] = {"life_cycle_state": "TERMINATED", "result_state": "UPSTREAM_FAILED", "state_message": "Upstream task failed."}
    return {
        "job_id": 7,
        "run_id": 100,
        "run_name": "DataPipelineJob",
        "run_page_url": f"{HOST}/jobs/7/runs/100?o=1",
        "creator_user_name": "release-manager@example.com",
        "run_as_user_name": "pipeline-prod",
        "trigger": "PERIODIC",
        "schedule": {"quartz_cron_expression": "0 0 2 * * ?", "timezone_id": "Europe/Brussels", "pause_status": "UNPAUSED"},
        "start_time": BEGIN,
        "end_time": BEGIN + 930_000,
        "state": {"life_cycle_state": "TERMINATED", "result_state": "FAILED", "state_message": "Task evaluate failed."},
        "job_parameters": [{"name": "catalog", "default": "dev", "value": "prod"}, {"name": "date", "default": "2026-11-21"}],
        "job_clusters": [
            {
                "job_cluster_key": "pipeline",
                "new_cluster": {"spark_version": "17.3.x-scala2.13", "node_type_id": "Standard_DS3_v2", "num_workers": 4},
            }
        ],
        "repair_history": [
            {"type": "ORIGINAL", "start_time": BEGIN, "end_time": BEGIN + 545_000, "task_run_ids": [101, 102, 103]},
            {
                "id": 555,
                "type": "REPAIR",
                "start_time": BEGIN + 900_000,
                "end_time": BEGIN + 930_000,
                "task_run_ids": [113, 111, 112],
                "state": {"life_cycle_state": "TERMINATED", "result_state": "FAILED"},
            },
        ],
        "tasks": tasks,
    }


def pipeline() -> RunRecord:
    """The same with everything that the workspace adds."""
    from dataclasses import replace

    run = run_of([pipeline_json()])
    tasks = tuple(
        replace(each, error="QualityError: accuracy is 0.812, at least 0.85 is wanted", trace=TRACE) if each.key == "evaluate" else each
        for each in run.tasks
    )
    uses = (
        TableUse("/Volumes/prod/landing/files/orders.csv", "PATH", task="ingest_csv"),
        TableUse("prod.bronze.orders", write=True, task="ingest_csv"),
        TableUse("/Volumes/prod/landing/files/customers.xml", "PATH", task="ingest_xml"),
        TableUse("prod.bronze.customers", write=True, task="ingest_xml"),
        TableUse("prod.bronze.orders", task="transform"),
        TableUse("prod.bronze.customers", task="transform"),
        TableUse("prod.silver.sales", write=True, task="transform"),
        TableUse("prod.silver.sales", task="aggregate"),
        TableUse("prod.gold.daily_sales", write=True, task="aggregate"),
        TableUse("prod.gold.daily_sales", task="each_region"),
        TableUse("prod.gold.daily_sales", task="train"),
        TableUse("prod.gold.daily_sales", task="evaluate"),
        TableUse("prod.gold.scores", write=True, task="evaluate"),
    )
    changes = (
        TaskChange("evaluate", "newly failing", 23_000, 21_000),
        TaskChange("transform", "slower", 61_000, 96_000),
        TaskChange("ingest_csv", "faster", 44_000, 31_000),
        TaskChange("too_few", "new"),
    )
    return replace(
        run,
        tasks=tasks,
        deployment=DeploymentRecord(
            "data_pipeline",
            "prod",
            "9f3c1e7a52d04b86a7f1c0de9b3a4f5566778899",
            "release",
            "https://github.com/example/data-pipeline.git",
            "/Workspace/Users/pipeline/.bundle/data_pipeline/prod/files",
        ),
        lineage=Lineage(
            uses, note="system.access.table_lineage is filled with a delay: ask again later for entries that are still missing."
        ),
        comparison=Comparison(90, f"{HOST}/jobs/7/runs/90?o=1", "TERMINATED", "SUCCESS", BEGIN - 86_400_000, 600_000, changes),
    )


def pages_of_a_thousand() -> Sequence[Json]:
    """A run of 1,000 tasks in the ten pages of the API: 40 starts, then layers of 40, each task after two of the layer before."""
    tasks = []
    for number in range(1000):
        layer, place = divmod(number, 40)
        after = [f"layer_{layer - 1:02}_task_{(place + step) % 40:02}" for step in (0, 7)] if layer else []
        key = f"layer_{layer:02}_task_{place:02}"
        result = "FAILED" if number == 999 else "SUCCESS"
        at = (layer * 30 + place % 5, 2.5, 20 + place / 10)
        tasks.append(task(key, 1000 + number, "notebook", notebook(key), at, after=after, result=result, environment_key="default"))
    top = {key: value for key, value in pipeline_json().items() if key not in ("tasks", "repair_history")}
    top |= {"run_name": "A thousand tasks", "end_time": BEGIN + 760_000}
    pages = [top | {"tasks": tasks[start : start + 100], "next_page_token": f"p{start + 100}"} for start in range(0, 1000, 100)]
    del pages[-1]["next_page_token"]
    return pages


def full_thousand() -> RunRecord:
    """The run of 1,000 tasks with all that makes a page long: 30 errors with traces, 50 outputs, 10,000 rows of lineage, 300 changes."""
    from dataclasses import replace

    run = run_of(pages_of_a_thousand())
    line = "ValueError: <row> \"7\" & 'more' in /Volumes/prod/landing/files/orders.csv\n"
    long = line * (20_000 // len(line))
    tasks = []
    for number, each in enumerate(run.tasks):
        if number % 33 == 0 and number < 990:
            each = replace(each, result_state="FAILED", message="Workload failed.", error=long[:2000], trace=long)
        elif number % 20 == 1:
            each = replace(each, output=long)
        tasks.append(each)
    uses = [
        TableUse(f"prod.silver.table_of_some_length_{number % 5000:04}", write=number % 2 == 1, task=tasks[number % 1000].key)
        for number in range(10_000)
    ]
    changes = tuple(TaskChange(each.key, "slower", 20_000, 40_000) for each in tasks[:300])
    before = Comparison(90, f"{HOST}/jobs/7/runs/90?o=1", "TERMINATED", "SUCCESS", BEGIN - 86_400_000, 600_000, changes)
    return replace(run, tasks=tuple(tasks), lineage=Lineage(tuple(uses)), comparison=before)
