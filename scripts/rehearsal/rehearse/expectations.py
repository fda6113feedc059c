"""Compares what a scene expects with the state of the imitated GitHub and workspace."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from bundleflow.records.flow import FLOW_FILE, load_flow
from rehearsal.actions.outcome import MISSING
from rehearsal.rehearse import champions, githubview, left_behind, outcomes, stops
from rehearsal.rehearse.memory import Memory
from rehearsal.rehearse.project import Project
from rehearsal.rehearse.result import Check
from rehearsal.rehearse.view import run_result
from rehearsal.scenarios import model

KIT_ACTOR = "github-actions[bot]"
SMOKE_TITLE = "#### Smoke checks"
"""The line of a job's summary under which the kit lists its smoke checks."""


def check(expectation: model.Expectation, memory: Memory) -> Check:
    """Check one expectation.

    Args:
        expectation: What should hold.
        memory: What happened in the scene, and how to look at both worlds.
    """
    return _CHECKS[type(expectation)](expectation, memory)


def applies(expectation: model.Expectation, project: Project) -> bool:
    """Say whether a project has what an expectation is about: the stage, the workflow's file, a model."""
    stage = getattr(expectation, "stage", None)
    if stage is not None and stage not in project.flow.stages:
        return False
    if isinstance(expectation, model.OwnDeploymentGone) and not project.flow.stages[expectation.stage].per_pull_request:
        return False
    if type(expectation) in champions.CHECKS:
        return bool(project.flow.stages[str(stage)].promote)
    if isinstance(expectation, model.GateAsked) and expectation.models:
        return project.flow.stages[expectation.stage].model_environment is not None
    if isinstance(expectation, model.Champion):
        at = project.flow.stages[expectation.stage]
        return bool(project.bundle.models and (at.run or at.promote))
    file = "bundle-ci.yml" if isinstance(expectation, model.OneComment) else getattr(expectation, "file", None)
    return file is None or (project.root / ".github" / "workflows" / file).is_file()


def _workflow_ends(wanted: model.WorkflowEnds, memory: Memory) -> Check:
    expected = f"{wanted.file} ends with {wanted.conclusion}, every job that should run has run"
    run = stops.run_of(memory, wanted.file)
    if run is None:
        return Check(expected, ok=False, found="it did not start")
    bad = [f"{job.name}: {job.conclusion}" for job in run.jobs if job.conclusion not in {"success", "skipped"}]
    missing = [job.name for job in run.jobs if job.conclusion == MISSING]
    ok = run.conclusion == wanted.conclusion and not missing and (not run.problem or wanted.conclusion != "success")
    counted = f"{run.conclusion}, {sum(job.conclusion == 'success' for job in run.jobs)} of {len(run.jobs)} jobs succeeded"
    return Check(expected, ok=ok, found=counted if ok else "; ".join([run.conclusion, *bad, run.problem]).strip("; "))


def _job_ends(wanted: model.JobEnds, memory: Memory) -> Check:
    expected = f"job {wanted.job} of {wanted.file} ends with {wanted.conclusion}"
    run = stops.run_of(memory, wanted.file)
    found = [job.conclusion for job in run.jobs if job.spec.key == wanted.job] if run else []
    return Check(expected, ok=found == [wanted.conclusion], found=", ".join(found) or "it did not run")


def _one_comment(_: model.OneComment, memory: Memory) -> Check:
    comments = memory.stage.github.comments(memory.stage.project.repository, memory.pull)
    authors = [str(comment.user) for comment in comments]
    # One for each bundle that was checked.
    run = stops.run_of(memory, "bundle-ci.yml")
    checked = max(1, sum(job.spec.key == "bundle-ci" for job in run.jobs)) if run and memory.stage.project.bundle.count > 1 else 1
    ok = authors == [KIT_ACTOR] * checked
    exactly = "exactly one comment" if checked == 1 else f"{checked} comments, one for each bundle,"
    return Check(f"{exactly} on pull request #{memory.pull}, by {KIT_ACTOR}", ok=ok, found=", ".join(authors) or "none")


