"""What a deployed stage does about its models: connects deployment jobs, then promotes, or finds what the gated job may promote."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bundleflow.commands.context import JobContext, tell
from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow.records.flow import Flow, Stage

CANDIDATES = "candidates"
"""Output of the deploying job: what the job behind the `model-environment` may promote, as JSON; empty for nothing."""


def check_model_environment(job: JobContext) -> None:
    """Check, before anything is deployed, that the workflow promotes where the flow file says.

    Raises:
        BundleflowError: `flow-mismatch`.
    """
    given, wanted = job.env.get("BUNDLEFLOW_MODEL_ENVIRONMENT") or "", job.stage.model_environment or ""
    if given and given.lower() != wanted.lower():
        raise BundleflowError(
            f"The workflow was called with model-environment `{given}`, but {job.flow.path} gives stage `{job.stage.name}` "
            + (f"the model-environment `{wanted}`." if wanted else "none."),
            fix=f"Call the workflow with `model-environment: {wanted}`, or correct the flow file." if wanted else "Leave the input out.",
            reason=FailureReason.FLOW_MISMATCH,
            exit_code=ExitCode.USAGE,
        )


def check_stage_models(job: JobContext, stage: Stage, configuration: Mapping[str, Any]) -> None:
    """Check, before anything is deployed, that flow file, gate files and bundle agree about the models of a stage.

    Args:
        job: Any stage of the flow file; gives the flow file and the checked-out files.
        stage: The stage that is meant.
        configuration: `databricks bundle validate -o json` or `bundle summary -o json` of its target.

    Raises:
        BundleflowError: `flow-mismatch`, `gate-invalid`.
    """
    flow = job.flow
    keys = dict.fromkeys((*promoted_here(flow, stage, configuration), *(key for key in flow.models if _deployed(key, configuration))))
    if not keys:
        return
    from bundleflow.commands.models_error import models_errors
    from bundleflow.models.place import check_place
    from bundleflow_models.verdict import load_gate

    for key in keys:
        check_place(flow, key, stage.target, configuration)
        with models_errors():
            load_gate(Path(flow.models[key].gate))


def promoted_here(flow: Flow, stage: Stage, configuration: Mapping[str, Any]) -> tuple[str, ...]:
    """The models that a stage promotes of this bundle: where one flow file serves several bundles, those that the bundle has."""
    several = len(flow.bundles) > 1 or any(sign in flow.bundles[0] for sign in "*?[")
    return tuple(key for key in stage.promote if not several or _deployed(key, configuration))


def connect_stage_models(job: JobContext, summary: Mapping[str, Any]) -> None:
    """Connect the models that name a deployment job, so that the versions which the stage's jobs register start it."""
    keys = [key for key, model in job.flow.models.items() if model.deployment_job and _deployed(key, summary)]
    if not keys:
        return
    from bundleflow.commands.model_context import placed_models
    from bundleflow.commands.model_steps import connect

    connect(job, placed_models(job, keys, summary))


def promote_stage_models(job: JobContext, summary: Mapping[str, Any]) -> None:
    """Promote what passed its verdict, or hand it on to the gated job. A challenger that did not pass leaves the champion: no failure.

    Raises:
        BundleflowError: A promotion failed, or nothing could be decided (`no-verdict`, `verdict-undecided`, `champion-changed`).
    """
    keys = promoted_here(job.flow, job.stage, summary)
    if not keys:
        return
    from bundleflow.commands.model_context import models_workspace, placed_models
    from bundleflow.commands.model_steps import candidates, promote_candidate
    from bundleflow.models.candidates import READY, refusal, stays_away, write_candidates

    placed = placed_models(job, keys, summary)
    workspace = models_workspace(job)
    found = [each.candidate for each in candidates(job, workspace, placed)]
    job.runner.output(CANDIDATES, write_candidates(found) if job.stage.model_environment else "")
    undecided = [each for each in found if each.state != READY and not stays_away(each)]
    if job.stage.model_environment is None:
        for each, candidate in zip(placed, found, strict=True):
            if candidate.state == READY:
                promote_candidate(job, workspace, each, candidate)
    elif any(each.state == READY for each in found):
        tell(f"models wait for approval in the environment {job.stage.model_environment}")
    if undecided:
        raise refusal(undecided[0])


def _deployed(key: str, summary: Mapping[str, Any]) -> bool:
    """Whether this bundle has the model: one flow file may serve several bundles."""
    return key in ((summary.get("resources") or {}).get("registered_models") or {})
