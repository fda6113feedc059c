"""`bundleflow test-integration`: a deployment of the pull request's own, its jobs run, and destroyed whatever happened."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping
from typing import Any

from bundleflow.adapters.databricks_cli import DatabricksCli
from bundleflow.adapters.outside_pull import outside_pull
from bundleflow.adapters.preload import SDK, preload
from bundleflow.adapters.runner import Runner
from bundleflow.adapters.workspace_contents import WorkspaceContents
from bundleflow.commands.context import JobContext, add_stage_arguments, load_job, print_json, tell
from bundleflow.commands.deploy_steps import BEFORE, Deploying, run_stage_jobs, take
from bundleflow.commands.left_out import tell_left_out
from bundleflow.commands.steps import planned, warn
from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow.records.own_deployment import SUFFIX, OwnDeployment, now
from bundleflow.releases.isolation import VARIABLE, check_isolation
from bundleflow.releases.remove_deployment import destroy
from bundleflow.report.markdown import code, escape

EXAMPLES = """examples:
  # in a job with `environment: {name: test, deployment: false}`
  BUNDLEFLOW_ENVIRONMENT=test bundleflow test-integration
  BUNDLEFLOW_ENVIRONMENT=test bundleflow test-integration --destroy-only    # what a cancelled run left"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add_stage_arguments(parser)
    parser.add_argument("--suffix", help="value of the variable `suffix` (default: -pr<number>-<run id>)")
    parser.add_argument("--destroy-only", action="store_true", help="only destroy what an earlier call left")


def run(args: argparse.Namespace) -> int:
    """Deploy, run, destroy; on a pull request without an identity nothing of it, and that is said."""
    runner = Runner.here()
    outside = outside_pull(runner)
    job = load_job(args, stage="test", login=not outside)
    if outside:
        if not args.destroy_only:
            tell_left_out(runner, outside, "The deployment of the pull request's own and its job runs")
        return 0
    if not job.stage.per_pull_request:
        if not args.destroy_only:
            why = f"stage {job.stage.name} has no `per-pull-request: true`, so pull requests get no deployment of their own"
            job.runner.summary(f"## Integration test: none\n\n{escape(why[:1].upper() + why[1:])} ({code(str(job.flow.path))}).")
            tell(why)
        return 0
    suffix = _suffix(job, args.suffix)
    cli = job.cli(variables={VARIABLE: suffix})
    if args.destroy_only:
        _destroy(job, cli)
        return 0
    preload(SDK)
    cli.forget()
    configuration = check_isolation(cli, suffix)
    plan = planned(job.runner, cli, configuration, accepted=job.accepted)
    tell(f"plan of target {job.stage.target} with suffix {suffix}: {plan.summary}")
    deploying = Deploying(job, cli, configuration)
    job.runner.summary(f"## Integration test: target {code(job.stage.target)} with suffix {code(suffix)}")
    try:
        mark(job, configuration, suffix)
        take(BEFORE, deploying)
        with job.runner.group(f"databricks bundle deploy -t {cli.target}"), job.runner.no_commands():
            cli.deploy()
        run_stage_jobs(deploying)
    except BaseException as trouble:
        # The first trouble is the verdict; what goes wrong while cleaning up is told beside it.
        try:
            if not (isinstance(trouble, BundleflowError) and trouble.reason is FailureReason.LOCKED):
                _destroy(job, cli)
        except BundleflowError as error:
            warn(job.runner, error, "The test deployment could not be destroyed")
        raise
    _destroy(job, cli)
    job.runner.summary(f"✅ Job runs: {len(deploying.runs.runs)}, all succeeded. The deployment was destroyed.")
    if args.json:
        print_json({"suffix": suffix, "runs": [each.as_dict() for each in deploying.runs.runs]})
    return 0


def mark(job: JobContext, configuration: Mapping[str, Any], suffix: str) -> OwnDeployment:
    """Write down in the deployment's folder whose it is, before there is anything else: what may be removed later is known by it.

    Args:
        job: The stage.
        configuration: The bundle as it is with the suffix.
        suffix: The suffix.

    Raises:
        BundleflowError: `auth-failed` or another trouble with the workspace.
    """
    workspace = configuration["workspace"]
    in_a_run = bool(job.env.get("GITHUB_RUN_ID"))
    deployment = OwnDeployment(
        repository=job.env.get("GITHUB_REPOSITORY", "") if in_a_run else "",
        repository_id=job.env.get("GITHUB_REPOSITORY_ID", "") if in_a_run else "",
        pull_request=job.runner.pull_request,
        run_id=int(job.env.get("GITHUB_RUN_ID") or 0),
        commit=sha if re.fullmatch("[0-9a-f]{40}", sha := job.env.get("GITHUB_SHA", "")) else "",
        bundle_dir=job.bundle,
        target=job.stage.target,
        suffix=suffix,
        root_path=str(workspace["root_path"]),
        state_path=str(workspace.get("state_path") or f"{workspace['root_path']}/state"),
        created=now().isoformat(timespec="seconds"),
    )
    WorkspaceContents(job.env).write(deployment.marker_path, deployment.marker())
    return deployment


def _suffix(job: JobContext, given: str | None) -> str:
    suffix = given
    if not suffix:
        number = job.runner.pull_request
        run_id = job.env.get("GITHUB_RUN_ID")
        if not run_id:
            raise BundleflowError(
                "Outside a workflow run there is nothing to name the test deployment after.",
                fix="Give `--suffix=-something` of your own.",
                exit_code=ExitCode.USAGE,
            )
        suffix = f"-pr{number}-{run_id}" if number else f"-run-{run_id}"
    if not SUFFIX.fullmatch(suffix):
        raise BundleflowError(
            f"`{suffix[:80]}` cannot be a suffix of names.",
            fix="Use `-` or `_`, then letters, digits, `-` and `_`, at most 60.",
            exit_code=ExitCode.USAGE,
        )
    return suffix


def _destroy(job: JobContext, cli: DatabricksCli) -> None:
    with job.runner.group(f"databricks bundle destroy -t {cli.target}"), job.runner.no_commands():
        destroy(cli)
    tell(f"destroyed {json.dumps(dict(cli.variables))} of target {cli.target}")
