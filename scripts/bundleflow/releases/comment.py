"""The one comment on a pull request: found by a hidden marker *and* its author, created or updated in place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from bundleflow.adapters.github import ACTIONS_BOT, GitHubApi, GitHubError
from bundleflow.records.errors import BundleflowError, ExitCode
from bundleflow.report.markdown import COMMENT_LIMIT


@dataclass(frozen=True)
class Posted:
    """What became of a comment; `read-only` when the token may not write (a fork, Dependabot)."""

    action: Literal["created", "updated", "unchanged", "read-only"]
    url: str = ""


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


def sticky_comment(github: GitHubApi, number: int, key: str, body: str, *, author: str = ACTIONS_BOT) -> Posted:
    """Write the comment or update the one that is there.

    Args:
        github: The repository.
        number: Number of the pull request.
        key: Tells this comment from others of the kit.
        body: Markdown, complete; together with the marker at most 65,536 characters.
        author: Login that the token writes as; a comment with the marker by anybody else is not ours.

    Raises:
        BundleflowError: GitHub refused for another reason than a read-only token.
    """
    text = f"{marker(key)}\n{body}"
    if len(text) > COMMENT_LIMIT:
        raise ValueError(f"the comment has {len(text)} characters; at most {COMMENT_LIMIT} fit")
    try:
        own = next((each for each in github.comments(number) if each.body.startswith(marker(key)) and each.author == author), None)
        if own is None:
            return Posted("created", github.create_comment(number, text))
        if own.body == text:
            return Posted("unchanged", own.url)
        return Posted("updated", github.update_comment(own.id, text))
    except GitHubError as error:
        # GitHub's words for a token without the right; other refusals with 403 (rate limits) are errors.
        if error.status == 403 and "not accessible" in error.cause:
            return Posted("read-only")
        raise
