"""The plan of a stage that stands behind a gate, made by an identity that only reads: for approval, and as a preview of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bundleflow.commands.context import JobContext
from bundleflow.commands.models_step import check_stage_models
from bundleflow.commands.steps import planned, planning_identity
from bundleflow.records.plan import CanonicalPlan, Plan
from bundleflow.releases.checks import check_identity_independent, check_managers_named
from bundleflow.releases.digest import canonical_plan, digest


@dataclass(frozen=True)
class StagePlan:
    """A plan and what it was made from.

    Args:
        plan: The plan.
        state: `bundle summary -o json`: what is deployed now.
        canonical: What an approval stands for.
        identity: User name of the identity that planned.
        digest: SHA-256 of `canonical`.
    """

    plan: Plan
    state: Mapping[str, Any]
    canonical: CanonicalPlan
    identity: str
    digest: str


def plan_stage(job: JobContext, tree: str) -> StagePlan:
    """Plan the stage's target without running the bundle's own code.

    Args:
        job: The stage.
        tree: Git id of the root tree that is released.

    Raises:
        BundleflowError: `validation-failed`, `flow-mismatch`, or what the CLI's message stands for.
    """
    cli = job.cli(restricted=True)
    with job.runner.group("databricks bundle summary"), job.runner.no_commands():
        state = cli.summary()
    check_stage_models(job, job.stage, state)
    plan = planned(job.runner, cli, state, accepted=job.accepted)
    identity = planning_identity(state)
    canonical = canonical_plan(plan, target=job.stage.target, tree=tree, identity=identity)
    return StagePlan(plan, state, canonical, identity, digest(canonical))


def check_identity(job: JobContext, made: StagePlan) -> None:
    """Refuse a plan that hangs on who makes it, unless the flow file says in words that one identity plans and deploys.

    Raises:
        BundleflowError: `plan-depends-on-identity`.
    """
    if not job.stage.approval.one_identity:
        check_managers_named(made.plan, made.identity, job.stage.target)
        check_identity_independent(made.canonical, made.state, job.stage.target)
