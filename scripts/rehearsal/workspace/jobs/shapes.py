"""Jobs, runs and outputs in the shapes of the Jobs API 2.2 (https://docs.databricks.com/api/workspace/jobs)."""

from __future__ import annotations

from typing import Any

from rehearsal.workspace.jobs.model import Job, JobRun, Repair, State, TaskRun
from rehearsal.workspace.jobs.settings import task_kinds

PAGE = 100
CODE_TYPES = {"SUCCESS": "SUCCESS", "SUCCESS_WITH_FAILURES": "SUCCESS", "INTERNAL_ERROR": "INTERNAL_ERROR"}
COMPUTE = ("existing_cluster_id", "new_cluster", "job_cluster_key", "environment_key", "libraries")


def job(found: Job, run_as: str) -> dict[str, Any]:
    """Return `jobs/get`'s answer.

    Args:
        found: The job.
        run_as: User name or application id that its runs run as.
    """
    return {
        "job_id": found.job_id,
        "creator_user_name": found.creator,
        "run_as_user_name": run_as,
        "run_as_owner": run_as == found.creator,
        "created_time": found.created_ms,
        "settings": found.settings,
    }


def paged(answer: dict[str, Any], lists: dict[str, list[Any]], offset: int) -> dict[str, Any]:
    """Put one page of each list into an answer, and a token where there is more, as version 2.2 of the API does.

    Args:
        answer: Changed and given back.
        lists: Name to the complete list (`tasks`, `job_clusters`, ...).
        offset: Where the page begins.
    """
    for name, items in lists.items():
        if items:
            answer[name] = items[offset : offset + PAGE]
    if any(len(items) > offset + PAGE for items in lists.values()):
        answer["next_page_token"] = str(offset + PAGE)
    return answer


def state(found: State) -> dict[str, Any]:
    """Return `state`."""
    answer: dict[str, Any] = {
        "life_cycle_state": found.life_cycle,
        "state_message": found.message,
        "user_cancelled_or_timedout": found.result in ("CANCELED", "TIMEDOUT"),
    }
    if found.result:
        answer["result_state"] = found.result
    return answer


def status(found: State) -> dict[str, Any]:
    """Return `status`, the newer form of `state`."""
    if found.active:
        return {"state": found.life_cycle}
    code = found.code or "SUCCESS"
    details = {"code": code, "type": CODE_TYPES.get(code, "CLIENT_ERROR"), "message": found.message}
    return {"state": "TERMINATED", "termination_details": details}


def job_run(run: JobRun, host: str, workspace_id: str) -> dict[str, Any]:
    """Return a run without its tasks and lists."""
    answer: dict[str, Any] = {
        "job_id": run.job_id,
        "run_id": run.run_id,
        "number_in_job": run.number_in_job or run.run_id,
        "original_attempt_run_id": run.run_id,
        "creator_user_name": run.creator,
        "run_as_user_name": run.run_as,
        "state": state(run.state),
        "status": status(run.state),
        "start_time": run.start_ms,
        "end_time": run.end_ms,
        "setup_duration": 0,
        "execution_duration": 0,
        "cleanup_duration": 0,
        "run_duration": max(0, run.end_ms - run.start_ms) if run.end_ms else 0,
        "queue_duration": max(0, run.began_ms - run.start_ms) if run.queued else 0,
        "trigger": run.trigger,
        "run_name": run.name,
        "run_page_url": page_url(run.job_id, run.run_id, host, workspace_id),
        "run_type": run.run_type,
        "format": "MULTI_TASK",
        "job_run_id": run.run_id,
    }
    if run.settings.get("schedule"):
        answer["schedule"] = run.settings["schedule"]
    if run.overriding:
        answer["overriding_parameters"] = run.overriding
    if run.settings.get("git_source"):
        answer["git_source"] = run.settings["git_source"]
    if run.queued and run.state.life_cycle == "QUEUED":
        answer["status"]["queue_details"] = {"code": "MAX_CONCURRENT_RUNS_REACHED", "message": run.state.message}
    return answer


