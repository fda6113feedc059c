"""A look at the imitated GitHub: its repositories have their addresses on github.com, and no other one is looked for outside."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from rehearsal.github.world import GitHub
from rehearsal.rehearse import githubview


def test_an_address_on_github_is_the_imitated_repository(tmp_path: Path) -> None:
    github = GitHub(tmp_path)
    github.add_user("owner")
    repository = github.create_repository("team/shares", admin="owner")
    environment = {**os.environ, **githubview.as_remote(github), "GIT_TERMINAL_PROMPT": "0"}

    def git(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["git", *command], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False)

    assert git("ls-remote", "--get-url", "https://github.com/team/shares.git").stdout.strip() == str(repository.path)
    assert git("clone", "--quiet", "https://github.com/team/shares.git", "cloned").returncode == 0
    other = git("clone", "--quiet", "https://github.com/team/other.git", "other")
    assert other.returncode != 0
    assert str(tmp_path) in other.stderr, "looked for on this machine only"
