"""Gathers what the driver, the workspace's log and the story left into one result."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from rehearsal.actions.masking import Masker
from rehearsal.actions.runner import JobState, WorkflowRun
from rehearsal.rehearse import measures, result, settings
from rehearsal.rehearse.player import Player
from rehearsal.rehearse.stage import Stage
from rehearsal.rehearse.view import WorkspaceView, run_result

_CONCLUSIONS = {"success", "failure", "cancelled", "skipped", "timed_out", "rejected", "missing"}

STAND_INS = (
    result.StandIn("GitHub's API, events, gates, OIDC", "a server of this rehearsal", "GitHub's published OpenAPI description"),
    result.StandIn("GitHub's runners", "act, without containers, on this machine", "GitHub's own schemas and linters for the originals"),
    result.StandIn("actions/checkout", "act copies the commit's files, with the whole history", ""),
    result.StandIn("actions/upload-artifact, actions/download-artifact", "local actions that keep artifacts in the imitated GitHub", ""),
    result.StandIn("Databricks workspace", "a server of this rehearsal", "recorded requests and answers; databricks-sdk as the client"),
    result.StandIn("Databricks CLI", "bundleflow's stand-in", "recorded output, plans and requests of the real one"),
    result.StandIn("compute", "one process per task on this machine; the packages that are installed here", ""),
    result.StandIn("Spark", "Sail (Spark Connect, Delta)", ""),
    result.StandIn("a project's locked test environment", "this installation, which holds the same libraries", ""),
    result.StandIn("the environment that `uv build` makes for a bundle's wheel", "this installation (hatchling)", ""),
)

IMITATED = (
    "Gates, reviewers and branch policies of environments are the rehearsal's own, by the same API (`gate-waits`, `approval`).",
    "Order and cancelling in concurrency groups follow GitHub's documentation (`queue-keeps-order`, `newer-supersedes`).",
    "A job's permissions are kept by one limited token per job, also in called workflows (`limited-token`).",
    "OIDC tokens are the rehearsal's own, with GitHub's claims, only where `id-token: write` stands (`identity`, `no-identity`).",
    "`uses: $/...`, `queue: max` and `deployment: false` are taken out of the copy that act plays (`own-files`, `records`).",
    "Workflows of a pull request that `GITHUB_TOKEN` opened wait for a person (`bot-pull-request`).",
    "An output that holds a masked value is empty in the next job on GitHub; act hands it on (`masked-output`).",
    "The names in brackets are facts that `self-platform.yml` asserts on the real GitHub, wherever the kit is hosted.",
    "A job waits for all jobs of its stage of the run, not only for those that it needs.",
    "Runs of jobs are looked at every 0.1 s and not every second, because they take seconds.",
    "A checkout holds the whole history; on GitHub it holds one commit unless `fetch-depth` says more.",
    "Outside traffic is refused by a proxy that counts; a program that ignores proxy settings is not held.",
)


def workflow_runs(stage: Stage) -> list[result.WorkflowRunRecord]:
    """Give every workflow run with its jobs, in the order of their start."""
    calls = _calls_by_job(stage.workspace.log, stage.masker)
    return [_run(stage, run, calls) for _, run in sorted(stage.driver.runs.items())]


def _run(stage: Stage, run: WorkflowRun, calls: dict[str, list[result.WorkspaceCall]]) -> result.WorkflowRunRecord:
    record = run.record
    return result.WorkflowRunRecord(
        id=record.id,
        name=record.name,
        path=record.path,
        event=record.event,
        ref=run.event.ref,
        sha=run.event.sha,
        actor=record.actor,
        conclusion=_conclusion(run.conclusion),
        started=run.started - stage.started,
        duration_s=run.ended - run.started,
        jobs=[_job(stage, run, job, calls.get(str(job.job_id), [])) for job in run.jobs],
        html_url=f"{stage.github.base_url}/{record.repository}/actions/runs/{record.id}",
        problem=stage.masker.text(run.problem),
    )


def _job(stage: Stage, run: WorkflowRun, job: JobState, calls: list[result.WorkspaceCall]) -> result.JobRecord:
    log = job.log
    approvals = [
        approval.user
        for approval in stage.github.run(run.record.id).approvals
        if job.environment in approval.environments and approval.state == "approved"
    ]
    arrived = job.arrived or run.started
    notes = log.annotations if log else []
    return result.JobRecord(
        name=job.name,
        conclusion=_conclusion(job.conclusion),
        environment=job.environment,
        started=arrived - stage.started,
        duration_s=(job.ended - arrived) if job.ended else 0.0,
        waited_s=(job.begun - arrived) if job.begun else 0.0,
        approved_by=", ".join(approvals),
        permissions=job.permissions,
        steps=[result.StepRecord(step.name, _conclusion(step.conclusion), step.duration_s) for step in log.steps] if log else [],
        summary_markdown="\n".join(log.summaries) if log else "",
        annotations=[result.Annotation(_level(each.level), each.message, each.title, each.path, each.line) for each in notes],
        outputs=dict(log.outputs) if log else {},
        log_tail="\n".join(log.tail) if log else job.reason,
        workspace_calls=calls,
    )


def _conclusion(text: str) -> result.Conclusion:
    return text if text in _CONCLUSIONS else "failure"  # type: ignore[return-value]  # checked in the same line


def _level(text: str) -> Any:
    return text if text in {"notice", "warning", "error"} else "notice"


def _calls_by_job(log: Path, masker: Masker) -> dict[str, list[result.WorkspaceCall]]:
    """Read the workspace's log; requests with a token that came from a GitHub job belong to that job."""
    found: dict[str, list[result.WorkspaceCall]] = {}
    if not log.exists():
        return found
    for line in log.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        job = str((entry.get("github") or {}).get("job", ""))
        call = result.WorkspaceCall(
            method=str(entry.get("method", "")),
            path=masker.text(str(entry.get("path", ""))),
            status=int(entry.get("status", 0)),
            duration_ms=float(entry.get("duration_ms") or 0),
            identity=str(entry.get("identity") or ""),
        )
        found.setdefault(job, []).append(call)
    return found


