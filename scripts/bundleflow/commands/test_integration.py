"""`bundleflow test-integration`: a deployment of the pull request's own, its jobs run, and destroyed whatever happened."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping
from typing import Any

from bundleflow.adapters.databricks_cli import DatabricksCli
from bundleflow.adapters.preload import SDK, preload
from bundleflow.commands.context import JobContext, add_stage_arguments, load_job, print_json, tell
from bundleflow.commands.steps import StageRuns, planned, run_jobs, validated, warn
from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow.report.markdown import code

VARIABLE = "suffix"

EXAMPLES = """examples, in a job with `environment: {name: test, deployment: false}`:
  BUNDLEFLOW_ENVIRONMENT=test bundleflow test-integration
  BUNDLEFLOW_ENVIRONMENT=test bundleflow test-integration --destroy-only    # what a cancelled run left"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add_stage_arguments(parser)
    parser.add_argument("--suffix", help="value of the variable `suffix` (default: -pr<number>-<run id>)")
    parser.add_argument("--destroy-only", action="store_true", help="only destroy what an earlier call left")


def run(args: argparse.Namespace) -> int:
    """Deploy, run, destroy."""
    job = load_job(args, stage="test")
    suffix = _suffix(job, args.suffix)
    cli = job.cli(variables={VARIABLE: suffix})
    if args.destroy_only:
        _destroy(job, cli)
        return 0
    if job.stage.run:
        preload(SDK)
    configuration = validated(job.runner, cli, strict=False)
    check_isolated(configuration, suffix, job.stage.target)
    plan = planned(job.runner, cli, configuration)
    tell(f"plan of target {job.stage.target} with suffix {suffix}: {plan.summary}")
    done = StageRuns()
    job.runner.summary(f"## Integration test: target {code(job.stage.target)} with suffix {code(suffix)}")
    try:
        with job.runner.group(f"databricks bundle deploy -t {cli.target}"), job.runner.no_commands():
            cli.deploy()
        run_jobs(job, cli.summary() if job.stage.run else {}, done)
    except BaseException:
        # The first trouble is the verdict; what goes wrong while cleaning up is told beside it.
        try:
            _destroy(job, cli)
        except BundleflowError as error:
            warn(job.runner, error, "The test deployment could not be destroyed")
        raise
    _destroy(job, cli)
    job.runner.summary(f"✅ Job runs: {len(done.runs)}, all succeeded. The deployment was destroyed.")
    if args.json:
        print_json({"suffix": suffix, "runs": [each.as_dict() for each in done.runs]})
    return 0


def check_isolated(configuration: Mapping[str, Any], suffix: str, target: str) -> None:
    """Refuse to deploy where two pull requests would share one deployment: its folder holds the state of what is deployed.

    Args:
        configuration: `bundle validate -o json` with the suffix given.
        suffix: The suffix.
        target: Name of the target, for the message.

    Raises:
        BundleflowError: `not-isolated`.
    """
    root = str((configuration.get("workspace") or {}).get("root_path") or "")
    if suffix not in root:
        raise BundleflowError(
            f"Target `{target}` is not isolated: two pull requests would share `workspace.root_path` {root}",
            fix="Put `${var.suffix}` (a variable of the bundle, empty by default) into `workspace: root_path:` and into the names of this "
            "target's resources.",
            reason=FailureReason.NOT_ISOLATED,
            exit_code=ExitCode.USAGE,
        )


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
    if not re.fullmatch(r"[-_][A-Za-z0-9_-]{1,60}", suffix):
        raise BundleflowError(
            f"`{suffix[:80]}` cannot be a suffix of names.",
            fix="Use `-` or `_`, then letters, digits, `-` and `_`, at most 60.",
            exit_code=ExitCode.USAGE,
        )
    return suffix


def _destroy(job: JobContext, cli: DatabricksCli) -> None:
    with job.runner.group(f"databricks bundle destroy -t {cli.target}"), job.runner.no_commands():
        cli.destroy()
    tell(f"destroyed {json.dumps(dict(cli.variables))} of target {cli.target}")
