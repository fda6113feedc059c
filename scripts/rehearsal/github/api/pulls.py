"""Endpoints of pull requests and their reviews."""

from __future__ import annotations

from rehearsal.github import merging, pulls, reviews, rules
from rehearsal.github.api.call import Answer, Call, Endpoint
from rehearsal.github.errors import GitHubError
from rehearsal.github.gitstore import GitStore
from rehearsal.github.model import PullRequest
from rehearsal.github.render import code, people

READ, WRITE = "pull-requests:read", "pull-requests:write"


def _render(call: Call, request: PullRequest) -> object:
    return code.pull(call.state, call.repository, request)


def _full(call: Call, request: PullRequest, status: int = 200) -> Answer:
    word = rules.mergeable_state(call.state, call.repository, request)
    files = pulls.files(call.repository, request, patch=False)
    return Answer(code.full_pull(call.state, call.repository, request, word, files), status)


def _pull(call: Call) -> PullRequest:
    return pulls.get(call.repository, call.number("number"))


def list_pulls(call: Call) -> Answer:
    """List pulls: `GET /pulls`."""
    repository = call.repository
    wanted = call.query.get("state", "open")
    found = [each for each in repository.pulls.values() if wanted in ("all", repository.issues[each.number].state)]
    head = call.query.get("head", "")
    if ":" in head:  # Without an owner GitHub does not filter.
        found = [each for each in found if f"{each.head_repository.split('/')[0]}:{each.head_ref}" == head]
    if call.query.get("base"):
        found = [each for each in found if each.base_ref == call.query["base"]]
    by_update = call.query.get("sort") == "updated"
    keyed = sorted(found, key=lambda each: (repository.issues[each.number].updated_at if by_update else "", each.number))
    if call.query.get("direction", "desc" if call.query.get("sort", "created") == "created" else "asc") == "desc":
        keyed.reverse()
    return call.page(keyed, lambda each: _render(call, each))


def create_pull(call: Call) -> Answer:
    """Create pull: `POST /pulls`."""
    fields = call.fields()
    wish = pulls.NewPull(
        call.text("head"),
        call.text("base"),
        call.text("title", required=False),
        call.text("body", required=False) or None,
        bool(fields.get("draft", False)),
        bool(fields.get("maintainer_can_modify", False)),
    )
    return _full(call, pulls.create(call.state, call.full_name, call.who, wish), 201)


def get_pull(call: Call) -> Answer:
    """Give pull: `GET /pulls/{number}`."""
    request = _pull(call)
    if pulls.is_open(call.repository, request) and request.mergeable is not None and call.state.slow_mergeable.pop(request.id, False):
        answer = _full(call, request)
        return Answer({**answer.body, "mergeable": None, "rebaseable": None, "mergeable_state": "unknown"})
    return _full(call, request)


def update_pull(call: Call) -> Answer:
    """Change pull: `PATCH /pulls/{number}`."""
    return _full(call, pulls.update(call.state, call.full_name, call.number("number"), call.who, call.fields()))


def list_files(call: Call) -> Answer:
    """List files: `GET /pulls/{number}/files`."""
    request = _pull(call)
    found = pulls.files(call.repository, request)
    return call.page(found, lambda each: code.file_change(call.state, call.repository, each, request.head_sha))


def list_commits(call: Call) -> Answer:
    """List commits: `GET /pulls/{number}/commits`."""
    store = GitStore(call.repository.path)
    return call.page(_pull(call).commits, lambda sha: code.commit(call.state, call.repository, store.commit(sha)))


def is_merged(call: Call) -> Answer:
    """Tell whether it is merged: `GET /pulls/{number}/merge`."""
    if _pull(call).merged_at is None:
        raise GitHubError(404, "Not Found")
    return Answer(None, 204)


def merge_pull(call: Call) -> Answer:
    """Merge pull: `PUT /pulls/{number}/merge`."""
    fields = call.fields()
    wish = merging.MergeWish(
        fields.get("merge_method") or "merge", fields.get("sha") or "", fields.get("commit_title") or "", fields.get("commit_message")
    )
    sha = merging.merge(call.state, call.full_name, call.number("number"), call.who, wish)
    return Answer({"sha": sha, "merged": True, "message": "Pull Request successfully merged"})


