"""Measures of one promotion: jobs per event with the reason for each, CLI calls, requests to the workspace, the kit's own share."""

from __future__ import annotations

from pathlib import Path

from rehearsal.actions.runner import JobState, WorkflowRun
from rehearsal.rehearse import settings
from rehearsal.rehearse.result import PromotionJob, Step
from rehearsal.rehearse.stage import Stage

REASONS = {
    "lint.yml/lint": "has no credential at all, so it decides for forks and Dependabot too",
    "bundle-ci.yml/bundle-ci": "plans all targets with one login; code of the pull request does not run in it",
    "run-tests.yml/unit": "runs the change's code, and therefore has no credential",
    "run-tests.yml/integration": "runs the change's code with the test identity only, on a deployment of its own",
    "cd-dev.yml/deploy": "has the identity that writes the development target",
    "cd-staging.yml/deploy": "has the identity that writes staging, and waits for its turn",
    "cd-staging.yml/preview": "has production's identity that only reads, and nothing else; its plan stands in the release pull request",
    "cd-staging.yml/propose": "may write pull requests, and cannot log in",
    "cd-prod.yml/plan": "has an identity that only reads; what it plans is what a person approves",
    "cd-prod.yml/deploy": "waits for the person; only then it gets the identity that writes production",
    "cd-prod.yml/refused": "says who rejected the job before it, which never began and cannot say so itself",
    "cd-prod.yml/promote": "waits for the person who answers for the model; only then it may move the alias",
    "promote-model.yml/candidates": "looks which models wait for a person, with an identity that moves none",
    "promote-model.yml/promote": "waits for the person who answers for the model; only then it may move the alias",
    "promote-model.yml/refused": "says who rejected the job before it, which never began and cannot say so itself",
    "deploy-cicd.yml/adopt": "writes the adoption's pull request, and cannot log in to a workspace",
    "cleanup.yml/cleanup": "removes what a closed pull request may have left, once its tests are over",
}
"""Workflow and job of the kit → why it is a job of its own."""

OWN = "a job of the project's own"
_MEASURED = ("cd-prod.yml", "plan", "Check the evidence and plan")
"""The step that the kit's own share is measured at: it calls the CLI and GitHub, and waits for no job run."""


def promotion_jobs(stage: Stage, steps: list[Step]) -> list[PromotionJob]:
    """List the jobs that ran in a promotion's steps, by event, each with its reason and what it asked for.

    Args:
        stage: The stage, still standing.
        steps: The steps from the pull request to production.
    """
    calls = settings.cli_callers(stage.folder)
    runs = [stage.driver.runs[number] for step in steps for number in step.workflow_runs]
    return [
        PromotionJob(_event(run), job.name, _reason(job), calls.count(_place(run, job))) for run in runs for job in run.jobs if job.begun
    ]


def _event(run: WorkflowRun) -> str:
    name = run.event.ref.removeprefix("refs/heads/")
    if run.event.name == "push":
        return f"push to {name}"
    closed = " closed" if run.event.action == "closed" else ""
    return run.event.name.replace("_", " ") + closed


def _reason(job: JobState) -> str:
    file = job.spec.workflow_ref.partition("@")[0].rpartition("/")[2]
    return REASONS.get(f"{file}/{job.spec.key}", OWN)


def _place(run: WorkflowRun, job: JobState) -> tuple[str, str]:
    return str(run.record.id), job.spec.key


def kit_share_s(stage: Stage) -> float:
    """Give the kit's own seconds for each CLI call: a planning step's time without that of the CLI.

    Args:
        stage: The stage, still standing.

    Returns:
        The smallest of all planning steps, since other jobs run beside them; 0 where there was none.
    """
    seconds = _cli_seconds(stage.folder)
    shares = []
    for run in stage.driver.runs.values():
        for job in run.jobs:
            file = job.spec.workflow_ref.partition("@")[0].rpartition("/")[2]
            called = seconds.get(_place(run, job), [])
            took = [step.duration_s for step in (job.log.steps if job.log else []) if (file, job.spec.key, step.name) == _MEASURED]
            if called and took:
                shares.append((took[0] - sum(called)) / len(called))
    return max(0.0, min(shares)) if shares else 0.0


def _cli_seconds(folder: Path) -> dict[tuple[str, str], list[float]]:
    found: dict[tuple[str, str], list[float]] = {}
    path = folder / settings.CLI_TIMES
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        run, job, seconds = line.split(" ")
        found.setdefault((run, job), []).append(float(seconds))
    return found
