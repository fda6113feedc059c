"""A small imitated GitHub for tests: a repository with a history, people with roles, a server, and clients of it."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from rehearsal.github.model_actions import Job, Run
from rehearsal.github.server import Server
from rehearsal.github.world import GitHub

REPOSITORY = "team/iris"
DISPATCHABLE = """\
name: CD
on:
  push: {branches: [main]}
  workflow_dispatch:
    inputs:
      who: {required: true, type: string}
jobs: {}
"""


class Scene:
    """`team/iris` with `main` and the people developer (admin), reviewer and release-manager (write), guest (read)."""

    def __init__(self, folder: Path) -> None:
        self.github = GitHub(folder / "data")
        self.work = folder / "work"
        self.work.mkdir(parents=True)
        self.repository = self.github.create_repository(REPOSITORY, admin="developer")
        for login, role in {"reviewer": "write", "release-manager": "write", "guest": "read"}.items():
            self.github.grant(REPOSITORY, login, role)
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("remote", "add", "origin", str(self.repository.path))
        self.push("main", {"a.txt": "one\n", ".github/workflows/cd.yml": DISPATCHABLE, "CODEOWNERS": "*.py @reviewer\n"}, "first")
        self.log_file = folder / "requests.jsonl"
        self.server = Server(self.github, log=self.log_file)
        self.server.start()
        self._clients: list[httpx.Client] = []

    def close(self) -> None:
        for client in self._clients:
            client.close()
        self.server.stop()

    def git(self, *args: str) -> str:
        env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        identity = ["-c", "user.name=developer", "-c", "user.email=developer@example.com"]
        done = subprocess.run(
            ["git", *identity, "-C", str(self.work), *args], check=True, capture_output=True, text=True, env=env, timeout=60
        )
        return done.stdout.strip()

    def push(self, branch: str, files: Mapping[str, str | None], message: str, actor: str = "developer", start: str = "") -> str:
        """Commit files on a branch (begun at `start` where it is new; None deletes a file) and push it."""
        branches = self.git("branch", "--format=%(refname:short)").splitlines()
        if branch in branches:
            self.git("checkout", "--quiet", branch)
            remote = self.git("ls-remote", "origin", f"refs/heads/{branch}")
            if remote:
                self.git("pull", "--quiet", "--ff-only", "origin", branch)
        elif branches:
            self.git("fetch", "--quiet", "origin")
            self.git("checkout", "--quiet", "-b", branch, start or "origin/main")
        for name, text in files.items():
            path = self.work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                path.unlink()
            else:
                path.write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        self.git("push", "--quiet", "origin", branch)
        self.github.refs_changed(REPOSITORY, actor)
        return self.git("rev-parse", "HEAD")

    def run(self, branch: str = "main", workflow: str = "cd.yml") -> Run:
        """File a run for the last push to a branch."""
        event = next(each for each in reversed(self.github.events) if (each.name, each.ref) == ("push", f"refs/heads/{branch}"))
        return self.github.create_run(event, name="CD", path=f".github/workflows/{workflow}")

    def job(self, run: Run, environment: str = "", name: str = "cd / deploy") -> Job:
        return self.github.add_job(run.id, name, environment=environment)

    def client(self, token: str, prefix: str = "") -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        # Loopback is reached directly, whatever proxy the machine has.
        client = httpx.Client(base_url=f"{self.server.url}{prefix}/repos/{REPOSITORY}", headers=headers, trust_env=False, timeout=30)
        self._clients.append(client)
        return client

    def person(self, login: str, prefix: str = "") -> httpx.Client:
        return self.client(self.github.user_token(login), prefix)

    def job_client(self, permissions: Mapping[str, str], job: Job | None = None) -> httpx.Client:
        job = job or self.job(self.run())
        return self.client(self.github.job_credentials(job.id, permissions).github_token)


def answer(response: httpx.Response, status: int = 200) -> Any:
    """Give a response's JSON, after its status is checked."""
    assert response.status_code == status, f"{response.request.method} {response.request.url}: {response.status_code} {response.text}"
    return response.json() if response.content else None


def app_login(app_id: int, private_key: str, seconds: int = 540) -> str:
    """Make the JWT by which an app logs in as itself."""
    import jwt

    now = int(time.time())
    return jwt.encode({"iat": now - 30, "exp": now + seconds, "iss": str(app_id)}, private_key, algorithm="RS256")
