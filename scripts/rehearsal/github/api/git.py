"""Endpoints of the git database: blobs, trees, commits, tags, references, merges."""

from __future__ import annotations

import base64
import binascii
import re

from rehearsal.github import apps, merging, repositories, rules
from rehearsal.github.api.call import Answer, Call, Endpoint, no_content
from rehearsal.github.api.code import person
from rehearsal.github.errors import GitHubError, invalid, not_found
from rehearsal.github.gitstore import EMPTY_TREE, GitStore, Person, TreeEntry
from rehearsal.github.model import Json
from rehearsal.github.render import code

READ, WRITE = ("contents:read",), ("contents:write",)
MODES = {"100644": "blob", "100755": "blob", "120000": "blob", "040000": "tree", "160000": "commit"}


def _store(call: Call) -> GitStore:
    return GitStore(call.repository.path)


def _typed(call: Call, sha: object, kind: str) -> str:
    if not isinstance(sha, str) or _store(call).type_of(sha) != kind:
        raise GitHubError(422, f"{kind.capitalize()} SHA does not exist or is not a {kind} object: {sha}")
    return sha


def get_blob(call: Call) -> Answer:
    """Give blob: `GET /git/blobs/{sha}`."""
    sha, store = call.parts["sha"], _store(call)
    if store.type_of(sha) != "blob":
        raise not_found()
    content = store.blob(sha)
    url = call.state.api_url("repos", call.full_name, "git", "blobs", sha)
    text = base64.encodebytes(content).decode()
    return Answer({"sha": sha, "node_id": f"B_{sha}", "size": len(content), "url": url, "content": text, "encoding": "base64"})


def create_blob(call: Call) -> Answer:
    """Create blob: `POST /git/blobs`."""
    encoding = call.text("encoding", required=False) or "utf-8"
    if encoding not in ("utf-8", "base64"):
        raise invalid("Blob", "encoding")
    try:
        content = call.text("content").encode() if encoding == "utf-8" else base64.b64decode(call.text("content"))
    except binascii.Error as error:
        raise GitHubError(422, "content is not valid Base64") from error
    sha = _store(call).write_blob(content)
    return Answer({"sha": sha, "url": call.state.api_url("repos", call.full_name, "git", "blobs", sha)}, 201)


def get_tree(call: Call) -> Answer:
    """Give tree: `GET /git/trees/{sha}`."""
    store = _store(call)
    name = call.parts["sha"]
    sha = name if store.type_of(name) == "tree" else (lambda commit: store.commit(commit).tree if commit else None)(store.resolve(name))
    if sha is None:
        raise not_found()
    return Answer(code.tree(call.state, call.repository, sha, store.tree(sha, recursive="recursive" in call.query)))


def create_tree(call: Call) -> Answer:
    """Create tree: `POST /git/trees`."""
    items = call.fields().get("tree")
    if not isinstance(items, list):
        raise GitHubError(422, 'Invalid request.\n\n"tree" wasn\'t supplied.')
    base = call.text("base_tree", required=False)
    store = _store(call)
    if base:
        base = base if store.type_of(base) == "tree" else store.commit(_typed(call, base, "commit")).tree
    sha = store.write_tree([_entry(call, store, item) for item in items], base or None)
    return Answer(code.tree(call.state, call.repository, sha, store.tree(sha) if sha != EMPTY_TREE else []), 201)


def _entry(call: Call, store: GitStore, item: Json) -> TreeEntry:
    path, mode = str(item.get("path", "")), str(item.get("mode", "100644"))
    parts = path.split("/")
    if mode not in MODES or any(part in ("", ".", "..") or part.lower() == ".git" for part in parts):
        raise GitHubError(422, f"tree.path contains a malformed path component, or tree.mode is unknown: {path} {mode}")
    if path.startswith(".github/workflows/"):
        apps.check_workflow_files(call.who)
    if "content" in item:
        return TreeEntry(path, mode, "blob", store.write_blob(str(item["content"]).encode()))
    sha = item.get("sha")
    return TreeEntry(path, mode, MODES[mode], None if sha is None else _typed(call, sha, MODES[mode]))


