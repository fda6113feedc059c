"""Git, as far as a release needs it: which tree a commit has, what differs between two commits, a second checkout."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason

TIMEOUT_S = 60


def tree_of(commit: str = "HEAD", folder: Path | str = ".") -> str:
    """Git id of a commit's root tree.

    Raises:
        BundleflowError: There is no such commit, or no repository.
    """
    return _git(folder, "rev-parse", "--verify", "--end-of-options", f"{commit}^{{tree}}").strip()


def commit_of(revision: str = "HEAD", folder: Path | str = ".") -> str:
    """Full id of a commit.

    Raises:
        BundleflowError: There is no such commit, or no repository.
    """
    return _git(folder, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}").strip()


def top_of(folder: Path | str) -> Path | None:
    """Where the repository begins that a folder is in; None where git knows of none."""
    try:
        return Path(_git(folder, "rev-parse", "--show-toplevel").removesuffix("\n")).resolve()
    except BundleflowError:
        return None


def changed_files(base: str, head: str, folder: Path | str = ".") -> tuple[str, ...]:
    """Paths that differ between the merge base of two commits and `head`, relative to the repository's root, sorted.

    Both the old and the new name of a renamed file are in it.
    """
    merge_base = _git(folder, "merge-base", commit_of(base, folder), commit_of(head, folder)).strip()
    text = _git(folder, "diff", "--name-only", "--no-renames", "-z", merge_base, commit_of(head, folder), "--")
    return tuple(sorted(path for path in text.split("\0") if path))


def files_of(commit: str, folder: Path | str = ".") -> tuple[str, ...]:
    """Paths of all files of a commit, relative to the repository's root."""
    text = _git(folder, "ls-tree", "-r", "-z", "--name-only", "--full-tree", commit_of(commit, folder))
    return tuple(path for path in text.split("\0") if path)


def commits_ahead(folder: Path, base: str, head: str) -> int | None:
    """How many commits `head` has that `base` has not; None where this checkout does not hold one of them."""
    try:
        return int(_git(folder, "rev-list", "--count", "--end-of-options", f"{base}..{head}"))
    except (BundleflowError, ValueError):
        return None


@contextmanager
def worktree(commit: str, folder: Path | str = ".") -> Iterator[Path]:
    """A second checkout of a commit, at the place that corresponds to `folder`; gone at the end.

    Raises:
        BundleflowError: There is no such commit here, or no repository.
    """
    below = _git(folder, "rev-parse", "--show-prefix").strip()
    with tempfile.TemporaryDirectory(prefix="bundleflow-") as temporary:
        root = Path(temporary) / "checkout"
        # Nothing of the commit's is executed: no hook, no filter that the repository itself does not configure.
        _git(folder, "-c", "core.hooksPath=/dev/null", "worktree", "add", "--quiet", "--detach", str(root), commit_of(commit, folder))
        try:
            yield root / below
        finally:
            _git(folder, "worktree", "remove", "--force", str(root))


def fetch_commit(commit: str, folder: Path | str = ".", *, server: str = "", token: str = "") -> None:
    """Get one commit from `origin` where it is not here already.

    Args:
        commit: Full id of the commit.
        folder: A folder of the repository.
        server: GitHub's address, to which alone the token is sent.
        token: Token of the job, for a checkout that kept none; given by environment, where no list of processes shows it.

    Raises:
        BundleflowError: There is no such commit, or no repository.
    """
    if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", commit):
        # `git fetch` takes options behind the remote's name too, `--upload-pack=PROGRAM` among them.
        raise _error("A commit to fetch is not named by its full id.", "Give all 40 hexadecimal digits.", ExitCode.USAGE, commit[:200])
    try:
        commit_of(commit, folder)
    except BundleflowError:
        env = {"GIT_TERMINAL_PROMPT": "0"}
        if server and token:
            login = base64.b64encode(f"x-access-token:{token}".encode()).decode()
            env |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"http.{server.rstrip('/')}/.extraheader"}
            env["GIT_CONFIG_VALUE_0"] = f"AUTHORIZATION: basic {login}"
        _git(folder, "fetch", "--quiet", "--depth=1", "--no-tags", "origin", commit, env=env)


def _git(folder: Path | str, *argv: str, env: Mapping[str, str] | None = None) -> str:
    command = ["git", "-C", str(folder), "-c", "core.quotepath=off", *argv]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=True,
            env={**os.environ, **env} if env else None,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError as error:
        raise _error("`git` was not found on PATH.", "Install git.", ExitCode.TROUBLE) from error
    except subprocess.TimeoutExpired as error:
        raise _error(f"`git {argv[0]}` did not answer within {TIMEOUT_S} s.", "Try again.", ExitCode.TROUBLE) from error
    except subprocess.CalledProcessError as error:
        raise _error(
            f"`git {argv[0]}` failed in {folder}.",
            "Run this in a checkout that holds the commits in question (`fetch-depth: 0` with actions/checkout).",
            ExitCode.USAGE,
            error.stderr.decode("utf-8", "replace").strip(),
        ) from error
    # Not read as text by `subprocess`: that would change carriage returns in names of files.
    return done.stdout.decode("utf-8", "replace")


def _error(cause: str, fix: str, code: ExitCode, details: str = "") -> BundleflowError:
    reason = FailureReason.OUTSIDE_TROUBLE if code is ExitCode.TROUBLE else FailureReason.WRONG_USE
    return BundleflowError(cause, fix=fix, reason=reason, exit_code=code, details=details)
