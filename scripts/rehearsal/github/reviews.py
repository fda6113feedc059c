"""Reviews of pull requests: submitting, dismissing, asking for them."""

from __future__ import annotations

from rehearsal.github import events
from rehearsal.github.access import has_role
from rehearsal.github.errors import GitHubError, invalid
from rehearsal.github.model import PullRequest, Repository, Review
from rehearsal.github.model_actions import Token
from rehearsal.github.pulls import get
from rehearsal.github.render import code
from rehearsal.github.state import State

STATES = {"APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED", "COMMENT": "COMMENTED"}


def submit(state: State, full_name: str, number: int, token: Token, event: str, body: str) -> Review:
    """Review a pull request's present head (`event` APPROVE, REQUEST_CHANGES or COMMENT).

    Raises:
        GitHubError: 422 for one's own pull request, or an event that is none of those.
    """
    repository = state.repository(full_name)
    request = get(repository, number)
    if event not in STATES:
        raise invalid("PullRequestReview", "event")
    if event != "COMMENT" and token.login == request.user:
        verb = "approve" if event == "APPROVE" else "request changes on"
        raise GitHubError(422, "Unprocessable Entity", [f"Can not {verb} your own pull request"])
    if token.kind == "job" and event == "APPROVE" and not repository.can_approve_pull_request_reviews:
        raise GitHubError(422, "Unprocessable Entity", ["GitHub Actions is not permitted to approve pull requests."])
    review = Review(state.new_id(), token.login, STATES[event], body, request.head_sha, state.stamp())
    request.reviews.append(review)
    if token.login in request.requested_reviewers:
        request.requested_reviewers.remove(token.login)
    where = (f"refs/pull/{number}/merge", request.merge_commit_sha or request.head_sha)
    payload = {"review": code.review(state, repository, number, review), "pull_request": code.pull(state, repository, request)}
    events.emit(state, repository, token, "pull_request_review", "submitted", where, payload)
    return review


def ask(state: State, full_name: str, number: int, token: Token, reviewers: list[str]) -> PullRequest:
    """Ask people for a review; 422 for the author and for who cannot see the repository."""
    repository = state.repository(full_name)
    request = get(repository, number)
    for login in reviewers:
        if login == request.user:
            raise GitHubError(422, "Review cannot be requested from pull request author.")
        if login not in state.users or not has_role(state, repository, login, "read"):
            text = "Reviews may only be requested from collaborators. One or more of the users or teams you specified is not a collaborator"
            raise GitHubError(422, f"{text} of the {full_name} repository.")
    for login in reviewers:
        if login not in request.requested_reviewers:
            request.requested_reviewers.append(login)
            events.pull_request(state, repository, token, "review_requested", request)
    return request


def latest(request: PullRequest) -> dict[str, Review]:
    """Give each person's review that counts: the last one that is more than a comment."""
    return {review.user: review for review in request.reviews if review.state != "COMMENTED"}


def dismiss_stale(repository: Repository, request: PullRequest) -> None:
    """Dismiss approvals after a push, where a rule for the base branch says so."""
    from rehearsal.github import rules

    active = rules.active(repository, request.base_ref)
    if not any(rule.type == "pull_request" and rule.parameters.get("dismiss_stale_reviews_on_push") for rule in active):
        return
    for review in request.reviews:
        if review.state == "APPROVED" and review.commit_id != request.head_sha:
            review.state = "DISMISSED"
