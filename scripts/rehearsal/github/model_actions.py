"""What GitHub Actions leaves behind, as data classes: runs, jobs, gates, deployments, checks, statuses, artifacts, tokens, events."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from rehearsal.github.model import Json


@dataclass
class ReferencedWorkflow:
    """A reusable workflow that a run called: `path` as `owner/repo/.github/workflows/x.yml@ref`, its commit, its ref."""

    path: str
    sha: str
    ref: str = ""


@dataclass
class Step:
    """A step of a job."""

    name: str
    number: int
    status: str = "completed"
    conclusion: str | None = "success"
    started_at: str | None = None
    completed_at: str | None = None


@dataclass
class Job:
    """A job of a run; its check run has the same id (`status` queued, pending, waiting, in_progress, completed)."""

    id: int
    run_id: int
    run_attempt: int
    name: str
    created_at: str
    status: str = "queued"
    conclusion: str | None = None
    started_at: str | None = None
    completed_at: str | None = None
    environment: str = ""
    labels: list[str] = field(default_factory=lambda: ["ubuntu-24.04"])
    steps: list[Step] = field(default_factory=list)
    gate_id: int | None = None
    workflow_ref: str = ""
    """`owner/repo/.github/workflows/x.yml@ref` of the file that the job stands in (claim `job_workflow_ref`)."""
    workflow_sha: str = ""
    key: str = ""
    """The job's key in its workflow file."""
    concurrency_group: str = ""


@dataclass
class Run:
    """A workflow run (`status` queued, waiting, in_progress, completed; `conclusion` action_required = waits for an approval to run)."""

    id: int
    repository: str
    name: str
    path: str
    event: str
    head_branch: str
    head_sha: str
    sha: str
    """`GITHUB_SHA`: the test merge for a pull request, else the same as `head_sha`."""
    ref: str
    actor: str
    triggering_actor: str
    run_number: int
    created_at: str
    updated_at: str
    workflow_id: int
    run_attempt: int = 1
    display_title: str = ""
    status: str = "queued"
    conclusion: str | None = None
    run_started_at: str = ""
    pull_requests: list[int] = field(default_factory=list)
    referenced_workflows: list[ReferencedWorkflow] = field(default_factory=list)
    head_repository: str = ""
    approvals: list[Approval] = field(default_factory=list)
    concurrency_group: str = ""
    event_payload: Json = field(default_factory=dict)
    event_number: int = 0


@dataclass
class Approval:
    """A reviewer's answer at a gate; GitHub's API gives no time of it, this record keeps one for reports."""

    environments: list[str]
    state: str
    user: str
    comment: str
    run_attempt: int
    at: str


@dataclass
class Gate:
    """A job's wait before its environment.

    `state`: `waiting`, `open` (the job may start), `rejected` (a reviewer said no), `refused` (branch policy), `cancelled`.
    `reason` is the sentence that GitHub shows for a closed gate.
    """

    id: int
    repository: str
    run_id: int
    run_attempt: int
    job_id: int
    environment: str
    created_at: str
    opens_at: float
    """Seconds of the world's clock before which the wait timer holds it."""
    needs_review: bool
    state: str = "waiting"
    reason: str = ""
    reviewed_by: str = ""
    bypassed_by: str = ""
    deployment_id: int | None = None


@dataclass
class DeploymentStatus:
    """A status of a deployment."""

    id: int
    state: str
    creator: str
    created_at: str
    description: str = ""
    log_url: str = ""
    environment_url: str = ""
    environment: str = ""
    app: str = ""


@dataclass
class Deployment:
    """A deployment record, by a job's environment or by the API (`app` is the slug of the app whose token filed it)."""

    id: int
    repository: str
    sha: str
    ref: str
    task: str
    environment: str
    creator: str
    created_at: str
    updated_at: str
    original_environment: str = ""
    description: str = ""
    payload: object = field(default_factory=dict)
    transient_environment: bool = False
    production_environment: bool = False
    statuses: list[DeploymentStatus] = field(default_factory=list)
    app: str = ""
    job_id: int | None = None
    """The job for whose environment GitHub filed it by itself."""


