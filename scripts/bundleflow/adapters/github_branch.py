"""One branch of the kit's own on GitHub: new files committed on top of another branch, by the API alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import quote

from bundleflow.adapters.github import GitHubApi, GitHubError

NEEDS = "contents: write"


class BranchApi(GitHubApi):
    """What a branch with proposed files needs of a repository."""

    def head(self, branch: str) -> str | None:
        """Commit that a branch points at; None when there is no such branch."""
        try:
            return str(self._get(f"/git/ref/heads/{quote(branch)}", "contents: read")["object"]["sha"])
        except GitHubError as error:
            if error.status != 404:
                raise
            return None

    def authors(self, base: str, head: str) -> tuple[str, ...]:
        """Logins of those who wrote the commits that `head` has and `base` has not; an empty one where GitHub knows no account."""
        found = self._get(f"/compare/{quote(base, safe='')}...{quote(head, safe='')}", "contents: read")
        return tuple(str((each.get("author") or {}).get("login") or "") for each in found.get("commits") or [])

    def present(self, commit: str, paths: Iterable[str]) -> tuple[str, ...]:
        """Those of some paths that a commit has: as a file, a folder or a link."""
        return tuple(path for path in paths if self._has(commit, path))

    def _has(self, commit: str, path: str) -> bool:
        try:
            self._get(f"/contents/{quote(path)}?ref={quote(commit, safe='')}", "contents: read")
        except GitHubError as error:
            if error.status != 404:
                raise
            return False
        return True

    def tree_with(self, commit: str, files: Mapping[str, str]) -> tuple[str, str]:
        """Make the tree of a commit with further files.

        Returns:
            Git id of the commit's own tree, and of the new one.
        """
        base = str(self._get(f"/git/commits/{commit}", "contents: read")["tree"]["sha"])
        items = [{"path": path, "mode": "100644", "type": "blob", "content": text} for path, text in files.items()]
        return base, str(self._send("POST", "/git/trees", {"base_tree": base, "tree": items}, NEEDS)["sha"])

    def tree_of_commit(self, commit: str) -> str:
        """Git id of a commit's root tree."""
        return str(self._get(f"/git/commits/{commit}", "contents: read")["tree"]["sha"])

    def commit(self, tree: str, parent: str, message: str) -> str:
        """Make a commit; without author and committer GitHub signs that of an app."""
        return str(self._send("POST", "/git/commits", {"message": message, "tree": tree, "parents": [parent]}, NEEDS)["sha"])

    def set_head(self, branch: str, commit: str, *, exists: bool) -> None:
        """Let a branch point at a commit, wherever it pointed before."""
        if exists:
            self._send("PATCH", f"/git/refs/heads/{quote(branch)}", {"sha": commit, "force": True}, NEEDS)
        else:
            self._send("POST", "/git/refs", {"ref": f"refs/heads/{branch}", "sha": commit}, NEEDS)

    def who(self) -> str:
        """Login of the person that the token stands for (the token of an app's installation cannot ask this)."""
        with self._asking("GET /user", "metadata: read"):
            return str(self._client.get_user().login)
