"""Endpoints of commits, comparisons, files, branches and rules."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime

from rehearsal.github import apps, codeowners, repositories, rules
from rehearsal.github.api.call import Answer, Call, Endpoint
from rehearsal.github.errors import GitHubError, invalid, not_found
from rehearsal.github.gitstore import EMPTY_TREE, GitStore, Person, TreeEntry
from rehearsal.github.model import Json
from rehearsal.github.pulls import GITHUB
from rehearsal.github.render import code

MAX_COMPARE_FILES = 300
MAX_COMPARE_COMMITS = 250
MAX_INLINE_BYTES = 1_000_000
READ, WRITE = ("contents:read",), ("contents:write",)


def _commit(call: Call, name: str) -> str:
    sha = GitStore(call.repository.path).resolve(name)
    if sha is None:
        raise GitHubError(422, f"No commit found for SHA: {name}")
    return sha


def get_commit(call: Call) -> Answer:
    """Give commit: `GET /commits/{ref}`."""
    store = GitStore(call.repository.path)
    made = store.commit(_commit(call, call.parts["ref"]))
    files = store.changes(made.parents[0] if made.parents else EMPTY_TREE, made.sha)
    return Answer(code.commit_with_files(call.state, call.repository, made, files))


def list_commits(call: Call) -> Answer:
    """List commits: `GET /commits`."""
    store = GitStore(call.repository.path)
    start = store.resolve(call.query.get("sha") or f"refs/heads/{call.repository.default_branch}")
    if start is None:
        raise GitHubError(404 if call.query.get("sha") else 409, "Not Found" if call.query.get("sha") else "Git Repository is empty.")
    extra = [f"--{key}={call.query[key]}" for key in ("since", "until") if call.query.get(key)]
    if call.query.get("author"):
        extra += ["--fixed-strings", f"--author={call.query['author']}"]
    revisions = [start, "--", call.query["path"]] if call.query.get("path") else [start]
    return call.page(store.log(*revisions, extra=extra), lambda each: code.commit(call.state, call.repository, each))


def compare(call: Call) -> Answer:
    """Compare: `GET /compare/{basehead}`."""
    base_name, dots, head_name = call.parts["basehead"].partition("...")
    store = GitStore(call.repository.path)
    # `owner:branch` names a branch of this repository when the owner is its own.
    base, head = (store.resolve(name.removeprefix(f"{call.repository.owner}:")) for name in (base_name, head_name))
    if not dots or base is None or head is None:
        raise not_found()
    merge_base = store.merge_base(base, head)
    if merge_base is None:
        raise GitHubError(404, f"No common ancestor between {base_name} and {head_name}.")
    ahead, behind = store.count(head, f"^{base}"), store.count(base, f"^{head}")
    word = {(False, False): "identical", (True, False): "ahead", (False, True): "behind", (True, True): "diverged"}[(ahead > 0, behind > 0)]
    commits = list(reversed(store.log(head, f"^{base}", extra=("--topo-order",))))
    files = store.changes(merge_base, head)[:MAX_COMPARE_FILES]
    api = call.state.api_url("repos", call.full_name, "compare", call.parts["basehead"])
    html = call.state.html_url(call.full_name, "compare", call.parts["basehead"])
    paged = call.page(commits, lambda each: code.commit(call.state, call.repository, each)) if "per_page" in call.query else None
    listed = paged.body if paged else [code.commit(call.state, call.repository, each) for each in commits[:MAX_COMPARE_COMMITS]]
    body: Json = {
        "url": api,
        "html_url": html,
        "permalink_url": html,
        "diff_url": f"{html}.diff",
        "patch_url": f"{html}.patch",
        "base_commit": code.commit(call.state, call.repository, store.commit(base)),
        "merge_base_commit": code.commit(call.state, call.repository, store.commit(merge_base)),
        "status": word,
        "ahead_by": ahead,
        "behind_by": behind,
        "total_commits": ahead,
        "commits": listed,
        "files": [code.file_change(call.state, call.repository, each, head) for each in files],
    }
    return Answer(body, headers=paged.headers if paged else {})


def _default_or(call: Call, ref: str) -> str:
    sha = GitStore(call.repository.path).resolve(ref or f"refs/heads/{call.repository.default_branch}")
    if sha is None:
        raise GitHubError(404, f"No commit found for the ref {ref}" if ref else "This repository is empty.")
    return sha


def _clean_path(path: str) -> str:
    parts = path.strip("/").split("/") if path.strip("/") else []
    if any(part in ("", ".", "..", ".git") for part in parts):
        raise GitHubError(422, f"path contains a malformed path component: {path}")
    return "/".join(parts)


def _content(call: Call, entry: TreeEntry, ref: str, *, inline: bool) -> Json:
    name = call.full_name
    kind = {"tree": "dir", "commit": "submodule"}.get(entry.type, "symlink" if entry.mode == "120000" else "file")
    api = call.state.api_url("repos", name, "contents", entry.path) + f"?ref={ref}"
    git = call.state.api_url("repos", name, "git", "trees" if kind == "dir" else "blobs", entry.sha)
    html = call.state.html_url(name, "tree" if kind == "dir" else "blob", ref, entry.path)
    answer: Json = {
        "type": kind,
        "size": entry.size or 0,
        "name": entry.path.rsplit("/", 1)[-1],
        "path": entry.path,
        "sha": entry.sha,
        "url": api,
        "git_url": git,
        "html_url": html,
        "download_url": None if kind == "dir" else call.state.html_url(name, "raw", ref, entry.path),
        "_links": {"self": api, "git": git, "html": html},
    }
    if inline and kind in ("file", "symlink"):
        small = (entry.size or 0) <= MAX_INLINE_BYTES
        answer["encoding"] = "base64" if small else "none"
        content = GitStore(call.repository.path).blob(entry.sha or "") if small else b""
        answer["content"] = base64.encodebytes(content).decode()
    return answer


def get_contents(call: Call) -> Answer:
    """Give contents: `GET /contents` and `GET /contents/{path}`."""
    path = _clean_path(call.parts.get("path", ""))
    ref = call.query.get("ref", "") or call.repository.default_branch
    commit = _default_or(call, call.query.get("ref", ""))
    store = GitStore(call.repository.path)
    if not path:
        return Answer([_content(call, entry, ref, inline=False) for entry in store.tree(commit)])
    found = store.tree(commit, path=path)
    if not found:
        raise not_found()
    if found[0].type == "tree":
        return Answer([_content(call, entry, ref, inline=False) for entry in store.tree(commit, path=f"{path}/")])
    return Answer(_content(call, found[0], ref, inline=True))


def _write_file(call: Call, content: bytes | None) -> Answer:
    """Commit one file (None deletes it), on the branch's head, if `sha` is the present one."""
    path = _clean_path(call.parts["path"])
    if path.startswith(".github/workflows/"):
        apps.check_workflow_files(call.who)
    repository, store = call.repository, GitStore(call.repository.path)
    branch = call.text("branch", required=False) or repository.default_branch
    head = store.resolve(f"refs/heads/{branch}")
    if head is None and store.refs("refs/heads/"):
        raise GitHubError(404, f"Branch {branch} not found")
    present = next((each for each in (store.tree(head, path=path) if head else []) if each.type == "blob"), None)
    given = call.text("sha", required=False)
    if present and not given:
        raise GitHubError(422, 'Invalid request.\n\n"sha" wasn\'t supplied.')
    if content is None and present is None:
        raise not_found()
    if given and (present is None or given != present.sha):
        raise GitHubError(409, f"{path} does not match {given}")
    rules.check_ref_change(repository, branch, head, "new")
    sha = None if content is None else store.write_blob(content)
    base = store.commit(head).tree if head else None
    tree = store.write_tree([TreeEntry(path, present.mode if present else "100644", "blob", sha)], base)
    user = call.state.add_user(call.who.login)
    author = Person(user.name, user.email)
    author, committer = (person(call, key, author if key == "author" else GITHUB) for key in ("author", "committer"))
    commit = store.commit_tree(tree, [head] if head else [], call.text("message"), author, committer)
    repositories.change_ref(call.state, repository, call.who, f"refs/heads/{branch}", commit, head)
    made = code.git_commit(call.state, repository, store.commit(commit))
    written = None if sha is None else _content(call, store.tree(commit, path=path)[0], branch, inline=False)
    return Answer({"content": written, "commit": made}, 201 if present is None else 200)