def get_git_commit(call: Call) -> Answer:
    """Give git commit: `GET /git/commits/{sha}`."""
    if _store(call).type_of(call.parts["sha"]) != "commit":
        raise not_found()
    return Answer(code.git_commit(call.state, call.repository, _store(call).commit(call.parts["sha"])))


def create_git_commit(call: Call) -> Answer:
    """Create git commit: `POST /git/commits`."""
    user = call.state.add_user(call.who.login)
    default = Person(user.name, user.email)
    author = person(call, "author", default)
    committer = person(call, "committer", author)
    parents = [_typed(call, sha, "commit") for sha in call.fields().get("parents") or []]
    tree = _typed(call, call.text("tree"), "tree")
    sha = _store(call).commit_tree(tree, parents, call.text("message"), author, committer)
    return Answer(code.git_commit(call.state, call.repository, _store(call).commit(sha)), 201)


def _tag(call: Call, sha: str) -> Json:
    store = _store(call)
    head, _, message = store.text("cat-file", "tag", sha).partition("\n\n")
    lines = dict(line.split(" ", 1) for line in head.splitlines())
    name, _, rest = lines["tagger"].partition(" <")
    email, _, when = rest.partition("> ")
    api = call.state.api_url("repos", call.full_name, "git")
    return {
        "node_id": f"T_{sha}",
        "tag": lines["tag"],
        "sha": sha,
        "url": f"{api}/tags/{sha}",
        "message": message,
        "tagger": {"name": name, "email": email, "date": call.state.clock.stamp(float(when.split()[0]))},
        "object": {"sha": lines["object"], "type": lines["type"], "url": f"{api}/{lines['type']}s/{lines['object']}"},
        "verification": code.UNSIGNED,
    }


def get_tag(call: Call) -> Answer:
    """Give tag: `GET /git/tags/{sha}`."""
    if _store(call).type_of(call.parts["sha"]) != "tag":
        raise not_found()
    return Answer(_tag(call, call.parts["sha"]))


def create_tag(call: Call) -> Answer:
    """Create tag: `POST /git/tags`."""
    kind, target, name = call.text("type"), call.text("object"), call.text("tag")
    _typed(call, target, kind)
    if not _store(call).valid_ref(f"refs/tags/{name}"):
        raise invalid("Tag", "tag")
    user = call.state.add_user(call.who.login)
    who = person(call, "tagger", Person(user.name, user.email))
    name_, email = (re.sub(r"[<>\n]", "", each) for each in (who.name, who.email))
    stamp = f"{name_} <{email}> {int(call.state.clock.now())} +0000"
    text = f"object {target}\ntype {kind}\ntag {name}\ntagger {stamp}\n\n{call.text('message')}\n"
    sha = _store(call).run("mktag", data=text.encode())[1].strip()
    return Answer(_tag(call, sha), 201)


def _ref(call: Call, name: str, sha: str) -> Json:
    return code.ref(call.state, call.repository, name, sha, _store(call).type_of(sha) or "commit")


def get_ref(call: Call) -> Answer:
    """Give ref: `GET /git/ref/{ref}`."""
    name = f"refs/{call.parts['ref']}"
    found = _store(call).refs(name)
    if name not in found:
        raise not_found()
    return Answer(_ref(call, name, found[name]))


def matching_refs(call: Call) -> Answer:
    """List matching refs: `GET /git/matching-refs/{ref}`."""
    prefix = f"refs/{call.parts['ref']}"
    found = [(name, sha) for name, sha in sorted(_store(call).refs().items()) if name.startswith(prefix)]
    return call.page(found, lambda each: _ref(call, *each))


def _check_workflow_change(call: Call, old: str | None, new: str) -> None:
    """Refuse tokens that may not change workflow files to bring in commits that do."""
    if call.who.kind not in ("job", "app"):
        return
    store = _store(call)
    known = [] if old is None else [f"^{old}"]
    others = [f"^{sha}" for sha in store.refs("refs/heads/").values()]
    if store.log(new, *known, *others, "--", ".github/workflows", limit=1):
        apps.check_workflow_files(call.who)


