"""All that the imitated GitHub knows, behind one lock; events leave it only after the lock is released."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rehearsal.github.errors import GitHubError, not_found
from rehearsal.github.model import Repository, User
from rehearsal.github.model_actions import (
    App,
    Artifact,
    CheckRun,
    CommitStatus,
    Deployment,
    Event,
    Gate,
    Job,
    Run,
    RunRequest,
    Token,
)

ACTIONS_BOT = "github-actions[bot]"
ACTIONS_APP_ID = 15368
"""The id of GitHub's own app "GitHub Actions", which makes check runs and holds `GITHUB_TOKEN`."""


api_prefix: ContextVar[str] = ContextVar("api_prefix", default="")
"""`/api/v3` while a request with that prefix is answered, so that the addresses in the answer have it too."""


class Clock:
    """The world's time: the machine's, moved on by `advance` so that a wait timer need not be waited for."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def now(self) -> float:
        """Give the time in seconds since 1970."""
        return time.time() + self._ahead

    def stamp(self, at: float | None = None) -> str:
        """Give a time as GitHub writes it, `2026-01-01T00:00:00Z` (now, or seconds since 1970)."""
        return datetime.fromtimestamp(self.now() if at is None else at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def advance(self, seconds: float) -> None:
        """Move the time on."""
        self._ahead += seconds


@dataclass
class Trouble:
    """An answer that the next requests get instead of the real one, to try clients' patience.

    Args:
        method: HTTP method.
        pattern: Regular expression that the path (from `/repos`) has to match as a whole.
        status: What they get, such as 503, or 403 or 429 with `Retry-After`.
        times: How many of them.
        message: The text.
        headers: Further headers.
    """

    method: str
    pattern: str
    status: int
    times: int
    message: str
    headers: dict[str, str]


class DownloadLinks:
    """Addresses of artifacts that hold for a minute, as GitHub's do."""

    SECONDS = 60

    def __init__(self) -> None:
        self._links: dict[str, tuple[int, float]] = {}

    def new(self, artifact_id: int, now: float) -> str:
        """Give the secret part of a fresh address."""
        secret = secrets.token_urlsafe(18)
        self._links[secret] = (artifact_id, now + self.SECONDS)
        return secret

    def artifact_id(self, secret: str, now: float) -> int:
        """Give the artifact of an address; 403 for one that does not hold any more."""
        artifact_id, until = self._links.get(secret, (0, 0.0))
        if now > until:
            raise GitHubError(403, "This download address is not valid any more.")
        return artifact_id


@dataclass
class State:
    """The state; `data` is the folder with the git repositories and artifacts, `base_url` the server's address."""

    data: Path
    base_url: str
    clock: Clock = field(default_factory=Clock)
    users: dict[str, User] = field(default_factory=dict)
    repositories: dict[str, Repository] = field(default_factory=dict)
    runs: dict[int, Run] = field(default_factory=dict)
    jobs: dict[int, Job] = field(default_factory=dict)
    gates: dict[int, Gate] = field(default_factory=dict)
    deployments: dict[int, Deployment] = field(default_factory=dict)
    checks: dict[int, CheckRun] = field(default_factory=dict)
    statuses: list[CommitStatus] = field(default_factory=list)
    artifacts: dict[int, Artifact] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    apps: dict[int, App] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    workflow_ids: dict[str, int] = field(default_factory=dict)
    open_user: str = ""
    """Login that any unknown token stands for; empty = unknown tokens are refused."""

    def __post_init__(self) -> None:
        self._condition = threading.Condition(threading.RLock())
        self._depth = 0
        self.last_id = 1000
        self._outbox: list[Event | RunRequest] = []
        self.download_links = DownloadLinks()
        self.troubles: list[Trouble] = []
        self.slow_mergeable: dict[int, bool] = {}
        self.on_event: list[Callable[[Event], None]] = []
        self.on_run_request: list[Callable[[RunRequest], None]] = []

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock (reentrant); when the outermost holder leaves, waiters are woken and events are delivered."""
        sent: list[Event | RunRequest] = []
        try:
            with self._condition:
                self._depth += 1
                try:
                    yield
                finally:
                    self._depth -= 1
                    if self._depth == 0:
                        sent, self._outbox = self._outbox, []
                        self._condition.notify_all()
        finally:
            # Also after an error: what happened before it has happened.
            for message in sent:
                self._deliver(message)

    def wait(self, seconds: float) -> None:
        """Let others at the state until something changed, or the time is over (call it inside one `locked()` only)."""
        depth, self._depth = self._depth, 0
        try:
            self._condition.wait(seconds)
        finally:
            self._depth = depth

    def post(self, message: Event | RunRequest) -> None:
        """Queue an event or request for the subscribers."""
        self._outbox.append(message)

    def _deliver(self, message: Event | RunRequest) -> None:
        if isinstance(message, Event):
            for on_event in list(self.on_event):
                on_event(message)
        else:
            for on_request in list(self.on_run_request):
                on_request(message)

    def api_url(self, *path: object) -> str:
        """Give an address in the REST API."""
        return "/".join([self.base_url + api_prefix.get(), *map(str, path)])

    def html_url(self, *path: object) -> str:
        """Give an address for people (nothing is served there)."""
        return "/".join([self.base_url, *map(str, path)])

    def new_id(self) -> int:
        """Give an id that nothing else has."""
        self.last_id += 1
        return self.last_id

    def stamp(self) -> str:
        """Give the present time as GitHub writes it."""
        return self.clock.stamp()

    def user(self, login: str) -> User:
        """Give a user; raises 404 where there is none."""
        if login not in self.users:
            raise not_found()
        return self.users[login]

    def add_user(self, login: str, type_: str = "User", name: str = "", email: str = "") -> User:
        """Give the user of this login, made where it is missing."""
        if login not in self.users:
            user_id = self.new_id()
            address = email or f"{user_id}+{login}@users.noreply.github.com"
            self.users[login] = User(user_id, login, type_, name or login, address)
        return self.users[login]

    def repository(self, full_name: str) -> Repository:
        """Give a repository by `owner/name` (in any case of letters); raises 404."""
        for name, repository in self.repositories.items():
            if name.lower() == full_name.lower():
                return repository
        raise not_found()

    def run(self, run_id: int) -> Run:
        """Give a run; raises 404."""
        if run_id not in self.runs:
            raise not_found()
        return self.runs[run_id]

    def job(self, job_id: int) -> Job:
        """Give a job; raises 404."""
        if job_id not in self.jobs:
            raise not_found()
        return self.jobs[job_id]

    def jobs_of(self, run_id: int, attempt: int | None = None) -> list[Job]:
        """Give a run's jobs, oldest first; of one attempt where it is given."""
        return [job for job in self.jobs.values() if job.run_id == run_id and attempt in (None, job.run_attempt)]

    def issue_token(self, prefix: str, token: Token) -> str:
        """Give out a credential with a fresh value."""
        token.value = f"{prefix}_{secrets.token_hex(18)}"
        self.tokens[token.value] = token
        return token.value

    def token(self, value: str) -> Token:
        """Give what a token's value stands for; raises 401 for one that is unknown or over."""
        found = self.tokens.get(value)
        if found and (found.expires_at is None or found.expires_at > self.clock.now()):
            return found
        if self.open_user and value and not found:
            return Token(value, "user", self.open_user)
        raise GitHubError(401, "Bad credentials")
