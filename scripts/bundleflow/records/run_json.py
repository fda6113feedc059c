"""Reads a run from the JSON of `jobs/runs/get` (Jobs API 2.2): from the API, or as `databricks jobs get-run ID -o json` prints it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bundleflow.records.errors import BundleflowError, ExitCode
from bundleflow.records.run import (
    NO_ITERATIONS,
    Attempt,
    Compute,
    DeploymentRecord,
    Iterations,
    RepairRecord,
    RunPage,
    RunRecord,
    TaskRecord,
    in_order,
)
from bundleflow.records.secret import MASK, is_secret

Json = Mapping[str, Any]

KINDS = (
    "notebook", "spark_python", "python_wheel", "sql", "spark_jar", "condition", "for_each", "run_job", "pipeline", "dbt", "spark_submit",
    "dashboard", "power_bi", "alert", "dbt_cloud", "dbt_platform", "clean_rooms_notebook", "gen_ai_compute", "ai_runtime",
    "python_operator",
)  # fmt: skip
"""Kinds of tasks: their field is the kind and `_task`."""

_SOURCES = {
    "notebook": ("notebook_path",),
    "spark_python": ("python_file",),
    "python_wheel": ("package_name", "entry_point"),
    "spark_jar": ("main_class_name",),
    "run_job": ("job_id",),
    "pipeline": ("pipeline_id",),
    "dbt": ("project_directory",),
}
"""Which fields of a kind say what is run."""

_OPERATORS = {
    "EQUAL_TO": "==", "NOT_EQUAL": "!=", "GREATER_THAN": ">", "GREATER_THAN_OR_EQUAL": ">=", "LESS_THAN": "<", "LESS_THAN_OR_EQUAL": "<=",
}  # fmt: skip
"""Operators of condition tasks (`ConditionTaskOp`)."""

LAST_MS = 253_402_300_799_999
"""The last millisecond of the year 9999, since 1970."""

_LIFE_OF_STATUS = {"QUEUED": "QUEUED", "BLOCKED": "BLOCKED", "PENDING": "PENDING", "RUNNING": "RUNNING", "TERMINATING": "TERMINATING"}


def run_of(pages: Sequence[Json]) -> RunRecord:
    """One run from all its pages (from one, where somebody has merged them already, as the CLI does).

    Args:
        pages: Answers of `jobs/runs/get` in their order; every page may hold up to 100 tasks, clusters, parameters and repairs.

    Raises:
        ValueError: There is no page, or one of them is of another run or of none.
        BundleflowError: A time is after the year 9999.
    """
    if not pages or not all(isinstance(page, Mapping) and isinstance(page.get("run_id"), int) for page in pages):
        raise ValueError("it has no `run_id`, so it is no answer of jobs/runs/get")
    if any(isinstance(page.get("state"), str) for page in pages):
        raise ValueError("it is the JSON of a run report, which no report is made from again")
    if len({page["run_id"] for page in pages}) > 1:
        raise ValueError("its pages are of different runs")
    merged = dict(pages[0])
    for page in pages[1:]:
        for name in ("tasks", "iterations"):
            if page.get(name):
                merged[name] = [*merged.get(name, []), *page[name]]
        for name in ("job_clusters", "job_parameters", "repair_history"):  # short lists may stand on every page
            merged[name] = [*merged.get(name, []), *(each for each in page.get(name) or [] if each not in merged.get(name, []))]
    if pages[-1].get("next_page_token"):
        note = f"This is only a part of the run: the page after task {len(merged.get('tasks', []))} is missing."
        return replace(page_of(merged).run, notes=(note,))
    return page_of(merged).run


def page_of(data: Json) -> RunPage:
    """One page of a run.

    Args:
        data: The answer of `jobs/runs/get`.
    """
    life, result, message = _state(data)
    clusters = {str(each.get("job_cluster_key", "")): each.get("new_cluster") or {} for each in _list(data, "job_clusters")}
    tasks: dict[str, TaskRecord] = {}
    for each in _list(data, "tasks"):
        task = task_of(each, clusters)
        tasks[task.key] = tasks[task.key].with_attempt(task) if task.key in tasks else task
    repairs = [each for each in _list(data, "repair_history") if each.get("type") == "REPAIR"]
    creator = str(data.get("creator_user_name") or "")
    run = RunRecord(
        run_id=_number(data, "run_id"),
        job_id=_number(data, "job_id"),
        name=str(data.get("run_name") or ""),
        url=str(data.get("run_page_url") or ""),
        life_cycle_state=life,
        result_state=result,
        message=message,
        trigger=str(data.get("trigger") or ""),
        run_as=str(data.get("run_as_user_name") or creator),
        start_ms=_moment(data, "start_time"),
        end_ms=_moment(data, "end_time"),
        queue_ms=_number(data, "queue_duration"),
        parameters=_parameters(data),
        tasks=in_order(tasks.values()),
        creator=creator,
        schedule=_schedule(data),
        repairs=tuple(_repair(each, number) for number, each in enumerate(repairs, 1)),
        deployment=_git(data),
    )
    return RunPage(run, str(data.get("next_page_token") or ""), run.repairs[-1].id if run.repairs else 0)


def task_of(data: Json, clusters: Mapping[str, Json]) -> TaskRecord:
    """One task.

    Args:
        data: An element of `tasks`.
        clusters: Settings of the job's shared clusters by their key.
    """
    life, result, message = _state(data)
    kind = next((each for each in KINDS if data.get(f"{each}_task") is not None), "")
    about = data.get(f"{kind}_task") or {}
    compared = (about.get("left", ""), _OPERATORS.get(str(about.get("op")), str(about.get("op", ""))), about.get("right", ""))
    return TaskRecord(
        key=str(data.get("task_key") or ""),
        run_id=_number(data, "run_id"),
        kind=kind,
        life_cycle_state=life,
        result_state=result,
        message=message,
        start_ms=_moment(data, "start_time"),
        end_ms=_moment(data, "end_time"),
        setup_ms=_number(data, "setup_duration"),
        execution_ms=_number(data, "execution_duration"),
        queue_ms=_number(data, "queue_duration"),
        cleanup_ms=_number(data, "cleanup_duration"),
        attempt=_number(data, "attempt_number"),
        depends_on=tuple(str(each.get("task_key", "")) for each in _list(data, "depends_on")),
        branches=tuple((str(each.get("task_key", "")), str(each["outcome"])) for each in _list(data, "depends_on") if each.get("outcome")),
        run_if=str(data.get("run_if") or ""),
        compute=_compute(data, kind, about, clusters),
        url=str(data.get("run_page_url") or ""),
        source=" ".join(str(about[name]) for name in _SOURCES.get(kind, ()) if about.get(name)) or _file(about),
        description=str(data.get("description") or ""),
        condition=" ".join(str(each) for each in compared) if kind == "condition" else "",
        outcome=str(about.get("outcome") or "") if kind == "condition" else "",
        iterations=_iterations(about) if kind == "for_each" else NO_ITERATIONS,
    )


def turns_of(pages: Sequence[Json]) -> tuple[Attempt, ...]:
    """The iterations of a for-each task.

    Args:
        pages: Answers of `jobs/runs/get` for the run of the task itself.
    """
    turns = [task_of(each, {}) for page in pages for each in _list(page, "iterations")]
    return tuple(replace(turn.as_attempt(), number=number) for number, turn in enumerate(turns))


def _state(data: Json) -> tuple[str, str, str]:
    """Life-cycle state, result and message, from `state` or its newer form `status`."""
    state = data.get("state")
    if isinstance(state, Mapping):
        return str(state.get("life_cycle_state") or ""), str(state.get("result_state") or ""), str(state.get("state_message") or "")
    status = data.get("status")
    if not isinstance(status, Mapping):
        return "PENDING", "", ""
    details = status.get("termination_details") or {}
    if status.get("state") != "TERMINATED":
        return _LIFE_OF_STATUS.get(str(status.get("state")), str(status.get("state") or "")), "", str(details.get("message") or "")
    code = str(details.get("code") or "")
    results = {"SUCCESS": "SUCCESS", "SUCCESS_WITH_FAILURES": "SUCCESS_WITH_FAILURES", "USER_CANCELED": "CANCELED", "CANCELED": "CANCELED"}
    return "TERMINATED", results.get(code, "SUCCESS" if details.get("type") == "SUCCESS" else "FAILED"), str(details.get("message") or "")


def _compute(data: Json, kind: str, about: Json, clusters: Mapping[str, Json]) -> Compute:
    """What a task runs on; of an existing cluster only the id is known here."""
    used = str((data.get("cluster_instance") or {}).get("cluster_id") or "")
    if about.get("warehouse_id"):
        return Compute("warehouse", str(about["warehouse_id"]))
    if data.get("existing_cluster_id"):
        return Compute("cluster", str(data["existing_cluster_id"]), str(data["existing_cluster_id"]))
    if data.get("job_cluster_key"):
        key = str(data["job_cluster_key"])
        return cluster_of(clusters.get(key, {}), Compute("job cluster", key, used))
    if data.get("new_cluster"):
        return cluster_of(data["new_cluster"], Compute("new cluster", "", used))
    if data.get("environment_key"):
        return Compute("serverless", f"environment {data['environment_key']}")
    if used:
        return Compute("cluster", used, used)
    return Compute("serverless") if kind in ("notebook", "spark_python", "python_wheel", "dbt") else Compute()


def cluster_of(settings: Json, compute: Compute) -> Compute:
    """A compute with what a cluster's settings say of it.

    Args:
        settings: `new_cluster` of a job, or the answer of `clusters/get`.
        compute: What is known already.
    """
    node = str(settings.get("node_type_id") or "")
    driver = str(settings.get("driver_node_type_id") or "")
    return replace(
        compute,
        node_type=node,
        driver_type=driver if driver != node else "",
        nodes=_nodes(settings),
        runtime=str(settings.get("spark_version") or ""),
    )


def _nodes(settings: Json) -> str:
    scale = settings.get("autoscale")
    if scale:
        return f"{scale.get('min_workers', 0)} to {scale.get('max_workers', 0)} workers"
    count = settings.get("num_workers")
    if settings.get("is_single_node") or count == 0:
        return "single node"
    return "" if count is None else f"{count} worker{'s' if count != 1 else ''}"


def _iterations(about: Json) -> Iterations:
    stats = about.get("stats") or {}
    counts = stats.get("task_run_stats") or {}
    errors = tuple((str(each.get("error_message") or ""), _number(each, "count")) for each in stats.get("error_message_stats") or [])
    return Iterations(
        _number(counts, "total_iterations"),
        _number(counts, "succeeded_iterations"),
        _number(counts, "failed_iterations"),
        _number(counts, "active_iterations"),
        errors=errors,
    )


def _repair(data: Json, number: int) -> RepairRecord:
    life, result, _ = _state(data)
    runs = tuple(int(each) for each in data.get("task_run_ids") or [])
    return RepairRecord(_number(data, "id"), number, life, result, _moment(data, "start_time"), _moment(data, "end_time"), runs)


def _parameters(data: Json) -> tuple[tuple[str, str], ...]:
    found = [(str(each.get("name") or ""), each.get("value", each.get("default"))) for each in _list(data, "job_parameters")]
    overriding = data.get("overriding_parameters") or {}
    named = {**(overriding.get("notebook_params") or {}), **(overriding.get("python_named_params") or {})}
    return tuple((name, _shown(name, value)) for name, value in [*found, *named.items()])


def _shown(name: str, value: Any) -> str:
    """A parameter's value; one whose name speaks of a secret is masked as in plans."""
    return MASK if is_secret(name, value) else "" if value is None else str(value)


