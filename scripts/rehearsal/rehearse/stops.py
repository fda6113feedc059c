"""Checks that something was stopped, at the right place and for the right reason, and says so in words."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from rehearsal.actions.runner import JobState, WorkflowRun
from rehearsal.rehearse.memory import Memory
from rehearsal.rehearse.result import Check
from rehearsal.scenarios import model

FAILURE_REASON = "failure-reason"


def run_of(memory: Memory, file: str) -> WorkflowRun | None:
    """Give the scene's newest run of a workflow, by its file's name."""
    return next((run for run in reversed(memory.runs) if run.record.path.endswith(f"/{file}")), None)


def _job_of(memory: Memory, file: str, key: str) -> JobState | None:
    run = run_of(memory, file)
    return next((job for job in run.jobs if job.spec.key == key), None) if run else None


def reason_of(job: JobState) -> str:
    """Give the failure reason that a job gave out, or an empty text."""
    return job.log.outputs.get(FAILURE_REASON, "") if job.log else ""


def where_and_why(memory: Memory) -> tuple[str, str]:
    """Say which job stopped the present scene, and why.

    Returns:
        The place, such as `cd-prod / deploy`, and the reason with its cause.
    """
    if memory.refusal:
        return "GitHub", memory.refusal
    for run in memory.runs:
        for job in sorted(run.jobs, key=lambda job: job.name):  # not by arrival, which is a race
            if job.conclusion not in {"success", "skipped", ""}:
                errors = [note.message for note in job.log.annotations if note.level == "error"] if job.log else []
                cause = job.reason or (errors[0].splitlines()[0] if errors and errors[0] else "")
                return job.name, ": ".join(text for text in (reason_of(job), cause) if text) or job.conclusion
    return "", ""


def _stopped(wanted: model.Stopped, memory: Memory) -> Check:
    expected = f"job {wanted.job} of {wanted.file} fails with {wanted.reason}"
    job = _job_of(memory, wanted.file, wanted.job)
    if job is None:
        return Check(expected, ok=False, found="it did not run")
    found = f"{job.conclusion}, {reason_of(job) or 'no failure-reason'}"
    return Check(expected, ok=(job.conclusion, reason_of(job)) == ("failure", wanted.reason), found=found)


def _rejected(wanted: model.Rejected, memory: Memory) -> Check:
    expected = f"job {wanted.job} of {wanted.file} does not begin, because a reviewer said no"
    job = _job_of(memory, wanted.file, wanted.job)
    if job is None:
        return Check(expected, ok=False, found="it did not come so far")
    run = memory.stage.github.run(memory.runs[-1].record.id)
    said = [approval.state for approval in run.approvals if job.environment in approval.environments]
    ok = job.conclusion == "failure" and not job.begun and said == ["rejected"]
    return Check(expected, ok=ok, found=f"{job.conclusion}, {job.reason or 'it began'}; reviews: {', '.join(said) or 'none'}")


def _superseded(wanted: model.Superseded, memory: Memory) -> Check:
    expected = f"the older {wanted.file} that waited at its gate was cancelled"
    runs = [memory.stage.driver.runs[number] for number in sorted(memory.waiting_before)]
    jobs = [job for run in runs if run.record.path.endswith(f"/{wanted.file}") for job in run.jobs if job.spec.key == wanted.job]
    ok = len(jobs) == 1 and jobs[0].conclusion == "cancelled" and not jobs[0].begun
    return Check(expected, ok=ok, found=", ".join(f"{job.conclusion}: {job.reason}" for job in jobs) or "none waited")


def _waits_at_gate(wanted: model.WaitsAtGate, memory: Memory) -> Check:
    environment = memory.stage.project.flow.stages[wanted.stage].environment
    run = run_of(memory, wanted.file)
    waiting = {gate.run_id for gate in memory.stage.github.pending_gates(memory.stage.project.repository)}
    ok = run is not None and run.record.id in waiting
    return Check(f"{wanted.file} waits at the gate of {environment}", ok=ok, found=f"{len(waiting)} runs wait")


def _gate_not_asked(wanted: model.GateNotAsked, memory: Memory) -> Check:
    stage = memory.stage.project.flow.stages[wanted.stage]
    environments = [each for each in (stage.environment, stage.model_environment) if each]
    found = [gate.answer for gate in memory.gates if gate.environment in environments]
    return Check(f"{' and '.join(environments)} did not ask for approval", ok=not found, found=", ".join(found) or "it did not")


def _untouched(wanted: model.Untouched, memory: Memory) -> Check:
    before, now = memory.jobs_before.get(wanted.stage, {}), memory.view.job_settings(memory.target_of(wanted.stage))
    ran = [int(run["job_id"]) for run in memory.view.runs() if int(run["run_id"]) not in memory.job_runs_before]
    # What somebody else changed while a gate waited is not the deployment's doing; ids, names and the commit's deployment are.
    drifted = any(gate.drifted for gate in memory.gates)
    same = set(before) == set(now) if drifted else before == now
    ok = same and not set(ran) & set(now)
    found = f"{len(now)} jobs{'' if same else ', changed'}; {len(set(ran) & set(now))} runs of them"
    return Check(f"stage {wanted.stage} is as it was", ok=ok, found=found)


def _one_after_the_other(wanted: model.OneAfterTheOther, memory: Memory) -> Check:
    expected = f"{wanted.times} runs of {wanted.file}, in the order of their pushes, never two deployments at once"
    driver = memory.stage.driver
    runs = [run for _, run in sorted(driver.runs.items()) if run.record.path.endswith(f"/{wanted.file}")][-wanted.times :]
    jobs = [job for run in runs for job in run.jobs if job.spec.key == wanted.job]
    ok = len(jobs) == wanted.times and all(job.conclusion == "success" for job in jobs)
    ok = ok and all(second.begun >= first.ended for first, second in pairwise(jobs))
    begun = jobs[0].begun if jobs else 0.0
    return Check(expected, ok=ok, found=", ".join(f"{job.conclusion} {job.begun - begun:.1f} to {job.ended - begun:.1f} s" for job in jobs))


def _read_only(_: model.ReadOnly, memory: Memory) -> Check:
    jobs = [job for run in memory.runs for job in run.jobs if job.begun]
    writing = [f"{job.name}: {scope}" for job in jobs for scope, level in job.permissions.items() if level == "write"]
    ids = {str(job.job_id) for job in jobs}
    asked = sum(str((entry.get("github") or {}).get("job", "")) in ids for entry in memory.workspace_log())
    found = f"{len(jobs)} jobs; writing: {', '.join(writing) or 'none'}; {asked} requests to the workspace"
    return Check("tokens only read, nobody logged in", ok=bool(jobs) and not writing and not asked, found=found)


def _no_comment(_: model.NoComment, memory: Memory) -> Check:
    comments = memory.stage.github.comments(memory.stage.project.repository, memory.pull)
    found = ", ".join(str(comment.user) for comment in comments) or "none"
    return Check(f"no comment on pull request #{memory.pull}", ok=not comments, found=found)


def _says(wanted: model.Says, memory: Memory) -> Check:
    job = _job_of(memory, wanted.file, wanted.job)
    summary = "\n".join(job.log.summaries) if job and job.log else ""
    ok = wanted.text.lower() in summary.lower()
    expected = f"the summary of {wanted.file}, job {wanted.job}, says `{wanted.text}`"
    return Check(expected, ok=ok, found="it does" if ok else f"{len(summary)} characters without it")


CHECKS: dict[type, Callable[[Any, Memory], Check]] = {
    model.Stopped: _stopped,
    model.Rejected: _rejected,
    model.Superseded: _superseded,
    model.WaitsAtGate: _waits_at_gate,
    model.GateNotAsked: _gate_not_asked,
    model.Untouched: _untouched,
    model.OneAfterTheOther: _one_after_the_other,
    model.ReadOnly: _read_only,
    model.NoComment: _no_comment,
    model.Says: _says,
}

IMITATED: dict[type, str] = {
    model.GateAsked: "gate-waits",
    model.GateNotAsked: "gate-waits",
    model.WaitsAtGate: "gate-waits",
    model.Rejected: "approval",
    model.Superseded: "newer-supersedes",
    model.OneAfterTheOther: "queue-keeps-order",
    model.ReadOnly: "limited-token",
    model.Recorded: "records",
    model.ReleaseProposed: "bot-pull-request",
}
"""Expectations that hold here because GitHub is imitated so → the fact of self-platform.yml that proves it on the real one."""
