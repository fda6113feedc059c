"""Releases, without assets."""

from __future__ import annotations

from rehearsal.github import events, repositories
from rehearsal.github.errors import GitHubError, invalid, not_found
from rehearsal.github.gitstore import GitStore
from rehearsal.github.model import Json, Release, Repository
from rehearsal.github.model_actions import Token
from rehearsal.github.render import issues as render
from rehearsal.github.state import State


def get(repository: Repository, release_id: int) -> Release:
    """Give a release; raises 404."""
    if release_id not in repository.releases:
        raise not_found()
    return repository.releases[release_id]


def by_tag(repository: Repository, tag: str) -> Release:
    """Give the published release of a tag; raises 404."""
    for each in repository.releases.values():
        if each.tag_name == tag and not each.draft:
            return each
    raise not_found()


def latest(repository: Repository) -> Release:
    """Give the newest release that is neither draft nor prerelease; raises 404."""
    found = [each for each in repository.releases.values() if not each.draft and not each.prerelease]
    if not found:
        raise not_found()
    return max(found, key=lambda each: each.id)


def create(state: State, repository: Repository, token: Token, fields: Json) -> Release:
    """Create a release; its tag is made where it is missing, for a draft when it is published."""
    tag = fields.get("tag_name")
    if not tag or not isinstance(tag, str) or not GitStore(repository.path).valid_ref(f"refs/tags/{tag}"):
        raise invalid("Release", "tag_name", "missing_field" if not tag else "custom", "tag_name is not a valid tag")
    if any(each.tag_name == tag and not each.draft for each in repository.releases.values()):
        raise invalid("Release", "tag_name", "already_exists")
    body = fields.get("body") or ""
    if fields.get("generate_release_notes"):
        body = (body + "\n\n" + notes(state, repository, tag, "")[1]).strip()
    target = fields.get("target_commitish") or repository.default_branch
    made = Release(state.new_id(), tag, target, fields.get("name") or tag, body, token.login, state.stamp(), draft=True)
    made.prerelease = bool(fields.get("prerelease", False))
    _check_target(repository, made)
    repository.releases[made.id] = made
    if not fields.get("draft", False):
        _publish(state, repository, token, made)
    return made


def _check_target(repository: Repository, release: Release) -> str:
    store = GitStore(repository.path)
    commit = store.resolve(f"refs/tags/{release.tag_name}") or store.resolve(release.target_commitish)
    if commit is None:
        raise invalid("Release", "target_commitish")
    return commit


def _publish(state: State, repository: Repository, token: Token, release: Release) -> None:
    commit = _check_target(repository, release)
    ref = f"refs/tags/{release.tag_name}"
    if GitStore(repository.path).resolve(ref) is None:
        repositories.change_ref(state, repository, token, ref, commit)
    release.draft, release.published_at = False, state.stamp()
    for action in ("released" if not release.prerelease else "prereleased", "published"):
        payload = {"release": render.release(state, repository, release)}
        events.emit(state, repository, token, "release", action, (ref, commit), payload)


def update(state: State, repository: Repository, token: Token, release_id: int, fields: Json) -> Release:
    """Change a release; `draft: false` publishes it."""
    release = get(repository, release_id)
    if not release.draft and fields.get("tag_name", release.tag_name) != release.tag_name:
        raise GitHubError(422, "The tag of a published release is not changed by this imitation.")
    for key in ("tag_name", "target_commitish", "name", "body", "prerelease"):
        if key in fields:
            setattr(release, key, fields[key])
    if release.draft and fields.get("draft") is False:
        _publish(state, repository, token, release)
    return release


def notes(state: State, repository: Repository, tag: str, previous: str) -> tuple[str, str]:
    """Give a name and notes for a release: the pull requests merged since the previous tag."""
    store = GitStore(repository.path)
    end = store.resolve(f"refs/tags/{tag}") or store.resolve(f"refs/heads/{repository.default_branch}")
    if end is None:
        raise GitHubError(422, "Invalid target_commitish parameter")
    start = store.resolve(f"refs/tags/{previous}") if previous else None
    commits = {each.sha for each in store.log(end, *([f"^{start}"] if start else []))}
    lines = []
    for pull in repository.pulls.values():
        if pull.merged_at and pull.merge_commit_sha in commits:
            address = state.html_url(repository.full_name, "pull", pull.number)
            lines.append(f"* {repository.issues[pull.number].title} by @{pull.user} in {address}")
    changes = state.html_url(repository.full_name, "compare" if previous else "commits", f"{previous}...{tag}" if previous else tag)
    return tag, "\n".join(["## What's Changed", *lines, "", f"**Full Changelog**: {changes}"])
