"""The one comment on a pull request: found by a hidden marker *and* its author, created or updated in place, outdated when superseded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bundleflow.adapters.github import ACTIONS_BOT, GitHubApi, GitHubError
from bundleflow.records.errors import BundleflowError, ExitCode
from bundleflow.records.github import Comment
from bundleflow.report.markdown import COMMENT_LIMIT, code, link

RESERVED = 1000
"""Characters that a comment with a stamp leaves free, for the note that it is outdated."""
_STAMP = re.compile(r"<!-- bundleflow:made-by run (\d{1,20})\.(\d{1,6}) for ([0-9a-f]{0,64}) -->")
_NOTE = re.compile(r"> \[!WARNING\]\n> \*\*Outdated\.\*\* [^\n]*\n\n")


@dataclass(frozen=True)
class Posted:
    """What became of a comment; `read-only` when the token may not write (a fork, Dependabot), `superseded` when a newer run wrote it."""

    action: Literal["created", "updated", "unchanged", "read-only", "superseded"]
    url: str = ""


@dataclass(frozen=True)
class Stamp:
    """Which run a comment is from, and for which commit: the head of the pull request."""

    run_id: int
    attempt: int
    head: str

    @classmethod
    def of_job(cls, env: Mapping[str, str], event: Mapping[str, object]) -> Stamp:
        """The stamp of this job, by GITHUB_RUN_ID, GITHUB_RUN_ATTEMPT and the event's head commit (else GITHUB_SHA)."""
        pull = event.get("pull_request")
        head = pull.get("head") if isinstance(pull, Mapping) else None
        sha = str((head.get("sha") if isinstance(head, Mapping) else "") or env.get("GITHUB_SHA") or "")
        number, attempt = env.get("GITHUB_RUN_ID") or "0", env.get("GITHUB_RUN_ATTEMPT") or "1"
        return cls(int(number), int(attempt), sha if re.fullmatch(r"[0-9a-f]{7,64}", sha) else "")

    def __str__(self) -> str:
        return f"<!-- bundleflow:made-by run {self.run_id}.{self.attempt} for {self.head} -->"

    @property
    def order(self) -> tuple[int, int]:
        """Grows from run to run of a repository."""
        return (self.run_id, self.attempt)


def marker(key: str) -> str:
    """The hidden first line of the comment with this key.

    Raises:
        BundleflowError: The key has other characters than letters, digits, `.`, `_`, `/` and `-`.
    """
    if not re.fullmatch(r"[A-Za-z0-9._/-]{1,100}", key) or "--" in key:
        raise BundleflowError(
            f"`{key[:120]}` cannot be the key of a comment.",
            fix="Use letters, digits, `.`, `_`, `/` and single `-`, at most 100.",
            exit_code=ExitCode.USAGE,
        )
    return f"<!-- bundleflow:comment {key} -->"


def sticky_comment(github: GitHubApi, number: int, key: str, body: str, *, author: str = ACTIONS_BOT, stamp: Stamp | None = None) -> Posted:
    """Write the comment or update the one that is there.

    Args:
        github: The repository.
        number: Number of the pull request.
        key: Tells this comment from others of the kit.
        body: Markdown, complete; together with marker and stamp at most 65,536 characters (see `room`).
        author: Login that the token writes as; a comment with the marker by anybody else is not ours.
        stamp: Which run writes it; a comment that a newer run wrote stays as it is. None: whoever comes last writes.

    Raises:
        BundleflowError: GitHub refused for another reason than a read-only token.
    """
    text = f"{marker(key)}\n{f'{stamp}{chr(10)}' if stamp else ''}{body}"
    if len(text) > COMMENT_LIMIT:
        raise ValueError(f"the comment has {len(text)} characters; at most {COMMENT_LIMIT} fit")
    try:
        own = _own(github, number, key, author)
        if own is None:
            return Posted("created", github.create_comment(number, text))
        if stamp and (written := _stamp(own)) and written.order > stamp.order:
            return Posted("superseded", own.url)
        if own.body == text:
            return Posted("unchanged", own.url)
        return Posted("updated", github.update_comment(own.id, text))
    except GitHubError as error:
        if _is_read_only(error):
            return Posted("read-only")
        raise


def mark_outdated(
    github: GitHubApi,
    number: int,
    key: str,
    stamp: Stamp,
    run_url: str,
    *,
    author: str = ACTIONS_BOT,
    fate: str = "is being checked",
) -> bool:
    """Say on the comment of an older commit that it is outdated, and what becomes of the newer one.

    Args:
        github: The repository.
        number: Number of the pull request.
        key: Key of the comment.
        stamp: The run that begins now; from then on no older run changes the comment.
        run_url: Its page.
        author: Login that the token writes as.
        fate: What becomes of the newer commit.

    Returns:
        Whether there was such a comment.

    Raises:
        BundleflowError: GitHub refused for another reason than a read-only token.
    """
    try:
        own = _own(github, number, key, author)
        written = _stamp(own) if own else None
        if own is None or written is None or written.head == stamp.head or written.order >= stamp.order:
            return False
        note = f"> [!WARNING]\n> **Outdated.** This is about commit {code(written.head[:12])}; "
        note += f"commit {code(stamp.head[:12])} {fate}" + (f": {link('run', run_url)}." if run_url else ".")
        old = _NOTE.sub("", _STAMP.sub("", own.body.removeprefix(marker(key)), count=1).lstrip("\n"), count=1)
        text = f"{marker(key)}\n{stamp}\n{note}\n\n{old}"
        if len(text) > COMMENT_LIMIT:
            text = f"{marker(key)}\n{stamp}\n{note}"
        github.update_comment(own.id, text)
    except GitHubError as error:
        if _is_read_only(error):
            return False
        raise
    return True


def room(key: str, stamp: Stamp | None = None) -> int:
    """Characters that the body of a comment may have."""
    return COMMENT_LIMIT - len(marker(key)) - 1 - (len(str(stamp)) + 1 + RESERVED if stamp else 0)


def _own(github: GitHubApi, number: int, key: str, author: str) -> Comment | None:
    return next((each for each in github.comments(number) if each.body.startswith(marker(key)) and each.author == author), None)


def _stamp(comment: Comment) -> Stamp | None:
    """The stamp in a comment's second line; None where there is none."""
    found = _STAMP.fullmatch([*comment.body.splitlines(), "", ""][1])
    return Stamp(int(found[1]), int(found[2]), found[3]) if found else None


def _is_read_only(error: GitHubError) -> bool:
    """GitHub's words for a token without the right; other refusals with 403 (rate limits) are errors."""
    return error.status == 403 and "not accessible" in error.cause
