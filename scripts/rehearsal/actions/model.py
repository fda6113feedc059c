"""What rendering a workflow gives, as data: the jobs as the driver sees them, and every difference from the original."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Change:
    """One place where the copy for act differs from the original."""

    file: str
    where: str
    change: str
    reason: str


@dataclass(frozen=True)
class JobSpec:
    """One job of a run, those of called workflows included.

    Args:
        path: Its unique path in the run: `deploy`, or `caller/deploy` for a job of a called workflow.
        name: How GitHub shows it, as far as it can be said without evaluating expressions.
        needs: Paths of the jobs that it needs.
        condition: Its `if:` (and those of the jobs that call it), empty where there is none.
        labels: `runs-on`, as written.
        permissions: What its token may; None = the repository's default.
        timeout_s: Seconds after which it is stopped.
        has_matrix: It may run several times, or not at all.
        has_environment: It names an environment.
        deployment: GitHub files a deployment record for it (`environment` without `deployment: false`).
        workflow_ref: `owner/repo/path@ref` of the file that it stands in.
        workflow_sha: That file's commit.
        secrets: Names in capitals of the secrets that its steps read; None: it hands the whole context on, so it may read any.
    """

    path: str
    name: str
    needs: tuple[str, ...]
    condition: str
    labels: tuple[str, ...]
    permissions: dict[str, str] | None
    timeout_s: float
    has_matrix: bool
    has_environment: bool
    deployment: bool
    workflow_ref: str
    workflow_sha: str
    secrets: frozenset[str] | None = frozenset()

    @property
    def key(self) -> str:
        """The job's key in its own file."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def log_name(self) -> str:
        """Its name in the copy, by which the log is read: unique in the run, without slash."""
        return self.path.replace("/", "~")


@dataclass(frozen=True)
class Reference:
    """A reusable workflow that a run calls: `owner/repo/path@ref`, commit and ref."""

    path: str
    sha: str
    ref: str


@dataclass
class RenderedRun:
    """A workflow, ready for act."""

    name: str
    path: str
    file: Path
    jobs: list[JobSpec] = field(default_factory=list)
    references: list[Reference] = field(default_factory=list)
    repositories: dict[str, Path] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)

    def job(self, path: str) -> JobSpec:
        """Give a job by its path."""
        return next(job for job in self.jobs if job.path == path)


@dataclass(frozen=True)
class RunFacts:
    """What is known about a run before it starts, put into the copy where act leaves GitHub's contexts empty.

    Args:
        run_id: The run.
        desk: Address where a job reports before its first step.
        begin: The script that reports.
        values: Context name (such as `github.workflow_ref`) → value.
    """

    run_id: int
    desk: str
    begin: Path
    values: dict[str, str]


Document = dict[str, Any]
"""A workflow or action as `yamltext.load` gives it."""
