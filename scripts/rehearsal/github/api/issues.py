"""Endpoints of issues, comments, labels and releases."""

from __future__ import annotations

from rehearsal.github import issues, releases
from rehearsal.github.api.call import Answer, Call, Endpoint, no_content
from rehearsal.github.errors import not_found
from rehearsal.github.model import Comment, Issue
from rehearsal.github.render import issues as render

READ, WRITE = ("issues:read", "pull-requests:read"), ("issues:write", "pull-requests:write")


def _issue(call: Call) -> Issue:
    return issues.get(call.repository, call.number("number"))


def _answer(call: Call, issue: Issue, status: int = 200) -> Answer:
    return Answer(render.issue(call.state, call.repository, issue), status)


def list_issues(call: Call) -> Answer:
    """List issues: `GET /issues`."""
    wanted = call.query.get("state", "open")
    found = [each for each in call.repository.issues.values() if wanted in ("all", each.state)]
    for label in filter(None, call.query.get("labels", "").split(",")):
        found = [each for each in found if label.lower() in (name.lower() for name in each.labels)]
    if call.query.get("creator"):
        found = [each for each in found if each.user == call.query["creator"]]
    if call.query.get("assignee"):
        found = [each for each in found if call.query["assignee"] in each.assignees]
    if call.query.get("since"):
        found = [each for each in found if each.updated_at >= call.query["since"]]
    by_update = call.query.get("sort") == "updated"
    found.sort(key=lambda each: (each.updated_at if by_update else "", each.number), reverse=call.query.get("direction", "desc") == "desc")
    return call.page(found, lambda each: render.issue(call.state, call.repository, each))


def create_issue(call: Call) -> Answer:
    """Create issue: `POST /issues`."""
    return _answer(call, issues.create(call.state, call.full_name, call.who, call.fields()), 201)


def get_issue(call: Call) -> Answer:
    """Give issue: `GET /issues/{number}`."""
    return _answer(call, _issue(call))


def update_issue(call: Call) -> Answer:
    """Change issue: `PATCH /issues/{number}`."""
    return _answer(call, issues.update(call.state, call.full_name, call.number("number"), call.who, call.fields()))


def _comments(call: Call, found: list[Comment]) -> Answer:
    since = call.query.get("since", "")
    kept = [each for each in found if each.updated_at >= since]
    return call.page(kept, lambda each: render.comment(call.state, call.repository, each))


def list_comments(call: Call) -> Answer:
    """List comments: `GET /issues/{number}/comments`."""
    number = _issue(call).number
    return _comments(call, [each for each in call.repository.comments.values() if each.issue == number])


def list_all_comments(call: Call) -> Answer:
    """List all comments: `GET /issues/comments`."""
    return _comments(call, list(call.repository.comments.values()))


def create_comment(call: Call) -> Answer:
    """Create comment: `POST /issues/{number}/comments`."""
    made = issues.comment(call.state, call.full_name, call.number("number"), call.who, call.fields().get("body") or "")
    return Answer(render.comment(call.state, call.repository, made), 201)


def get_comment(call: Call) -> Answer:
    """Give comment: `GET /issues/comments/{id}`."""
    return Answer(render.comment(call.state, call.repository, issues.get_comment(call.repository, call.number("id"))))


def edit_comment(call: Call) -> Answer:
    """Change comment: `PATCH /issues/comments/{id}`."""
    made = issues.edit_comment(call.state, call.full_name, call.number("id"), call.who, call.fields().get("body") or "")
    return Answer(render.comment(call.state, call.repository, made))


def delete_comment(call: Call) -> Answer:
    """Delete comment: `DELETE /issues/comments/{id}`."""
    issues.delete_comment(call.state, call.full_name, call.number("id"), call.who)
    return no_content()


def _labels(call: Call, names: list[str]) -> Answer:
    return call.page(names, lambda name: render.label(call.state, call.repository, name))


def list_issue_labels(call: Call) -> Answer:
    """List issue labels: `GET /issues/{number}/labels`."""
    return _labels(call, _issue(call).labels)


def add_issue_labels(call: Call) -> Answer:
    # PyGithub and older clients send a bare list.
    """Add issue labels: `POST /issues/{number}/labels`."""
    names = call.body if isinstance(call.body, list) else call.fields().get("labels") or []
    issue = _issue(call)
    issues.add_labels(call.state, call.repository, call.who, issue, names)
    return _labels(call, issue.labels)


def remove_issue_label(call: Call) -> Answer:
    """Remove issue label: `DELETE /issues/{number}/labels/{name}`."""
    issue = _issue(call)
    issues.remove_label(call.state, call.repository, call.who, issue, call.parts["name"])
    return _labels(call, issue.labels)


