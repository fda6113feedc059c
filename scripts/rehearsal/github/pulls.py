"""Pull requests: opening, changing, keeping up with pushes, and whether they can be merged."""

from __future__ import annotations

from dataclasses import dataclass

from rehearsal.github import events
from rehearsal.github.errors import GitHubError, invalid, not_found
from rehearsal.github.gitstore import ZERO, FileChange, GitStore, Person
from rehearsal.github.model import Issue, Json, PullRequest, Repository
from rehearsal.github.model_actions import Token
from rehearsal.github.state import State

MAX_BODY_CHARACTERS = 65_536
GITHUB = Person("GitHub", "noreply@github.com")


@dataclass(frozen=True)
class NewPull:
    """What a pull request is opened with (`head` is a branch, or `owner:branch`)."""

    head: str
    base: str
    title: str
    body: str | None = None
    draft: bool = False
    maintainer_can_modify: bool = False


def get(repository: Repository, number: int) -> PullRequest:
    """Give a pull request; raises 404."""
    if number not in repository.pulls:
        raise not_found()
    return repository.pulls[number]


def check_body(resource: str, body: str | None) -> None:
    """Refuse a text that is longer than GitHub takes."""
    if body is not None and len(body) > MAX_BODY_CHARACTERS:
        raise invalid(resource, "body", "custom", f"body is too long (maximum is {MAX_BODY_CHARACTERS} characters)")


def is_open(repository: Repository, request: PullRequest) -> bool:
    """Say whether a pull request is open."""
    return repository.issues[request.number].state == "open"


def create(state: State, full_name: str, token: Token, wish: NewPull) -> PullRequest:
    """Open a pull request (see `GitHub.open_pull`).

    Raises:
        GitHubError: 403 where Actions may not open any; 422 for a missing branch, nothing to merge, or one that is open already.
    """
    repository = state.repository(full_name)
    if token.kind == "job" and not repository.can_approve_pull_request_reviews:
        raise GitHubError(403, "GitHub Actions is not permitted to create or approve pull requests.")
    if not wish.title:
        raise invalid("PullRequest", "title", "missing_field")
    check_body("PullRequest", wish.body)
    head_repository, branch = _head(state, repository, wish.head)
    base_sha = GitStore(repository.path).resolve(f"refs/heads/{wish.base}")
    head_sha = GitStore(head_repository.path).resolve(f"refs/heads/{branch}")
    if base_sha is None:
        raise invalid("PullRequest", "base")
    if head_sha is None:
        raise invalid("PullRequest", "head")
    for other in repository.pulls.values():
        same = (other.head_repository, other.head_ref, other.base_ref) == (head_repository.full_name, branch, wish.base)
        if same and is_open(repository, other):
            text = f"A pull request already exists for {head_repository.owner}:{branch}."
            raise invalid("PullRequest", "head", "custom", text)
    _check_something_new(repository, head_repository, branch, head_sha, base_sha, wish.base)
    number = len(repository.issues) + 1
    now = state.stamp()
    issue = Issue(state.new_id(), number, wish.title, wish.body, token.login, now, now, is_pull=True)
    request = PullRequest(
        state.new_id(), number, head_repository.full_name, branch, head_sha, wish.base, base_sha, token.login, now,
        draft=wish.draft, maintainer_can_modify=wish.maintainer_can_modify, last_pusher=token.login,
    )  # fmt: skip
    repository.issues[number] = issue
    repository.pulls[number] = request
    refresh(state, repository, request)
    events.pull_request(state, repository, token, "opened", request)
    return request


def _head(state: State, repository: Repository, head: str) -> tuple[Repository, str]:
    owner, colon, branch = head.partition(":")
    if not colon:
        return repository, head
    if owner == repository.owner:
        return repository, branch
    for each in state.repositories.values():
        if each.owner == owner and repository.full_name in (each.fork_of, each.full_name):
            return each, branch
    raise invalid("PullRequest", "head")


def _fetch(repository: Repository, head_repository: Repository, branch: str) -> None:
    if head_repository.full_name != repository.full_name:
        GitStore(repository.path).run("fetch", "--quiet", "--no-tags", str(head_repository.path), f"refs/heads/{branch}")


def _check_something_new(repository: Repository, head: Repository, branch: str, head_sha: str, base_sha: str, base: str) -> None:
    _fetch(repository, head, branch)
    store = GitStore(repository.path)
    if store.merge_base(base_sha, head_sha) is None:
        text = f"The {base} branch has no history in common with {branch}"
    elif store.is_ancestor(head_sha, base_sha):
        text = f"No commits between {base} and {branch}"
    else:
        return
    raise GitHubError(422, "Validation Failed", [{"resource": "PullRequest", "code": "custom", "message": text}])


def refresh(state: State, repository: Repository, request: PullRequest) -> None:
    """Bring an open pull request up to its branches: commits, test merge, `refs/pull/N/head` and `/merge`."""
    store = GitStore(repository.path)
    head_repository = state.repository(request.head_repository)
    _fetch(repository, head_repository, request.head_ref)
    request.head_sha = GitStore(head_repository.path).resolve(f"refs/heads/{request.head_ref}") or request.head_sha
    request.base_sha = store.resolve(f"refs/heads/{request.base_ref}") or request.base_sha
    store.set_ref(f"refs/pull/{request.number}/head", request.head_sha)
    request.commits = [c.sha for c in reversed(store.log(request.head_sha, f"^{request.base_sha}", extra=("--topo-order",)))]
    tree = store.merge_tree(request.base_sha, request.head_sha)
    request.mergeable = tree is not None
    request.merge_commit_sha = None
    merge_ref = f"refs/pull/{request.number}/merge"
    if tree is None:
        store.delete_ref(merge_ref)
        return
    message = f"Merge {request.head_sha} into {request.base_sha}"
    request.merge_commit_sha = store.commit_tree(tree, [request.base_sha, request.head_sha], message, GITHUB, GITHUB)
    store.set_ref(merge_ref, request.merge_commit_sha)


