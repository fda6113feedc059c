"""Issues, comments and labels."""

from __future__ import annotations

from rehearsal.github import events
from rehearsal.github.errors import GitHubError, invalid, not_found
from rehearsal.github.model import Comment, Issue, Json, Label, Repository
from rehearsal.github.model_actions import Token
from rehearsal.github.pulls import check_body
from rehearsal.github.render import issues as render
from rehearsal.github.state import State


def get(repository: Repository, number: int) -> Issue:
    """Give an issue (or a pull request's issue side); raises 404."""
    if number not in repository.issues:
        raise not_found()
    return repository.issues[number]


def get_comment(repository: Repository, comment_id: int) -> Comment:
    """Give a comment; raises 404."""
    if comment_id not in repository.comments:
        raise not_found()
    return repository.comments[comment_id]


def create(state: State, full_name: str, token: Token, fields: Json) -> Issue:
    """Open an issue from `title`, `body`, `labels`, `assignees`."""
    repository = state.repository(full_name)
    title = fields.get("title")
    if not title or not isinstance(title, str):
        raise invalid("Issue", "title", "missing_field")
    check_body("Issue", fields.get("body"))
    number = len(repository.issues) + 1
    now = state.stamp()
    issue = Issue(state.new_id(), number, title, fields.get("body"), token.login, now, now)
    repository.issues[number] = issue
    issue.assignees = [login for login in fields.get("assignees") or [] if login in state.users]
    events.emit_on_default_branch(state, repository, token, "issues", "opened", {"issue": render.issue(state, repository, issue)})
    add_labels(state, repository, token, issue, fields.get("labels") or [])
    return issue


def update(state: State, full_name: str, number: int, token: Token, changes: Json) -> Issue:
    """Change an issue: `title`, `body`, `state`, `state_reason`, `labels`, `assignees`."""
    repository = state.repository(full_name)
    issue = get(repository, number)
    check_body("Issue", changes.get("body"))
    if changes.get("state") not in (None, "open", "closed"):
        raise invalid("Issue", "state")
    action = "edited"
    for key in ("title", "body"):
        if key in changes:
            setattr(issue, key, changes[key])
    if "assignees" in changes:
        issue.assignees = [login for login in changes["assignees"] if login in state.users]
    if "labels" in changes:
        issue.labels = []
        add_labels(state, repository, token, issue, changes["labels"])
    issue.updated_at = state.stamp()
    if changes.get("state") == "closed" and issue.state == "open":
        action = "closed"
        issue.state, issue.closed_at, issue.closed_by = "closed", issue.updated_at, token.login
        issue.state_reason = changes.get("state_reason") or "completed"
    if changes.get("state") == "open" and issue.state == "closed":
        action = "reopened"
        issue.state, issue.closed_at, issue.closed_by, issue.state_reason = "open", None, None, "reopened"
    events.emit_on_default_branch(state, repository, token, "issues", action, {"issue": render.issue(state, repository, issue)})
    return issue


def comment(state: State, full_name: str, number: int, token: Token, body: str) -> Comment:
    """Comment on an issue or pull request."""
    repository = state.repository(full_name)
    issue = get(repository, number)
    if not body or not isinstance(body, str):
        raise invalid("IssueComment", "body", "missing_field")
    check_body("IssueComment", body)
    now = state.stamp()
    made = Comment(state.new_id(), number, body, token.login, now, now, token.app)
    repository.comments[made.id] = made
    issue.updated_at = now
    _emit_comment(state, repository, token, made, "created")
    return made


def edit_comment(state: State, full_name: str, comment_id: int, token: Token, body: str) -> Comment:
    """Change a comment's text."""
    repository = state.repository(full_name)
    made = get_comment(repository, comment_id)
    if not body or not isinstance(body, str):
        raise invalid("IssueComment", "body", "missing_field")
    check_body("IssueComment", body)
    made.body, made.updated_at = body, state.stamp()
    _emit_comment(state, repository, token, made, "edited")
    return made


def delete_comment(state: State, full_name: str, comment_id: int, token: Token) -> None:
    """Delete a comment."""
    repository = state.repository(full_name)
    made = get_comment(repository, comment_id)
    _emit_comment(state, repository, token, made, "deleted")
    del repository.comments[comment_id]


def _emit_comment(state: State, repository: Repository, token: Token, made: Comment, action: str) -> None:
    issue = render.issue(state, repository, repository.issues[made.issue])
    payload = {"comment": render.comment(state, repository, made), "issue": issue}
    events.emit_on_default_branch(state, repository, token, "issue_comment", action, payload)


def create_label(state: State, repository: Repository, name: str, color: str = "ededed", description: str = "") -> Label:
    """Make a label; 422 where it exists."""
    if not name:
        raise invalid("Label", "name", "missing_field")
    if name.lower() in repository.labels:
        raise invalid("Label", "name", "already_exists")
    label = Label(state.new_id(), name, color.removeprefix("#"), description)
    repository.labels[name.lower()] = label
    return label


def add_labels(state: State, repository: Repository, token: Token, issue: Issue, names: list[str]) -> None:
    """Put labels on an issue or pull request; those that are not there are made."""
    for name in names:
        text = name.get("name", "") if isinstance(name, dict) else str(name)
        if text.lower() not in repository.labels:
            create_label(state, repository, text)
        label = repository.labels[text.lower()]
        if label.name in issue.labels:
            continue
        issue.labels.append(label.name)
        _emit_label(state, repository, token, issue, label.name, "labeled")


def remove_label(state: State, repository: Repository, token: Token, issue: Issue, name: str) -> None:
    """Take a label off; 404 where it is not on."""
    found = next((each for each in issue.labels if each.lower() == name.lower()), None)
    if found is None:
        raise GitHubError(404, "Label does not exist")
    issue.labels.remove(found)
    _emit_label(state, repository, token, issue, found, "unlabeled")


def _emit_label(state: State, repository: Repository, token: Token, issue: Issue, name: str, action: str) -> None:
    label = render.label(state, repository, name)
    if issue.is_pull:
        events.pull_request(state, repository, token, action, repository.pulls[issue.number], {"label": label})
    else:
        events.emit_on_default_branch(
            state, repository, token, "issues", action, {"issue": render.issue(state, repository, issue), "label": label}
        )
