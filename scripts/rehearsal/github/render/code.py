"""Commits, files, trees, references and pull requests as JSON."""

from __future__ import annotations

from rehearsal.github.gitstore import Commit, FileChange, GitStore, Person, TreeEntry
from rehearsal.github.model import Json, PullRequest, Repository, Review
from rehearsal.github.render import node_id
from rehearsal.github.render.issues import label
from rehearsal.github.render.people import association, repository, user
from rehearsal.github.state import State

UNSIGNED = {"verified": False, "reason": "unsigned", "signature": None, "payload": None, "verified_at": None}


def store(found: Repository) -> GitStore:
    """Give the git repository."""
    return GitStore(found.path)


def person(who: Person) -> Json:
    """Give an author or committer as git has it."""
    return {"name": who.name, "email": who.email, "date": who.date}


def account_of(state: State, who: Person) -> Json | None:
    """Give the account that an author's address belongs to, None where there is none."""
    for each in state.users.values():
        if each.email == who.email:
            return user(state, each.login)
    return None


def commit(state: State, found: Repository, made: Commit) -> Json:
    """Give a commit as in lists (`commit`, without `files`)."""
    api = state.api_url("repos", found.full_name)
    html = state.html_url(found.full_name, "commit", made.sha)
    return {
        "url": f"{api}/commits/{made.sha}",
        "sha": made.sha,
        "node_id": f"C_{made.sha}",
        "html_url": html,
        "comments_url": f"{api}/commits/{made.sha}/comments",
        "commit": {
            "url": f"{api}/git/commits/{made.sha}",
            "author": person(made.author),
            "committer": person(made.committer),
            "message": made.message,
            "comment_count": 0,
            "tree": {"sha": made.tree, "url": f"{api}/git/trees/{made.tree}"},
            "verification": UNSIGNED,
        },
        "author": account_of(state, made.author),
        "committer": account_of(state, made.committer),
        "parents": _parents(state, found, made),
    }


def _parents(state: State, found: Repository, made: Commit) -> list[Json]:
    api = state.api_url("repos", found.full_name, "commits")
    html = state.html_url(found.full_name, "commit")
    return [{"sha": sha, "url": f"{api}/{sha}", "html_url": f"{html}/{sha}"} for sha in made.parents]


def commit_with_files(state: State, found: Repository, made: Commit, files: list[FileChange]) -> Json:
    """Give one commit with its files."""
    added, removed = sum(f.additions for f in files), sum(f.deletions for f in files)
    return {
        **commit(state, found, made),
        "stats": {"additions": added, "deletions": removed, "total": added + removed},
        "files": [file_change(state, found, change, made.sha) for change in files],
    }


def file_change(state: State, found: Repository, change: FileChange, ref: str) -> Json:
    """Give a changed file (`diff-entry`)."""
    answer: Json = {
        "sha": change.blob,
        "filename": change.filename,
        "status": change.status,
        "additions": change.additions,
        "deletions": change.deletions,
        "changes": change.additions + change.deletions,
        "blob_url": state.html_url(found.full_name, "blob", ref, change.filename),
        "raw_url": state.html_url(found.full_name, "raw", ref, change.filename),
        "contents_url": state.api_url("repos", found.full_name, "contents", change.filename) + f"?ref={ref}",
    }
    if change.previous:
        answer["previous_filename"] = change.previous
    if change.patch:
        answer["patch"] = change.patch
    return answer


def git_commit(state: State, found: Repository, made: Commit) -> Json:
    """Give a commit as the git database has it (`git-commit`)."""
    api = state.api_url("repos", found.full_name, "git")
    return {
        "sha": made.sha,
        "node_id": f"C_{made.sha}",
        "url": f"{api}/commits/{made.sha}",
        "html_url": state.html_url(found.full_name, "commit", made.sha),
        "author": person(made.author),
        "committer": person(made.committer),
        "tree": {"sha": made.tree, "url": f"{api}/trees/{made.tree}"},
        "message": made.message,
        "parents": _parents(state, found, made),
        "verification": UNSIGNED,
    }


def simple_commit(made: Commit) -> Json:
    """Give a commit as runs and pushes name it (`simple-commit`)."""
    return {
        "id": made.sha,
        "tree_id": made.tree,
        "message": made.message,
        "timestamp": made.committer.date,
        "author": {"name": made.author.name, "email": made.author.email},
        "committer": {"name": made.committer.name, "email": made.committer.email},
    }


def ref(state: State, found: Repository, name: str, sha: str, type_: str = "commit") -> Json:
    """Give a reference (`git-ref`)."""
    api = state.api_url("repos", found.full_name, "git")
    return {
        "ref": name,
        "node_id": f"REF_{name}",
        "url": f"{api}/{name}",
        "object": {"type": type_, "sha": sha, "url": f"{api}/{type_}s/{sha}"},
    }


