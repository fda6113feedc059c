"""Lets jobs in: files each with the imitated GitHub, holds it for its concurrency groups and its gate, then hands out what is its own."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from rehearsal.actions import render_steps
from rehearsal.actions.desk import Answer, Question
from rehearsal.actions.masking import Masker
from rehearsal.actions.model import JobSpec
from rehearsal.actions.schedule import Group, Schedule, State
from rehearsal.github.model_actions import Gate, Job, JobCredentials
from rehearsal.github.world import GitHub

if TYPE_CHECKING:
    from rehearsal.actions.runner import WorkflowRun

_LOOK_AGAIN_S = 0.05


class Gatekeeper:
    """Decides for all jobs of a repository.

    Args:
        github: The imitated GitHub.
        masker: Learns the tokens and secrets that are handed out.
        run_of: Gives a run by its id.
        stop_run: Cancels a run, with a reason.
        tell: Gets one line for each thing that happens.
    """

    def __init__(
        self,
        github: GitHub,
        masker: Masker,
        run_of: Callable[[int], WorkflowRun],
        stop_run: Callable[[int, str], None],
        tell: Callable[[str], None],
    ) -> None:
        self._github = github
        self._masker = masker
        self._run_of = run_of
        self._stop_run = stop_run
        self._tell = tell
        self._schedule = Schedule()
        self._changed = threading.Condition()
        self._arrivals = itertools.count(1)

    def decide(self, question: Question) -> Answer:
        """Answer a job that wants to begin; waits as long as it has to."""
        run = self._run_of(question.run)
        spec = run.rendered.job(question.job)
        holders = _holders(run, spec, question, next(self._arrivals))
        name = question.name + _matrix_suffix(question)
        job = self._github.add_job(
            question.run,
            name,
            key=spec.key,
            environment=question.environment,
            labels=spec.labels,
            workflow_ref=spec.workflow_ref,
            workflow_sha=spec.workflow_sha,
            concurrency_group=next((groups[0].name for groups in holders.values() if groups), ""),
        )
        run.arrived(job, spec, next(reversed(holders)))
        gate = self._github.request_deployment(job.id, deployment=spec.deployment) if question.environment else None
        refused = self._wait(run, job, holders, gate)
        if refused:
            run.refused(job.id, refused)
            for key in holders:
                self.left(key)
            self._tell(f"{run.record.name}: {name} may not begin: {refused}")
            return Answer(job.id, refused=refused)
        self._github.start_job(job.id)
        credentials = self._github.job_credentials(job.id, spec.permissions)
        run.begun(job.id, dict(credentials.permissions))
        # A secret that no step reads never comes to GitHub's runner either.
        secrets = {name: value for name, value in credentials.secrets.items() if spec.secrets is None or name.upper() in spec.secrets}
        handed = replace(credentials, secrets=secrets)
        return Answer(job.id, environment=_environment(handed), masks=self._hide(handed))

    def _wait(self, run: WorkflowRun, job: Job, holders: dict[str, list[Group]], gate: Gate | None) -> str:
        """Wait for gate and groups; gives the reason for a refusal, or an empty text."""
        own = next(reversed(holders))
        gated = gate is not None and gate.state == "waiting"
        with self._changed:
            for key, groups in holders.items():
                for stopped in self._schedule.enter(key, groups, gated=gated and key == own):
                    self._stop(stopped)
            self._changed.notify_all()
        if gate is not None and gated:
            self._tell(f"{run.record.name}: {job.name} waits for approval of `{gate.environment}`")
        while True:
            if gate is not None:
                gate = self._github.wait_for_gate(gate.id, _LOOK_AGAIN_S) if gate.state == "waiting" else gate
                if gate.state not in {"waiting", "open"}:
                    return gate.reason or f"environment `{gate.environment}`: {gate.state}"
            if run.cancelled:
                return run.cancelled
            with self._changed:
                if gate is None or gate.state == "open":
                    self._schedule.open_gate(own)
                states = {key: self._schedule.try_start(key) for key in holders}
                for key, state in states.items():
                    if state in {State.CANCELLED, State.LEFT}:
                        return self._schedule.entry(key).reason or "its concurrency group was left"
                if all(state == State.RUNNING for state in states.values()):
                    return ""
                self._changed.wait(_LOOK_AGAIN_S)

    def _stop(self, key: str) -> None:
        entry = self._schedule.entry(key)
        if entry.state == State.RUNNING:
            threading.Thread(target=self._stop_run, args=(int(key.split(".")[0]), entry.reason), daemon=True).start()

    def left(self, key: str) -> None:
        """Say that a job is over: the groups that it held under this key are free."""
        with self._changed:
            self._schedule.leave(key)
            self._changed.notify_all()

    def left_run(self, run: WorkflowRun) -> None:
        """Say that a run is over: whatever it still holds is free."""
        with self._changed:
            self._schedule.leave_all(f"{run.record.id}.{run.record.run_attempt}.")
            self._changed.notify_all()

    def _hide(self, credentials: JobCredentials) -> tuple[str, ...]:
        hidden = [value for value in (credentials.github_token, credentials.oidc_token, *credentials.secrets.values()) if value]
        for value in hidden:
            self._masker.add(value)
        return tuple(hidden)


def _holders(run: WorkflowRun, spec: JobSpec, question: Question, arrival: int) -> dict[str, list[Group]]:
    """Sort a job's groups by who holds them; the job's own key comes last.

    A matrix of the caller makes several jobs of one place and name in the called workflow, so the key has the arrival's number.
    """
    prefix = f"{run.record.id}.{run.record.run_attempt}."
    own = f"{prefix}{spec.path}{question.matrix}#{arrival}"
    found: dict[str, list[Group]] = {}
    for holder, group in question.groups:
        if group.name and holder != spec.path:
            found.setdefault(f"{prefix}({holder})", []).append(group)
    found[own] = [group for holder, group in question.groups if group.name and holder == spec.path]
    return found


def _matrix_suffix(question: Question) -> str:
    """Name a matrix job as GitHub does where its name does not: `job (a, b)`."""
    if not question.matrix or question.matrix == "null":
        return ""
    values = [str(value) for value in json.loads(question.matrix).values() if not isinstance(value, dict | list)]
    if not values or all(value in question.name for value in values):
        return ""
    return f" ({', '.join(values)})"


def _environment(credentials: JobCredentials) -> dict[str, str]:
    out = {render_steps.BEGUN: "true", render_steps.TOKEN: credentials.github_token}
    out |= {f"{render_steps.VARIABLE}{name.upper()}": value for name, value in credentials.variables.items()}
    out |= {f"{render_steps.SECRET}{name.upper()}": value for name, value in credentials.secrets.items()}
    if credentials.oidc_url:
        out["ACTIONS_ID_TOKEN_REQUEST_URL"] = credentials.oidc_url
        out["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = credentials.oidc_token
    return out
