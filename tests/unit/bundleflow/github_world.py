"""A repository on the imitated GitHub, served over HTTP, with the steps that the kit's tests need."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from bundleflow.adapters.github_release import ReleaseApi
from rehearsal.github.model_actions import Job, ReferencedWorkflow, Run
from rehearsal.github.server import Server
from rehearsal.github.world import GitHub

REPOSITORY = "team/iris"
KIT = "bundleflow/bundleflow"
ALL = {"actions": "read", "contents": "read", "deployments": "write", "pull-requests": "write"}


class World:
    """A served GitHub with one repository; `developer` may write, `reviewer` approves, `release-manager` administers."""

    def __init__(self, folder: Path) -> None:
        self.github = GitHub(folder / "github")
        self.server = Server(self.github)
        self.server.start()
        self.work = folder / "work"
        for login in ("developer", "reviewer", "release-manager"):
            self.github.add_user(login, email=f"{login}@example.com")
        self.github.create_repository(REPOSITORY, admin="release-manager")
        for login in ("developer", "reviewer"):
            self.github.grant(REPOSITORY, login, "write")
        self.git("init", "-q", "-b", "main", str(self.work), cwd=folder)
        self.commit("first")
        self.push("main")
        self.push("main:release")

    def stop(self) -> None:
        self.server.stop()

    def git(self, *argv: str, cwd: Path | None = None) -> str:
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.work.parent),
            "GIT_CONFIG_NOSYSTEM": "1",
            **{
                f"GIT_{who}_{what}": value
                for who in ("AUTHOR", "COMMITTER")
                for what, value in (("NAME", "developer"), ("EMAIL", "developer@example.com"))
            },
        }
        done = subprocess.run(["git", *argv], cwd=cwd or self.work, env=env, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout.strip()

    def commit(self, message: str, **files: str) -> str:
        for name, text in (files or {"file.txt": message}).items():
            (self.work / name).write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def push(self, refspec: str) -> None:
        self.git("push", "-q", str(self.github.repository(REPOSITORY).path), refspec)
        self.github.refs_changed(REPOSITORY, "developer")

    def tree(self, commit: str = "HEAD") -> str:
        return self.git("rev-parse", f"{commit}^{{tree}}")

    def start_run(self, workflow: str, branch: str = "main", *, kit: str = KIT, called: str = "") -> Run:
        """A run of the caller's workflow for a push to a branch; it calls the kit's workflow of the same name."""
        event = next(each for each in reversed(self.github.events) if each.name == "push" and each.ref == f"refs/heads/{branch}")
        path = f"{kit}/.github/workflows/{called or workflow}"
        reference = ReferencedWorkflow(f"{path}@{'a' * 40}", "a" * 40, "refs/heads/main")
        return self.github.create_run(event, name=workflow, path=f".github/workflows/{workflow}", referenced_workflows=[reference])

    def staged(
        self, *, conclusion: str = "success", job: str = "cd-staging / deploy", workflow: str = "cd-staging.yml", **more: str
    ) -> Run:
        """A finished run of cd-staging with its deploying job."""
        run = self.start_run(workflow, **more)
        added = self.github.add_job(run.id, job)
        self.github.start_job(added.id)
        self.github.finish_job(added.id, conclusion)
        return self.github.finish_run(run.id)

    def job(self, run: Run, name: str = "cd-prod / deploy", environment: str = "") -> Job:
        return self.github.add_job(run.id, name, environment=environment)

    def api(self, permissions: dict[str, str] | None = None, run: Run | None = None) -> ReleaseApi:
        """The kit's client with a job's own token."""
        run = run or self.start_run("cd-test.yml")
        job = self.github.add_job(run.id, "job")
        self.github.start_job(job.id)
        return ReleaseApi(
            REPOSITORY, self.github.job_credentials(job.id, ALL if permissions is None else permissions).github_token, self.server.url
        )