def branch_changed(state: State, repository: Repository, token: Token, branch: str, sha: str) -> None:
    """Bring the pull requests from and to a branch up to date after a push (`sha` is 40 zeros when the branch is gone)."""
    for host in list(state.repositories.values()):
        for request in list(host.pulls.values()):
            if not is_open(host, request):
                continue
            if (request.head_repository, request.head_ref) == (repository.full_name, branch):
                _head_changed(state, host, token, request, sha)
            elif (host.full_name, request.base_ref) == (repository.full_name, branch):
                _base_changed(state, host, token, request, sha)


def _head_changed(state: State, host: Repository, token: Token, request: PullRequest, sha: str) -> None:
    if sha == ZERO:
        close(state, host, token, request)
        return
    if sha == request.head_sha:
        return
    from rehearsal.github import reviews

    before = request.head_sha
    refresh(state, host, request)
    request.last_pusher = token.login
    host.issues[request.number].updated_at = state.stamp()
    reviews.dismiss_stale(host, request)
    if request.mergeable is not False:
        # GitHub starts nothing for a pull request with a conflict: there is no merge commit to run on.
        events.pull_request(state, host, token, "synchronize", request, {"before": before, "after": sha})


def _base_changed(state: State, host: Repository, token: Token, request: PullRequest, sha: str) -> None:
    if sha == ZERO:
        close(state, host, token, request)
        return
    if GitStore(host.path).is_ancestor(request.head_sha, sha):
        mark_merged(state, host, token, request, sha)
        return
    refresh(state, host, request)


def mark_merged(state: State, repository: Repository, token: Token, request: PullRequest, commit: str) -> None:
    """Say that a pull request has arrived on its base branch by a commit, and emit `closed`."""
    now = state.stamp()
    issue = repository.issues[request.number]
    issue.state, issue.closed_at, issue.updated_at, issue.closed_by = "closed", now, now, token.login
    request.merged_at, request.merged_by, request.merge_commit_sha, request.mergeable = now, token.login, commit, None
    GitStore(repository.path).delete_ref(f"refs/pull/{request.number}/merge")
    events.pull_request(state, repository, token, "closed", request)


def close(state: State, repository: Repository, token: Token, request: PullRequest) -> None:
    """Close a pull request without merging it."""
    now = state.stamp()
    issue = repository.issues[request.number]
    issue.state, issue.closed_at, issue.updated_at, issue.closed_by = "closed", now, now, token.login
    events.pull_request(state, repository, token, "closed", request)


def update(state: State, full_name: str, number: int, token: Token, changes: Json) -> PullRequest:
    """Change title, body, state or base of a pull request (`PATCH /pulls/{number}`)."""
    repository = state.repository(full_name)
    request = get(repository, number)
    issue = repository.issues[number]
    check_body("PullRequest", changes.get("body"))
    if changes.get("title") == "":
        raise invalid("PullRequest", "title", "missing_field")
    old: Json = {}
    for key in ("title", "body"):
        if key in changes and changes[key] != getattr(issue, key):
            old[key] = {"from": getattr(issue, key)}
            setattr(issue, key, changes[key])
    base = changes.get("base")
    if base and base != request.base_ref:
        if GitStore(repository.path).resolve(f"refs/heads/{base}") is None:
            raise invalid("PullRequest", "base")
        old["base"] = {"ref": {"from": request.base_ref}}
        request.base_ref = base
        refresh(state, repository, request)
    issue.updated_at = state.stamp()
    if old:
        events.pull_request(state, repository, token, "edited", request, {"changes": old})
    _change_state(state, repository, token, request, changes.get("state"))
    return request


def _change_state(state: State, repository: Repository, token: Token, request: PullRequest, wished: str | None) -> None:
    issue = repository.issues[request.number]
    if wished not in (None, "open", "closed"):
        raise invalid("PullRequest", "state")
    if wished == "closed" and issue.state == "open":
        close(state, repository, token, request)
    if wished == "open" and issue.state == "closed":
        if request.merged_at or GitStore(repository.path).resolve(f"refs/heads/{request.base_ref}") is None:
            raise invalid("PullRequest", "state", "custom", "state cannot be changed. The pull request cannot be reopened.")
        issue.state, issue.closed_at, issue.closed_by = "open", None, None
        refresh(state, repository, request)
        events.pull_request(state, repository, token, "reopened", request)


def files(repository: Repository, request: PullRequest, *, patch: bool = True) -> list[FileChange]:
    """Give the files that a pull request changes since it left its base branch."""
    store = GitStore(repository.path)
    base = request.base_sha
    if request.merged_at and request.commits:
        parents = store.commit(request.commits[0]).parents
        base = parents[0] if parents else base
    start = store.merge_base(base, request.head_sha) or base
    return store.changes(start, request.head_sha, patch=patch)