def tree(state: State, found: Repository, sha: str, entries: list[TreeEntry]) -> Json:
    """Give a tree (`git-tree`)."""
    api = state.api_url("repos", found.full_name, "git")
    listed = []
    for entry in entries:
        kind = "trees" if entry.type == "tree" else "blobs"
        item: Json = {"path": entry.path, "mode": entry.mode, "type": entry.type, "sha": entry.sha, "url": f"{api}/{kind}/{entry.sha}"}
        if entry.size is not None:
            item["size"] = entry.size
        listed.append(item)
    return {"sha": sha, "url": f"{api}/trees/{sha}", "tree": listed, "truncated": False}


def branch(state: State, found: Repository, name: str, made: Commit, *, protected: bool) -> Json:
    """Give a branch alone (`branch-with-protection`)."""
    api = state.api_url("repos", found.full_name, "branches", name)
    off = {"enforcement_level": "off", "contexts": [], "checks": []}
    return {
        "name": name,
        "commit": commit(state, found, made),
        "_links": {"self": api, "html": state.html_url(found.full_name, "tree", name)},
        "protected": protected,
        "protection": {"enabled": False, "required_status_checks": off},
        "protection_url": f"{api}/protection",
    }


def short_branch(state: State, found: Repository, name: str, sha: str, *, protected: bool) -> Json:
    """Give a branch as in lists (`short-branch`)."""
    commit_ = {"sha": sha, "url": state.api_url("repos", found.full_name, "commits", sha)}
    return {"name": name, "commit": commit_, "protected": protected}


def _side(state: State, found: Repository, side: Repository | None, name: str, sha: str) -> Json:
    owner = (side or found).owner
    return {
        "label": f"{owner}:{name}",
        "ref": name,
        "sha": sha,
        "user": user(state, owner),
        "repo": repository(state, side) if side else None,
    }


def pull(state: State, found: Repository, request: PullRequest) -> Json:
    """Give a pull request as in lists (`pull-request-simple`)."""
    issue = found.issues[request.number]
    api = state.api_url("repos", found.full_name)
    own, html = f"{api}/pulls/{request.number}", state.html_url(found.full_name, "pull", request.number)
    links = {
        "self": own,
        "html": html,
        "issue": f"{api}/issues/{request.number}",
        "comments": f"{api}/issues/{request.number}/comments",
        "review_comments": f"{own}/comments",
        "review_comment": f"{api}/pulls/comments{{/number}}",
        "commits": f"{own}/commits",
        "statuses": f"{api}/statuses/{request.head_sha}",
    }
    assignees = [user(state, login) for login in issue.assignees]
    return {
        "url": own,
        "id": request.id,
        "node_id": node_id("PR", request.id),
        "html_url": html,
        "diff_url": f"{html}.diff",
        "patch_url": f"{html}.patch",
        **{f"{name}_url": links[name] for name in ("issue", "commits", "review_comments", "review_comment", "comments", "statuses")},
        "number": request.number,
        "state": issue.state,
        "locked": False,
        "title": issue.title,
        "user": user(state, request.user),
        "body": issue.body,
        "labels": [label(state, found, name) for name in issue.labels],
        "milestone": None,
        "active_lock_reason": None,
        "created_at": request.created_at,
        "updated_at": issue.updated_at,
        "closed_at": issue.closed_at,
        "merged_at": request.merged_at,
        "merge_commit_sha": request.merge_commit_sha,
        "assignee": assignees[0] if assignees else None,
        "assignees": assignees,
        "requested_reviewers": [user(state, login) for login in request.requested_reviewers],
        "requested_teams": [],
        "head": _side(state, found, state.repositories.get(request.head_repository), request.head_ref, request.head_sha),
        "base": _side(state, found, found, request.base_ref, request.base_sha),
        "_links": {name: {"href": address} for name, address in links.items()},
        "author_association": association(found, request.user),
        "auto_merge": None,
        "draft": request.draft,
    }


def full_pull(state: State, found: Repository, request: PullRequest, mergeable_state: str, files: list[FileChange]) -> Json:
    """Give a pull request alone (`pull-request`)."""
    return {
        **pull(state, found, request),
        "merged": request.merged_at is not None,
        "mergeable": request.mergeable,
        "rebaseable": request.mergeable,
        "mergeable_state": mergeable_state,
        "merged_by": user(state, request.merged_by) if request.merged_by else None,
        "comments": sum(1 for comment in found.comments.values() if comment.issue == request.number),
        "review_comments": 0,
        "maintainer_can_modify": request.maintainer_can_modify,
        "commits": len(request.commits),
        "additions": sum(change.additions for change in files),
        "deletions": sum(change.deletions for change in files),
        "changed_files": len(files),
    }


def review(state: State, found: Repository, number: int, made: Review) -> Json:
    """Give a review (`pull-request-review`)."""
    html = state.html_url(found.full_name, "pull", number) + f"#pullrequestreview-{made.id}"
    api = state.api_url("repos", found.full_name, "pulls", number)
    return {
        "id": made.id,
        "node_id": node_id("PRR", made.id),
        "user": user(state, made.user),
        "body": made.body,
        "state": made.state,
        "html_url": html,
        "pull_request_url": api,
        "_links": {"html": {"href": html}, "pull_request": {"href": api}},
        "submitted_at": made.submitted_at,
        "commit_id": made.commit_id,
        "author_association": association(found, made.user),
    }
