"""Git, as far as a release needs it: which tree a commit has, and what differs between two commits."""

from __future__ import annotations

import subprocess
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


def changed_files(base: str, head: str, folder: Path | str = ".") -> tuple[str, ...]:
    """Paths that differ between the merge base of two commits and `head`, relative to the repository's root, sorted.

    Both the old and the new name of a renamed file are in it.
    """
    merge_base = _git(folder, "merge-base", commit_of(base, folder), commit_of(head, folder)).strip()
    text = _git(folder, "diff", "--name-only", "--no-renames", "-z", merge_base, commit_of(head, folder), "--")
    return tuple(sorted(path for path in text.split("\0") if path))


def _git(folder: Path | str, *argv: str) -> str:
    command = ["git", "-C", str(folder), "-c", "core.quotepath=off", *argv]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=True, encoding="utf-8", errors="replace")
    except FileNotFoundError as error:
        raise _error("`git` was not found on PATH.", "Install git.", ExitCode.TROUBLE) from error
    except subprocess.TimeoutExpired as error:
        raise _error(f"`git {argv[0]}` did not answer within {TIMEOUT_S} s.", "Try again.", ExitCode.TROUBLE) from error
    except subprocess.CalledProcessError as error:
        raise _error(
            f"`git {argv[0]}` failed in {folder}.",
            "Run this in a checkout that holds the commits in question (`fetch-depth: 0` with actions/checkout).",
            ExitCode.USAGE,
            error.stderr.strip(),
        ) from error
    return done.stdout


def _error(cause: str, fix: str, code: ExitCode, details: str = "") -> BundleflowError:
    reason = FailureReason.OUTSIDE_TROUBLE if code is ExitCode.TROUBLE else FailureReason.WRONG_USE
    return BundleflowError(cause, fix=fix, reason=reason, exit_code=code, details=details)
