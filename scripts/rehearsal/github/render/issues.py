"""Issues, comments, labels and releases as JSON."""

from __future__ import annotations

from rehearsal.github.model import Comment, Issue, Json, Label, Release, Repository
from rehearsal.github.render import node_id
from rehearsal.github.render.people import app, association, user
from rehearsal.github.state import State


def label(state: State, found: Repository, name: str) -> Json:
    """Give a label by name."""
    known = found.labels.get(name.lower()) or Label(0, name)
    return {
        "id": known.id,
        "node_id": node_id("LA", known.id),
        "url": state.api_url("repos", found.full_name, "labels", known.name),
        "name": known.name,
        "color": known.color,
        "default": False,
        "description": known.description or None,
    }


def issue(state: State, found: Repository, made: Issue) -> Json:
    """Give an issue; a pull request's carries `pull_request`."""
    api = state.api_url("repos", found.full_name)
    own = f"{api}/issues/{made.number}"
    html = state.html_url(found.full_name, "pull" if made.is_pull else "issues", made.number)
    assignees = [user(state, login) for login in made.assignees]
    answer: Json = {
        "id": made.id,
        "node_id": node_id("I", made.id),
        "url": own,
        "repository_url": api,
        "labels_url": f"{own}/labels{{/name}}",
        "comments_url": f"{own}/comments",
        "events_url": f"{own}/events",
        "html_url": html,
        "number": made.number,
        "state": made.state,
        "state_reason": made.state_reason,
        "title": made.title,
        "body": made.body,
        "user": user(state, made.user),
        "labels": [label(state, found, name) for name in made.labels],
        "assignee": assignees[0] if assignees else None,
        "assignees": assignees,
        "milestone": None,
        "locked": False,
        "active_lock_reason": None,
        "comments": sum(1 for comment_ in found.comments.values() if comment_.issue == made.number),
        "closed_at": made.closed_at,
        "created_at": made.created_at,
        "updated_at": made.updated_at,
        "closed_by": user(state, made.closed_by) if made.closed_by else None,
        "author_association": association(found, made.user),
    }
    if made.is_pull:
        request = found.pulls[made.number]
        answer["draft"] = request.draft
        answer["pull_request"] = {
            "url": f"{api}/pulls/{made.number}",
            "html_url": html,
            "diff_url": f"{html}.diff",
            "patch_url": f"{html}.patch",
            "merged_at": request.merged_at,
        }
    return answer


def comment(state: State, found: Repository, made: Comment) -> Json:
    """Give a comment (`issue-comment`)."""
    pull = found.issues[made.issue].is_pull
    html = state.html_url(found.full_name, "pull" if pull else "issues", made.issue)
    return {
        "id": made.id,
        "node_id": node_id("IC", made.id),
        "url": state.api_url("repos", found.full_name, "issues", "comments", made.id),
        "html_url": f"{html}#issuecomment-{made.id}",
        "body": made.body,
        "user": user(state, made.user),
        "created_at": made.created_at,
        "updated_at": made.updated_at,
        "issue_url": state.api_url("repos", found.full_name, "issues", made.issue),
        "author_association": association(found, made.user),
        "performed_via_github_app": app(state, made.app),
    }


def release(state: State, found: Repository, made: Release) -> Json:
    """Give a release."""
    api = state.api_url("repos", found.full_name)
    return {
        "url": f"{api}/releases/{made.id}",
        "html_url": state.html_url(found.full_name, "releases", "tag", made.tag_name),
        "assets_url": f"{api}/releases/{made.id}/assets",
        "upload_url": f"{api}/releases/{made.id}/assets{{?name,label}}",
        "tarball_url": f"{api}/tarball/{made.tag_name}",
        "zipball_url": f"{api}/zipball/{made.tag_name}",
        "id": made.id,
        "node_id": node_id("RE", made.id),
        "tag_name": made.tag_name,
        "target_commitish": made.target_commitish,
        "name": made.name,
        "body": made.body,
        "draft": made.draft,
        "prerelease": made.prerelease,
        "immutable": made.immutable,
        "created_at": made.created_at,
        "published_at": made.published_at,
        "author": user(state, made.author),
        "assets": [],
    }