def person(call: Call, key: str, default: Person) -> Person:
    """Give the author, committer or tagger of the body, or the default; 422 for one without name and address, or a wrong date."""
    given = call.fields().get(key)
    if given is None:
        return default
    if not isinstance(given, dict) or not given.get("name") or not given.get("email"):
        raise invalid("Commit", key, "missing_field")
    date = str(given.get("date") or "")
    try:
        if date:
            datetime.fromisoformat(date)
    except ValueError:
        raise invalid("Commit", f"{key}.date", "custom", f"{date} is not a time in ISO 8601") from None
    return Person(str(given["name"]), str(given["email"]), date)


def put_contents(call: Call) -> Answer:
    """Set contents: `PUT /contents/{path}`."""
    try:
        content = base64.b64decode(call.text("content"), validate=False)
    except binascii.Error as error:
        raise GitHubError(422, "content is not valid Base64") from error
    return _write_file(call, content)


def delete_contents(call: Call) -> Answer:
    """Delete contents: `DELETE /contents/{path}`."""
    return _write_file(call, None)


def list_branches(call: Call) -> Answer:
    """List branches: `GET /branches`."""
    found = sorted(GitStore(call.repository.path).refs("refs/heads/").items())
    shown = [(ref.removeprefix("refs/heads/"), sha) for ref, sha in found]
    if "protected" in call.query:
        shown = [each for each in shown if bool(rules.active(call.repository, each[0])) == call.flag("protected")]

    def render(each: tuple[str, str]) -> Json:
        protected = bool(rules.active(call.repository, each[0]))
        return code.short_branch(call.state, call.repository, each[0], each[1], protected=protected)

    return call.page(shown, render)