def update_branch(call: Call) -> Answer:
    """Change branch: `PUT /pulls/{number}/update-branch`."""
    expected = call.text("expected_head_sha", required=False)
    merging.update_branch(call.state, call.full_name, call.number("number"), call.who, expected)
    return Answer({"message": "Updating pull request branch.", "url": code.pull(call.state, call.repository, _pull(call))["url"]}, 202)


def list_reviews(call: Call) -> Answer:
    """List reviews: `GET /pulls/{number}/reviews`."""
    request = _pull(call)
    return call.page(request.reviews, lambda each: code.review(call.state, call.repository, request.number, each))


def create_review(call: Call) -> Answer:
    """Create review: `POST /pulls/{number}/reviews`."""
    number = call.number("number")
    fields = call.fields()
    if "commit_id" in fields and fields["commit_id"] != _pull(call).head_sha:
        raise GitHubError(422, "Unprocessable Entity", ["commit_id is not the head of the pull request"])
    made = reviews.submit(call.state, call.full_name, number, call.who, call.text("event"), call.text("body", required=False))
    return Answer(code.review(call.state, call.repository, number, made))


def requested_reviewers(call: Call) -> Answer:
    """Give the requested reviewers: `GET /pulls/{number}/requested_reviewers`."""
    return Answer({"users": [people.user(call.state, login) for login in _pull(call).requested_reviewers], "teams": []})


def request_reviewers(call: Call) -> Answer:
    """Ask reviewers: `POST /pulls/{number}/requested_reviewers`."""
    fields = call.fields()
    if fields.get("team_reviewers"):
        raise GitHubError(422, "Teams are not imitated: `team_reviewers` must be empty.")
    request = reviews.ask(call.state, call.full_name, call.number("number"), call.who, list(fields.get("reviewers") or []))
    return Answer(_render(call, request), 201)


def remove_reviewers(call: Call) -> Answer:
    """Remove reviewers: `DELETE /pulls/{number}/requested_reviewers`."""
    request = _pull(call)
    request.requested_reviewers = [each for each in request.requested_reviewers if each not in (call.fields().get("reviewers") or [])]
    return Answer(_render(call, request))


def pulls_of_commit(call: Call) -> Answer:
    """Give the pulls of commit: `GET /commits/{ref}/pulls`."""
    repository = call.repository
    sha = GitStore(repository.path).resolve(call.parts["ref"])
    if sha is None:
        raise GitHubError(422, f"No commit found for SHA: {call.parts['ref']}")
    found = [each for each in repository.pulls.values() if sha in each.commits or (each.merged_at and sha == each.merge_commit_sha)]
    return call.page(found, lambda each: _render(call, each))


_UPDATE = ("title", "body", "state", "base", "maintainer_can_modify")
ENDPOINTS = [
    Endpoint("GET", "~/pulls", list_pulls, (READ,), query=("state", "head", "base", "sort", "direction")),
    Endpoint("POST", "~/pulls", create_pull, (WRITE,), ("head", "base", "title", "body", "draft", "maintainer_can_modify")),
    Endpoint("GET", "~/pulls/{number}", get_pull, (READ, "contents:read")),
    Endpoint("PATCH", "~/pulls/{number}", update_pull, (WRITE,), _UPDATE),
    Endpoint("GET", "~/pulls/{number}/files", list_files, (READ,)),
    Endpoint("GET", "~/pulls/{number}/commits", list_commits, (READ,)),
    Endpoint("GET", "~/pulls/{number}/merge", is_merged, ("contents:read", READ)),
    Endpoint("PUT", "~/pulls/{number}/merge", merge_pull, ("contents:write",), ("sha", "merge_method", "commit_title", "commit_message")),
    Endpoint("PUT", "~/pulls/{number}/update-branch", update_branch, (WRITE,), ("expected_head_sha",)),
    Endpoint("GET", "~/pulls/{number}/reviews", list_reviews, (READ,)),
    Endpoint("POST", "~/pulls/{number}/reviews", create_review, (WRITE,), ("event", "body", "commit_id")),
    Endpoint("GET", "~/pulls/{number}/requested_reviewers", requested_reviewers, (READ,)),
    Endpoint("POST", "~/pulls/{number}/requested_reviewers", request_reviewers, (WRITE,), ("reviewers", "team_reviewers")),
    Endpoint("DELETE", "~/pulls/{number}/requested_reviewers", remove_reviewers, (WRITE,), ("reviewers", "team_reviewers")),
    Endpoint("GET", "~/commits/{ref:path}/pulls", pulls_of_commit, (READ,)),
]
