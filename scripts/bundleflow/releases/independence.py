"""Who stands behind a release: who wrote its commits, merged it or started it; none of them can approve it independently."""

from __future__ import annotations

import re

from bundleflow.adapters.github_release import WEB_FLOW, ReleaseApi, ReleasedCommit
from bundleflow.releases.evidence import DEPLOYING_JOB
from bundleflow.releases.refusal import refused

RUNS_SEARCHED = 100


def people_behind(github: ReleaseApi, *, environment: str, run_id: int, sha: str, branch: str, workflow: str) -> dict[str, str]:
    """People behind what is released since the last release.

    The last release is the newest run of the same workflow whose deploying job succeeded: GitHub's own history. (Deployments can be
    filed by anybody who may write, and would make the list shorter than it is.)

    Args:
        github: The repository.
        environment: Environment, for messages.
        run_id: This workflow run.
        sha: Commit to release.
        branch: Branch that is released from.
        workflow: File name of the caller's workflow.

    Returns:
        Logins in small letters, each with what they did, as the end of a sentence.

    Raises:
        BundleflowError: `not-approved` when a commit names no GitHub account, so that nobody can say who wrote it.
    """
    commits = github.commits_between(_last_release(github, workflow, branch, run_id), sha)
    unknown = [each.sha[:12] for each in commits if not each.author]
    if unknown:
        raise refused(
            f"Nobody can say who wrote {len(unknown)} of the commits: their e-mail address belongs to no account on GitHub.",
            f"Stage approval for `{environment}` is to be independent: commit with an address that GitHub knows (`git config user.email`), "
            "or add the address to the account.",
            "\n".join(unknown[:50]),
        )
    found = {who.lower(): f"started or merged this release ({branch})" for who in github.actors(run_id) if who}
    found |= {
        pull.merged_by.lower(): f"merged it (pull request #{pull.number})" for pull in github.merged_pulls(sha, branch) if pull.merged_by
    }
    for commit in commits:
        found |= {who.lower(): f"wrote {commit.sha[:12]}" for who in _writers(commit)}
    return found


def _writers(commit: ReleasedCommit) -> list[str]:
    return [who for who in (commit.author, commit.committer) if who and who != WEB_FLOW]


def _last_release(github: ReleaseApi, workflow: str, branch: str, run_id: int) -> str:
    """Commit of the newest earlier run that deployed; empty when there is none."""
    for run in github.workflow_runs(workflow, branch, RUNS_SEARCHED):
        if run.id == run_id or not any(re.search(r"/\.github/workflows/cd-prod\.ya?ml@", path) for path in run.workflows):
            continue
        jobs = [job for job in github.jobs(run.id) if job.name.rpartition("/")[2].strip() == DEPLOYING_JOB]
        if jobs and all(job.conclusion == "success" for job in jobs):
            return run.sha
    return ""
