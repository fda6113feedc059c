"""What the Jobs API makes of the settings it is given: defaults filled in, mistakes refused, in Databricks' words."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from rehearsal.workspace.errors import ApiError, invalid
from rehearsal.workspace.jobs.schedule import ScheduleError, check_schedule

Settings = dict[str, Any]

TASK_KINDS = (
    "notebook_task", "spark_python_task", "python_wheel_task", "spark_jar_task", "sql_task", "condition_task", "for_each_task",
    "run_job_task", "pipeline_task", "dbt_task", "spark_submit_task", "dashboard_task", "power_bi_task", "dbt_cloud_task",
    "dbt_platform_task", "clean_rooms_notebook_task", "gen_ai_compute_task", "alert_task", "python_operator_task", "disabled",
)  # fmt: skip
RUN_IF = ("ALL_SUCCESS", "ALL_DONE", "NONE_FAILED", "AT_LEAST_ONE_SUCCESS", "ALL_FAILED", "AT_LEAST_ONE_FAILED")
MAX_TASKS = 1000
MAX_CONCURRENT_RUNS = 1000
# Defaults of a new cluster that a task brings along, as the reference workspace of `tests/contract` adds them.
NEW_CLUSTER_DEFAULTS: dict[str, Any] = {
    "aws_attributes": {"availability": "SPOT_WITH_FALLBACK", "zone_id": "us-east-1c"},
    "data_security_mode": "SINGLE_USER",
    "enable_elastic_disk": False,
}


def normalised(settings: Settings) -> Settings:
    """Return job settings with what the workspace adds (https://docs.databricks.com/api/workspace/jobs/create).

    Args:
        settings: Body of `jobs/create`, or `new_settings` of `jobs/reset`. It is not changed.

    Raises:
        ApiError: 400 with the field at fault.
    """
    result = copy.deepcopy(settings)
    result.pop("access_control_list", None)
    result.setdefault("name", "Untitled")
    result.setdefault("email_notifications", {})
    result.setdefault("webhook_notifications", {})
    result.setdefault("timeout_seconds", 0)
    result.setdefault("max_concurrent_runs", 1)
    result.setdefault("format", "MULTI_TASK")
    tasks = result.get("tasks")
    if tasks is not None:
        result["tasks"] = [_task_with_defaults(task) for task in tasks]
    check(result)
    return result


def _task_with_defaults(task: Settings) -> Settings:
    result = dict(task)
    result.setdefault("run_if", "ALL_SUCCESS")
    result.setdefault("timeout_seconds", 0)
    result.setdefault("email_notifications", {})
    if "depends_on" in result:
        result["depends_on"] = sorted(result["depends_on"], key=lambda dependency: str(dependency.get("task_key")))
    if "notebook_task" in result:
        result["notebook_task"] = {"source": "WORKSPACE", **result["notebook_task"]}
    if "new_cluster" in result:
        result["new_cluster"] = {**copy.deepcopy(NEW_CLUSTER_DEFAULTS), **result["new_cluster"]}
    return result


def updated(old: Settings, new: Settings, fields_to_remove: Iterable[str]) -> Settings:
    """Return the settings after `jobs/update`: top-level fields replaced; tasks and job clusters merged by their key."""
    result = copy.deepcopy(old)
    for name in fields_to_remove:
        _remove(result, name)
    for name, value in new.items():
        key = {"tasks": "task_key", "job_clusters": "job_cluster_key"}.get(name)
        if key is None or not isinstance(value, list):
            result[name] = value
            continue
        fresh = {item.get(key): item for item in value}
        kept = [fresh.pop(item.get(key), item) for item in result.get(name, [])]
        result[name] = [*kept, *fresh.values()]
    return normalised(result)


def _remove(settings: Settings, path: str) -> None:
    head, _, rest = path.partition("/")
    value = settings.get(head)
    if rest and isinstance(value, list):
        settings[head] = [item for item in value if rest not in (item.get("task_key"), item.get("job_cluster_key"))]
    elif rest and isinstance(value, dict):
        _remove(value, rest)
    else:
        settings.pop(head, None)


def check(settings: Settings) -> None:
    """Refuse settings that Databricks refuses.

    Raises:
        ApiError: 400 INVALID_PARAMETER_VALUE with the task and the field at fault.
    """
    tasks = settings.get("tasks") or []
    if len(tasks) > MAX_TASKS:
        raise invalid(f"The number of tasks in the job ({len(tasks)}) exceeds the limit of {MAX_TASKS}.")
    concurrent = settings.get("max_concurrent_runs", 1)
    if not isinstance(concurrent, int) or not 0 <= concurrent <= MAX_CONCURRENT_RUNS:
        raise invalid(f"max_concurrent_runs must be a number between 0 and {MAX_CONCURRENT_RUNS}, not {concurrent!r}.")
    keys = [task.get("task_key") for task in tasks]
    for key in keys:
        if not key:
            raise invalid("Every task must have a task_key.")
        if keys.count(key) > 1:
            raise invalid(f"Task key {key} is used more than once.")
    for task in tasks:
        check_task(task, keys)
    _check_cycles(tasks)
    environments = {environment.get("environment_key") for environment in settings.get("environments") or []}
    for task in tasks:
        # A job_cluster_key that the job does not define is accepted, as the recorded reference workspace does.
        if task.get("environment_key") and task["environment_key"] not in environments:
            raise invalid(f"Task {task['task_key']} refers to environment_key {task['environment_key']}, which the job does not define.")
    if settings.get("schedule"):
        try:
            check_schedule(settings["schedule"])
        except ScheduleError as error:
            raise ApiError("INVALID_PARAMETER_VALUE", str(error)) from error


def check_task(task: Settings, keys: list[Any]) -> None:
    """Refuse a task whose dependencies or kind cannot be.

    Args:
        task: The task's settings.
        keys: All task keys of the job.

    Raises:
        ApiError: 400 INVALID_PARAMETER_VALUE.
    """
    name = task["task_key"]
    run_if = task.get("run_if", "ALL_SUCCESS")
    if run_if not in RUN_IF:
        raise invalid(f"Task {name}: run_if must be one of {', '.join(RUN_IF)}, not {run_if!r}.")
    for dependency in task.get("depends_on") or []:
        if dependency.get("task_key") not in keys:
            raise invalid(f"Task {name} depends on {dependency.get('task_key')}, which is not a task of the job.")
    kinds = task_kinds(task)
    if len(kinds) > 1:
        raise invalid(f"Task {name} has more than one kind: {', '.join(kinds)}.")
    retries = task.get("max_retries")
    if retries is not None and (not isinstance(retries, int) or retries < -1):
        raise invalid(f"Task {name}: max_retries must be -1 or more, not {retries!r}.")


def task_kinds(task: Settings) -> list[str]:
    """Return the kinds that a task's settings name; ordinarily one."""
    return [name for name in TASK_KINDS if task.get(name) is not None]


def _check_cycles(tasks: list[Settings]) -> None:
    waiting = {task["task_key"]: {d["task_key"] for d in task.get("depends_on") or []} for task in tasks}
    while waiting:
        free = [key for key, upstream in waiting.items() if not upstream & waiting.keys()]
        if not free:
            raise invalid(f"The dependencies of the tasks {', '.join(sorted(waiting))} form a circle.")
        for key in free:
            del waiting[key]
