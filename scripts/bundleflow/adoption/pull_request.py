"""The one adoption pull request: its branch and text, opened or brought up to date, never over somebody's own commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bundleflow.adapters.github import GitHubError
from bundleflow.adapters.github_branch import BranchApi
from bundleflow.adoption.checklist import Place, checklist, with_code
from bundleflow.adoption.files import ProposedFile, State, by_state
from bundleflow.adoption.present import fitted
from bundleflow.adoption.proposal import Proposal
from bundleflow.records.errors import BundleflowError, FailureReason
from bundleflow.report.markdown import COMMENT_LIMIT, block, code, fit, fold

BRANCH = "bundleflow/adopt"
MARKER = "<!-- bundleflow:adopt -->"
TITLE = "Adopt bundleflow"
PATCH_FILE, BODY_FILE = "adopt.patch", "pull-request.md"
ARTIFACT = "bundleflow-adopt"


@dataclass(frozen=True)
class Adoption:
    """What became of the pull request."""

    action: Literal["opened", "updated", "unchanged"]
    number: int
    url: str


def open_adoption(github: BranchApi, *, base: str, login: str, files: Sequence[ProposedFile], body: str) -> Adoption:
    """Commit the new files to the kit's own branch, and open or update its pull request.

    Args:
        github: The repository, with a token that may write contents, pull requests and workflows.
        base: Branch that the pull request is for.
        login: Under which the token acts.
        files: The proposed files; at least one is new.
        body: Text of the pull request, which begins with the marker.

    Raises:
        BundleflowError: `github-failed`: the base does not exist, the token may not, the base has one of the new files, or
            somebody else's commits stand on the branch.
    """
    top = github.head(base)
    if top is None:
        raise BundleflowError(
            f"There is no branch `{base}` in {github.repository}.",
            fix="Give the branch to adopt on as `base`.",
            reason=FailureReason.GITHUB_FAILED,
        )
    changed = _push(github, top, base, login, files)
    present = github.open_pull_request(BRANCH, base)
    if present is None:
        made = github.create_pull_request(BRANCH, base, TITLE, body)
        return Adoption("opened", made.number, made.url)
    # What a person wrote before the marker stays, and so does a title that a person gave.
    kept = present.body.partition(MARKER)[0].rstrip() if MARKER in present.body else present.body
    text = f"{kept}\n\n{body}"[:COMMENT_LIMIT] if kept else body
    if text.strip() != present.body.strip():
        github.update_pull_request(present.number, body=text)
        changed = True
    return Adoption("updated" if changed else "unchanged", present.number, present.url)


def _push(github: BranchApi, top: str, base: str, login: str, files: Sequence[ProposedFile]) -> bool:
    """Bring the branch to one commit on top of the base; False when it has that content already."""
    texts = {each.path: each.text for each in by_state(files)[State.NEW]}
    there = github.present(top, texts)
    if there:
        raise BundleflowError(
            f"{', '.join(there)} {'are' if len(there) > 1 else 'is'} on `{base}`, and not in what this job has checked out.",
            fix=f"Nothing was written over. Check out `{base}` in the job, or give the branch that is checked out as `base`; where it has "
            "just moved, start this again.",
            reason=FailureReason.GITHUB_FAILED,
        )
    head = github.head(BRANCH)
    if head is not None:
        others = sorted({author or "somebody without an account" for author in github.authors(base, BRANCH)} - {login})
        if others:
            raise BundleflowError(
                f"The branch `{BRANCH}` holds commits of {', '.join(others)}, which would be lost.",
                fix="Merge or close its pull request, delete the branch, and start this again.",
                reason=FailureReason.GITHUB_FAILED,
            )
    _, tree = github.tree_with(top, texts)
    if head is not None and github.tree_of_commit(head) == tree:
        return False
    github.set_head(BRANCH, github.commit(tree, top, f"{TITLE}\n\nProposed by `bundleflow deploy-cicd`."), exists=head is not None)
    return True


def no_workflow_permission(error: GitHubError) -> bool:
    """Whether GitHub refused because the token may not change workflow files."""
    return error.status == 403 or (error.status == 404 and "/git/" in error.cause)


def pull_request_body(proposal: Proposal, files: Sequence[ProposedFile], place: Place, run_url: str = "") -> str:
    """The text of the pull request: what it brings, what is left as it is, and the checklist.

    Args:
        proposal: What is proposed.
        files: The proposed files.
        place: The repository.
        run_url: Address of the workflow run that made it; empty: none.
    """
    groups = by_state(files)
    stages = [f"- **{stage.name}**: {with_code(stage.why)}" for stage in fitted(proposal).stages]
    parts = [
        f"{MARKER}\nThis brings the flow file and the callers of bundleflow. Nothing can be deployed before the environments below exist.",
        "### Stages\n\n" + "\n".join(stages),
        "### Files\n\n" + "\n".join(f"- {code(each.path)} is new" for each in groups[State.NEW]),
    ]
    kept = [f"- {code(each.path)} says something else and is left as it is" for each in groups[State.DIFFERS]]
    if kept:
        diffs = "\n".join(line for each in groups[State.DIFFERS] for line in each.diff())
        parts.append("\n".join(kept) + "\n\n" + fold("what would be proposed there", block(diffs, "diff", 20_000)))
    made = f"Made by [this run]({run_url}). " if run_url.startswith(("https://", "http://")) else ""
    tail = f"{made}Start the workflow again to bring this up to date; take it back by closing this and deleting the branch {code(BRANCH)}."
    return fit("\n\n".join(parts), [checklist(proposal, place)], tail, limit=COMMENT_LIMIT - 200, left_out="_The checklist did not fit._")


def patch(files: Sequence[ProposedFile]) -> str:
    """The new files as a patch that `git apply` takes.

    Args:
        files: The proposed files; their paths are the kit's own, so none needs quoting.
    """
    parts = []
    for each in by_state(files)[State.NEW]:
        lines = each.text.splitlines()
        parts += [f"diff --git a/{each.path} b/{each.path}", "new file mode 100644", "--- /dev/null", f"+++ b/{each.path}"]
        parts += [f"@@ -0,0 +1,{len(lines)} @@", *(f"+{line}" for line in lines)]
    return "\n".join(parts) + "\n"


def patch_commands(run_id: str, repository: str, base: str) -> tuple[str, str, str]:
    """The three commands that apply the patch of a run and open the pull request.

    Args:
        run_id: Number of the workflow run.
        repository: `owner/name`.
        base: Branch that the pull request is for.
    """
    from shlex import quote

    title = quote(TITLE)
    return (
        f"gh run download {run_id or 'RUN'} --repo {quote(repository)} --name {ARTIFACT} --dir {ARTIFACT}",
        f"git switch --create {BRANCH} && git apply --index {ARTIFACT}/{PATCH_FILE} && git commit --message {title}",
        f"git push --set-upstream origin {BRANCH} && gh pr create --base {quote(base)} --title {title} --body-file {ARTIFACT}/{BODY_FILE}",
    )