def list_labels(call: Call) -> Answer:
    """List labels: `GET /labels`."""
    return _labels(call, [label.name for label in call.repository.labels.values()])


def get_label(call: Call) -> Answer:
    """Give label: `GET /labels/{name}`."""
    if call.parts["name"].lower() not in call.repository.labels:
        raise not_found()
    return Answer(render.label(call.state, call.repository, call.parts["name"]))


def create_label(call: Call) -> Answer:
    """Create label: `POST /labels`."""
    fields = call.fields()
    text = call.text("description", required=False)
    made = issues.create_label(call.state, call.repository, call.text("name"), fields.get("color") or "ededed", text)
    return Answer(render.label(call.state, call.repository, made.name), 201)


def list_releases(call: Call) -> Answer:
    """List releases: `GET /releases`."""
    shown = call.token is not None and call.token.kind != "oidc"
    found = [each for each in reversed(call.repository.releases.values()) if shown or not each.draft]
    return call.page(found, lambda each: render.release(call.state, call.repository, each))


def create_release(call: Call) -> Answer:
    """Create release: `POST /releases`."""
    made = releases.create(call.state, call.repository, call.who, call.fields())
    return Answer(render.release(call.state, call.repository, made), 201)


def get_release(call: Call) -> Answer:
    """Give release: `GET /releases/{id}`."""
    return Answer(render.release(call.state, call.repository, releases.get(call.repository, call.number("id"))))


def release_of_tag(call: Call) -> Answer:
    """Give the release of tag: `GET /releases/tags/{tag}`."""
    return Answer(render.release(call.state, call.repository, releases.by_tag(call.repository, call.parts["tag"])))


def latest_release(call: Call) -> Answer:
    """Give the latest release: `GET /releases/latest`."""
    return Answer(render.release(call.state, call.repository, releases.latest(call.repository)))


def update_release(call: Call) -> Answer:
    """Change release: `PATCH /releases/{id}`."""
    made = releases.update(call.state, call.repository, call.who, call.number("id"), call.fields())
    return Answer(render.release(call.state, call.repository, made))


def generate_notes(call: Call) -> Answer:
    """Generate notes: `POST /releases/generate-notes`."""
    name, body = releases.notes(call.state, call.repository, call.text("tag_name"), call.text("previous_tag_name", required=False))
    return Answer({"name": name, "body": body})


_ISSUE = ("title", "body", "labels", "assignees")
_RELEASE = ("tag_name", "target_commitish", "name", "body", "draft", "prerelease")
ENDPOINTS = [
    Endpoint("GET", "~/issues", list_issues, READ, query=("labels", "state", "creator", "assignee", "since", "sort", "direction")),
    Endpoint("POST", "~/issues", create_issue, ("issues:write",), _ISSUE),
    Endpoint("GET", "~/issues/comments", list_all_comments, READ, query=("since", "sort", "direction")),
    Endpoint("GET", "~/issues/comments/{id}", get_comment, READ),
    Endpoint("PATCH", "~/issues/comments/{id}", edit_comment, WRITE, ("body",)),
    Endpoint("DELETE", "~/issues/comments/{id}", delete_comment, WRITE),
    Endpoint("GET", "~/issues/{number}", get_issue, READ),
    Endpoint("PATCH", "~/issues/{number}", update_issue, WRITE, (*_ISSUE, "state", "state_reason")),
    Endpoint("GET", "~/issues/{number}/comments", list_comments, READ, query=("since",)),
    Endpoint("POST", "~/issues/{number}/comments", create_comment, WRITE, ("body",)),
    Endpoint("GET", "~/issues/{number}/labels", list_issue_labels, READ),
    Endpoint("POST", "~/issues/{number}/labels", add_issue_labels, WRITE, ("labels",)),
    Endpoint("DELETE", "~/issues/{number}/labels/{name:path}", remove_issue_label, WRITE),
    Endpoint("GET", "~/labels", list_labels, READ),
    Endpoint("GET", "~/labels/{name:path}", get_label, READ),
    Endpoint("POST", "~/labels", create_label, WRITE, ("name", "color", "description")),
    Endpoint("GET", "~/releases", list_releases, ("contents:read",)),
    Endpoint("POST", "~/releases", create_release, ("contents:write",), (*_RELEASE, "generate_release_notes")),
    Endpoint("POST", "~/releases/generate-notes", generate_notes, ("contents:write",), ("tag_name", "previous_tag_name")),
    Endpoint("GET", "~/releases/latest", latest_release, ("contents:read",)),
    Endpoint("GET", "~/releases/tags/{tag:path}", release_of_tag, ("contents:read",)),
    Endpoint("GET", "~/releases/{id}", get_release, ("contents:read",)),
    Endpoint("PATCH", "~/releases/{id}", update_release, ("contents:write",), _RELEASE),
]
