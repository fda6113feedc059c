"""`bundleflow record`: files a deployment of this commit on GitHub, for pipelines that deploy by their own steps."""

from __future__ import annotations

import argparse

from bundleflow import __version__
from bundleflow.adapters.git import commit_of, tree_of
from bundleflow.adapters.github import GitHubApi
from bundleflow.commands.context import add_stage_arguments, load_job, print_json, tell
from bundleflow.records.evidence import DeploymentRecord
from bundleflow.releases.deployment_record import begin_record, finish_record

EXAMPLES = """example, after the deployment's own steps:
  BUNDLEFLOW_STAGE=staging BUNDLEFLOW_ENVIRONMENT=staging bundleflow record --state success --digest "$DIGEST" """


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add_stage_arguments(parser)
    parser.add_argument("--state", choices=["success", "failure"], required=True, help="how the deployment ended")
    parser.add_argument("--digest", default="", help="digest of the plan that was deployed")
    parser.add_argument("--cli-version", default="", help="version of the Databricks CLI that deployed")


def run(args: argparse.Namespace) -> int:
    """File the record."""
    job = load_job(args, login=False)
    record = DeploymentRecord(
        stage=job.stage.name,
        environment=job.stage.environment,
        target=job.stage.target,
        sha=commit_of(),
        tree=tree_of(),
        digest=args.digest,
        cli_version=args.cli_version,
        kit_version=__version__,
        bundle=job.bundle,
        run_url=job.runner.run_url,
    )
    github = GitHubApi.from_env(job.env)
    number = begin_record(github, record)
    finish_record(github, number, success=args.state == "success", log_url=record.run_url)
    job.runner.output("deployment-id", str(number))
    tell(f"recorded {args.state} of stage {record.stage} at {record.sha[:12]} (deployment {number})")
    if args.json:
        print_json({"deployment": number, **record.payload()})
    return 0
