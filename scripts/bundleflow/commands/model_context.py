"""What the actions of `bundleflow model` work on: the stage, its models in the workspace, and who approved."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from typing import Any

from bundleflow.adapters.github_release import ReleaseApi
from bundleflow.adapters.preload import SDK, preload
from bundleflow.adapters.runner import Runner
from bundleflow.adapters.workspace import Workspace as RunsWorkspace
from bundleflow.commands.context import JobContext, bundle_folder, flow_path, require_login, tell
from bundleflow.commands.go_ahead import caller_workflow
from bundleflow.commands.models_error import models_errors
from bundleflow.models.filing import github_approval
from bundleflow.models.place import PlacedModel, place
from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow.records.flow import load_flow
from bundleflow.records.release_rules import ApprovalRule
from bundleflow.releases.gate import GatedRun, verify_gate
from bundleflow.releases.weaker_gate import ShownPlan
from bundleflow.runs.options import FollowOptions
from bundleflow_models.promotion import Approval, Pace, Workspace, open_workspace

PROMOTING_JOB = "promote"
"""Name of the job that promotes, in cd-prod.yml and promote-model.yml: its passages through the gate are counted."""


def load_model_job(args: argparse.Namespace, *, gated: bool) -> JobContext:
    """The stage whose models are meant.

    Args:
        args: Parsed options.
        gated: Whether the job changes something: then, on GitHub, it has to name the stage's environment for that.

    Raises:
        BundleflowError: `flow-invalid`; `flow-mismatch` when the job's environment is not the stage's; `auth-failed`.
    """
    env = os.environ
    flow = load_flow(flow_path(args, env))
    stage = flow.stage(args.stage or env.get("BUNDLEFLOW_STAGE") or "")
    job = JobContext(flow, stage, bundle_folder(args, env), env, Runner.here())
    environment = args.environment or env.get("BUNDLEFLOW_ENVIRONMENT") or ""
    wanted = stage.model_environment or stage.environment
    if gated and job.runner.is_actions and environment.lower() != wanted.lower():
        raise BundleflowError(
            f"The job names environment `{environment}`; {flow.path} has the models of stage `{stage.name}` promoted in `{wanted}`.",
            fix=f"Call the workflow with `model-environment: {wanted}`, or correct the flow file.",
            reason=FailureReason.FLOW_MISMATCH,
            exit_code=ExitCode.USAGE,
        )
    require_login(env, environment or "this shell")
    preload(SDK)
    return job


def keys_of(job: JobContext, given: Sequence[str]) -> tuple[str, ...]:
    """The models that are meant: those given, or all that the stage promotes.

    Raises:
        BundleflowError: `flow-mismatch`: none.
    """
    named = list(given) or (job.env.get("BUNDLEFLOW_MODEL") or "").split()
    keys = tuple(dict.fromkeys(named or job.stage.promote))
    if not keys:
        raise BundleflowError(
            f"Stage `{job.stage.name}` of {job.flow.path} promotes no model, and none was named.",
            fix="Add `promote: [KEY]` to the stage, or name a model.",
            reason=FailureReason.FLOW_MISMATCH,
            exit_code=ExitCode.USAGE,
        )
    return keys


def placed_models(job: JobContext, keys: Sequence[str], summary: Mapping[str, Any] | None = None) -> list[PlacedModel]:
    """The models in the stage's target."""
    found = job.cli().summary() if summary is None else summary
    return [place(job.flow, key, job.stage.target, found) for key in keys]


def models_workspace(job: JobContext) -> Workspace:
    """The workspace of the stage, for models."""
    with models_errors():
        return open_workspace(RunsWorkspace.from_env(job.env).sdk())


def approval_for(job: JobContext, verdict: str) -> Approval:
    """Who agreed that a version with this verdict becomes champion.

    Raises:
        BundleflowError: `not-approved`: the stage asks people, and GitHub does not show that this run and attempt was approved.
    """
    stage = job.stage
    if stage.model_environment is None:
        return Approval("", "none", verdict)
    if not job.runner.is_actions:
        raise BundleflowError(
            f"Models of stage `{stage.name}` are promoted by a job in the environment `{stage.model_environment}`, which people approve.",
            fix="Start the workflow promote-model.yml (or cd-prod.yml) on GitHub.",
            reason=FailureReason.NOT_APPROVED,
        )
    run = GatedRun(
        environment=stage.model_environment,
        run_id=int(job.env.get("GITHUB_RUN_ID") or 0),
        attempt=int(job.env.get("GITHUB_RUN_ATTEMPT") or 1),
        sha=job.env.get("GITHUB_SHA") or "",
        branch=(job.env.get("GITHUB_REF") or "").removeprefix("refs/heads/"),
        workflow=caller_workflow(job),
        plan=ShownPlan(stage.name, job.bundle, verdict, 0),
        job=PROMOTING_JOB,
    )
    # The rules of a branch approve before there is a verdict, so the weaker gate is none for a model.
    found = verify_gate(ReleaseApi.from_env(job.env), run, ApprovalRule(independent=stage.approval.independent))
    tell(f"approved for {found.environment} by {found.approver}")
    return github_approval(found, verdict, job.runner.run_url)


def promoter_name(job: JobContext) -> str:
    """Who promotes, for records: the workflow run, or the person at this terminal."""
    return job.runner.run_url or f"bundleflow on {job.env.get('HOSTNAME') or 'a terminal'}"


def pace(job: JobContext) -> Pace:
    """How endpoints are switched: looked at as often as runs are."""
    return Pace(poll_s=FollowOptions.from_env(job.env).poll_s)
