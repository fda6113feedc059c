"""An imitated GitHub without a server, and a clone to push from."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from rehearsal.github.model_actions import Event, Job, Run
from rehearsal.github.world import GitHub

NAME = "team/iris"


class Project:
    """`team/iris`: developer is its administrator, reviewer and release-manager write, guest reads."""

    def __init__(self, folder: Path) -> None:
        self.name = NAME
        self.github = GitHub(folder / "data")
        self.repository = self.github.create_repository(NAME, admin="developer")
        for login, role in {"reviewer": "write", "release-manager": "write", "guest": "read"}.items():
            self.github.grant(NAME, login, role)
        self.work = folder / "work"
        self.work.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit("main", {"a.txt": "1\n2\n3\n"}, "first")

    def git(self, *args: str) -> str:
        env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        command = ["git", "-c", "user.name=developer", "-c", "user.email=developer@example.com", "-C", str(self.work), *args]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=env, timeout=60)
        return done.stdout.strip()

    def commit(
        self, branch: str, files: Mapping[str, str], message: str = "change", *, start: str = "main", actor: str = "developer", to: str = ""
    ) -> str:
        """Commit files on a branch as it is in the repository, push it there (or to a fork), and give the commit."""
        target = self.github.repository(to or NAME)
        tip = self.git("ls-remote", str(target.path), f"refs/heads/{branch}")
        source = branch if tip else start
        if self.git("ls-remote", str(target.path), f"refs/heads/{source}"):
            self.git("fetch", "--quiet", str(target.path), f"refs/heads/{source}")
            self.git("checkout", "--quiet", "--detach", "FETCH_HEAD")
        for name, text in files.items():
            (self.work / name).parent.mkdir(parents=True, exist_ok=True)
            (self.work / name).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        self.git("push", "--quiet", str(target.path), f"HEAD:refs/heads/{branch}")
        self.github.refs_changed(target.full_name, actor)
        return self.git("rev-parse", "HEAD")

    def last(self, name: str, action: str = "") -> Event:
        return next(each for each in reversed(self.github.events) if each.name == name and action in ("", each.action))

    def run(self, event: Event | None = None) -> Run:
        return self.github.create_run(event or self.last("push"), name="CD", path=".github/workflows/cd.yml")

    def job(self, environment: str = "", run: Run | None = None) -> Job:
        return self.github.add_job((run or self.run()).id, "cd / deploy", environment=environment)

    def show(self, revision: str) -> str:
        """Give something of the repository itself, such as `main:a.txt`."""
        return self.git(f"--git-dir={self.repository.path}", "show", revision)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)
