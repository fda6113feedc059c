"""The one release pull request: opened, kept up to date, never a duplicate, closed when nothing is left to release."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bundleflow.adapters.github import GitHubApi, GitHubError
from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow.records.github import Comparison, PullRequest
from bundleflow.report.markdown import COMMENT_LIMIT, code, fit

MARKER = "<!-- bundleflow:release -->"


@dataclass(frozen=True)
class Proposal:
    """What became of the release pull request."""

    action: Literal["opened", "updated", "closed", "nothing"]
    number: int = 0
    url: str = ""


def propose_release(github: GitHubApi, *, head: str, base: str, stage: str, run_url: str) -> Proposal:
    """Open or update the pull request from `head` to `base`.

    Args:
        github: The repository.
        head: Branch that was deployed, usually `main`.
        base: Branch that is released from, usually `release`.
        stage: Stage that was deployed, for the text.
        run_url: Workflow run that deployed it.

    Raises:
        BundleflowError: A branch is missing, or GitHub does not let Actions open pull requests.
    """
    comparison = _compare(github, base, head)
    existing = github.open_pull_request(head, base)
    if not comparison.ahead_by:
        if existing is None:
            return Proposal("nothing")
        github.update_pull_request(existing.number, close=True)
        return Proposal("closed", existing.number, existing.url)
    title, body = f"Release {head} to {base}", _body(comparison, stage, run_url, head, base)
    if existing is None:
        try:
            created = github.create_pull_request(head, base, title, body)
            return Proposal("opened", created.number, created.url)
        except GitHubError as error:
            # Somebody may have opened it meanwhile: then that one is the release pull request.
            existing = github.open_pull_request(head, base) if error.status == 422 else None
            if existing is None:
                raise _cannot_open(error) from error
    return _update(github, existing, title, body)


def _update(github: GitHubApi, existing: PullRequest, title: str, body: str) -> Proposal:
    own = MARKER in existing.body
    if (existing.title, existing.body) != (title, body):
        # A title that a person gave stays; so does the text of a pull request that a person wrote.
        if own:
            github.update_pull_request(existing.number, body=body)
        else:
            github.update_pull_request(existing.number, body=f"{existing.body}\n\n{body}"[:COMMENT_LIMIT])
    return Proposal("updated", existing.number, existing.url)


def _compare(github: GitHubApi, base: str, head: str) -> Comparison:
    try:
        return github.compare(base, head)
    except GitHubError as error:
        if error.status != 404:
            raise
        raise BundleflowError(
            f"`{base}` and `{head}` cannot be compared: one of the branches does not exist.",
            fix=f"Make the branch `{base}` once, from the commit that production runs today: `git push origin COMMIT:refs/heads/{base}`.",
            reason=FailureReason.GITHUB_FAILED,
            exit_code=ExitCode.USAGE,
            details=error.cause,
        ) from error


def _cannot_open(error: GitHubError) -> BundleflowError:
    if error.status == 403:
        fix = (
            "Allow it: Settings, Actions, General, Workflow permissions, “Allow GitHub Actions to create and approve pull requests”; "
            "and give the job `permissions: {pull-requests: write}`."
        )
    else:
        fix = error.fix
    return BundleflowError(error.cause, fix=fix, reason=error.reason, exit_code=error.exit_code, details=error.details)


def _body(comparison: Comparison, stage: str, run_url: str, head: str, base: str) -> str:
    where = f" ([run]({run_url}))" if run_url.startswith(("https://", "http://")) else ""
    count = comparison.ahead_by
    head_text = (
        f"{MARKER}\nThis brings {count} commit{'s' if count != 1 else ''} from {code(head)} to {code(base)}. "
        f"Stage {code(stage)} was deployed from it{where}.\n\n"
        "Merge it with a **merge commit**: production is deployed only from content that the stage before has been deployed from, and it "
        "waits for approval of its own plan.\n\n#### Commits, newest first"
    )
    lines = [f"- {code(sha[:10])} {code(message, 120)}" for sha, message in reversed(comparison.commits)]
    return fit(head_text, _bunches(lines), "", limit=COMMENT_LIMIT - 200, left_out="_… and older commits._")


def _bunches(lines: Sequence[str], size: int = 50) -> list[str]:
    return ["\n".join(lines[start : start + size]) for start in range(0, len(lines), size)]
