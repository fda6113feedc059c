"""GitHub's REST API by PyGithub: answers become the few values that the kit reads, refusals become errors with a fix.

PyGithub is imported when GitHub is first asked, not before (docs/decisions/0001-github-client.md has the figures).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from bundleflow.adapters.preload import GITHUB, wait
from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow.records.github import Comment, Comparison, Gate, Job, PullRequest, Review, WorkflowRun

if TYPE_CHECKING:
    from github import Github
    from github.Repository import Repository

REQUEST_TIMEOUT_S = 20
ACTIONS_BOT = "github-actions[bot]"
"""Login of whoever acts with a job's GITHUB_TOKEN."""


class GitHubError(BundleflowError):
    """GitHub refused or could not be reached.

    Args:
        status: HTTP status; 0 when there was no answer.
    """

    def __init__(self, cause: str, *, status: int, fix: str, details: str = "") -> None:
        trouble = status == 0 or status >= 500
        super().__init__(
            cause,
            fix=fix,
            reason=FailureReason.OUTSIDE_TROUBLE if trouble else FailureReason.GITHUB_FAILED,
            exit_code=ExitCode.TROUBLE if trouble else ExitCode.FAILED,
            details=details,
        )
        self.status = status


@dataclass(frozen=True)
class GitHubApi:
    """One repository on GitHub.

    Args:
        repository: `owner/name`.
        token: Token of the job.
        api_url: Root of the REST API.
    """

    repository: str
    token: str
    api_url: str = "https://api.github.com"

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Self:
        """The repository of this job, by GITHUB_REPOSITORY, GITHUB_TOKEN and GITHUB_API_URL.

        Raises:
            BundleflowError: One of them is missing.
        """
        missing = [name for name in ("GITHUB_REPOSITORY", "GITHUB_TOKEN") if not env.get(name)]
        if missing:
            raise BundleflowError(
                f"GitHub cannot be asked: {' and '.join(missing)} not set.",
                fix="Give the step `env: {GITHUB_TOKEN: ${{ github.token }}}`; the runner sets the rest.",
                exit_code=ExitCode.USAGE,
            )
        return cls(env["GITHUB_REPOSITORY"], env["GITHUB_TOKEN"], env.get("GITHUB_API_URL") or cls.api_url)

    # Pull requests and comments

    def open_pull_request(self, head: str, base: str) -> PullRequest | None:
        """The open pull request from branch `head` of this repository to `base`; None when there is none."""
        with self._asking("look for the release pull request", "pull-requests: read"):
            found = self._repository.get_pulls(state="open", head=f"{self.owner}:{head}", base=base)
            return next((_pull_request(each) for each in found if each.head.ref == head and each.base.ref == base), None)

    def pull_request_is_open(self, number: int) -> bool:
        """Whether a pull request is open; a 404 (`GitHubError.status`) when there is none with this number."""
        return bool(self._get(f"/pulls/{number}", "contents: read").get("state") == "open")

    def create_pull_request(self, head: str, base: str, title: str, body: str) -> PullRequest:
        """Open a pull request; a 422 (`GitHubError.status`) when there is one already or nothing differs."""
        with self._asking("open the release pull request", "pull-requests: write"):
            return _pull_request(self._repository.create_pull(base=base, head=head, title=title, body=body))

    def update_pull_request(self, number: int, *, title: str | None = None, body: str | None = None, close: bool = False) -> None:
        """Change title and body of a pull request, or close it."""
        given = {"title": title, "body": body, "state": "closed" if close else None}
        self._send("PATCH", f"/pulls/{number}", {name: value for name, value in given.items() if value is not None}, "pull-requests: write")

    def compare(self, base: str, head: str) -> Comparison:
        """What `head` has that `base` has not; a 404 (`GitHubError.status`) when one of them does not exist."""
        with self._asking(f"compare `{base}` with `{head}`", "contents: read"):
            data = self._repository.compare(base, head)
            commits = tuple((each.sha, (each.commit.message or "").partition("\n")[0]) for each in data.commits)
            return Comparison(data.ahead_by, commits)

    def comments(self, number: int) -> Iterator[Comment]:
        """All comments of an issue or pull request, oldest first."""
        for each in self._pages(f"/issues/{number}/comments", "", "pull-requests: read"):
            user = each.get("user") or {}
            yield Comment(each["id"], each.get("body") or "", user.get("login", ""), user.get("type") == "Bot", each.get("html_url", ""))

    def create_comment(self, number: int, body: str) -> str:
        """Write a comment and give its page."""
        return str(self._send("POST", f"/issues/{number}/comments", {"body": body}, "pull-requests: write").get("html_url", ""))

    def update_comment(self, comment_id: int, body: str) -> str:
        """Replace a comment's text in place (nobody is notified) and give its page."""
        return str(self._send("PATCH", f"/issues/comments/{comment_id}", {"body": body}, "pull-requests: write").get("html_url", ""))

    # Runs, gates, environments

    def workflow_run(self, run_id: int) -> WorkflowRun:
        """One workflow run."""
        return _workflow_run(self._get(f"/actions/runs/{run_id}", "actions: read"))

    def run_is_at_work(self, run_id: int) -> bool:
        """Whether a workflow run has not come to its end yet; a 404 (`GitHubError.status`) when there is no such run (any more)."""
        return bool(self._get(f"/actions/runs/{run_id}", "actions: read").get("status") != "completed")

    def workflow_runs(self, workflow: str, branch: str, limit: int) -> Iterator[WorkflowRun]:
        """Runs of a workflow (its file name) on a branch, newest first, at most `limit`."""
        path = f"/actions/workflows/{quote(workflow, safe='')}/runs?branch={quote(branch, safe='')}"
        for count, each in enumerate(self._pages(path, "workflow_runs", "actions: read"), start=1):
            yield _workflow_run(each)
            if count >= limit:
                return

    def jobs(self, run_id: int) -> tuple[Job, ...]:
        """The jobs of a run's latest attempt."""
        found = self._pages(f"/actions/runs/{run_id}/jobs?filter=latest", "jobs", "actions: read")
        return tuple(
            Job(each.get("name", ""), each.get("conclusion") or "", each.get("completed_at") or "", each.get("html_url") or "")
            for each in found
        )

    def tree_of(self, commit: str) -> str:
        """Git id of a commit's root tree."""
        return str(self._get(f"/commits/{quote(commit, safe='')}", "contents: read")["commit"]["tree"]["sha"])

    def gate(self, environment: str) -> Gate:
        """The protection of an environment; a 404 (`GitHubError.status`) when there is no such environment."""
        data = self._get(f"/environments/{quote(environment, safe='')}", "actions: read")
        rules = [rule for rule in data.get("protection_rules") or [] if rule.get("type") == "required_reviewers"]
        people = [each.get("reviewer") or {} for rule in rules for each in rule.get("reviewers") or []]
        return Gate(
            environment=environment,
            reviewers=tuple(str(person.get("login") or person.get("slug") or person.get("name") or "") for person in people),
            prevent_self_review=any(rule.get("prevent_self_review") for rule in rules),
            branches_limited=data.get("deployment_branch_policy") is not None,
        )

    def reviews(self, run_id: int) -> tuple[Review, ...]:
        """The answers that people gave at the gates of a run; GitHub does not say when."""
        found = self._get(f"/actions/runs/{run_id}/approvals", "actions: read")
        return tuple(
            Review(
                environments=tuple(each.get("name", "") for each in review.get("environments") or []),
                state=review.get("state", ""),
                user=(review.get("user") or {}).get("login", ""),
                user_is_bot=(review.get("user") or {}).get("type") == "Bot",
                comment=review.get("comment") or "",
            )
            for review in found
        )

    # Deployments

    def create_deployment(self, *, ref: str, environment: str, task: str, payload: Mapping[str, Any], description: str) -> int:
        """File a deployment without GitHub merging or checking anything for it, and give its id."""
        body = {
            "ref": ref,
            "environment": environment,
            "task": task,
            "payload": dict(payload),
            "description": description[:140],
            "auto_merge": False,
            "required_contexts": [],
        }
        return int(self._send("POST", "/deployments", body, "deployments: write")["id"])

    def set_deployment_state(self, deployment_id: int, state: str, *, log_url: str = "", description: str = "") -> None:
        """Give a deployment a new status (`in_progress`, `success`, `failure`, ...); older deployments keep theirs."""
        body = {"state": state, "log_url": log_url, "description": description[:140], "auto_inactive": False}
        self._send("POST", f"/deployments/{deployment_id}/statuses", body, "deployments: write")

    # How it is asked

    @property
    def owner(self) -> str:
        """Owner of the repository."""
        return self.repository.partition("/")[0]

    @cached_property
    def _client(self) -> Github:
        from github import Auth, Github
        from github.GithubRetry import GithubRetry

        # The kit sends a handful of requests a job: no pause between them; GithubRetry waits where GitHub asks for it.
        return Github(
            auth=Auth.Token(self.token),
            base_url=self.api_url.rstrip("/"),
            timeout=REQUEST_TIMEOUT_S,
            per_page=100,
            retry=GithubRetry(total=3, secondary_rate_wait=20),
            seconds_between_requests=None,
            seconds_between_writes=None,
            user_agent="bundleflow",
            lazy=True,
        )

    @cached_property
    def _repository(self) -> Repository:
        return self._client.get_repo(self.repository)

    def _get(self, path: str, permission: str) -> Any:
        with self._asking(f"GET {path}", permission):
            return self._client.requester.requestJsonAndCheck("GET", f"/repos/{self.repository}{path}")[1]

    def _send(self, verb: str, path: str, body: Mapping[str, Any], permission: str) -> Mapping[str, Any]:
        with self._asking(f"{verb} {path}", permission):
            answer = self._client.requester.requestJsonAndCheck(verb, f"/repos/{self.repository}{path}", input=dict(body))[1]
            return answer if isinstance(answer, Mapping) else {}

    def _pages(self, path: str, key: str, permission: str) -> Iterator[Mapping[str, Any]]:
        """Items of a list over all its pages; `key` is where the list is in the answer, empty when it is the answer."""
        page, size = 1, 100
        while True:
            joint = "&" if "?" in path else "?"
            data = self._get(f"{path}{joint}per_page={size}&page={page}", permission)
            items: Sequence[Mapping[str, Any]] = data[key] if key else data
            yield from items
            if len(items) < size:
                return
            page += 1

    @contextmanager
    def _asking(self, what: str, permission: str) -> Iterator[None]:
        wait(GITHUB)
        from github import GithubException
        from requests import RequestException

        try:
            yield
        except GithubException as error:
            message = error.data.get("message", "") if isinstance(error.data, Mapping) else ""
            raise _explain(what, permission, error.status, str(message or error.message or ""), self.repository) from error
        except (RequestException, OSError) as error:
            raise GitHubError(
                f"GitHub's API at {self.api_url} cannot be reached ({what}).",
                status=0,
                fix="Run the job again; see https://www.githubstatus.com when it stays.",
                details=str(error),
            ) from error


