"""GitHub's answers that only a release asks for: who approved, who wrote and merged, which rules hold, what is newer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from bundleflow.adapters.github import ACTIONS_BOT, GitHubApi, GitHubError
from bundleflow.records.github import Artifact, Deployment

WEB_FLOW = "web-flow"
"""GitHub's own account: committer of what is made on its pages."""
COMMITS_READ = 1000


@dataclass(frozen=True)
class GatedJob:
    """A job of one attempt of a run.

    Args:
        name: `caller / callee` for a job of a called workflow.
        attempt: Attempt of the run, from 1.
        status: `queued`, `waiting` (at a gate), `in_progress`, `completed`, ...
        conclusion: How it ended; empty while it has not.
        on_runner: Whether a runner ever took it.
    """

    name: str
    attempt: int
    status: str
    conclusion: str
    on_runner: bool


@dataclass(frozen=True)
class ReleasedCommit:
    """A commit and the GitHub accounts behind it; an account is empty where GitHub knows none for the e-mail address."""

    sha: str
    author: str
    committer: str


@dataclass(frozen=True)
class MergedPull:
    """A merged pull request: `approvals` are (login, commit that was approved, when), the last word of each person."""

    number: int
    url: str
    author: str
    merged_by: str
    head_sha: str
    approvals: tuple[tuple[str, str, str], ...]


class ReleaseApi(GitHubApi):
    """One repository on GitHub, for a release."""

    def jobs_of_all_attempts(self, run_id: int) -> tuple[GatedJob, ...]:
        """The jobs of every attempt of a run."""
        found = self._pages(f"/actions/runs/{run_id}/jobs?filter=all", "jobs", "actions: read")
        return tuple(
            GatedJob(
                each.get("name", ""),
                each.get("run_attempt") or 1,
                each.get("status") or "",
                each.get("conclusion") or "",
                bool(each.get("runner_id")) or each.get("status") == "in_progress",
            )
            for each in found
        )

    def actors(self, run_id: int) -> tuple[str, ...]:
        """Who caused a run: who pushed, merged or dispatched."""
        return _logins(self._get(f"/actions/runs/{run_id}", "actions: read"), "actor")

    def artifacts(self, run_id: int) -> tuple[Artifact, ...]:
        """The artifacts of every attempt of a run, those too whose content is gone."""
        found = self._pages(f"/actions/runs/{run_id}/artifacts", "artifacts", "actions: read")
        return tuple(Artifact(each.get("name", ""), each.get("created_at") or "") for each in found)

    def branch_patterns(self, environment: str) -> tuple[str, ...] | None:
        """Patterns of the branches that may deploy to an environment; empty: only protected branches; None: any branch."""
        name = quote(environment, safe="")
        policy = self._get(f"/environments/{name}", "actions: read").get("deployment_branch_policy")
        if policy is None:
            return None
        if policy.get("protected_branches"):
            return ()
        found = self._pages(f"/environments/{name}/deployment-branch-policies", "branch_policies", "actions: read")
        return tuple(str(each.get("name", "")) for each in found if each.get("type", "branch") == "branch")

    def branch_head(self, branch: str) -> str:
        """The commit at the head of a branch."""
        return str(self._get(f"/git/ref/heads/{quote(branch, safe='/')}", "contents: read")["object"]["sha"])

    def branch_rules(self, branch: str) -> tuple[Mapping[str, Any], ...]:
        """The rules of all levels that hold for a branch, each with `type` and `parameters`."""
        return tuple(self._pages(f"/rules/branches/{quote(branch, safe='/')}", "", "metadata: read"))

    def commits_between(self, base: str, head: str) -> tuple[ReleasedCommit, ...]:
        """Commits that `head` has and `base` has not; all of `head` when `base` is empty. At most `COMMITS_READ`.

        Raises:
            GitHubError: There are more, so that nobody can say who wrote them.
        """
        path = f"/compare/{base}...{head}" if base else f"/commits?sha={head}"
        found: list[ReleasedCommit] = []
        for each in self._pages(path, "commits" if base else "", "contents: read"):
            if len(found) >= COMMITS_READ:
                raise GitHubError(
                    f"More than {COMMITS_READ} commits come with this release; who wrote them all was not read.",
                    status=422,
                    fix="Release in smaller steps, or leave `approval: {independent: true}` out for this once.",
                )
            found.append(ReleasedCommit(each["sha"], *_logins(each, "author", "committer")))
        return tuple(found)

    def merged_pulls(self, sha: str, base: str) -> Iterator[MergedPull]:
        """Merged pull requests into branch `base` whose merge made commit `sha`."""
        for each in self._pages(f"/commits/{sha}/pulls", "", "pull-requests: read"):
            if not each.get("merged_at") or each.get("merge_commit_sha") != sha or (each.get("base") or {}).get("ref") != base:
                continue
            pull = self._get(f"/pulls/{each['number']}", "pull-requests: read")
            last: dict[str, Mapping[str, Any]] = {}
            for review in self._pages(f"/pulls/{each['number']}/reviews", "", "pull-requests: read"):
                if review.get("state") in ("APPROVED", "CHANGES_REQUESTED", "DISMISSED"):
                    last[_logins(review, "user")[0]] = review
            yield MergedPull(
                number=pull["number"],
                url=pull.get("html_url", ""),
                author=_logins(pull, "user")[0],
                merged_by=_logins(pull, "merged_by")[0],
                head_sha=(pull.get("head") or {}).get("sha", ""),
                approvals=tuple(
                    (who, str(one.get("commit_id")), str(one.get("submitted_at") or ""))
                    for who, one in last.items()
                    if one.get("state") == "APPROVED"
                ),
            )

    def kit_deployments(self, environment: str, task: str, limit: int) -> Iterator[Deployment]:
        """Deployments that a workflow filed, newest first, with the newest status that a workflow gave them; at most `limit` are looked at.

        Records and statuses of people do not count: whoever may write could file one.
        """
        path = f"/deployments?environment={quote(environment, safe='')}&task={quote(task, safe='')}"
        for count, each in enumerate(self._pages(path, "", "deployments: read"), start=1):
            payload = each.get("payload")
            if _logins(each, "creator") == (ACTIONS_BOT,) and isinstance(payload, Mapping):
                statuses = self._pages(f"/deployments/{each['id']}/statuses", "", "deployments: read")
                status: Mapping[str, Any] = next((one for one in statuses if _logins(one, "creator") == (ACTIONS_BOT,)), {})
                yield Deployment(
                    id=each["id"],
                    sha=each.get("sha", ""),
                    environment=each.get("environment", ""),
                    created_at=each.get("created_at", ""),
                    state=status.get("state", "pending"),
                    log_url=status.get("log_url", ""),
                    payload=payload,
                )
            if count >= limit:
                return


def _logins(data: Mapping[str, Any], *keys: str) -> tuple[str, ...]:
    return tuple(str((data.get(key) or {}).get("login") or "") for key in keys)
