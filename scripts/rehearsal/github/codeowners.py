"""CODEOWNERS: who must agree to which files of a pull request."""

from __future__ import annotations

from rehearsal.github import pulls
from rehearsal.github.gitstore import GitStore
from rehearsal.github.model import PullRequest, Repository

PLACES = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")


def _file(repository: Repository, ref: str) -> tuple[str, str]:
    """Give path and text of the first CODEOWNERS file of a commit; empty where there is none."""
    store = GitStore(repository.path)
    commit = store.resolve(ref)
    for place in PLACES if commit else ():
        found = [entry for entry in store.tree(commit or "", path=place) if entry.type == "blob"]
        if found:
            return place, store.blob(found[0].sha or "").decode("utf-8", "replace")
    return "", ""


def entries(repository: Repository, ref: str) -> list[tuple[int, str, list[str]]]:
    """Give the lines of a commit's CODEOWNERS as line number, pattern and owners (without `@`)."""
    text = _file(repository, ref)[1]
    return [parsed for number, line in enumerate(text.splitlines(), 1) if (parsed := _line(number, line))]


def _line(number: int, line: str) -> tuple[int, str, list[str]] | None:
    words = line.split("#", 1)[0].split()
    return (number, words[0], [word.removeprefix("@") for word in words[1:]]) if words else None


def owners(repository: Repository, ref: str, path: str) -> list[str]:
    """Give the owners of a file: the last pattern that matches counts."""
    import pathspec

    for _, pattern, names in reversed(entries(repository, ref)):
        if pathspec.PathSpec.from_lines("gitignore", [pattern]).match_file(path):
            return names
    return []


def missing_approvals(repository: Repository, request: PullRequest, approvals: set[str]) -> set[str]:
    """Give the owners of whom at least one still has to approve, for files that nobody of theirs approved."""
    missing: set[str] = set()
    for change in pulls.files(repository, request, patch=False):
        names = set(owners(repository, f"refs/heads/{request.base_ref}", change.filename))
        if names and not names & approvals:
            missing |= names
    return missing


def errors(repository: Repository, ref: str, logins: set[str]) -> list[dict[str, object]]:
    """Give the lines with owners that do not exist, as `GET /codeowners/errors` does."""
    place = _file(repository, ref)[0]
    strangers = [(number, pattern, name) for number, pattern, names in entries(repository, ref) for name in names if name not in logins]
    return [_error(place, *each) for each in strangers]


def _error(place: str, number: int, pattern: str, name: str) -> dict[str, object]:
    suggestion = f"make sure @{name} exists and has write access to the repository"
    return {
        "line": number,
        "column": len(pattern) + 2,
        "kind": "Unknown owner",
        "source": f"{pattern} @{name}",
        "suggestion": suggestion,
        "message": f"Unknown owner on line {number}: {suggestion}",
        "path": place,
    }
