"""The step that commands share before they plan or deploy for good: policy's verdict, as table, output and error."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

from bundleflow.adapters.workspace import Workspace
from bundleflow.commands.context import JobContext, tell
from bundleflow.records.plan import Plan
from bundleflow.records.policy import ActiveJob, PolicyVerdict
from bundleflow.releases.policy import denial, jobs_at_risk, judge
from bundleflow.report.markdown_policy import policy_markdown

REQUESTS_AT_ONCE = 8


def apply_policy(job: JobContext, plan: Plan, *, deploying: bool) -> PolicyVerdict:
    """Judge a plan by the flow file's policy; the verdict stands in the summary and in the output `policy-verdict` (JSON).

    Args:
        job: The stage.
        plan: Its plan.
        deploying: Whether it is deployed next: then jobs that it touches are looked up for active runs.

    Raises:
        BundleflowError: `policy-denied`, or what kept the workspace from answering.
    """
    active = active_jobs(Workspace.from_env(job.env), plan) if deploying else ()
    verdict = judge(plan, job.flow.policy, active=active)
    job.runner.output("policy-verdict", json.dumps(verdict.data()))
    if verdict.findings:
        job.runner.summary(policy_markdown(verdict))
    for each in verdict.findings:
        tell(f"policy: {each.outcome}: {each.text}")
    error = denial(verdict)
    if error:
        raise error
    return verdict


def active_jobs(workspace: Workspace, plan: Plan) -> tuple[ActiveJob, ...]:
    """Jobs that the plan touches and that are running now; asks nothing when it touches none that exists."""
    jobs = jobs_at_risk(plan)
    if not jobs:
        return ()
    with ThreadPoolExecutor(REQUESTS_AT_ONCE) as pool:
        runs = pool.map(workspace.active_runs, jobs.values())
        return tuple(ActiveJob(key, number, found) for (key, number), found in zip(jobs.items(), runs, strict=True) if found)
