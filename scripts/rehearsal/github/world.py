"""The imitated GitHub as plain Python: every operation that a person, a runner or the stage director does, without HTTP.

All methods are safe to call from any thread. Repositories are named `owner/name`; people by login; runs, jobs and gates by id.
Errors are `rehearsal.github.errors.GitHubError`, with the status and text that GitHub's API would give.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rehearsal.github import (
    access,
    apps,
    environments,
    events,
    issues,
    merging,
    oidc,
    pulls,
    repositories,
    reviews,
    rules,
)
from rehearsal.github.model import Comment, Environment, Json, PullRequest, Repository, Review, Rule, User
from rehearsal.github.model_actions import (
    App,
    Event,
    RunRequest,
)
from rehearsal.github.state import Clock, State, Trouble
from rehearsal.github.world_actions import ActionsWorld


class GitHub(ActionsWorld):
    """One imitated GitHub; its operations on runs, jobs, gates and artifacts are those of `ActionsWorld`.

    Args:
        data: Folder for the bare git repositories and the artifacts; made where it is missing.
        base_url: Address of the server, without a slash at the end; `base_url` may be set later, before the first token.
        clock: The world's time; `clock.advance(seconds)` moves it on.
    """

    def __init__(self, data: Path, base_url: str = "http://127.0.0.1", clock: Clock | None = None) -> None:
        self.state = State(data=data, base_url=base_url, clock=clock or Clock())
        self.keys = oidc.Keys()
        repositories.prepare(self.state)

    @property
    def base_url(self) -> str:
        """Address of the server: REST API, OIDC issuer (`<base>/_oidc`) and artifacts (`<base>/_local/artifacts`)."""
        return self.state.base_url

    @base_url.setter
    def base_url(self, value: str) -> None:
        self.state.base_url = value.rstrip("/")

    @property
    def clock(self) -> Clock:
        """The world's time."""
        return self.state.clock

    # Events ---------------------------------------------------------------------------------------------------------

    @property
    def events(self) -> list[Event]:
        """Every event so far, also those that start nothing (`starts_workflows` False: caused by `GITHUB_TOKEN`)."""
        with self.state.locked():
            return list(self.state.events)

    def subscribe(self, callback: Callable[[Event], None]) -> None:
        """Have every event reported, once, in order per cause, in the thread that caused it and without the lock held."""
        self.state.on_event.append(callback)

    def on_run_request(self, callback: Callable[[RunRequest], None]) -> None:
        """Have requests about runs reported (`approve`, `cancel`, `rerun`, ...), which the director carries out."""
        self.state.on_run_request.append(callback)

    def dispatch_workflow(self, repository: str, actor: str, workflow: str, ref: str, inputs: Mapping[str, str] | None = None) -> Event:
        """Start a workflow by hand.

        Args:
            repository: `owner/name`.
            actor: Who starts it (write access needed).
            workflow: File name, such as `cd-staging.yml`.
            ref: Branch or tag, short or full.
            inputs: The workflow's inputs.
        """
        with self.state.locked():
            return events.dispatch_workflow(self.state, repository, access.person(actor), workflow, ref, dict(inputs or {}))

    def dispatch(self, repository: str, actor: str, event_type: str, client_payload: Json | None = None) -> Event:
        """Send a `repository_dispatch` event to the default branch."""
        with self.state.locked():
            return events.dispatch(self.state, repository, access.person(actor), event_type, client_payload or {})

    def schedule(self, repository: str, cron: str) -> Event:
        """Let a schedule strike on the default branch (`cron` is the workflow's own expression)."""
        with self.state.locked():
            return events.schedule(self.state, repository, cron)

    # People and repositories ----------------------------------------------------------------------------------------

    def add_user(self, login: str, kind: str = "User", name: str = "", email: str = "") -> User:
        """Add a person (`User`), an `Organization` or a `Bot`; gives the one that is there if it is."""
        with self.state.locked():
            return self.state.add_user(login, kind, name, email)

    def user_token(self, login: str) -> str:
        """Make a person's token, for the API; it may what the person may by role."""
        with self.state.locked():
            return access.user_token(self.state, login)

    def app_token(self, slug: str, repository: str, permissions: Mapping[str, str]) -> str:
        """Make an installation token of another app (`<slug>[bot]`): limited by permissions, but its events do start workflows."""
        with self.state.locked():
            return access.app_token(self.state, slug, repository, permissions)

    def register_app(self, slug: str, permissions: Mapping[str, str]) -> tuple[App, str]:
        """Register a GitHub App with permissions in GitHub's own spelling (`pull_requests`); gives it and its private key (PEM)."""
        with self.state.locked():
            return apps.register(self.state, slug, permissions)

    def install_app(self, app: App, repository: str) -> int:
        """Install an app on a repository; gives the number of the installation."""
        with self.state.locked():
            return apps.install(self.state, app, repository)

    def create_repository(self, full_name: str, *, admin: str, private: bool = True, default_branch: str = "main") -> Repository:
        """Create an empty bare git repository (at `.path`) with `admin` as its administrator; the owner is made as an organisation."""
        with self.state.locked():
            return repositories.create(self.state, full_name, admin=admin, private=private, default_branch=default_branch)

    def fork(self, repository: str, owner: str) -> Repository:
        """Fork a repository to another owner's account; its branches may be the head of pull requests (`owner:branch`)."""
        with self.state.locked():
            return repositories.fork(self.state, repository, owner)

    def repository(self, full_name: str) -> Repository:
        """Give a repository; `.path` is the bare git repository to push to."""
        with self.state.locked():
            return self.state.repository(full_name)

    def grant(self, repository: str, login: str, role: str) -> None:
        """Give a person a role: none, read, triage, write, maintain or admin."""
        with self.state.locked():
            repositories.grant(self.state, repository, login, role)

    def set_variable(self, repository: str, name: str, value: str, environment: str = "") -> None:
        """Set a configuration variable (`vars`) of the repository, or of one of its environments."""
        with self.state.locked():
            environments.set_variable(self.state, repository, name, value, environment)

    def set_secret(self, repository: str, name: str, value: str, environment: str = "") -> None:
        """Set a secret of the repository, or of one of its environments."""
        with self.state.locked():
            environments.set_secret(self.state, repository, name, value, environment)

    def set_environment(
        self,
        repository: str,
        name: str,
        *,
        reviewers: Sequence[str] = (),
        prevent_self_review: bool = False,
        wait_timer: int = 0,
        branches: Sequence[str] | None = None,
        tags: Sequence[str] = (),
        protected_branches: bool = False,
        can_admins_bypass: bool = True,
    ) -> Environment:
        """Make an environment, or set its gate anew (variables and secrets stay).

        Args:
            repository: `owner/name`.
            name: The environment's name.
            reviewers: Up to six logins; one of them is enough.
            prevent_self_review: Who started the run may not approve it.
            wait_timer: Minutes, 0 to 43200.
            branches: Patterns of branches that may deploy (`release`, `release/*`); None = any.
            tags: Patterns of tags that may deploy; needs `branches`, which may be empty.
            protected_branches: Only branches with an active rule may deploy; excludes `branches`.
            can_admins_bypass: Administrators may start the job without a review.
        """
        with self.state.locked():
            return environments.configure(
                self.state,
                repository,
                name,
                environments.Gatekeeping(
                    list(reviewers),
                    prevent_self_review,
                    wait_timer,
                    None if branches is None else list(branches),
                    list(tags),
                    protected_branches,
                    can_admins_bypass,
                ),
            )

    def add_rule(self, repository: str, kind: str, branches: Sequence[str], parameters: Json | None = None) -> Rule:
        """Add an active branch rule by GitHub's type (see `rules.KINDS`); others are refused by name.

        Merging a pull request and changing references by the API hold to it; a `git push` by path does not pass by here.
        """
        with self.state.locked():
            return rules.add(self.state, repository, kind, list(branches), parameters or {})

    def refs_changed(self, repository: str, actor: str, *, token: str = "") -> list[Event]:
        """Take notice of what a `git push` to the repository's path changed: push, create, delete and pull request events.

        Args:
            repository: `owner/name`.
            actor: Who pushed.
            token: The `GITHUB_TOKEN` that was used, where a job pushed (then nothing is started).

        Returns:
            The events, as delivered to subscribers as well.
        """
        with self.state.locked():
            who = self.state.token(token) if token else access.person(actor)
            return repositories.refs_changed(self.state, repository, who)

    # Pull requests --------------------------------------------------------------------------------------------------

    def open_pull(
        self, repository: str, actor: str, head: str, base: str, title: str, body: str | None = None, *, draft: bool = False
    ) -> PullRequest:
        """Open a pull request (`head` is a branch, or `owner:branch` of a fork); 422 as GitHub where it cannot be."""
        with self.state.locked():
            return pulls.create(self.state, repository, access.person(actor), pulls.NewPull(head, base, title, body, draft))

    def pull(self, repository: str, number: int) -> PullRequest:
        """Give a pull request; title, body, labels and state are in `repository(...).issues[number]`."""
        with self.state.locked():
            return pulls.get(self.state.repository(repository), number)

    def review_pull(self, repository: str, number: int, actor: str, state: str, body: str = "") -> Review:
        """Review a pull request: `state` APPROVE, REQUEST_CHANGES or COMMENT."""
        with self.state.locked():
            return reviews.submit(self.state, repository, number, access.person(actor), state, body)

    def merge_pull(self, repository: str, number: int, actor: str, method: str = "merge") -> str:
        """Merge a pull request (merge, squash or rebase); gives the new commit's SHA. 405 where rules or conflicts forbid it."""
        with self.state.locked():
            return merging.merge(self.state, repository, number, access.person(actor), merging.MergeWish(method))

    def close_pull(self, repository: str, number: int, actor: str) -> None:
        """Close a pull request without merging it."""
        with self.state.locked():
            pulls.update(self.state, repository, number, access.person(actor), {"state": "closed"})

    def comment(self, repository: str, number: int, actor: str, body: str) -> Comment:
        """Comment on an issue or pull request."""
        with self.state.locked():
            return issues.comment(self.state, repository, number, access.person(actor), body)

    def comments(self, repository: str, number: int) -> list[Comment]:
        """Give the comments of an issue or pull request, oldest first."""
        with self.state.locked():
            return [each for each in self.state.repository(repository).comments.values() if each.issue == number]

    # Difficulties -------------------------------------------------------------------------------------------------

    def trouble(
        self, method: str, pattern: str, status: int, *, times: int = 1, message: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        """Give the next `times` requests another answer, to try a client's patience.

        Args:
            method: HTTP method.
            pattern: Regular expression for the whole path, such as `/repos/.*/deployments`.
            status: 502, 503, or 403 or 429 with the header `Retry-After` for GitHub's secondary limit.
            times: How many requests.
            message: The text; by default one that fits the status.
            headers: Further headers.
        """
        texts = {403: "You have exceeded a secondary rate limit.", 429: "You have exceeded a secondary rate limit."}
        with self.state.locked():
            text = message or texts.get(status, "Server Error")
            self.state.troubles.append(Trouble(method, pattern, status, times, text, dict(headers or {})))

    def compute_mergeable_slowly(self, repository: str, number: int) -> None:
        """Have the next look at a pull request find `mergeable` null, as on GitHub while it computes."""
        with self.state.locked():
            self.state.slow_mergeable[self.pull(repository, number).id] = True