@dataclass
class CheckRun:
    """A check run; each job files one with the job's id."""

    id: int
    repository: str
    name: str
    head_sha: str
    app: str
    status: str = "queued"
    conclusion: str | None = None
    started_at: str | None = None
    completed_at: str | None = None
    details_url: str = ""
    external_id: str = ""
    output: Json = field(default_factory=dict)
    annotations: list[Json] = field(default_factory=list)
    run_id: int | None = None


@dataclass
class CommitStatus:
    """A status of a commit (`state` error, failure, pending, success)."""

    id: int
    repository: str
    sha: str
    state: str
    context: str
    creator: str
    created_at: str
    description: str | None = None
    target_url: str | None = None


@dataclass
class Artifact:
    """An artifact of a run: a zip file on disk."""

    id: int
    repository: str
    run_id: int
    name: str
    path: Path
    size: int
    digest: str
    """`sha256:<hex>` of the zip file."""
    created_at: str
    expires_at: str
    expired: bool = False


@dataclass
class App:
    """An app: its permissions, and the repositories that each installation is for."""

    id: int
    slug: str
    public_key: str
    permissions: dict[str, str]
    installations: dict[int, list[str]] = field(default_factory=dict)
    """Number of the installation → `owner/name` of its repositories."""

    @property
    def login(self) -> str:
        """How it is called where it acts."""
        return f"{self.slug}[bot]"


@dataclass
class Token:
    """A credential: whose it is, and what it may.

    `kind`: `user` (a person's; limited by their role), `job` (`GITHUB_TOKEN`),
    `app` (another app's installation), `app-login` (an app's own JWT).
    `permissions`: GitHub's keys with `read` or `write`; for `user` not used.
    """

    value: str
    kind: str
    login: str
    repository: str = ""
    permissions: dict[str, str] = field(default_factory=dict)
    run_id: int | None = None
    job_id: int | None = None
    expires_at: float | None = None
    app: str = ""


@dataclass
class JobCredentials:
    """What a starting job is given: `GITHUB_TOKEN`, the OIDC address and token (empty without `id-token: write`), `vars` and `secrets`."""

    github_token: str
    oidc_url: str
    oidc_token: str
    permissions: dict[str, str]
    variables: dict[str, str]
    secrets: dict[str, str]


@dataclass(frozen=True)
class Event:
    """Something that starts workflows on GitHub.

    Args:
        name: The event's name in `on:`, such as `push` or `pull_request`.
        action: The activity type, such as `opened`; empty where the event has none.
        repository: `owner/name`.
        ref: What `GITHUB_REF` will be, such as `refs/heads/main` or `refs/pull/7/merge`.
        sha: What `GITHUB_SHA` will be.
        payload: The webhook's payload (the file of `GITHUB_EVENT_PATH`).
        actor: Login of who caused it.
        number: A running number, from 1.
        starts_workflows: False when `GITHUB_TOKEN` caused it (GitHub's rule); such events are in `GitHub.events` for the report only.
        waits_for_approval: True for pull request events that `GITHUB_TOKEN` or a first-time fork caused: their runs are filed as
            `action_required` and start when somebody with write access approves them.
    """

    name: str
    action: str
    repository: str
    ref: str
    sha: str
    payload: Json
    actor: str
    number: int
    starts_workflows: bool = True
    waits_for_approval: bool = False


@dataclass(frozen=True)
class RunRequest:
    """Something that a person or token asked of a run through the API: the director carries it out.

    `kind`: `approve` (start a run that waited), `cancel`, `force-cancel`, `rerun`, `rerun-failed-jobs`.
    """

    kind: str
    repository: str
    run_id: int
    actor: str