def _deployed(wanted: model.Deployed, memory: Memory) -> Check:
    target = memory.target_of(wanted.stage)
    jobs = memory.view.jobs(target)
    memory.jobs_at_first.setdefault(wanted.stage, jobs)
    missing = set(memory.stage.project.flow.stages[wanted.stage].run) - {job.key for job in jobs}
    found = ", ".join(job.name for job in jobs) or "no job of this target is in the workspace"
    there = bool(jobs) or not memory.stage.project.bundle.jobs
    return Check(f"target {target} is deployed", ok=there and not missing, found=found)


def _not_deployed(wanted: model.NotDeployed, memory: Memory) -> Check:
    target = memory.target_of(wanted.stage)
    if wanted.before_gate:
        environment = memory.stage.project.flow.stages[wanted.stage].environment
        counts = [gate.deployed_before for gate in memory.gates if gate.environment == environment]
        return Check(f"nothing of target {target} was there before the approval", ok=counts[:1] == [0], found=f"jobs: {counts}")
    jobs = memory.view.jobs(target)
    return Check(f"nothing is deployed to target {target}", ok=not jobs, found=", ".join(job.name for job in jobs) or "nothing")


def _updated(wanted: model.Updated, memory: Memory) -> Check:
    before = {job.key: job.job_id for job in memory.jobs_at_first.get(wanted.stage, [])}
    now = {job.key: job.job_id for job in memory.view.jobs(memory.target_of(wanted.stage))}
    return Check(f"{wanted.stage}: the same jobs, updated in place", ok=before == now, found=f"{before} then {now}")


def _new_runs(memory: Memory) -> list[dict[str, Any]]:
    return [run for run in memory.view.runs() if int(run["run_id"]) not in memory.job_runs_before]


def _jobs_ran(wanted: model.JobsRan, memory: Memory) -> Check:
    names = memory.stage.project.flow.stages[wanted.stage].run
    by_id = {job.job_id: job.key for job in memory.view.jobs(memory.target_of(wanted.stage))}
    results = {by_id[int(run["job_id"])]: run_result(run) for run in reversed(_new_runs(memory)) if int(run["job_id"]) in by_id}
    ok = all(results.get(name) == "SUCCESS" for name in names)
    expected = f"{wanted.stage}: jobs {', '.join(names)} ran" if names else f"{wanted.stage}: its flow names no job to run"
    return Check(expected, ok=ok, found=", ".join(f"{name}: {result}" for name, result in results.items()) or "no run")


def _smoke_passed(wanted: model.SmokePassed, memory: Memory) -> Check:
    # The scene's change may have brought the checks: the project's clone holds the flow file as it is now.
    stage = load_flow(memory.stage.project.root / FLOW_FILE).stages[wanted.stage]
    jobs = [job for run in memory.runs for job in run.jobs if job.environment == stage.environment and job.log]
    lines = [line for job in jobs for text in (job.log.summaries if job.log else ()) for line in text.splitlines()]
    results = [line for line in lines[lines.index(SMOKE_TITLE) + 1 :] if line.startswith(("- ✅", "- ❌"))] if SMOKE_TITLE in lines else []
    ok = len(results) == len(stage.smoke) and all(line.startswith("- ✅") for line in results)
    return Check(f"{wanted.stage}: {len(stage.smoke)} smoke checks passed", ok=ok, found="; ".join(results) or "none was made")


def _own_deployment_gone(wanted: model.OwnDeploymentGone, memory: Memory) -> Check:
    target = memory.target_of(wanted.stage)
    left = memory.view.jobs(target, suffixed=True) + memory.view.jobs(target)
    deployed = {job.job_id for stage in memory.stage.project.flow.stages.values() for job in memory.view.jobs(stage.target)}
    ran = [run_result(run) for run in _new_runs(memory) if int(run["job_id"]) not in deployed]
    names = memory.stage.project.flow.stages[wanted.stage].run
    ok = not left and len(ran) >= len(names) and set(ran) <= {"SUCCESS"}
    found = f"{len(ran)} runs ({', '.join(sorted(set(ran)))}); left: {', '.join(job.name for job in left) or 'nothing'}"
    return Check("the pull request's own deployment ran its jobs and is gone", ok=ok, found=found)


