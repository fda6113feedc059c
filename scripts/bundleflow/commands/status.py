"""`bundleflow status`: what each stage was last deployed from, by the records on GitHub."""

from __future__ import annotations

import argparse

from bundleflow.adapters.github_release import ReleaseApi
from bundleflow.commands.context import flow_path, print_json
from bundleflow.records.flow import FLOW_FILE, load_flow
from bundleflow.records.github import Deployment
from bundleflow.releases.deployment_record import TASK
from bundleflow.releases.standing import Standing, held_by
from bundleflow.report.markdown import visible

RECORDS_READ = 10

EXAMPLES = """example:
  GITHUB_REPOSITORY=team/iris GITHUB_TOKEN=... bundleflow status"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--flow", help=f"the flow file (BUNDLEFLOW_FLOW; default: {FLOW_FILE})")
    parser.add_argument("--json", action="store_true", help="print the result as JSON on standard output")


def run(args: argparse.Namespace) -> int:
    """Print a line for each stage."""
    flow = load_flow(flow_path(args))
    github = ReleaseApi.from_env()
    rows = []
    for stage in flow.stages.values():
        if stage.per_pull_request:
            continue
        found = [each for each in github.kit_deployments(stage.environment, TASK, RECORDS_READ) if each.payload.get("stage") == stage.name]
        newest = found[0] if found else None
        good = next((each for each in found if each.state == "success"), None)
        held = stage.plan_environment is not None and held_by(github, Standing(newest, good)) is not None
        row = {"stage": stage.name, "environment": stage.environment, "newest": _data(newest), "last_success": _data(good), "held": held}
        rows.append(row)
        if not args.json:
            print(_line(stage.name, newest, good) + (f"\n{'':<12} further releases are held" if held else ""))
    if args.json:
        print_json(rows)
    return 0


def _line(stage: str, newest: Deployment | None, good: Deployment | None) -> str:
    if newest is None:
        return f"{stage:<12} no record"
    text = f"{stage:<12} {newest.state:<12} {newest.sha[:12]}  {newest.created_at}  {visible(newest.log_url)}"
    if good is not newest:
        text += f"\n{'':<12} last success {good.sha[:12] + '  ' + good.created_at if good else 'none'}"
    return text


def _data(deployment: Deployment | None) -> dict[str, object] | None:
    if deployment is None:
        return None
    return {
        "sha": deployment.sha,
        "state": deployment.state,
        "created_at": deployment.created_at,
        "url": deployment.log_url,
        "digest": deployment.payload.get("digest", ""),
    }
