"""What a deployment does around `bundle deploy`: the steps before it and those after it, in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from bundleflow.adapters.databricks_cli import DatabricksCli
from bundleflow.commands.context import JobContext
from bundleflow.commands.models_step import check_model_environment, check_stage_models, connect_stage_models, promote_stage_models
from bundleflow.commands.models_wheel_step import upload_models_wheel
from bundleflow.commands.smoke_step import smoke
from bundleflow.commands.steps import StageRuns, run_jobs


@dataclass
class Deploying:
    """What a step works on.

    Args:
        job: The stage.
        cli: The CLI that deploys, with the bundle's variables.
        configuration: The bundle as `bundle validate -o json` gives it, `workspace.root_path` among it.
        runs: Takes the runs of jobs, also one that failed.
    """

    job: JobContext
    cli: DatabricksCli
    configuration: Mapping[str, Any]
    runs: StageRuns = field(default_factory=StageRuns)

    @cached_property
    def deployed(self) -> Mapping[str, Any]:
        """`bundle summary -o json` of what was deployed, asked for once; for steps after the deployment."""
        return self.cli.summary()


Step = Callable[[Deploying], None]
"""One step: returns when it is done or there is nothing for it to do; raises BundleflowError, which ends the deployment as failed."""


def put_models_wheel(deploying: Deploying) -> None:
    """Put the small wheel beside the bundle, when its jobs look for it there."""
    upload_models_wheel(deploying.configuration, deploying.job.env)


def run_stage_jobs(deploying: Deploying) -> None:
    """Run the jobs of the stage, in order."""
    if deploying.job.stage.run:
        run_jobs(deploying.job, deploying.deployed, deploying.runs)


def make_smoke_checks(deploying: Deploying) -> None:
    """Make the smoke checks of the stage."""
    smoke(deploying.job, lambda: deploying.deployed, deploying.runs)


def check_models(deploying: Deploying) -> None:
    """Check that the workflow promotes the stage's models where the flow file says, and that the bundle agrees with it."""
    check_model_environment(deploying.job)
    check_stage_models(deploying.job, deploying.job.stage, deploying.configuration)


def connect_models(deploying: Deploying) -> None:
    """Connect models to their deployment jobs, before the stage's jobs register new versions."""
    if deploying.job.flow.models:
        connect_stage_models(deploying.job, deploying.deployed)


def promote_models(deploying: Deploying) -> None:
    """Promote the models of the stage, or find what the job behind its gate may promote."""
    if deploying.job.stage.promote:
        promote_stage_models(deploying.job, deploying.deployed)


BEFORE: tuple[Step, ...] = (check_models, put_models_wheel)
"""Steps before `bundle deploy`: approved, planned and recorded as begun. The same for a pull request's own deployment."""

AFTER: tuple[Step, ...] = (connect_models, run_stage_jobs, make_smoke_checks, promote_models)
"""Steps after `bundle deploy` of a stage, still within its deployment record: one that fails holds further releases."""


def take(steps: tuple[Step, ...], deploying: Deploying) -> None:
    """Take steps one after the other; the first that fails ends them."""
    for step in steps:
        step(deploying)