def requests(log: Path) -> int:
    """Count the requests that the workspace answered."""
    return sum(1 for _ in log.open(encoding="utf-8")) if log.exists() else 0


def job_runs(stage: Stage, view: WorkspaceView, began_ms: float) -> list[result.JobRun]:
    """Give every job run of the workspace, oldest first.

    Args:
        stage: The stage.
        view: A look at the workspace.
        began_ms: The rehearsal's start, in milliseconds since 1970.
    """
    return [_job_run(stage, run, view.lineage(int(run["run_id"])), began_ms) for run in reversed(view.runs())]


def _job_run(stage: Stage, run: dict[str, Any], lineage: list[tuple[str, str, str]], began_ms: float) -> result.JobRun:
    def seconds(item: dict[str, Any]) -> tuple[float, float]:
        start, end = float(item.get("start_time") or began_ms), float(item.get("end_time") or 0)
        return (start - began_ms) / 1000, max(0.0, (end - start) / 1000) if end else 0.0

    started, duration = seconds(run)
    tasks = []
    for task in run.get("tasks", []):
        task_started, task_duration = seconds(task)
        state = task.get("state") or {}
        failed = run_result(task) not in {"SUCCESS", ""}
        tasks.append(
            {
                "task_key": task.get("task_key"),
                "result": run_result(task),
                "started": task_started,
                "duration_s": task_duration,
                "depends_on": [each.get("task_key") for each in task.get("depends_on", [])],
                "error": stage.masker.text(str(state.get("state_message", ""))) if failed else "",
                "reads": [name for key, direction, name in lineage if (key, direction) == (task.get("task_key"), "read")],
                "writes": [name for key, direction, name in lineage if (key, direction) == (task.get("task_key"), "write")],
            }
        )
    return result.JobRun(
        run_id=int(run["run_id"]),
        job_name=str(run.get("run_name", "")),
        run_name=str(run.get("run_name", "")),
        identity=str(run.get("run_as_user_name") or run.get("creator_user_name") or ""),
        result=run_result(run),
        started=started,
        duration_s=duration,
        tasks=tasks,
    )


def differences(stage: Stage) -> list[result.Difference]:
    """List every difference between the originals and what was played, each once."""
    found = list(stage.project.changes)
    rendered = [change for run in stage.driver.runs.values() for change in run.rendered.changes]
    found += [result.Difference(change.file, change.where, change.change, change.reason) for change in [*stage.kit_changes, *rendered]]
    if stage.project.kit_refs() and set(stage.project.kit_refs()) != {stage.kit_sha}:
        refs = ", ".join(ref[:12] for ref in stage.project.kit_refs())
        change = f"callers name {refs}; played are the files of this checkout ({stage.kit_sha[:12]})"
        reason = "nothing is fetched; the kit that is rehearsed is the one installed here"
        found.append(result.Difference(".github/workflows", "jobs.*.uses", change, reason))
    return list({(item.file, item.where, item.change): item for item in found}.values())


def _stand_ins(stage: Stage) -> list[result.StandIn]:
    """List the stand-ins that were used: the real CLI is none."""
    return [item for item in STAND_INS if not (stage.cli_version and item.outside == "Databricks CLI")]


def rehearsal(stage: Stage, player: Player, played: list[result.Scenario], began: datetime) -> result.Rehearsal:
    """Gather the whole result; the stage must still stand.

    Args:
        stage: The stage.
        player: Who played.
        played: What was played.
        began: When.
    """
    runs = workflow_runs(stage)
    outside = list(stage.proxy.refused)
    promotion = measures.promotion_jobs(stage, player.promotion)
    timings = dict(stage.timings.seconds)
    for scenario in played:
        for step in scenario.steps:
            timings[step.title] = timings.get(step.title, 0.0) + step.duration_s
    return result.Rehearsal(
        title=f"Rehearsal of {stage.project.name}",
        project=stage.project.given,
        started=began.isoformat(timespec="seconds"),
        ok=all(scenario.ok for scenario in played) and not outside,
        scenarios=played,
        workflow_runs=runs,
        job_runs=job_runs(stage, player.memory.view, began.timestamp() * 1000),
        differences=differences(stage),
        stand_ins=_stand_ins(stage),
        imitated=list(IMITATED),
        timings=timings,
        outside_connections=outside,
        measures={
            "first_promotion_s": player.first_promotion_s,
            "workflow_runs": float(len(runs)),
            "jobs": float(sum(job.conclusion != "skipped" for run in runs for job in run.jobs)),
            "cli_calls": float(settings.cli_calls(stage.folder)),
            "workspace_requests": float(requests(stage.workspace.log)),
            **_of_promotion(stage, player, promotion, runs),
        },
        promotion=promotion,
        kept=str(stage.folder) if stage.kept else "",
    )


def _of_promotion(stage: Stage, player: Player, jobs: list[result.PromotionJob], runs: list[result.WorkflowRunRecord]) -> dict[str, float]:
    if not jobs:
        return {}
    ids = {number for step in player.promotion for number in step.workflow_runs}
    return {
        "promotion_jobs": float(len(jobs)),
        "promotion_cli_calls": float(sum(job.cli_calls for job in jobs)),
        "promotion_workspace_requests": float(sum(len(job.workspace_calls) for run in runs if run.id in ids for job in run.jobs)),
        "kit_share_per_cli_call_s": measures.kit_share_s(stage),
    }
