"""Merging pull requests and branches, with real commits."""

from __future__ import annotations

from dataclasses import dataclass

from rehearsal.github import pulls, repositories, rules
from rehearsal.github.access import allows
from rehearsal.github.errors import GitHubError, not_found
from rehearsal.github.gitstore import GitStore, Person
from rehearsal.github.model import PullRequest, Repository
from rehearsal.github.model_actions import Token
from rehearsal.github.state import State


@dataclass(frozen=True)
class MergeWish:
    """How a pull request is to be merged (`sha`: only if that is still its head)."""

    method: str = "merge"
    sha: str = ""
    title: str = ""
    message: str | None = None


def merge(state: State, full_name: str, number: int, token: Token, wish: MergeWish) -> str:
    """Merge a pull request (see `GitHub.merge_pull`).

    Raises:
        GitHubError: 403 without write access, 405 where it cannot be merged, 409 where the head has moved.
    """
    repository = state.repository(full_name)
    request = pulls.get(repository, number)
    if not allows(state, token, repository, "contents:write"):
        raise GitHubError(403, "Must have push access to repository")
    repositories.refs_changed(state, full_name, token)
    _check(state, repository, request, wish)
    commit = {"merge": _merge_commit, "squash": _squash, "rebase": _rebase}[wish.method](state, repository, request, token, wish)
    # First the branch, so that the push is an event of its own; the pull request must not be taken for merged by that push.
    base = f"refs/heads/{request.base_ref}"
    GitStore(repository.path).set_ref(base, commit, request.base_sha)
    issue = repository.issues[number]
    issue.state = "closed"
    repositories.refs_changed(state, full_name, token)
    pulls.mark_merged(state, repository, token, request, commit)
    return commit


def _check(state: State, repository: Repository, request: PullRequest, wish: MergeWish) -> None:
    if wish.method not in ("merge", "squash", "rebase"):
        raise GitHubError(422, "Invalid request. merge_method is none of merge, squash, rebase.")
    if not pulls.is_open(repository, request) or request.draft:
        raise GitHubError(405, "Pull Request is not mergeable" if not request.draft else "Pull Request is still a draft")
    if wish.sha and wish.sha != request.head_sha:
        raise GitHubError(409, "Head branch was modified. Review and try the merge again.")
    allowed = {
        "merge": repository.allow_merge_commit,
        "squash": repository.allow_squash_merge,
        "rebase": repository.allow_rebase_merge,
    }
    if not allowed[wish.method]:
        names = {"merge": "Merge commits are", "squash": "Squash merges are", "rebase": "Rebase merges are"}
        raise GitHubError(405, f"{names[wish.method]} not allowed on this repository.")
    pulls.refresh(state, repository, request)
    if not request.mergeable:
        raise GitHubError(405, "Pull Request is not mergeable")
    broken = rules.violations(state, repository, request, wish.method)
    if broken:
        raise GitHubError(405, "Repository rule violations found\n\n" + "\n\n".join(broken))


def _author(state: State, token: Token) -> Person:
    user = state.add_user(token.login)
    return Person(user.name or user.login, user.email)


def _merge_commit(state: State, repository: Repository, request: PullRequest, token: Token, wish: MergeWish) -> str:
    store = GitStore(repository.path)
    owner = request.head_repository.split("/")[0]
    title = wish.title or f"Merge pull request #{request.number} from {owner}/{request.head_ref}"
    body = repository.issues[request.number].title if wish.message is None else wish.message
    tree = store.merge_tree(request.base_sha, request.head_sha) or ""
    return store.commit_tree(tree, [request.base_sha, request.head_sha], f"{title}\n\n{body}\n", _author(state, token), pulls.GITHUB)


def _squash(state: State, repository: Repository, request: PullRequest, token: Token, wish: MergeWish) -> str:
    store = GitStore(repository.path)
    title = wish.title or f"{repository.issues[request.number].title} (#{request.number})"
    bodies = [f"* {store.commit(sha).message}" for sha in request.commits]
    body = "\n\n".join(bodies) if wish.message is None else wish.message
    tree = store.merge_tree(request.base_sha, request.head_sha) or ""
    return store.commit_tree(tree, [request.base_sha], f"{title}\n\n{body}\n", _author(state, token), pulls.GITHUB)


def _rebase(state: State, repository: Repository, request: PullRequest, token: Token, _: MergeWish) -> str:
    store = GitStore(repository.path)
    committer = _author(state, token)
    top = request.base_sha
    for sha in request.commits:
        made = store.commit(sha)
        if len(made.parents) != 1:
            raise GitHubError(405, "This branch can't be rebased: it contains merge commits.")
        # A commit of what is there so far, beside this one: their merge is its change on top (not all gits can be told the base).
        beside = store.commit_tree(store.commit(top).tree, made.parents, "so far", pulls.GITHUB, pulls.GITHUB)
        tree = store.merge_tree(beside, sha)
        if tree is None:
            raise GitHubError(405, "This branch can't be rebased due to conflicts")
        top = store.commit_tree(tree, [top], made.message, made.author, committer)
    return top


def update_branch(state: State, full_name: str, number: int, token: Token, expected_head: str) -> None:
    """Merge the base branch into a pull request's branch (`PUT /pulls/{n}/update-branch`); 422 when the head has moved."""
    repository = state.repository(full_name)
    request = pulls.get(repository, number)
    if expected_head and expected_head != request.head_sha:
        raise GitHubError(422, "expected head sha didn't match current head ref.")
    pulls.refresh(state, repository, request)
    head = state.repository(request.head_repository)
    store = GitStore(repository.path)
    if store.is_ancestor(request.base_sha, request.head_sha):
        raise GitHubError(422, "There are no new commits on the base branch.")
    tree = store.merge_tree(request.head_sha, request.base_sha)
    if tree is None:
        raise GitHubError(422, "merge conflict between base and head")
    message = f"Merge branch '{request.base_ref}' into {request.head_ref}"
    commit = store.commit_tree(tree, [request.head_sha, request.base_sha], message, _author(state, token), pulls.GITHUB)
    if head.full_name != repository.full_name:
        keep = f"refs/pull/{number}/head"
        store.set_ref(keep, commit)
        GitStore(head.path).run("fetch", "--quiet", "--no-tags", str(repository.path), keep)
    repositories.change_ref(state, head, token, f"refs/heads/{request.head_ref}", commit, request.head_sha)


def merge_branches(state: State, full_name: str, token: Token, base: str, head: str, message: str) -> str | None:
    """Merge a branch or commit into a branch (`POST /merges`); None when there is nothing to do, 409 on a conflict."""
    repository = state.repository(full_name)
    store = GitStore(repository.path)
    ours, theirs = store.resolve(f"refs/heads/{base}"), store.resolve(head)
    if ours is None or theirs is None:
        raise GitHubError(404, "Base does not exist" if ours is None else "Head does not exist") if ours or theirs else not_found()
    if store.is_ancestor(theirs, ours):
        return None
    rules.check_ref_change(repository, base, ours, theirs)
    tree = store.merge_tree(ours, theirs)
    if tree is None:
        raise GitHubError(409, "Merge conflict")
    author = _author(state, token)
    commit = store.commit_tree(tree, [ours, theirs], message or f"Merge {head} into {base}", author, pulls.GITHUB)
    repositories.change_ref(state, repository, token, f"refs/heads/{base}", commit, ours)
    return commit
