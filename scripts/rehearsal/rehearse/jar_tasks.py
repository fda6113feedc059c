"""Leaves JAR tasks out of a bundle, before it is deployed, where they could not be run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from rehearsal.actions import yamltext
from rehearsal.rehearse.hosts import bundle_files
from rehearsal.rehearse.result import Difference


def leave_out(root: Path, why: str) -> list[Difference]:
    """Take every JAR task out of the bundle's jobs; what depended on one waits for what that one waited for.

    A job that has nothing but JAR tasks is left as it is: without a task it would be no job, and its run says what is missing.

    Args:
        root: The copy's folder; its files are changed in place.
        why: Why they cannot be run, for the report.

    Returns:
        What was left out, one entry a task.
    """
    changes = []
    for file in bundle_files(root):
        document = yamltext.load_file(file)
        found = [Difference(str(file.relative_to(root)), where, _CHANGE, why) for where in _from_document(document)]
        if found:
            file.write_text(yamltext.dump(document), encoding="utf-8")
            changes += found
    return changes


def say(changes: list[Difference], tell: Callable[[str], None]) -> None:
    """Tell what was left out.

    Args:
        changes: What `leave_out` gave.
        tell: Gets one line for each task.
    """
    for change in changes:
        _, job, _, task = change.where.rsplit(".", 3)
        tell(f"left out before the deployment: task {task} of job {job}: {change.reason}")


_CHANGE = "JAR task left out; what depended on it waits for what it waited for"


def _from_document(document: dict[str, Any]) -> list[str]:
    """Take the tasks out of one file; gives the places at which they stood."""
    places = [("", document)] + [(f"targets.{name}.", target) for name, target in (document.get("targets") or {}).items()]
    found = []
    for before, part in places:
        jobs = ((part or {}).get("resources") or {}).get("jobs") or {}
        for key, job in jobs.items():
            found += [f"{before}resources.jobs.{key}.tasks.{task}" for task in _from_job(job or {})]
    return found


def _from_job(job: dict[str, Any]) -> list[str]:
    tasks = job.get("tasks") or []
    gone = {str(task.get("task_key")): _upstream(task) for task in tasks if _is_jar(task)}
    if not gone or len(gone) == len(tasks):
        return []
    job["tasks"] = [task for task in tasks if not _is_jar(task)]
    for task in job["tasks"]:
        if any(str(each.get("task_key")) in gone for each in _upstream(task)):
            _set_upstream(task, _around(_upstream(task), gone))
    return list(gone)


def _is_jar(task: dict[str, Any]) -> bool:
    turn = (task.get("for_each_task") or {}).get("task") or {}
    return "spark_jar_task" in task or "spark_jar_task" in turn


def _upstream(task: dict[str, Any]) -> list[dict[str, Any]]:
    return list(task.get("depends_on") or [])


def _around(upstream: list[dict[str, Any]], gone: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Replace dependencies on tasks that are gone by theirs, as often as it takes; each is named once."""
    found: dict[str, dict[str, Any]] = {}
    waiting = list(upstream)
    seen: set[str] = set()
    while waiting:
        dependency = waiting.pop(0)
        key = str(dependency.get("task_key"))
        if key not in gone:
            found.setdefault(key, dependency)
        elif key not in seen:
            seen.add(key)
            waiting += gone[key]
    return list(found.values())


def _set_upstream(task: dict[str, Any], upstream: list[dict[str, Any]]) -> None:
    if upstream:
        task["depends_on"] = upstream
    else:
        task.pop("depends_on", None)
