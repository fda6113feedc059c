"""The gate where GitHub offers no required reviewers: rules of the release branch. It approves before the plan is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bundleflow.adapters.github_release import ReleaseApi
from bundleflow.records.evidence import Approval
from bundleflow.releases.refusal import refused
from bundleflow.report.markdown import escape

WANTED = {
    "require_code_owner_review": "review by code owners",
    "require_last_push_approval": "approval of the most recent push by somebody else",
    "dismiss_stale_reviews_on_push": "dismissal of stale approvals",
}
"""Parameters of a `pull_request` rule (`GET /rules/branches/{branch}`), and how GitHub's page calls them."""


def verify_weaker_gate(github: ReleaseApi, environment: str, *, branch: str, sha: str, why: str) -> Approval:
    """Verify that the branch's rules hold, and that this very commit came by a pull request that was approved under them.

    Args:
        github: The repository.
        environment: Environment of the deploying job.
        branch: Branch that is released from.
        sha: Commit to release.
        why: The flow file's words for it.

    Returns:
        The approval, marked as of a weaker gate.

    Raises:
        BundleflowError: `not-approved`, with the rules that are missing.
    """
    missing = list(_missing(github.branch_rules(branch)))
    if missing:
        raise refused(
            f"Environment `{environment}` has no required reviewers, and the rules of branch `{branch}` do not take their place: "
            f"missing {', '.join(missing)}.",
            f"Add a ruleset for `{branch}` (Settings, Rules): require a pull request with at least one approval, review from code "
            "owners, approval of the most recent reviewable push, and dismiss stale approvals.",
        )
    for pull in github.merged_pulls(sha, branch):
        approved = [who for who, commit in pull.approvals if commit == pull.head_sha and who and who != pull.author]
        if approved:
            return Approval(environment, approved[-1], f"pull request #{pull.number}; {why}", weaker=True)
    raise refused(
        f"Commit {sha[:12]} did not come to `{branch}` by a pull request that somebody else approved as it was merged.",
        f"Release by the pull request to `{branch}`, approved by a code owner; do not push to the branch past its rules.",
    )


def weaker_gate_note(why: str) -> str:
    """What every summary says where the rules of the branch are the gate, as Markdown."""
    return (
        "**weaker-gate**: without required reviewers, the pull request's approval counts, which was given before this plan was made. "
        + escape(why, 300)
    )


def _missing(rules: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What the rules leave open; rules of several levels add up."""
    given = [rule.get("parameters") or {} for rule in rules if rule.get("type") == "pull_request"]
    if not any((parameters.get("required_approving_review_count") or 0) >= 1 for parameters in given):
        yield "a pull request with at least one approval"
    yield from (words for key, words in WANTED.items() if not any(parameters.get(key) for parameters in given))
