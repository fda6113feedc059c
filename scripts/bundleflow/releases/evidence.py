"""Evidence that an earlier stage was deployed from the same content: GitHub's own history of runs, which nobody can write by hand.

A successful deploying job of the kit's cd-staging workflow, on main, by push or dispatch, whose head commit has the same root tree as
the commit to release: a merge changes a commit's id, not its tree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bundleflow.adapters.github import GitHubApi, GitHubError
from bundleflow.records.errors import BundleflowError, FailureReason
from bundleflow.records.evidence import Evidence
from bundleflow.records.github import Job, WorkflowRun

EVENTS = frozenset({"push", "workflow_dispatch"})
DEPLOYING_JOB = "deploy"
KIT = "bundleflow/bundleflow"
RUNS_SEARCHED = 200


def kit_repository(run: WorkflowRun) -> str:
    """`owner/name` of the kit whose workflow this run calls; that of the published kit when the run calls none of its deployments."""
    for path in run.workflows:
        found = re.match(r"([^/@]+/[^/@]+)/\.github/workflows/cd-prod\.ya?ml@", path)
        if found:
            return found[1]
    return KIT


def find_evidence(github: GitHubApi, *, stage: str, tree: str, kit: str, branch: str, workflow: str = "cd-staging.yml") -> Evidence:
    """Find the newest evidence for a root tree.

    Args:
        github: The repository.
        stage: Name of the required stage, for messages.
        tree: Root tree of the commit to release.
        kit: `owner/name` of the kit.
        branch: Branch that the stage is deployed from.
        workflow: File name of the caller's workflow.

    Raises:
        BundleflowError: `no-evidence`, with the reason why each near miss does not count.
    """
    misses: list[str] = []
    for run in _runs(github, workflow, branch):
        if (run.tree or github.tree_of(run.sha)) != tree:
            continue
        called = next((path for path in run.workflows if re.match(rf"{re.escape(kit)}/\.github/workflows/cd-staging\.ya?ml@", path)), "")
        if run.event not in EVENTS or run.branch != branch:
            misses.append(f"{run.url}: was started by `{run.event}` on `{run.branch}`")
        elif not called:
            misses.append(f"{run.url}: does not call {kit}/.github/workflows/cd-staging.yml")
        else:
            deploying = [job for job in github.jobs(run.id) if _deploys(job)]
            failed = [job for job in deploying if job.conclusion != "success"]
            # Where one run deploys several bundles, their jobs cannot be told apart by name: all of them must have succeeded.
            if deploying and not failed:
                job = deploying[0]
                return Evidence(stage, run.id, run.url, job.name, run.sha, tree, run.event, called, job.completed_at)
            misses.append(f"{run.url}: its deploying job {f'ended with `{failed[0].conclusion}`' if failed else 'did not run'}")
    raise BundleflowError(
        f"There is no evidence that stage `{stage}` was deployed from this content (tree {tree[:12]}).",
        fix=f"Merge the change to `{branch}` first, let `{workflow}` deploy stage `{stage}` from it, and merge the release pull request "
        "with a merge commit. Evidence lasts as long as GitHub keeps the run.",
        reason=FailureReason.NO_EVIDENCE,
        details="\n".join(misses)
        or f"No run of `{workflow}` on `{branch}` has this tree. (Has the workflow another name? Set BUNDLEFLOW_STAGING_WORKFLOW.)",
    )


def _runs(github: GitHubApi, workflow: str, branch: str) -> Iterator[WorkflowRun]:
    """Runs of the workflow, newest first; none when the workflow does not exist or never ran, which GitHub answers with 404."""
    try:
        yield from github.workflow_runs(workflow, branch, RUNS_SEARCHED)
    except GitHubError as error:
        if error.status != 404:
            raise


def _deploys(job: Job) -> bool:
    """Whether it is the deploying job of a called workflow: `caller / deploy`."""
    return job.name.rpartition("/")[2].strip() == DEPLOYING_JOB and "/" in job.name