def get_branch(call: Call) -> Answer:
    """Give branch: `GET /branches/{branch}`."""
    store = GitStore(call.repository.path)
    sha = store.resolve(f"refs/heads/{call.parts['branch']}")
    if sha is None:
        raise GitHubError(404, "Branch not found")
    protected = bool(rules.active(call.repository, call.parts["branch"]))
    return Answer(code.branch(call.state, call.repository, call.parts["branch"], store.commit(sha), protected=protected))


def branch_protection(_: Call) -> Answer:
    """Give the branch protection: `GET /branches/{branch}/protection`."""
    raise GitHubError(404, "Branch not protected")  # The older kind of protection; rules are what there is here.


def list_tags(call: Call) -> Answer:
    """List tags: `GET /tags`."""
    store = GitStore(call.repository.path)
    names = [ref.removeprefix("refs/tags/") for ref in sorted(store.refs("refs/tags/"), reverse=True)]

    def render(name: str) -> Json:
        sha = store.resolve(f"refs/tags/{name}")
        api, html = call.state.api_url("repos", call.full_name), call.state.html_url(call.full_name)
        return {
            "name": name,
            "commit": {"sha": sha, "url": f"{api}/commits/{sha}"},
            "zipball_url": f"{html}/zipball/{name}",
            "tarball_url": f"{html}/tarball/{name}",
            "node_id": f"REF_{name}",
        }

    return call.page(names, render)


def codeowners_errors(call: Call) -> Answer:
    """List errors: `GET /codeowners/errors`."""
    ref = call.query.get("ref") or f"refs/heads/{call.repository.default_branch}"
    return Answer({"errors": codeowners.errors(call.repository, ref, set(call.state.users))})


_DELETE = ("message", "branch", "sha", "author", "committer")
ENDPOINTS = [
    Endpoint("GET", "~/compare/{basehead:path}", compare, READ),
    Endpoint("GET", "~/commits", list_commits, READ, query=("sha", "path", "author", "since", "until")),
    Endpoint("GET", "~/commits/{ref:path}", get_commit, READ),
    Endpoint("GET", "~/contents", get_contents, READ, query=("ref",)),
    Endpoint("GET", "~/contents/{path:path}", get_contents, READ, query=("ref",)),
    Endpoint("PUT", "~/contents/{path:path}", put_contents, WRITE, (*_DELETE, "content")),
    Endpoint("DELETE", "~/contents/{path:path}", delete_contents, WRITE, _DELETE),
    Endpoint("GET", "~/branches", list_branches, READ, query=("protected",)),
    Endpoint("GET", "~/branches/{branch:path}/protection", branch_protection, ("administration:read",)),
    Endpoint("GET", "~/branches/{branch:path}", get_branch, READ),
    Endpoint("GET", "~/tags", list_tags, ("metadata",)),
    Endpoint("GET", "~/codeowners/errors", codeowners_errors, READ, query=("ref",)),
]
