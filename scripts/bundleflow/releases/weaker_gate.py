"""The gate where GitHub offers no required reviewers: rules of the release branch, and the plan that its pull request showed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bundleflow.adapters.github_release import ReleaseApi
from bundleflow.records.errors import BundleflowError, FailureReason
from bundleflow.records.evidence import Approval
from bundleflow.releases.preview import digest_shown
from bundleflow.releases.refusal import refused
from bundleflow.report.markdown import escape

WANTED = {
    "require_code_owner_review": "review by code owners",
    "require_last_push_approval": "approval of the most recent push by somebody else",
    "dismiss_stale_reviews_on_push": "dismissal of stale approvals",
}
"""Parameters of a `pull_request` rule (`GET /rules/branches/{branch}`), and how GitHub's page calls them."""


@dataclass(frozen=True)
class ShownPlan:
    """The plan that is to be deployed, and where people were shown it before.

    Args:
        stage: Stage that is released.
        bundle: Folder of the bundle.
        digest: Digest of the plan that is to be deployed.
        run_id: GitHub's id of the run that deployed the stage before and previewed this plan; 0 for none.
    """

    stage: str
    bundle: str
    digest: str
    run_id: int


def verify_weaker_gate(github: ReleaseApi, environment: str, *, branch: str, sha: str, why: str, shown: ShownPlan) -> Approval:
    """Verify that the branch's rules hold, that this very commit came by a pull request that was approved under them, and for this plan.

    Args:
        github: The repository.
        environment: Environment of the deploying job.
        branch: Branch that is released from.
        sha: Commit to release.
        why: The flow file's words for it.
        shown: The plan, and where it was previewed.

    Returns:
        The approval, marked as of a weaker gate.

    Raises:
        BundleflowError: `not-approved`, with the rules that are missing, or because no plan had been shown to who approved;
            `plan-changed` when it was another plan.
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
        approved = [(when, who) for who, commit, when in pull.approvals if commit == pull.head_sha and who and who != pull.author]
        if approved:
            when, who = max(approved)
            _check_shown(github, shown, who, when)
            return Approval(environment, who, f"pull request #{pull.number}; {why}", weaker=True)
    raise refused(
        f"Commit {sha[:12]} did not come to `{branch}` by a pull request that somebody else approved as it was merged.",
        f"Release by the pull request to `{branch}`, approved by a code owner; do not push to the branch past its rules.",
    )


def _check_shown(github: ReleaseApi, shown: ShownPlan, who: str, when: str) -> None:
    """Compare the plan with the one that the release pull request showed when it was approved."""
    artifacts = github.artifacts(shown.run_id) if shown.run_id else ()
    digest = digest_shown(artifacts, bundle=shown.bundle, stage=shown.stage, at=when)
    again = "Run the staging workflow again (all jobs), look at the plan in the release pull request, and have it approved anew."
    if not digest:
        raise refused(
            f"`{who}` approved the release pull request at {when}, and no plan of stage `{shown.stage}` had been shown there by then.",
            f"Call cd-staging.yml with `plan-environment:` of stage `{shown.stage}`, and give that stage `requires:`. {again}",
        )
    if digest != shown.digest:
        raise BundleflowError(
            f"The plan is not the one that `{who}` approved in the release pull request: its digest was {digest[:12]}, now it is "
            f"{shown.digest[:12]}.",
            fix=f"Look at what changed in production since. {again}",
            reason=FailureReason.PLAN_CHANGED,
            details=f"shown when it was approved ({when}): {digest}\nplanned now: {shown.digest}",
        )


def weaker_gate_note(why: str) -> str:
    """What every summary says where the rules of the branch are the gate, as Markdown."""
    return (
        "**weaker-gate**: without required reviewers, the approval of the release pull request counts. It was given before the release was "
        "planned, to the digest that the pull request showed. " + escape(why, 300)
    )


def _missing(rules: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What the rules leave open; rules of several levels add up."""
    given = [rule.get("parameters") or {} for rule in rules if rule.get("type") == "pull_request"]
    if not any((parameters.get("required_approving_review_count") or 0) >= 1 for parameters in given):
        yield "a pull request with at least one approval"
    yield from (words for key, words in WANTED.items() if not any(parameters.get(key) for parameters in given))
