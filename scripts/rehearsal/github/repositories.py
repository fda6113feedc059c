"""Repositories: creating and forking them, roles, and what a push to one brings about."""

from __future__ import annotations

from rehearsal.github import events
from rehearsal.github.errors import GitHubError, invalid
from rehearsal.github.gitstore import ZERO, GitStore
from rehearsal.github.model import ROLES, Repository
from rehearsal.github.model_actions import Event, Token
from rehearsal.github.state import ACTIONS_BOT, State

_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


def prepare(state: State) -> None:
    """Make the folders and the accounts that are always there."""
    (state.data / "repositories").mkdir(parents=True, exist_ok=True)
    (state.data / "artifacts").mkdir(parents=True, exist_ok=True)
    state.add_user("github", "Organization", "GitHub")
    state.add_user(ACTIONS_BOT, "Bot", email="41898282+github-actions[bot]@users.noreply.github.com")
    state.add_user("web-flow", name="GitHub", email="noreply@github.com")


def check_name(full_name: str) -> None:
    """Refuse a name that is not `owner/name` in GitHub's characters."""
    parts = full_name.split("/")
    if len(parts) != 2 or any(not part or part in (".", "..") or not set(part) <= _NAME_CHARACTERS for part in parts):
        raise invalid("Repository", "name", "custom", f"`{full_name}` is not owner/name of letters, digits, `-`, `_` and `.`")


def create(state: State, full_name: str, *, admin: str, private: bool, default_branch: str) -> Repository:
    """Create an empty repository (see `GitHub.create_repository`)."""
    check_name(full_name)
    if any(name.lower() == full_name.lower() for name in state.repositories):
        raise invalid("Repository", "name", "custom", "name already exists on this account")
    state.add_user(admin)
    state.add_user(full_name.split("/")[0], "Organization")
    path = state.data / "repositories" / f"{full_name}.git"
    store = GitStore.init(path, default_branch)
    made = Repository(state.new_id(), full_name, path, state.stamp(), private, default_branch, roles={admin: "admin"})
    if not store.valid_ref(f"refs/heads/{default_branch}"):
        raise invalid("Repository", "default_branch")
    state.repositories[full_name] = made
    return made


def fork(state: State, full_name: str, owner: str) -> Repository:
    """Fork a repository with all its branches (see `GitHub.fork`)."""
    origin = state.repository(full_name)
    state.add_user(owner)
    made = create(
        state, f"{owner}/{origin.name}", admin=owner, private=origin.private, default_branch=origin.default_branch
    )  # fmt: skip
    made.fork_of = origin.full_name
    GitStore(made.path).run("fetch", "--quiet", str(origin.path), "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
    made.refs = visible_refs(made)
    return made


def grant(state: State, full_name: str, login: str, role: str) -> None:
    """Give somebody a role."""
    if role not in ROLES:
        raise invalid("Collaborator", "permission", "custom", f"`{role}` is none of {', '.join(ROLES)}")
    state.add_user(login)
    state.repository(full_name).roles[login] = role


def visible_refs(repository: Repository) -> dict[str, str]:
    """Give branches and tags, as commits or tag objects."""
    return GitStore(repository.path).refs("refs/heads/", "refs/tags/")


def refs_changed(state: State, full_name: str, token: Token) -> list[Event]:
    """Compare the references with those last seen, and emit what the differences bring about (see `GitHub.refs_changed`)."""
    repository = state.repository(full_name)
    if token.kind == "user":
        state.add_user(token.login)
    before, after = repository.refs, visible_refs(repository)
    repository.refs = after
    first = len(state.events)
    for ref in sorted({*before, *after}):
        old, new = before.get(ref, ZERO), after.get(ref, ZERO)
        if old != new:
            repository.pushed_at = state.stamp()
            _changed(state, repository, token, ref, old, new)
    return state.events[first:]


def _changed(state: State, repository: Repository, token: Token, ref: str, old: str, new: str) -> None:
    from rehearsal.github import pulls

    store = GitStore(repository.path)
    kind, name = ("tag", ref[10:]) if ref.startswith("refs/tags/") else ("branch", ref[11:])
    commit = ZERO if new == ZERO else (store.resolve(ref) or new)
    if ZERO in (old, new):
        where = (ref, commit) if old == ZERO else _where_of_deletion(repository)
        if where:
            payload = {"ref": name, "ref_type": kind, "master_branch": repository.default_branch, "pusher_type": "user"}
            events.emit(state, repository, token, "create" if old == ZERO else "delete", "", where, payload)
    if commit != ZERO or _where_of_deletion(repository):
        old_commit = ZERO if old == ZERO else (store.resolve(old) or old)
        events.push(state, repository, token, ref, old_commit, commit)
    if kind == "branch":
        pulls.branch_changed(state, repository, token, name, commit)


def _where_of_deletion(repository: Repository) -> tuple[str, str] | None:
    try:
        return events.default_branch_ref(repository)
    except GitHubError:
        return None  # The default branch itself is gone: GitHub has nothing to run on.


def change_ref(state: State, repository: Repository, token: Token, ref: str, sha: str | None, old: str | None = None) -> list[Event]:
    """Set (or with None delete) a reference for an API call, and emit what it brings about."""
    store = GitStore(repository.path)
    refs_changed(state, repository.full_name, token)
    if sha is None:
        store.delete_ref(ref)
    else:
        store.set_ref(ref, sha, old)
    return refs_changed(state, repository.full_name, token)
