"""What the actions of `bundleflow model` and the end of a stage share: connect, find candidates, promote one of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from bundleflow.adapters.github import GitHubApi
from bundleflow.adapters.workspace import Workspace as RunsWorkspace
from bundleflow.commands.context import JobContext, tell
from bundleflow.commands.model_context import approval_for, models_workspace, pace, promoter_name
from bundleflow.commands.models_error import models_errors
from bundleflow.commands.steps import RUN_REPORT_LIMIT, following, set_run_outputs, warn
from bundleflow.models import filing
from bundleflow.models.candidates import CHAMPION, READY, Candidate, Found, Patience, find_candidate, gate_of, refusal
from bundleflow.models.place import PlacedModel, check_parameters
from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow.records.run import RunRecord
from bundleflow.report.markdown_model import candidates_markdown, promotion_markdown
from bundleflow.report.markdown_run import run_markdown
from bundleflow.report.markdown_verdict import verdict_markdown
from bundleflow.runs.follow import follow
from bundleflow.runs.options import FollowOptions
from bundleflow.runs.repair import RepairRequest, start_repair
from bundleflow.runs.result import check_result
from bundleflow.runs.start import cancelling
from bundleflow_models.promotion import Approval, Promotion, PromotionRequest, Workspace, approved_verdict, promote, write_approval
from bundleflow_models.promotion.approvals import approval_of

VERDICT_LIMIT = 60_000
_ENGINE_SAID = re.compile(r"\bModelsError: .*\[([a-z-]+)\]")


def connect(job: JobContext, placed: Sequence[PlacedModel]) -> list[dict[str, Any]]:
    """Let each new version of the models start its deployment job; what is connected so already is left alone.

    Raises:
        BundleflowError: `flow-mismatch`: the job lacks the two job parameters; `model-missing`, `auth-failed`.
    """
    wanted = [each for each in placed if each.by_workspace]
    if not wanted:
        return []
    registry = models_workspace(job).registry
    done = []
    for each in wanted:
        _check_parameters(job, each)
        with models_errors():
            model = registry.model(each.name)
            changed = model.deployment_job != str(each.deployment_job)
            if changed:
                registry.connect(model, str(each.deployment_job))
        tell(f"{each.name}: {'connected to' if changed else 'is connected to'} deployment job {each.deployment_job}")
        done.append({"model": each.key, "name": each.name, "job": each.deployment_job, "changed": changed})
    return done


def candidates(job: JobContext, workspace: Workspace, placed: Sequence[PlacedModel], version: int = 0) -> list[Found]:
    """Find what could be promoted, and show it with its verdict in the job's summary."""
    with models_errors():
        patience = Patience(poll_s=pace(job).poll_s)
        found = [find_candidate(workspace.registry, each, version=version, patience=patience, tell=tell) for each in placed]
    shown = [each.candidate for each in found]
    job.runner.summary(candidates_markdown([(c.name, c.version, c.champion, c.verdict, c.state, c.why) for c in shown]))
    for each in found:
        tell(f"{each.candidate.name}: candidate {each.candidate.version or 'none'}, {each.candidate.state} {each.candidate.why}".rstrip())
        if each.verdict is not None:
            job.runner.summary(verdict_markdown(each.verdict, limit=VERDICT_LIMIT))
    return found


def promote_candidate(job: JobContext, workspace: Workspace, placed: PlacedModel, candidate: Candidate) -> Promotion:
    """Promote a candidate that was found, by the promoter that the flow file names, and file it on GitHub.

    Raises:
        BundleflowError: See `bundleflow_models.promotion.promote`; `not-approved`; `run-failed` of a deployment job.
    """
    if candidate.state not in (READY, CHAMPION):
        raise refusal(candidate)
    if candidate.name != placed.name:
        raise BundleflowError(
            f"What was approved is a version of {candidate.name}; in target `{job.stage.target}` the model is {placed.name}.",
            fix="Run the whole workflow again.",
            reason=FailureReason.NOT_APPROVED,
        )
    promotion = _promoted_in_the_workspace(workspace, placed, candidate)
    if promotion is not None:
        job.runner.summary(promotion_markdown(promotion, title="Champion already"))
        return promotion
    approval = approval_for(job, candidate.verdict)
    payload = {"model": placed.name, "version": candidate.version, "verdict": candidate.verdict, "approved_by": approval.by}
    what = f"{placed.name} version {candidate.version}"
    github = GitHubApi.from_env(job.env) if job.runner.is_actions else None
    environment = job.stage.model_environment or job.stage.environment
    url, sha = job.runner.run_url, job.env.get("GITHUB_SHA") or ""
    number = (
        filing.begin(github, sha=sha, environment=environment, payload=payload, description=f"promote {what}", run_url=url) if github else 0
    )
    try:
        by = _by_deployment_job if placed.by_workspace else _by_engine
        done = by(job, workspace, placed, candidate, approval)
    except BaseException:
        _finish(job, github, number, f"{what} was not promoted", success=False)
        raise
    _finish(job, github, number, f"{what} is champion", success=True)
    job.runner.summary(promotion_markdown(done, title="Promoted" if done.changed else "Champion already"))
    for note in done.notes:
        tell(note)
    return done