def _recorded(wanted: model.Recorded, memory: Memory) -> Check:
    environment = memory.stage.project.flow.stages[wanted.stage].environment
    heads = {run.record.head_sha for run in memory.runs}
    records = githubview.kit_deployments(memory.stage.github, memory.stage.project.repository, environment)
    found = [githubview.latest_state(record) for record in records if record.sha in heads]
    expected = f"a deployment record of the kit for environment {environment} says success"
    return Check(expected, ok=found == ["success"] * memory.stage.project.bundle.count, found=", ".join(found) or "no record")


def _release_proposed(wanted: model.ReleaseProposed, memory: Memory) -> Check:
    open_pulls = githubview.open_pulls(memory.stage.github, memory.stage.project.repository, wanted.base)
    found = ", ".join(f"#{number}" for number in open_pulls) or "none"
    return Check(f"exactly one pull request to {wanted.base} is open", ok=len(open_pulls) == 1, found=found)


def _gate_asked(wanted: model.GateAsked, memory: Memory) -> Check:
    stage = memory.stage.project.flow.stages[wanted.stage]
    environment = stage.model_environment if wanted.models else stage.environment
    found = [f"{gate.answer} by {gate.who}" for gate in memory.gates if gate.environment == environment]
    # Bundles that wait together are answered together.
    asked = 1 <= len(found) <= memory.stage.project.bundle.count
    return Check(f"environment {environment} asked for approval", ok=asked, found=", ".join(found) or "it did not ask")


def _champion(wanted: model.Champion, memory: Memory) -> Check:
    target = memory.target_of(wanted.stage)
    now = memory.view.champions(memory.stage.project.catalogs_of(target))
    before = {each.model: each.version for each in memory.champions.get(wanted.stage, [])}
    memory.champions[wanted.stage] = now
    ok = bool(now) and (not wanted.newer or all(each.version > before.get(each.model, 0) for each in now))
    newer = ", a newer version than before" if wanted.newer else ""
    expected = f"a model of {wanted.stage} has a version with alias champion{newer}"
    return Check(expected, ok=ok, found=", ".join(f"{each.model} version {each.version}" for each in now) or "none")


def _merge_refused(wanted: model.MergeRefused, memory: Memory) -> Check:
    head = githubview.branch_head(memory.stage.github, memory.stage.project.repository, wanted.base)
    ok = bool(memory.refusal) and head == memory.branch_before
    return Check(f"GitHub refuses the merge, {wanted.base} stands where it stood", ok=ok, found=memory.refusal or "it was merged")


def _output(wanted: model.Output, memory: Memory) -> Check:
    missing = [key for key in wanted.keys if key not in memory.output]
    found = json.dumps(memory.output)[:400]
    return Check(f"the output holds {', '.join(wanted.keys)}", ok=not missing, found=found)


_CHECKS: dict[type, Callable[[Any, Memory], Check]] = {
    model.WorkflowEnds: _workflow_ends,
    model.JobEnds: _job_ends,
    model.OneComment: _one_comment,
    model.Deployed: _deployed,
    model.NotDeployed: _not_deployed,
    model.Updated: _updated,
    model.JobsRan: _jobs_ran,
    model.SmokePassed: _smoke_passed,
    model.OwnDeploymentGone: _own_deployment_gone,
    model.Recorded: _recorded,
    model.ReleaseProposed: _release_proposed,
    model.GateAsked: _gate_asked,
    model.Champion: _champion,
    model.MergeRefused: _merge_refused,
    model.Output: _output,
    **stops.CHECKS,
    **outcomes.CHECKS,
    **left_behind.CHECKS,
    **champions.CHECKS,
}
