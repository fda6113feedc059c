"""The one release pull request: opened, kept up to date, never a duplicate, closed when nothing is left to release."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bundleflow.adapters.github import ACTIONS_BOT, GitHubApi, GitHubError
from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow.records.github import Comparison, PullRequest
from bundleflow.releases.bundle_plans import with_others
from bundleflow.releases.preview import Preview
from bundleflow.releases.weaker_gate import weaker_gate_note
from bundleflow.report.markdown import COMMENT_LIMIT, code, fit

MARKER = "<!-- bundleflow:release -->"


@dataclass(frozen=True)
class Proposal:
    """What became of the release pull request; `checks_wait`: a bot opened it, so its checks wait for a person's click."""

    action: Literal["opened", "updated", "closed", "nothing"]
    number: int = 0
    url: str = ""
    checks_wait: bool = False


@dataclass(frozen=True)
class Deployed:
    """What the stage before was deployed from.

    Args:
        stage: Its name.
        sha: The commit.
        run_url: Workflow run that deployed it: the evidence, while `sha` is what is released.
        digest: Digest of the plan that was applied; empty where it is not known.
        weaker_gate: In words, why the next stage has no required reviewers, so that approving the pull request is the gate; else empty.
        preview: The plan of the next stage as things stand now; None where nobody asked for it.
        preview_failed: Whether it was asked for and could not be made.
        bundle: Folder of the bundle; where it is not the root, others may be proposed by the same pull request, and each has its section.
    """

    stage: str
    sha: str
    run_url: str
    digest: str = ""
    weaker_gate: str = ""
    preview: Preview | None = None
    preview_failed: bool = False
    bundle: str = "."


CLICK = (
    "A workflow opened this pull request, so its own checks wait for a person: open **Checks** (or the box above the merge button) and "
    "click **Approve workflows to run**. The required check, the stage's deployment, ran on the push and does not wait."
)


def propose_release(github: GitHubApi, *, head: str, base: str, deployed: Deployed) -> Proposal:
    """Open or update the pull request from `head` to `base`.

    Args:
        github: The repository.
        head: Branch that was deployed, usually `main`.
        base: Branch that is released from, usually `release`.
        deployed: What the stage before was deployed from.

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
    by_bot = existing is None or existing.author == ACTIONS_BOT
    title = f"Release {head} to {base}"
    body = _body(comparison, deployed, head, base, by_bot=by_bot, present=existing.body if existing else "")
    if existing is None:
        try:
            created = github.create_pull_request(head, base, title, body)
            return Proposal("opened", created.number, created.url, checks_wait=created.author == ACTIONS_BOT)
        except GitHubError as error:
            # Somebody may have opened it meanwhile: then that one is the release pull request.
            existing = github.open_pull_request(head, base) if error.status == 422 else None
            if existing is None:
                raise _cannot_open(error) from error
            body = _body(comparison, deployed, head, base, by_bot=by_bot, present=existing.body)
    return _update(github, existing, title, body)


def _update(github: GitHubApi, existing: PullRequest, title: str, body: str) -> Proposal:
    own = MARKER in existing.body
    if (existing.title, existing.body) != (title, body):
        # A title that a person gave stays; so does the text of a pull request that a person wrote.
        kept = existing.body.partition(MARKER)[0].rstrip() if own else existing.body
        github.update_pull_request(existing.number, body=f"{kept}\n\n{body}"[:COMMENT_LIMIT] if kept else body)
    return Proposal("updated", existing.number, existing.url, checks_wait=existing.author == ACTIONS_BOT)


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


def _body(comparison: Comparison, deployed: Deployed, head: str, base: str, *, by_bot: bool, present: str) -> str:
    url = deployed.run_url
    where = f" ([run]({url}))" if url.startswith(("https://", "http://")) else ""
    own = deployed.bundle == "."
    plan = f", by the plan with digest {code(deployed.digest)}" if deployed.digest and own else ""
    count = comparison.ahead_by
    parts = [
        f"{MARKER}\nThis brings {count} commit{'s' if count != 1 else ''} from {code(head)} to {code(base)}.",
        f"**Evidence:** stage {code(deployed.stage)} was deployed from {code(deployed.sha[:12])}{where}{plan}.",
    ]
    if comparison.commits and comparison.commits[-1][0] != deployed.sha:
        newest = code(comparison.commits[-1][0][:12])
        parts.append(f"> [!WARNING]\n> {newest} is newer and still waits for its own deployment to {code(deployed.stage)}.")
    if own:
        parts += _plan(deployed, where)
    else:
        done = [f"Deployed to {code(deployed.stage)} by the plan with digest {code(deployed.digest)}."] if deployed.digest else []
        parts.append(with_others(present, deployed.bundle, deployed.sha, "\n\n".join([*done, *_plan(deployed, where)])))
    parts.append(
        "Merge it with a **merge commit**: production is deployed only from content that the stage before has been deployed from, and it "
        "waits for approval of its own plan."
    )
    if deployed.weaker_gate:
        parts.append(f"> [!CAUTION]\n> {weaker_gate_note(deployed.weaker_gate)}")
    if by_bot:
        parts.append(CLICK)
    parts.append("#### Commits, newest first")
    lines = [f"- {code(sha[:10])} {code(message, 120)}" for sha, message in reversed(comparison.commits)]
    return fit("\n\n".join(parts), _bunches(lines), "", limit=COMMENT_LIMIT - 200, left_out="_… and older commits._")


def _plan(deployed: Deployed, where: str) -> list[str]:
    """What the release would do, or where it will be shown."""
    after = "The release makes its own plan after the merge by the identity that only reads, shows it with its digest, and has it approved."
    if deployed.preview is None:
        failed = f"> [!WARNING]\n> The plan of the next stage could not be previewed{where}."
        return [*([failed] if deployed.preview_failed else []), f"**Plan:** {after}"]
    preview = deployed.preview
    last = f"{after} The digest stays the same as long as nothing changes meanwhile." if preview.digest else after
    return [part for part in (preview.refused, preview.text, last) if part]


def _bunches(lines: Sequence[str], size: int = 50) -> list[str]:
    return ["\n".join(lines[start : start + size]) for start in range(0, len(lines), size)]