def _promoted_in_the_workspace(workspace: Workspace, placed: PlacedModel, candidate: Candidate) -> Promotion | None:
    """What the deployment job did in the meantime, because somebody approved in the workspace: reported here, not done again."""
    if not placed.by_workspace:
        return None
    with models_errors():
        model = workspace.registry.model(placed.name)
        if model.champion != candidate.version:
            return None
        approval = approval_of(workspace.registry.version(placed.name, candidate.version))
    where = f"by {approval.by} on {approval.where}" if approval.by else f"in the {approval.where}"
    note = f"Version {candidate.version} is champion already; it was approved {where}."
    tell(note)
    previous = model.aliases.get("previous-champion")
    return Promotion(
        placed.name, candidate.version, previous, approval.verdict, approval, placed.endpoint or "", notes=(note,), changed=False
    )


def _by_engine(job: JobContext, workspace: Workspace, placed: PlacedModel, candidate: Candidate, approval: Approval) -> Promotion:
    """Move alias and endpoint from here."""
    with models_errors():
        model = workspace.registry.model(placed.name)
        if model.deployment_job:
            raise BundleflowError(
                f"{placed.name} is connected to the deployment job {model.deployment_job}, which would promote it as well: one model has "
                "one promoter.",
                fix="Disconnect the job on the model's page, or write `promoter: workspace` and `deployment-job:` in the flow file.",
                reason=FailureReason.FLOW_MISMATCH,
                exit_code=ExitCode.USAGE,
            )
        by, gate = promoter_name(job), gate_of(placed)
        request = PromotionRequest(placed.name, candidate.version, approval, placed.endpoint, by, pace(job), gate)
        return promote(workspace, request, tell=tell)


def _by_deployment_job(job: JobContext, workspace: Workspace, placed: PlacedModel, candidate: Candidate, approval: Approval) -> Promotion:
    """Write the approval where the deployment job looks for it, let its run go on, and follow it."""
    task = approve_version(workspace, placed, candidate, approval)
    runs, options = RunsWorkspace.from_env(job.env), FollowOptions.from_env(job.env)
    made = start_repair(runs, RepairRequest(candidate.run), options=options, tell=tell)
    tell(f"approved ({task}); repair {made.repair_id} of run {candidate.run} goes on")
    with following(job.runner) as progress, cancelling(runs, candidate.run, options=options, tell=progress.line):
        run = follow(
            runs,
            candidate.run,
            options=options,
            tell=progress.line,
            show=progress.show,
            wait_first=True,
            stale_end_ms=made.before.end_ms,
        )
    set_run_outputs(job.runner, run)
    job.runner.summary(run_markdown(run, limit=RUN_REPORT_LIMIT))
    _check_deployment(run, options)
    with models_errors():
        model = workspace.registry.model(placed.name)
    if model.champion != candidate.version:
        raise BundleflowError(
            f"The deployment job's run {candidate.run} succeeded, and version {candidate.version} of {placed.name} is not champion.",
            fix="Let its deployment task call `bundleflow_models.promotion.promote`; see docs/models.md.",
            reason=FailureReason.RUN_FAILED,
        )
    previous = model.aliases.get("previous-champion")
    return Promotion(placed.name, candidate.version, previous, candidate.verdict, approval, placed.endpoint or "")


def _check_deployment(run: RunRecord, options: FollowOptions) -> None:
    """Fail as `check_result`, but for the reason that the engine gave where the deployment job's task failed by it.

    Raises:
        BundleflowError: `endpoint-failed`, `champion-changed`, `locked`, ...; `run-failed` where the task says nothing of the kind.
    """
    try:
        check_result(run, options)
    except BundleflowError as error:
        said = next((found[1] for task in run.tasks if (found := _ENGINE_SAID.search(task.error or task.trace))), "")
        if said not in set(FailureReason):
            raise
        raise BundleflowError(
            error.cause, fix=error.fix, reason=FailureReason(said), exit_code=error.exit_code, details=error.details
        ) from error


def approve_version(workspace: Workspace, placed: PlacedModel, candidate: Candidate, approval: Approval) -> str:
    """Write an approval to a version, where its deployment job looks for it; only while the verdict that was approved holds.

    Returns:
        Name of the approval task, which is the tag's.

    Raises:
        BundleflowError: `champion-changed`, `not-approved`: the verdict does not hold any more, or is another one; `no-verdict`: it was
            reached by another gate file, or no run of the deployment job waits for an approval of this version.
    """
    with models_errors():
        version = workspace.registry.version(placed.name, candidate.version)
        approved_verdict(workspace.registry, workspace.registry.model(placed.name), version, approval, gate_of(placed))
        if version.deployment_state != "APPROVAL":
            raise BundleflowError(
                f"No run of the deployment job waits for an approval of version {candidate.version} of {placed.name} "
                f"(state: {version.deployment_state or 'no run'} {version.deployment_task}).",
                fix="Look at the deployment job's run; a new version starts one when the job is connected (`bundleflow model connect`).",
                reason=FailureReason.NO_VERDICT,
            )
        write_approval(workspace.registry, version, approval, version.deployment_task)
    return version.deployment_task


def _check_parameters(job: JobContext, placed: PlacedModel) -> None:
    if not placed.deployment_job:
        raise BundleflowError(
            f"Deployment job `{placed.model.deployment_job}` of model `{placed.key}` is not deployed in target `{job.stage.target}` yet.",
            fix="Deploy the stage first.",
            reason=FailureReason.FLOW_MISMATCH,
        )
    check_parameters(placed.model, RunsWorkspace.from_env(job.env).job_parameters(placed.deployment_job))


def _finish(job: JobContext, github: GitHubApi | None, number: int, description: str, *, success: bool) -> None:
    if github is None:
        return
    try:
        filing.finish(github, number, success=success, description=description, run_url=job.runner.run_url)
    except BundleflowError as error:
        # The model stands as it stands: the record's last word is not worth a second, misleading failure.
        warn(job.runner, error, "The promotion's record could not be finished")
