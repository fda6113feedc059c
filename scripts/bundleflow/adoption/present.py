"""A proposal beside a flow file that is there already: its stages, environments and bundles count, not those that were guessed."""

from __future__ import annotations

from dataclasses import replace

from bundleflow.adoption.advice import has_caller
from bundleflow.adoption.proposal import Proposal, ProposedStage
from bundleflow.adoption.survey import Survey
from bundleflow.records.errors import BundleflowError
from bundleflow.records.flow import FLOW_FILE, Stage
from bundleflow.releases.bundle_reach import find_bundles

WHY = f"As {FLOW_FILE} has it."


def fitted(proposal: Proposal) -> Proposal:
    """The proposal with what the flow file that is there says; unchanged where there is none that is valid.

    Args:
        proposal: What was guessed from the bundles.
    """
    flow = proposal.survey.flow
    if flow is None:
        return proposal
    stages = [each for each in flow.stages.values() if has_caller(each)]
    return replace(proposal, stages=tuple(_proposed(each) for each in stages), bundles=_bundles(proposal.survey) or proposal.bundles)


def _proposed(stage: Stage) -> ProposedStage:
    return ProposedStage(
        stage.name,
        stage.target,
        stage.environment,
        WHY,
        plan_environment=stage.plan_environment or "",
        requires=stage.requires or "",
        per_pull_request=stage.per_pull_request,
        then_propose=stage.then_propose or "",
        one_identity=stage.approval.one_identity,
        model_environment=stage.model_environment or "",
    )


def _bundles(found: Survey) -> tuple[str, ...]:
    try:
        return tuple(find_bundles(found.root, found.flow.bundles)) if found.flow else ()
    except BundleflowError:
        return ()  # `bundles` leads nowhere: `bundleflow lint` says it, with its place
