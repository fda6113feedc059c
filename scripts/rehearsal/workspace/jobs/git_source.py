"""Code of a job that comes from git: cloned from this machine only."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

CLONE_SECONDS = 120
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class GitSourceError(ValueError):
    """The code could not be had; the message says why and what to change."""


async def checkout(source: dict[str, Any], folder: Path) -> Path:
    """Clone the repository of `git_source` at its branch, tag or commit, once per run.

    The address is what git makes of it by `url.<base>.insteadOf`; it must be on this machine.

    Args:
        source: `git_url` and one of `git_branch`, `git_tag`, `git_commit`.
        folder: Where it is cloned to; used as it is when it is there.

    Raises:
        GitSourceError: the address is not on this machine, or git failed.
    """
    if (folder / ".git").is_dir():
        return folder
    url = str(source.get("git_url", ""))
    real = (await _git(["ls-remote", "--get-url", url])).strip()
    parts = urlsplit(real)
    if parts.scheme not in ("", "file") and parts.hostname not in LOOPBACK:
        raise GitSourceError(
            f"git_source: {url} is not on this machine, and nothing leaves it here. "
            f"Point it to a local repository with `git config --global url.<local path>.insteadOf {url}`."
        )
    wanted = source.get("git_commit") or source.get("git_tag") or source.get("git_branch")
    if not wanted:
        raise GitSourceError("git_source names no git_branch, git_tag or git_commit.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f"{folder.name}.part-{os.urandom(4).hex()}")
    await _git(["clone", "--quiet", "--no-checkout", "--", real, str(temporary)])
    await _git(["-C", str(temporary), "checkout", "--quiet", "--detach", _revision(source, str(wanted))])
    if not folder.exists():
        temporary.rename(folder)
    return folder


def _revision(source: dict[str, Any], wanted: str) -> str:
    if wanted.startswith("-"):
        raise GitSourceError(f"git_source: {wanted!r} is not a branch, tag or commit.")
    if source.get("git_commit"):
        return wanted
    return f"refs/tags/{wanted}" if source.get("git_tag") else f"refs/remotes/origin/{wanted}"


async def _git(arguments: list[str]) -> str:
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
    process = await asyncio.create_subprocess_exec(
        "git", *arguments, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environment
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), CLONE_SECONDS)
    except TimeoutError as error:
        process.kill()
        await process.wait()
        raise GitSourceError(f"git_source: git {arguments[0]} took longer than {CLONE_SECONDS} s.") from error
    if process.returncode != 0:
        raise GitSourceError(f"git_source: git {arguments[0]} failed: {err.decode('utf-8', 'replace').strip()[:500]}")
    return out.decode("utf-8", "replace")