def create_ref(call: Call) -> Answer:
    """Create ref: `POST /git/refs`."""
    name, sha, store = call.text("ref"), call.text("sha"), _store(call)
    if not name.startswith("refs/") or name.count("/") < 2 or not store.valid_ref(name):
        raise GitHubError(422, "Reference name must start with 'refs/' and have at least two slashes.")
    if store.type_of(sha) is None:
        raise GitHubError(422, "Object does not exist")
    if name in store.refs(name):
        raise GitHubError(422, "Reference already exists")
    if name.startswith("refs/heads/"):
        rules.check_ref_change(call.repository, name.removeprefix("refs/heads/"), None, sha)
    _check_workflow_change(call, None, sha)
    repositories.change_ref(call.state, call.repository, call.who, name, sha)
    return Answer(_ref(call, name, sha), 201)


def update_ref(call: Call) -> Answer:
    """Change ref: `PATCH /git/refs/{ref}`."""
    name, sha, store = f"refs/{call.parts['ref']}", call.text("sha"), _store(call)
    found = store.refs(name)
    if name not in found:
        raise GitHubError(422, "Reference does not exist")
    if store.type_of(sha) is None:
        raise GitHubError(422, "Object does not exist")
    if not call.fields().get("force", False) and not store.is_ancestor(found[name], sha):
        raise GitHubError(422, "Update is not a fast forward")
    if name.startswith("refs/heads/"):
        rules.check_ref_change(call.repository, name.removeprefix("refs/heads/"), found[name], sha)
    _check_workflow_change(call, found[name], sha)
    repositories.change_ref(call.state, call.repository, call.who, name, sha, found[name])
    return Answer(_ref(call, name, sha))


def delete_ref(call: Call) -> Answer:
    """Delete ref: `DELETE /git/refs/{ref}`."""
    name = f"refs/{call.parts['ref']}"
    found = _store(call).refs(name)
    if name not in found:
        raise GitHubError(422, "Reference does not exist")
    if name.startswith("refs/heads/"):
        branch = name.removeprefix("refs/heads/")
        if branch == call.repository.default_branch:
            raise GitHubError(422, "Cannot delete the default branch")
        rules.check_ref_change(call.repository, branch, found[name], None)
    repositories.change_ref(call.state, call.repository, call.who, name, None)
    return no_content()


def merge(call: Call) -> Answer:
    """Merge: `POST /merges`."""
    message = call.text("commit_message", required=False)
    sha = merging.merge_branches(call.state, call.full_name, call.who, call.text("base"), call.text("head"), message)
    if sha is None:
        return no_content()
    return Answer(code.commit(call.state, call.repository, _store(call).commit(sha)), 201)


ENDPOINTS = [
    Endpoint("POST", "~/git/blobs", create_blob, WRITE, ("content", "encoding")),
    Endpoint("GET", "~/git/blobs/{sha}", get_blob, READ),
    Endpoint("POST", "~/git/trees", create_tree, WRITE, ("tree", "base_tree")),
    Endpoint("GET", "~/git/trees/{sha:path}", get_tree, READ, query=("recursive",)),
    Endpoint("POST", "~/git/commits", create_git_commit, WRITE, ("message", "tree", "parents", "author", "committer")),
    Endpoint("GET", "~/git/commits/{sha}", get_git_commit, READ),
    Endpoint("POST", "~/git/tags", create_tag, WRITE, ("tag", "message", "object", "type", "tagger")),
    Endpoint("GET", "~/git/tags/{sha}", get_tag, READ),
    Endpoint("GET", "~/git/ref/{ref:path}", get_ref, READ),
    Endpoint("GET", "~/git/matching-refs/{ref:path}", matching_refs, READ),
    Endpoint("POST", "~/git/refs", create_ref, WRITE, ("ref", "sha")),
    Endpoint("PATCH", "~/git/refs/{ref:path}", update_ref, WRITE, ("sha", "force")),
    Endpoint("DELETE", "~/git/refs/{ref:path}", delete_ref, WRITE),
    Endpoint("POST", "~/merges", merge, WRITE, ("base", "head", "commit_message")),
]
