"""Compares what a scene expects with what its job runs left: how tasks ended, what stands in tables, who got which mail."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bundleflow.records.run import Lineage, TableUse
from bundleflow.records.run_json import run_of
from bundleflow.report.markdown_run import run_markdown
from rehearsal.rehearse.memory import Memory
from rehearsal.rehearse.result import Check
from rehearsal.rehearse.view import WorkspaceView
from rehearsal.scenarios import outcomes

_MAIL_LIMIT_S = 10.0
_REPORT_LIMIT = 200_000


def _tasks_end(wanted: outcomes.TasksEnd, memory: Memory) -> Check:
    target = memory.target_of(wanted.stage)
    ids = {job.job_id for job in memory.view.jobs(target) if job.key == wanted.job}
    runs = [run for run in memory.view.runs() if int(run["job_id"]) in ids and int(run["run_id"]) not in memory.job_runs_before]
    expected = f"{wanted.stage}: in {wanted.job} " + ", ".join(f"{key} ends with {result}" for key, result in wanted.ends)
    expected += f"; {', '.join(wanted.without)} is not part of it" if wanted.without else ""
    if not runs:
        return Check(expected, ok=False, found="it did not run")
    ended = {str(task["task_key"]): str(task.get("state", {}).get("result_state", "")) for task in runs[0].get("tasks", [])}
    ok = all(ended.get(key) == result for key, result in wanted.ends) and not set(wanted.without) & set(ended)
    return Check(expected, ok=ok, found=", ".join(f"{key}: {result}" for key, result in ended.items()))


def _queried(wanted: outcomes.Queried, memory: Memory) -> Check:
    schema = _schema_of_jobs(memory.view, memory.target_of(wanted.stage))
    rows = memory.view.query(wanted.statement.replace(outcomes.SCHEMA, schema))
    return Check(f"{wanted.stage}: {wanted.title}", ok=rows == [list(row) for row in wanted.rows], found=str(rows)[:400])


def _schema_of_jobs(view: WorkspaceView, target: str) -> str:
    """The schema that a target's jobs work in, quoted; by their parameters, because the project's name may stand in it."""
    for job in view.jobs(target):
        listed = view.get("/api/2.2/jobs/get", job_id=job.job_id)["settings"].get("parameters", [])
        parameters = {str(each["name"]): str(each["default"]) for each in listed}
        if parameters.keys() >= {"catalog", "schema"}:
            return f"`{parameters['catalog']}`.`{parameters['schema']}`"
    return ""


def _mailed(wanted: outcomes.Mailed, memory: Memory) -> Check:
    """Look into the mailbox; the workspace sends its own mails in the background, so one may take a moment."""
    expected = f"{wanted.to} gets a mail about {wanted.subject!r}" + (f" with {wanted.attachment} attached" if wanted.attachment else "")
    until = time.monotonic() + _MAIL_LIMIT_S
    while True:
        mails = memory.view.mails()[memory.mails_before :]
        fitting = [mail for mail in mails if wanted.subject in mail["subject"] and wanted.to in mail["to"] and _is_attached(wanted, mail)]
        if fitting or time.monotonic() > until:
            break
        time.sleep(0.1)
    told = [f"{mail['subject']} to {mail['to']}, {len(mail['attachments'])} attached" for mail in mails]
    return Check(expected, ok=bool(fitting), found="; ".join(told) or "no mail")


def _is_attached(wanted: outcomes.Mailed, mail: dict[str, Any]) -> bool:
    if not wanted.attachment:
        return True
    found = [each for each in mail["attachments"] if each["name"].endswith(wanted.attachment)]
    return any(all(text in each["text"] for text in wanted.holds) for each in found)


def _run_ends(wanted: outcomes.RunEnds, memory: Memory) -> Check:
    """Look at the report of the run, made by the kit's own renderer from the API's answer."""
    expected = f"{wanted.stage}: the last run of {wanted.job} ends with {wanted.result}"
    expected += f", started by {wanted.trigger}" if wanted.trigger else ""
    expected += f"; its report says {', '.join(map(repr, wanted.says))}" if wanted.says else ""
    ids = {job.job_id for job in memory.view.jobs(memory.target_of(wanted.stage)) if job.key == wanted.job}
    number = next((int(run["run_id"]) for run in memory.view.runs() if int(run["job_id"]) in ids), 0)
    if not number:
        return Check(expected, ok=False, found="it did not run")
    memory.view.wait(number)
    run = run_of([memory.view.get("/api/2.2/jobs/runs/get", run_id=number, include_history=True)])
    outputs = [memory.view.output(task.run_id) for task in run.tasks]
    tasks = tuple(replace(task, error=str(output.get("error", ""))) for task, output in zip(run.tasks, outputs, strict=True))
    uses = tuple(TableUse(name, _kind(name), direction == "write", key) for key, direction, name in memory.view.lineage(number))
    text = run_markdown(replace(run, tasks=tasks, lineage=Lineage(uses, source="what the tasks did")), limit=_REPORT_LIMIT)
    missing = [each for each in wanted.says if each not in text.replace("\\", "")]
    ok = run.state == wanted.result and wanted.trigger in ("", run.trigger) and not missing
    return Check(expected, ok=ok, found=f"{run.state}, {run.trigger}" + (f"; the report lacks {', '.join(missing)}" if missing else ""))


def _kind(name: str) -> str:
    return "PATH" if name.startswith("/") else "MODEL" if name.startswith("models:/") else "TABLE"


CHECKS: dict[type, Callable[[Any, Memory], Check]] = {
    outcomes.RunEnds: _run_ends,
    outcomes.TasksEnd: _tasks_end,
    outcomes.Queried: _queried,
    outcomes.Mailed: _mailed,
}
