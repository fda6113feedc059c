"""What a rehearsal leaves behind, as data: printed by `--json`, on the terminal, and as the HTML report.

Every text here has been masked already (no token, no secret) and is untrusted: whoever shows it escapes it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

Conclusion = Literal["success", "failure", "cancelled", "skipped", "timed_out", "rejected", "missing"]
"""As GitHub's, plus `rejected` (a reviewer said no) and `missing` (the job should have run and did not)."""


@dataclass
class Annotation:
    """A message that a workflow pinned to the run or to a line of a file."""

    level: Literal["notice", "warning", "error"]
    message: str
    title: str = ""
    path: str = ""
    line: int | None = None


@dataclass
class WorkspaceCall:
    """One request that a job (or a run that it started) sent to the workspace."""

    method: str
    path: str
    status: int
    duration_ms: float = 0.0
    identity: str = ""


@dataclass
class StepRecord:
    """One step of a job."""

    name: str
    conclusion: Conclusion
    duration_s: float = 0.0


@dataclass
class JobRecord:
    """One job of a workflow run. Times are seconds; `started` counts from the rehearsal's start."""

    name: str
    conclusion: Conclusion
    environment: str = ""
    started: float = 0.0
    duration_s: float = 0.0
    waited_s: float = 0.0
    """Seconds of `duration_s` spent at the gate or in a concurrency group before the first own step."""
    approved_by: str = ""
    permissions: dict[str, str] = field(default_factory=dict)
    steps: list[StepRecord] = field(default_factory=list)
    summary_markdown: str = ""
    """The job's step summary as the workflow wrote it: GitHub's Markdown, untrusted."""
    annotations: list[Annotation] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)
    log_tail: str = ""
    """The log's last lines (all of it where it is short)."""
    workspace_calls: list[WorkspaceCall] = field(default_factory=list)


@dataclass
class WorkflowRunRecord:
    """One run of a workflow of the rehearsed project."""

    id: int
    name: str
    path: str
    """The caller's workflow file, such as `.github/workflows/cd-prod.yml`."""
    event: str
    ref: str
    sha: str
    actor: str
    conclusion: Conclusion
    started: float = 0.0
    """Seconds from the rehearsal's start."""
    duration_s: float = 0.0
    jobs: list[JobRecord] = field(default_factory=list)
    html_url: str = ""
    problem: str = ""
    """Why the run as a whole went wrong, where no job says it (a job that was skipped silently, a file that was refused)."""


@dataclass
class Check:
    """One expectation of a step, compared with GitHub's and the workspace's state."""

    expected: str
    """A sentence that should hold, such as `exactly one comment on the pull request`."""
    ok: bool
    found: str = ""
    """What was there instead (or the proof, when it holds)."""
    imitated: str = ""
    """The fact of self-platform.yml that proves on the real GitHub what is only imitated here; empty where nothing is."""


@dataclass
class Step:
    """One thing that happened in the story, and what came of it."""

    title: str
    expected: str
    outcome: str
    """`done`, `stopped as expected`, or what went wrong in a few words."""
    ok: bool
    stopped: bool = False
    """The story wanted this step to be stopped (and `ok` says whether it was)."""
    stopped_where: str = ""
    """Workflow and job that stopped it, or GitHub; empty where it was not stopped as expected."""
    stopped_why: str = ""
    """The failure reason, with the cause in a sentence."""
    started: float = 0.0
    duration_s: float = 0.0
    workflow_runs: list[int] = field(default_factory=list)
    """Ids of the workflow runs that this step caused (see `Rehearsal.workflow_runs`)."""
    checks: list[Check] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """Plain text lines worth telling, such as the predictions that came back."""


@dataclass
class Difference:
    """One place where the rendered copy of a workflow or action differs from the original, and why."""

    file: str
    where: str
    """The place in the file as a path of keys, such as `jobs.deploy.environment`."""
    change: str
    reason: str


@dataclass
class StandIn:
    """One outside thing and what stood in for it."""

    outside: str
    stand_in: str
    contract: str = ""


@dataclass
class JobRun:
    """A run of a Databricks job in the imitated workspace, as the reports of runs show it."""

    run_id: int
    job_name: str
    run_name: str
    identity: str
    result: str
    started: float
    duration_s: float
    tasks: list[dict[str, Any]] = field(default_factory=list)
    """Per task: `task_key`, `result`, `started` and `duration_s` (seconds), `depends_on` (list of keys), `error`, `reads` and `writes`
    (names of tables, files of volumes and versions of models)."""


@dataclass
class Scenario:
    """One story that was played: its steps in order."""

    name: str
    title: str
    ok: bool
    steps: list[Step] = field(default_factory=list)
    started: float = 0.0
    duration_s: float = 0.0
    left_out: str = ""
    """Why it was not played, where it was not: the project has nothing that it is about."""


@dataclass
class PromotionJob:
    """A job of the first promotion: the event that started it, why it is a job of its own, how often it called the CLI."""

    event: str
    job: str
    why: str
    cli_calls: int


@dataclass
class Rehearsal:
    """Everything about one rehearsal. `started` is ISO 8601 in UTC; all other times are seconds from there."""

    title: str
    project: str
    started: str
    ok: bool = False
    duration_s: float = 0.0
    scenarios: list[Scenario] = field(default_factory=list)
    workflow_runs: list[WorkflowRunRecord] = field(default_factory=list)
    job_runs: list[JobRun] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    stand_ins: list[StandIn] = field(default_factory=list)
    imitated: list[str] = field(default_factory=list)
    """What only GitHub or Databricks itself can prove, one sentence each."""
    timings: dict[str, float] = field(default_factory=dict)
    """Where the time went: label → seconds. Labels overlap where things ran side by side."""
    outside_connections: list[str] = field(default_factory=list)
    """`host:port` of every connection to the outside that was tried and refused; should be empty."""
    measures: dict[str, float] = field(default_factory=dict)
    """Counts and times for comparing: `first_promotion_s`, `jobs`, `cli_calls`, `workspace_requests` of everything that was played;
    `promotion_jobs`, `promotion_cli_calls`, `promotion_workspace_requests` of the first promotion (pull request to production, without what
    tasks of job runs ask); `kit_share_per_cli_call_s`, the kit's own seconds for each CLI call. Left out where nothing was promoted."""
    promotion: list[PromotionJob] = field(default_factory=list)
    """The jobs of the first promotion, in the order of their runs."""
    next_commands: list[str] = field(default_factory=list)
    kept: str = ""
    """The folder that was kept (`--keep`), or empty."""

    @property
    def steps(self) -> list[Step]:
        """All steps of all scenarios, in order."""
        return [step for scenario in self.scenarios for step in scenario.steps]

    def as_dict(self) -> dict[str, Any]:
        """The same as plain data for JSON."""
        return dataclasses.asdict(self)