def _schedule(data: Json) -> str:
    schedule = data.get("schedule") or {}
    return f"{schedule['quartz_cron_expression']} ({schedule.get('timezone_id', 'UTC')})" if schedule.get("quartz_cron_expression") else ""


def _git(data: Json) -> DeploymentRecord | None:
    """The commit of a job whose code comes from git; None for any other."""
    source = data.get("git_source") or {}
    if not source:
        return None
    commit = (source.get("git_snapshot") or {}).get("used_commit") or source.get("git_commit") or ""
    return DeploymentRecord(
        commit=str(commit), branch=str(source.get("git_branch") or source.get("git_tag") or ""), origin=str(source.get("git_url") or "")
    )


def _file(about: Json) -> str:
    """Path of the SQL file or id of the query of an SQL task."""
    return str((about.get("file") or {}).get("path") or (about.get("query") or {}).get("query_id") or "")


def _number(data: Json, name: str) -> int:
    value = data.get(name)
    return int(value) if isinstance(value, int | float | str) and str(value).isdigit() else 0


def _moment(data: Json, name: str) -> int:
    """A point in time in milliseconds since 1970; 0 for none.

    Raises:
        BundleflowError: It is later than any calendar goes.
    """
    value = _number(data, name)
    if value > LAST_MS:
        whose = f"task `{data['task_key']}`" if data.get("task_key") else f"run {data.get('run_id', '')}".strip()
        raise BundleflowError(
            f"`{name}` of {whose} is {value}, which is after the year 9999.",
            fix="Give times in milliseconds since 1970, as jobs/runs/get answers them.",
            exit_code=ExitCode.USAGE,
        )
    return value


def _list(data: Json, name: str) -> list[Json]:
    value = data.get(name)
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
