"""The smoke checks of a stage: asks jobs, endpoints and warehouses, and shows the results in the job's summary."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bundleflow.adapters.workspace_answers import AnsweringWorkspace
from bundleflow.commands.context import JobContext, tell
from bundleflow.commands.steps import StageRuns, run_jobs
from bundleflow.records.errors import BundleflowError, FailureReason
from bundleflow.records.release_rules import SmokeCheck
from bundleflow.records.run import RunRecord
from bundleflow.releases.smoke import SmokeResult, run_checks
from bundleflow.report.markdown import code, escape

SHOWN = 200


def smoke(job: JobContext, summary: Callable[[], Mapping[str, Any]], done: StageRuns) -> None:
    """Make the checks of the stage; nothing happens where it has none.

    Args:
        job: The stage.
        summary: Gives `bundle summary -o json` of what is deployed.
        done: The runs of the stage so far; takes those that a check starts.

    Raises:
        BundleflowError: `smoke-failed`, or trouble outside the project.
    """
    if not job.stage.smoke:
        return
    workspace = AnsweringWorkspace.from_env(job.env)
    results: list[SmokeResult] = []

    def ask(check: SmokeCheck) -> Any:
        if check.kind == "endpoint":
            return workspace.ask_endpoint(check.subject, check.request)
        if check.kind == "sql":
            return workspace.ask_warehouse(check.warehouse, check.subject)
        return _output(_run_of(job, check.subject, summary, done), check.task)

    def report(result: SmokeResult) -> None:
        results.append(result)
        tell(f"smoke check {result.check}: {result.problem or 'as expected'}")

    try:
        run_checks(job.stage.smoke, ask, report)
    finally:
        job.runner.summary("#### Smoke checks\n\n" + "\n".join(map(_line, results)))


def _run_of(job: JobContext, key: str, summary: Callable[[], Mapping[str, Any]], done: StageRuns) -> RunRecord:
    """The stage's own run of a job, or one that is started now."""
    found = next((run for run in reversed(done.runs) if run.key == key), None)
    if found is None:
        run_jobs(job, summary(), done, keys=(key,))
        found = done.runs[-1]
    return found


def _output(run: RunRecord, task: str) -> str:
    """Output of a task of a run; of the last task that has any when none is named."""
    outputs = [(each.key, each.output) for each in run.tasks if each.output and task in ("", each.key)]
    if task and task not in {each.key for each in run.tasks}:
        raise BundleflowError(
            f"Job `{run.key}` has no task `{task}`.",
            fix=f"Its tasks: {', '.join(f'`{each.key}`' for each in run.tasks)}.",
            reason=FailureReason.SMOKE_FAILED,
        )
    return outputs[-1][1] if outputs else ""


def _line(result: SmokeResult) -> str:
    answer = code(result.answer, SHOWN) if result.answer else ""
    name = code(str(result.check), SHOWN)
    if result.problem:
        return f"- ❌ {name}: {escape(result.problem, SHOWN)}{f' ({answer})' if answer else ''}"
    return f"- ✅ {name}{f': {answer}' if answer else ''}"
