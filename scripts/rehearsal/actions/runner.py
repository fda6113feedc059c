"""One workflow run: rendered, played by act, followed into the imitated GitHub, and judged at the end."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bundleflow.records.errors import BundleflowError
from rehearsal.actions import outcome
from rehearsal.actions.follow import Follower, LoggedJob
from rehearsal.actions.model import JobSpec, RenderedRun, RunFacts
from rehearsal.actions.process import ActCall, ActProcess
from rehearsal.actions.render import Renderer
from rehearsal.actions.sources import Source, Sources
from rehearsal.github import access
from rehearsal.github.model_actions import Event, Job, ReferencedWorkflow, Run, Step

if TYPE_CHECKING:
    from rehearsal.actions.driver import Driver

_BEGIN = Path(__file__).with_name("begin.py")


@dataclass
class JobState:
    """One job of the run. Times are seconds of `time.monotonic`; 0 where it did not come so far."""

    spec: JobSpec
    name: str
    job_id: int = 0
    environment: str = ""
    key: str = ""
    arrived: float = 0.0
    begun: float = 0.0
    ended: float = 0.0
    conclusion: str = ""
    reason: str = ""
    """Why it did not begin, or why it was skipped."""
    permissions: dict[str, str] = field(default_factory=dict)
    log: LoggedJob | None = None


class WorkflowRun:
    """A run of one workflow of the project.

    Args:
        driver: Whose run it is.
        record: The run in the imitated GitHub.
        event: Its cause.
    """

    def __init__(self, driver: Driver, record: Run, event: Event) -> None:
        self._driver = driver
        self._github = driver.github
        self.record = record
        self.event = event
        self.reset()

    def reset(self) -> None:
        """Forget an earlier attempt."""
        self.rendered = RenderedRun(self.record.name, self.record.path, self._driver.settings.folder)
        self.jobs: list[JobState] = []
        self.started = time.monotonic()
        self.ended = 0.0
        self.cancelled = ""
        self.lost = False
        self.problem = ""
        self.conclusion = ""
        self._lock = threading.RLock()
        self._act: ActProcess | None = None

    # Told by the gatekeeper, in a thread per job --------------------------------------------------------------------

    def arrived(self, job: Job, spec: JobSpec, key: str) -> None:
        """Note that a job has come to the desk, and the key under which it holds its concurrency groups."""
        with self._lock:
            if self._act:
                self._act.forget_secrets()
            self.jobs.append(JobState(spec, job.name, job.id, job.environment, key, arrived=time.monotonic()))

    def begun(self, job_id: int, permissions: dict[str, str]) -> None:
        """Note that a job was let in, and what its token may."""
        with self._lock:
            state = self._state(job_id)
            state.begun, state.permissions = time.monotonic(), permissions

    def refused(self, job_id: int, reason: str) -> None:
        """Note that a job was not let in."""
        with self._lock:
            self._state(job_id).reason = reason

    def _state(self, job_id: int) -> JobState:
        return next(state for state in self.jobs if state.job_id == job_id)

    # The run itself -------------------------------------------------------------------------------------------------

    def play(self) -> None:
        """Play the run to its end; whatever goes wrong becomes the run's problem."""
        try:
            self._render()
            self._act_out()
        except BundleflowError as error:
            self.problem = f"{error.cause} {error.fix}".strip()
        except (OSError, subprocess.SubprocessError) as error:
            self.problem = f"the rehearsal could not play it: {error}"
        finally:
            self._close()

    def _render(self) -> None:
        settings = self._driver.settings
        project_root = self._driver.checkout(self.event.sha, self.event.ref)
        folder = settings.folder / "runs" / f"{self.record.id}-{self.record.run_attempt}"
        project = Source(settings.repository, self.event.sha, self.event.sha, project_root, folder / "project")
        sources = Sources(project, settings.kit_root, settings.kit_copy, settings.kit_sha)
        facts = RunFacts(self.record.id, self._driver.desk.url, _BEGIN, self._context_values())
        self.rendered = Renderer(sources, facts, folder).render(self.record.path)
        (folder / "empty").mkdir(exist_ok=True)
        (folder / "event.json").write_text(json.dumps(self.event.payload), encoding="utf-8")
        self._github.run(self.record.id).referenced_workflows[:] = [
            ReferencedWorkflow(item.path, item.sha, item.ref) for item in self.rendered.references
        ]
        self._folder, self._workdir = folder, project_root

    def _context_values(self) -> dict[str, str]:
        slug = self.record.repository
        return {
            "github.workflow_ref": f"{slug}/{self.record.path}@{self.event.ref}",
            "github.workflow_sha": self.event.sha,
            "github.triggering_actor": self.record.triggering_actor,
            "github.repository_id": str(self._github.repository(slug).id),
            "github.repository_visibility": "private",
            "github.run_attempt": str(self.record.run_attempt),
            "runner.environment": "github-hosted",
        }

    def _act_out(self) -> None:
        settings = self._driver.settings
        repository = self._github.repository(self.record.repository)
        # A pull request from a fork gets no secret (and GitHub's own variables all the same).
        secrets = {} if access.from_fork(self.record) else repository.secrets
        for value in secrets.values():
            self._driver.masker.add(value)
        names = {spec.log_name for spec in self.rendered.jobs}
        follower = Follower(self._driver.masker, names, settings.folder / "logs" / self._folder.name)
        with self._lock:
            if self.cancelled:
                return
            self._act = ActProcess(
                ActCall(
                    act=settings.act,
                    event=self.event.name,
                    event_file=self._folder / "event.json",
                    workflow=self.rendered.file,
                    workdir=self._workdir,
                    empty=self._folder / "empty",
                    actor=self.record.actor,
                    repositories=self.rendered.repositories,
                    job_environment=self._github_environment(),
                    environment=settings.environment,
                    variables=repository.variables,
                    secrets=secrets,
                ),
                lambda line: self._line(follower, line),
            )
        code = self._wait(settings.run_limit_s)
        self._settle(follower, code)

    def _github_environment(self) -> dict[str, str]:
        values = self._context_values()
        base = self._github.base_url
        return {
            "GITHUB_API_URL": f"{base}/api/v3",
            "GITHUB_SERVER_URL": base,
            "GITHUB_GRAPHQL_URL": f"{base}/api/graphql",
            "GITHUB_REPOSITORY": self.record.repository,
            "GITHUB_REPOSITORY_OWNER": self.record.repository.split("/")[0],
            "GITHUB_REPOSITORY_ID": values["github.repository_id"],
            "GITHUB_RUN_ID": str(self.record.id),
            "GITHUB_RUN_NUMBER": str(self.record.run_number),
            "GITHUB_RUN_ATTEMPT": str(self.record.run_attempt),
            "GITHUB_TRIGGERING_ACTOR": self.record.triggering_actor,
            "GITHUB_WORKFLOW_REF": values["github.workflow_ref"],
            "GITHUB_WORKFLOW_SHA": values["github.workflow_sha"],
            "RUNNER_ENVIRONMENT": values["runner.environment"],
            "SHA_REF": self.event.sha,
            "REHEARSAL_ARTIFACTS": f"{base}/_local/artifacts",
        }

    def _wait(self, limit_s: float) -> int:
        assert self._act
        until = time.monotonic() + limit_s
        while True:
            try:
                return self._act.wait(0.5)
            except subprocess.TimeoutExpired:
                self._enforce_time_limits(until)

    def _enforce_time_limits(self, until: float) -> None:
        now = time.monotonic()
        with self._lock:
            late = [state for state in self.jobs if state.begun and not state.ended and now - state.begun > state.spec.timeout_s]
        for state in late:
            self.cancel(f"{state.name} ran longer than its `timeout-minutes` ({state.spec.timeout_s / 60:g})")
        if now > until + 30 and self._act:
            self._act.kill()
        elif now > until:
            self.cancel("the rehearsal's limit for one workflow run was reached")

    def _line(self, follower: Follower, line: str) -> None:
        job = follower.line(line)
        if job is None or not job.job_id:
            return
        with self._lock:
            state = self._state(job.job_id)
            state.log = job
            if job.result and not state.conclusion:
                self._finish_job(state, job)

    def _finish_job(self, state: JobState, job: LoggedJob) -> None:
        state.ended = time.monotonic()
        state.conclusion = job.result
        if job.result == "failure" and self.cancelled:
            state.conclusion = "timed_out" if "timeout-minutes" in self.cancelled else "cancelled"
        elif state.reason:
            state.conclusion = "cancelled" if "concurrency group" in state.reason else "failure"
        steps = [Step(step.name, number, conclusion=step.conclusion) for number, step in enumerate(job.steps, start=1)]
        self._github.finish_job(state.job_id, state.conclusion, steps)
        self._driver.gatekeeper.left(state.key)
        self._driver.tell(f"{self.record.name}: {state.name}: {state.conclusion} ({state.ended - (state.begun or state.arrived):.1f} s)")

    def _settle(self, follower: Follower, code: int) -> None:
        """Account for every job that should have run, and say what no job says."""
        with self._lock:
            started: dict[str, str] = {}
            for state in self.jobs:
                if not state.conclusion:
                    state.reason = state.reason or ("its runner was lost" if self.lost else "")
                    state.ended, state.conclusion = time.monotonic(), "cancelled" if self.cancelled else "failure"
                    self._github.finish_job(state.job_id, state.conclusion)
                if started.get(state.spec.path, "success") == "success":
                    started[state.spec.path] = state.conclusion
            verdicts = outcome.unstarted(self.rendered, started, follower.skipped, follower.unsupported, cancelled=bool(self.cancelled))
            for path, verdict in verdicts.items():
                self._add_unstarted(self.rendered.job(path), verdict, follower)
        problems = [f"{path}: {verdict.reason}" for path, verdict in verdicts.items() if verdict.conclusion == outcome.MISSING]
        failed = any(conclusion not in {"success", "skipped"} for conclusion in started.values())
        if code != 0 and not failed and not self.cancelled:
            problems += [self._driver.masker.text(text) for text in (self._act.errors if self._act else [])] + follower.errors
            problems = problems or [f"act ended with exit code {code}"]
        self.problem = "; ".join(problems)

    def _add_unstarted(self, spec: JobSpec, verdict: outcome.Verdict, follower: Follower) -> None:
        log = next((job for job in follower.jobs.values() if job.log_name == spec.log_name), None)
        reason = verdict.reason
        conclusion = verdict.conclusion
        if log is not None and log.result:  # it failed before its first step, such as for an action that act refuses
            conclusion, reason = log.result, "; ".join(log.tail)
        job = self._github.add_job(
            self.record.id, spec.name, key=spec.key, labels=spec.labels, workflow_ref=spec.workflow_ref, workflow_sha=spec.workflow_sha
        )
        self._github.finish_job(job.id, "failure" if conclusion == outcome.MISSING else conclusion)
        self.jobs.append(JobState(spec, spec.name, job.id, conclusion=conclusion, reason=reason, log=log))

    def _close(self) -> None:
        self.ended = time.monotonic()
        if self.cancelled:
            self.conclusion = "cancelled"
        elif self.problem:
            self.conclusion = "failure"
        done = self._github.finish_run(self.record.id, self.conclusion)
        self.conclusion = str(done.conclusion)
        self._driver.gatekeeper.left_run(self)
        note = f": {self.problem}" if self.problem else ""
        self._driver.tell(f"{self.record.name}: {self.conclusion} ({self.ended - self.started:.1f} s){note}")

    def cancel(self, reason: str) -> None:
        """Stop the run as GitHub's cancel does: running steps are stopped, `always()` and `cancelled()` steps run."""
        with self._lock:
            if self.cancelled or self.conclusion:
                return
            self.cancelled = reason
            if self._act:
                self._act.interrupt()

    def lose_runner(self) -> None:
        """End act at once, as when its machine is gone: jobs that were at work fail. Whoever calls this ends the steps' processes."""
        with self._lock:
            self.lost = True
            if self._act:
                self._act.kill()

    def kill(self) -> None:
        """End the run at once."""
        with self._lock:
            self.cancelled = self.cancelled or "the rehearsal ended"
            if self._act:
                self._act.kill()