def _explain(what: str, permission: str, status: int, message: str, repository: str) -> GitHubError:
    fixes = {
        401: "The token is not valid (any more). Run the job again.",
        403: f"Give the job `permissions: {{{permission}}}`; a run from a fork or by Dependabot cannot have more than read.",
        404: f"Check the name, and that the job has `permissions: {{{permission}}}` in {repository}.",
        429: "GitHub limits the rate. Run the job again later.",
    }
    return GitHubError(
        f"GitHub answered {status} to {what}: {message or 'no message'}",
        status=status,
        fix=fixes.get(status, "Read GitHub's message; run the job again when it is a passing trouble."),
    )


def _pull_request(pull: Any) -> PullRequest:
    return PullRequest(pull.number, pull.html_url or "", pull.title or "", pull.body or "", pull.head.sha, pull.user.login)


def _workflow_run(data: Mapping[str, Any]) -> WorkflowRun:
    commit = data.get("head_commit") or {}
    return WorkflowRun(
        id=data["id"],
        url=data.get("html_url", ""),
        event=data.get("event", ""),
        branch=data.get("head_branch") or "",
        sha=data.get("head_sha", ""),
        tree=commit.get("tree_id", ""),
        attempt=data.get("run_attempt") or 1,
        conclusion=data.get("conclusion") or "",
        workflows=tuple(each.get("path", "") for each in data.get("referenced_workflows") or []),
    )
