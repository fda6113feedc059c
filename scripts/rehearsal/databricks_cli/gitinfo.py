"""What git says about the bundle's folder, read from the files of the repository without starting git."""

from __future__ import annotations

import configparser
import re
from dataclasses import dataclass
from pathlib import Path

_HASH = re.compile(r"[0-9a-f]{40,64}$")


@dataclass(frozen=True)
class GitInfo:
    """Details of a work tree.

    Args:
        top: The work tree's top folder, or None outside of one.
        branch: Current branch; empty with a detached head.
        commit: Current commit; empty before the first.
        origin: URL of the remote `origin`, without credentials.
    """

    top: Path | None = None
    branch: str = ""
    commit: str = ""
    origin: str = ""


def read(folder: Path) -> GitInfo:
    """Return the details of the work tree that a folder lies in."""
    for top in (folder, *folder.parents):
        marker = top / ".git"
        if marker.exists():
            return _read(top, marker)
    return GitInfo()


def _read(top: Path, marker: Path) -> GitInfo:
    git_dir = marker
    if marker.is_file():  # a work tree of its own, or a submodule: the file names the folder
        git_dir = (top / marker.read_text("utf-8").removeprefix("gitdir:").strip()).resolve()
    pointer = git_dir / "commondir"
    common = (git_dir / pointer.read_text("utf-8").strip()).resolve() if pointer.is_file() else git_dir
    head = _text(git_dir / "HEAD")
    branch, commit = "", head if _HASH.match(head) else ""
    if head.startswith("ref:"):
        ref = head.removeprefix("ref:").strip()
        branch = ref.removeprefix("refs/heads/")
        commit = _text(git_dir / ref) or _text(common / ref) or _packed(common, ref)
    return GitInfo(top, branch, commit, _origin(common / "config"))


def _text(file: Path) -> str:
    return file.read_text("utf-8").strip() if file.is_file() else ""


def _packed(common: Path, ref: str) -> str:
    for line in _text(common / "packed-refs").splitlines():
        commit, _, name = line.partition(" ")
        if name == ref:
            return commit
    return ""


def _origin(config: Path) -> str:
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
    try:
        parser.read_string("\n".join(line.strip() for line in _text(config).splitlines()))
    except configparser.Error:
        return ""
    url = parser.get('remote "origin"', "url", fallback="") or ""
    return re.sub(r"(?<=://)[^/@]+@", "", url)