def run_lists(run: JobRun, host: str, workspace_id: str) -> dict[str, list[Any]]:
    """Return the lists of `runs/get` that are paged."""
    parameters = [{"name": name, "default": default, "value": run.parameters.get(name, default)} for name, default in run.defaults.items()]
    parameters += [{"name": name, "value": value} for name, value in run.parameters.items() if name not in run.defaults]
    return {
        "tasks": [task_run(task, run, host, workspace_id) for task in run.tasks],
        "job_clusters": run.settings.get("job_clusters") or [],
        "job_parameters": parameters,
    }


def repair(entry: Repair) -> dict[str, Any]:
    """Return an entry of `repair_history`."""
    answer: dict[str, Any] = {
        "type": entry.kind,
        "start_time": entry.start_ms,
        "end_time": entry.end_ms,
        "state": state(entry.state),
        "status": status(entry.state),
        "task_run_ids": entry.task_run_ids,
    }
    if entry.kind == "REPAIR":
        answer["id"] = entry.id
    return answer


def task_run(task: TaskRun, run: JobRun, host: str, workspace_id: str) -> dict[str, Any]:
    """Return an element of `tasks`."""
    settings = task.settings
    answer: dict[str, Any] = {
        "run_id": task.run_id,
        "task_key": task.task_key,
        "run_if": settings.get("run_if", "ALL_SUCCESS"),
        "state": state(task.state),
        "status": status(task.state),
        "run_page_url": page_url(run.job_id, task.run_id, host, workspace_id),
        "start_time": task.start_ms,
        "end_time": task.end_ms,
        "setup_duration": task.setup_ms,
        "execution_duration": task.execution_ms,
        "cleanup_duration": task.cleanup_ms,
        "attempt_number": task.attempt,
    }
    for name in ("description", "depends_on", "timeout_seconds", "email_notifications", "disabled", *COMPUTE):
        if name in settings:
            answer[name] = settings[name]
    for kind in task_kinds(settings):
        answer[kind] = settings[kind]
    if task.original_run_id:
        answer["original_attempt_run_id"] = task.original_run_id
    if task.resolved:
        answer["resolved_values"] = task.resolved
    if run.settings.get("git_source"):
        answer["git_source"] = run.settings["git_source"]
    if "condition_task" in settings and task.outcome:
        answer["condition_task"] = {**settings["condition_task"], "outcome": task.outcome}
    if "for_each_task" in settings:
        answer["for_each_task"] = {**settings["for_each_task"], "stats": task.output.get("for_each_stats", {})}
    if settings.get("existing_cluster_id"):
        answer["cluster_instance"] = {"cluster_id": settings["existing_cluster_id"], "spark_context_id": str(task.run_id)}
    return answer


def single_task(task: TaskRun, run: JobRun, host: str, workspace_id: str) -> dict[str, Any]:
    """Return `runs/get` of one task run: the task itself under the ids of its own run."""
    answer = {**job_run(run, host, workspace_id), **task_run(task, run, host, workspace_id)}
    for name in ("task_key", "run_if", "overriding_parameters"):
        answer.pop(name, None)
    answer["run_name"] = task.task_key
    answer["run_duration"] = max(0, task.end_ms - task.start_ms) if task.end_ms else 0
    answer["parent_run_id"] = run.run_id
    answer["tasks"] = [task_run(task, run, host, workspace_id)]
    return answer


def output(task: TaskRun, run: JobRun, host: str, workspace_id: str) -> dict[str, Any]:
    """Return `runs/get-output`'s answer for one task run."""
    answer = {name: value for name, value in task.output.items() if name != "for_each_stats"}
    answer["metadata"] = single_task(task, run, host, workspace_id)
    return answer


def page_url(job_id: int, run_id: int, host: str, workspace_id: str) -> str:
    """Return the address under which a browser shows a run."""
    return f"{host}/jobs/{job_id}/runs/{run_id}?o={workspace_id}"
