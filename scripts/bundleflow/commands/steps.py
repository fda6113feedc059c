"""The steps that commands share: validate, plan, run the stage's jobs; each shown, checked and reported the same way."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from bundleflow.adapters.cli_messages import Diagnostic, explain_failure
from bundleflow.adapters.databricks_cli import CliResult, DatabricksCli
from bundleflow.adapters.runner import Runner
from bundleflow.adapters.workspace import Workspace
from bundleflow.commands.context import JobContext, tell
from bundleflow.commands.run_report import leave_report
from bundleflow.records.accepted import Accepted
from bundleflow.records.errors import BundleflowError, FailureReason
from bundleflow.records.plan import Plan
from bundleflow.records.run import RunRecord
from bundleflow.releases.checks import check_remarks, check_resolved, remarks
from bundleflow.releases.preview import bundle_id
from bundleflow.releases.read_plan import read_plan
from bundleflow.report.markdown_run import run_markdown
from bundleflow.runs.follow import RunDetachedError
from bundleflow.runs.options import FollowOptions
from bundleflow.runs.progress import Progress
from bundleflow.runs.resolve import job_id
from bundleflow.runs.result import check_result
from bundleflow.runs.start import RunRequest, RunStopped, idempotency_token, start_and_follow

NOTHING = Accepted()
RUN_REPORT_LIMIT = 200_000


def validated(runner: Runner, cli: DatabricksCli, *, strict: bool) -> Mapping[str, Any]:
    """Validate the bundle and give its resolved configuration.

    Raises:
        BundleflowError: `validation-failed` or what the CLI's message stands for; findings are annotated.
    """
    with runner.group(f"databricks bundle validate -t {cli.target}"), runner.no_commands():
        result = cli.validate(strict=strict)
    annotate(runner, cli, result.diagnostics)
    if result.exit_code:
        raise explain_failure(result.argv, result.stderr, FailureReason.VALIDATION_FAILED)
    data = result.json()
    return data if isinstance(data, Mapping) else {}


def planned(runner: Runner, cli: DatabricksCli, configuration: Mapping[str, Any] | None = None, *, accepted: Accepted = NOTHING) -> Plan:
    """Plan a target and check that nothing in the plan is unresolved or unknown.

    Raises:
        BundleflowError: `validation-failed` or what the CLI's message stands for.
    """
    with runner.group(f"databricks bundle plan -t {cli.target}"), runner.no_commands():
        result = cli.plan()
    return checked_plan(result, cli.target or "default", configuration, accepted=accepted)


def planned_with_state(
    runner: Runner, cli: DatabricksCli, configuration: Mapping[str, Any] | None = None, *, accepted: Accepted = NOTHING
) -> tuple[Plan, Mapping[str, Any]]:
    """Plan a target and read at the same time what is deployed there.

    Returns:
        The plan, and `bundle summary -o json`.

    Raises:
        BundleflowError: `validation-failed` or what the CLI's message stands for.
    """
    with ThreadPoolExecutor(1) as pool:
        state = pool.submit(replace(cli, echo=False).summary)
        plan = planned(runner, cli, configuration, accepted=accepted)
        return plan, state.result()


def checked_plan(result: CliResult, target: str, configuration: Mapping[str, Any] | None = None, *, accepted: Accepted = NOTHING) -> Plan:
    """Read what `bundle plan` printed, and refuse what only looks like a good plan."""
    plan = read_plan(result.json())
    check_remarks(remarks(result.diagnostics, target), accepted, target, only_unknown_fields=True)
    check_resolved(plan, configuration)
    return plan


def planning_identity(configuration: Mapping[str, Any]) -> str:
    """User name of the identity that the CLI works as, from `validate -o json` or `summary -o json`."""
    return str(((configuration.get("workspace") or {}).get("current_user") or {}).get("userName") or "")


def annotate(runner: Runner, cli: DatabricksCli, diagnostics: Sequence[Diagnostic]) -> None:
    """Show the CLI's findings on the pull request's diff."""
    for each in diagnostics:
        level = {"Error": "error", "Warning": "warning"}.get(each.severity, "notice")
        file = (cli.folder / each.file).as_posix() if each.file else ""
        message = f"{each.message}\n{each.detail}".strip()
        runner.annotate(
            "error" if level == "error" else "warning" if level == "warning" else "notice",
            message,
            title=f"bundle: target {cli.target}",
            file=file,
            line=each.line,
            column=each.column,
        )


@dataclass
class StageRuns:
    """The runs of a stage's jobs, in order.

    Args:
        runs: The runs.
        begun: Moment (of `time.monotonic`) from which BUNDLEFLOW_DETACH_AFTER counts for all of them together: they share one step, which
            has one time limit.
    """

    runs: list[RunRecord] = field(default_factory=list)
    begun: float = field(default_factory=time.monotonic)

    def urls(self) -> tuple[tuple[str, str], ...]:
        """Pages of the runs, by job key."""
        return tuple((run.key, run.url) for run in self.runs)


def run_jobs(job: JobContext, summary: Mapping[str, Any], done: StageRuns, *, keys: Sequence[str] | None = None) -> None:
    """Run the stage's jobs one after the other; stops at the first that does not succeed.

    Args:
        job: The stage.
        summary: `bundle summary -o json` of what is deployed.
        done: Takes the runs, also the one that failed.
        keys: Keys of the jobs, instead of those of the stage.

    Raises:
        BundleflowError: `run-failed`, `run-timeout` or `run-canceled`.
    """
    workspace = Workspace.from_env(job.env)
    options = FollowOptions.from_env(job.env)
    for key in job.stage.run if keys is None else keys:
        number = job_id(summary, key, job.stage.target)
        token = idempotency_token(
            job.env.get("GITHUB_REPOSITORY"), job.env.get("GITHUB_RUN_ID"), job.env.get("GITHUB_RUN_ATTEMPT"), job.stage.name, number, key
        )
        request = RunRequest(number, token if job.env.get("GITHUB_RUN_ID") else fresh_token(), key)
        with job.runner.group(f"run {key}"):
            run = follow_request(job.runner, workspace, request, options.after(time.monotonic() - done.begun))
        done.runs.append(run)
        leave_report(job.runner, job.env, run, artifact=f"bundleflow-runs-{job.stage.name}-{bundle_id(job.bundle)}")
        check_result(run, options)


def follow_request(runner: Runner, workspace: Workspace, request: RunRequest, options: FollowOptions) -> RunRecord:
    """Start a job and follow it; the outputs are set before anything can fail."""

    def started(run_id: int) -> None:
        runner.output("run-id", str(run_id))
        progress.line(f"started run {run_id} of job {request.job_id}{f' ({request.key})' if request.key else ''}")

    with following(runner) as progress:
        run = start_and_follow(workspace, request, options=options, tell=progress.line, started=started, show=progress.show)
    set_run_outputs(runner, run)
    tell(f"{request.key or run.name}: {run.state} after {run.duration_ms / 1000:.1f} s, {run.url}")
    return run


@contextmanager
def following(runner: Runner) -> Iterator[Progress]:
    """Lines and a bar while runs are followed; sets the outputs of a run that is left alone or was stopped."""
    progress = Progress.on(sys.stderr, tell)
    try:
        with runner.no_commands():
            try:
                yield progress
            finally:
                progress.close()
    except (RunDetachedError, RunStopped) as error:
        set_run_outputs(runner, error.run)
        runner.summary(run_markdown(error.run, limit=RUN_REPORT_LIMIT))
        if isinstance(error, RunStopped):
            runner.output("failure-reason", str(FailureReason.RUN_CANCELED))
        raise


def set_run_outputs(runner: Runner, run: RunRecord) -> None:
    """Set `run-id`, `run-url`, `result-state`, `failed-tasks` (a JSON list)."""
    for name, value in run_outputs(run).items():
        runner.output(name, value if isinstance(value, str) else json.dumps(value))


def run_outputs(run: RunRecord) -> dict[str, str | list[str]]:
    """The outputs of one run by name."""
    return {"run-id": str(run.run_id), "run-url": run.url, "result-state": run.state, "failed-tasks": list(run.failed_tasks)}


def fresh_token() -> str:
    """An idempotency token for one start outside a workflow: retries of the request share it, the next call does not."""
    import uuid

    return uuid.uuid4().hex


def warn(runner: Runner, error: BundleflowError, what: str) -> None:
    """Tell of a trouble that does not change the verdict."""
    tell(f"warning: {what}: {error.cause}")
    runner.annotate("warning", f"{what}: {error.cause}\n{error.fix}".strip(), title=f"bundleflow: {error.reason}")
