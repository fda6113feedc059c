"""Git itself, for one bare repository: objects, references, differences and merges by the `git` command."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rehearsal.github.errors import GitHubError

TIMEOUT_SECONDS = 60
HEX = frozenset("0123456789abcdef")
SHA_CHARACTERS = 40
SHORTEST_SHA = 7
ZERO = "0" * SHA_CHARACTERS


@dataclass(frozen=True)
class Person:
    """Author or committer of a commit."""

    name: str
    email: str
    date: str = ""
    """ISO 8601; empty = now."""


@dataclass(frozen=True)
class Commit:
    """A commit as git has it (dates ISO 8601 in UTC)."""

    sha: str
    tree: str
    parents: list[str]
    author: Person
    committer: Person
    message: str


@dataclass(frozen=True)
class FileChange:
    """A file that differs between two commits (`status` added, removed, modified, renamed)."""

    filename: str
    status: str
    additions: int
    deletions: int
    blob: str
    previous: str = ""
    patch: str = ""


@dataclass(frozen=True)
class TreeEntry:
    """An entry of a tree (`type` blob, tree or commit; `sha` None deletes it when a tree is made)."""

    path: str
    mode: str
    type: str
    sha: str | None
    size: int | None = None


@dataclass
class GitStore:
    """A bare repository at `path`."""

    path: Path
    env: Mapping[str, str] = field(default_factory=dict)

    def run(self, *args: str, data: bytes | None = None, env: Mapping[str, str] | None = None, ok: Sequence[int] = (0,)) -> tuple[int, str]:
        """Run git in the repository.

        Args:
            args: Its arguments.
            data: Standard input.
            env: Further environment variables.
            ok: Exit codes that are an answer.

        Returns:
            The exit code and standard output.

        Raises:
            GitHubError: 500 with git's own message for any other exit code.
        """
        code, output = self.run_bytes(*args, data=data, env=env, ok=ok)
        return code, output.decode("utf-8", "replace")

    def run_bytes(
        self, *args: str, data: bytes | None = None, env: Mapping[str, str] | None = None, ok: Sequence[int] = (0,)
    ) -> tuple[int, bytes]:
        """Run git as `run` does, and give the output as it is."""
        full_env = {**_clean_environment(), **(env or {})}
        if any("\x00" in each for each in (*args, *full_env.values())):
            raise GitHubError(422, "Names, paths and people's names may not contain a null byte.")
        command = ["git", f"--git-dir={self.path}", *args]
        try:
            done = subprocess.run(command, input=data or b"", capture_output=True, timeout=TIMEOUT_SECONDS, check=False, env=full_env)
        except subprocess.TimeoutExpired as error:
            raise GitHubError(500, f"git {args[0]} took longer than {TIMEOUT_SECONDS} s") from error
        if done.returncode not in ok:
            raise GitHubError(500, f"git {args[0]} failed: {done.stderr.decode('utf-8', 'replace').strip()}")
        return done.returncode, done.stdout

    def text(self, *args: str) -> str:
        """Run git and give its output without the last line break."""
        return self.run(*args)[1].rstrip("\n")

    @classmethod
    def init(cls, path: Path, default_branch: str) -> GitStore:
        """Make an empty bare repository, with room for pull request references."""
        path.mkdir(parents=True, exist_ok=True)
        store = cls(path)
        store.run("init", "--quiet", "--bare", f"--initial-branch={default_branch}", "--template=", str(path))
        store.run("config", "core.logAllRefUpdates", "false")
        store.run("config", "gc.auto", "0")
        # What clients may fetch by SHA: checkout actions ask for the very commit of an event.
        store.run("config", "uploadpack.allowAnySHA1InWant", "true")
        return store

    # References -----------------------------------------------------------------------------------------------------

    def refs(self, *prefixes: str) -> dict[str, str]:
        """Give references (all, or below prefixes) and their SHA (a tag object's own SHA for annotated tags)."""
        lines = self.text("for-each-ref", "--format=%(refname) %(objectname)", *prefixes).splitlines()
        return {line.rsplit(" ", 1)[0]: line.rsplit(" ", 1)[1] for line in lines}

    def set_ref(self, ref: str, sha: str, old: str | None = None) -> None:
        """Set a reference; with `old`, only if it is still that."""
        self.run("update-ref", ref, sha, *([] if old is None else [old]))

    def delete_ref(self, ref: str) -> None:
        """Delete a reference."""
        self.run("update-ref", "-d", ref)

    def valid_ref(self, ref: str) -> bool:
        """Say whether a full reference is well formed."""
        return not ref.startswith("-") and self.run("check-ref-format", ref, ok=(0, 1))[0] == 0

    def resolve(self, name: str) -> str | None:
        """Give the commit that a SHA, branch, tag or full reference stands for; None where there is none."""
        for candidate in (name, f"refs/heads/{name}", f"refs/tags/{name}", f"refs/{name}"):
            is_sha = SHORTEST_SHA <= len(candidate) <= SHA_CHARACTERS and set(candidate) <= HEX
            if not (candidate.startswith("refs/") or is_sha):
                continue
            code, output = self.run("rev-parse", "--quiet", "--verify", "--end-of-options", f"{candidate}^{{commit}}", ok=(0, 1, 128))
            if code == 0:
                return output.strip()
        return None

    def type_of(self, sha: str) -> str | None:
        """Give an object's type, None where there is none."""
        if len(sha) != SHA_CHARACTERS or not set(sha) <= HEX:
            return None
        code, output = self.run("cat-file", "-t", sha, ok=(0, 1, 128))
        return output.strip() if code == 0 else None

    # Commits --------------------------------------------------------------------------------------------------------

    _FORMAT = "%H%x00%T%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B"
    _FIELDS = 10

    def log(self, *revisions: str, limit: int | None = None, extra: Sequence[str] = ()) -> list[Commit]:
        """Give commits, newest first; `revisions` as git takes them (`a..b`, `^a`)."""
        args = ["log", "-z", f"--format={self._FORMAT}", *extra]
        if limit is not None:
            args.append(f"--max-count={limit}")
        fields = self.run(*args, "--end-of-options", *revisions)[1].split("\x00")
        return [_commit(fields[at : at + self._FIELDS]) for at in range(0, len(fields) - self._FIELDS + 1, self._FIELDS)]

    def commit(self, sha: str) -> Commit:
        """Give one commit."""
        return self.log(sha, limit=1)[0]

    def commit_tree(self, tree: str, parents: Sequence[str], message: str, author: Person, committer: Person) -> str:
        """Make a commit; gives its SHA."""
        env = {
            "GIT_AUTHOR_NAME": author.name,
            "GIT_AUTHOR_EMAIL": author.email,
            "GIT_COMMITTER_NAME": committer.name,
            "GIT_COMMITTER_EMAIL": committer.email,
        }
        if author.date:
            env["GIT_AUTHOR_DATE"] = author.date
        if committer.date:
            env["GIT_COMMITTER_DATE"] = committer.date
        flags = [part for parent in parents for part in ("-p", parent)]
        return self.run("commit-tree", tree, *flags, data=message.encode(), env=env)[1].strip()

    def merge_base(self, one: str, other: str) -> str | None:
        """Give the best common ancestor."""
        code, output = self.run("merge-base", one, other, ok=(0, 1))
        return output.strip() if code == 0 else None

    def is_ancestor(self, ancestor: str, commit: str) -> bool:
        """Say whether a commit contains another."""
        return self.run("merge-base", "--is-ancestor", ancestor, commit, ok=(0, 1))[0] == 0

    def merge_tree(self, ours: str, theirs: str) -> str | None:
        """Merge two commits; gives the tree, None where they conflict."""
        # --allow-unrelated-histories is left out on purpose: GitHub does not merge those either.
        code, output = self.run("merge-tree", "--write-tree", ours, theirs, ok=(0, 1))
        return output.split("\n", 1)[0].strip() if code == 0 else None

    def count(self, *revisions: str) -> int:
        """Count commits."""
        return int(self.text("rev-list", "--count", *revisions))

    # Trees and files ------------------------------------------------------------------------------------------------

    def tree(self, treeish: str, *, recursive: bool = False, path: str = "") -> list[TreeEntry]:
        """List a tree (with directories themselves, when recursive)."""
        flags = ["-r", "-t"] if recursive else []
        output = self.run("ls-tree", "-z", "-l", *flags, treeish, *(["--", path] if path else []))[1]
        return [_tree_entry(line) for line in output.split("\x00") if line]

    def blob(self, sha: str) -> bytes:
        """Give a file's content by SHA."""
        return self.run_bytes("cat-file", "blob", sha)[1]

    def write_blob(self, content: bytes) -> str:
        """Keep a file's content; gives its SHA."""
        return self.run("hash-object", "-w", "--stdin", data=content)[1].strip()

    def write_tree(self, entries: Sequence[TreeEntry], base: str | None) -> str:
        """Make a tree from entries on top of a base tree (None: from nothing); gives its SHA."""
        index = self.path / f"index-{os.getpid()}-{os.urandom(6).hex()}"
        env = {"GIT_INDEX_FILE": str(index)}
        try:
            if base is not None:
                self.run("read-tree", base, env=env)
            for entry in entries:
                if entry.sha is None:
                    self.run("rm", "--cached", "-r", "--quiet", "--ignore-unmatch", "--", entry.path, env=env)
                elif entry.type == "tree":
                    self.run("read-tree", f"--prefix={entry.path}/", entry.sha, env=env)
                else:
                    self.run("update-index", "--add", "--replace", "--cacheinfo", f"{entry.mode},{entry.sha},{entry.path}", env=env)
            return self.run("write-tree", env=env)[1].strip()
        finally:
            index.unlink(missing_ok=True)

    def changes(self, old: str, new: str, *, patch: bool = True) -> list[FileChange]:
        """Give the files that differ between two commits or trees, renames found, with their patches where wanted."""
        raw = self.run("diff-tree", "-r", "-z", "-M", "--raw", "--numstat", "--no-commit-id", old, new)[1]
        found = _parse_changes(raw)
        if not patch:
            return found
        return [self._with_patch(change, old, new) for change in found]

    def _with_patch(self, change: FileChange, old: str, new: str) -> FileChange:
        paths = [path for path in (change.previous, change.filename) if path]
        text = self.run("diff-tree", "-r", "-M", "-p", "--no-commit-id", old, new, "--", *paths)[1]
        at = text.find("\n@@ ")
        body = text[at + 1 :].rstrip("\n") if at >= 0 else ""
        return FileChange(change.filename, change.status, change.additions, change.deletions, change.blob, change.previous, body)


EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
"""The tree without any file, which git knows in every repository."""

_STATUS = {"A": "added", "D": "removed", "M": "modified", "R": "renamed", "T": "changed", "C": "copied"}


def _clean_environment() -> dict[str, str]:
    # No hooks, templates, signing or identity of the machine's user may change what the imitated GitHub makes.
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    env.update(
        {
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_LITERAL_PATHSPECS": "1",
            "TZ": "UTC",
            "LC_ALL": "C.UTF-8",
        }
    )
    return env


def _utc(iso: str) -> str:
    from datetime import UTC, datetime

    return datetime.fromisoformat(iso).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _commit(fields: Sequence[str]) -> Commit:
    sha, tree, parents, an, ae, ad, cn, ce, cd, message = fields
    return Commit(sha, tree, parents.split(), Person(an, ae, _utc(ad)), Person(cn, ce, _utc(cd)), message.rstrip("\n"))


def _tree_entry(line: str) -> TreeEntry:
    meta, path = line.split("\t", 1)
    mode, type_, sha, size = meta.split()
    return TreeEntry(path, mode, type_, sha, None if size == "-" else int(size))


def _parse_changes(raw: str) -> list[FileChange]:
    """Read `diff-tree --raw --numstat -z`: raw entries begin with a colon, counts follow in the same order."""
    parts = raw.split("\x00")
    heads: list[tuple[str, str, str, str]] = []
    at = 0
    while at < len(parts) and parts[at].startswith(":"):
        fields = parts[at].split(" ")
        letter = fields[4][0]
        first = parts[at + 1]
        if letter in "RC":
            heads.append((letter, parts[at + 2], first, fields[3]))
            at += 3
        else:
            heads.append((letter, first, "", fields[2] if letter == "D" else fields[3]))
            at += 2
    counts: list[tuple[int, int]] = []
    while at < len(parts) and parts[at]:
        added, removed, path = parts[at].split("\t", 2)
        counts.append((0 if added == "-" else int(added), 0 if removed == "-" else int(removed)))
        at += 1 if path else 3
    return [
        FileChange(path, _STATUS[letter], added, removed, blob, previous)
        for (letter, path, previous, blob), (added, removed) in zip(heads, counts, strict=True)
    ]
