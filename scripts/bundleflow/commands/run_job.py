"""`bundleflow run start|watch|cancel|report`: a job's run from its start to its report."""

from __future__ import annotations

import argparse
from pathlib import Path

from bundleflow.adapters.databricks_cli import DatabricksCli
from bundleflow.adapters.preload import SDK, preload
from bundleflow.adapters.runner import Runner
from bundleflow.adapters.workspace import Workspace
from bundleflow.commands.context import bundle_folder, print_json, tell
from bundleflow.commands.steps import RUN_REPORT_LIMIT, follow_request, fresh_token, set_run_outputs
from bundleflow.records.errors import BundleflowError, ExitCode
from bundleflow.records.run import RunRecord
from bundleflow.report.markdown_run import run_markdown
from bundleflow.report.terminal import run_text
from bundleflow.runs.follow import FollowOptions, check_result, follow, idempotency_token, with_outputs
from bundleflow.runs.resolve import job_id
from bundleflow.runs.start import RunRequest

EXAMPLES = """examples:
  bundleflow run start model_training --target dev --param alpha=0.5
  bundleflow run start 1234567890 --no-wait
  bundleflow run watch 9876543210
  bundleflow run report 9876543210 --html report.html"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command and its actions."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="start|watch|cancel|report")
    start = actions.add_parser("start", help="start a job of a deployed bundle, or a job by its id, and follow it")
    start.add_argument("job", help="key of the job in the bundle, or its id")
    start.add_argument("-t", "--target", help="target of the bundle (default: the bundle's own default)")
    start.add_argument("--bundle-dir", help="folder of databricks.yml (BUNDLEFLOW_BUNDLE_DIR; default: .)")
    start.add_argument("--param", action="append", default=[], metavar="NAME=VALUE", help="a job parameter; may be repeated")
    start.add_argument("--token", help="idempotency token: the same token never starts a second run")
    start.add_argument("--no-wait", action="store_true", help="start the run and end")
    watch = actions.add_parser("watch", help="follow a run that goes on")
    cancel = actions.add_parser("cancel", help="cancel a run")
    report = actions.add_parser("report", help="show a run with its tasks, times and errors")
    for each in (watch, cancel, report):
        each.add_argument("run", type=int, help="id of the run")
    report.add_argument("--markdown", action="store_true", help="print Markdown fit for a job summary")
    report.add_argument("--html", type=Path, metavar="FILE", help="write a page that needs nothing else")
    for each in (start, watch):
        each.add_argument("--accept", action="append", default=[], metavar="RESULT", help="a result that counts as success beside SUCCESS")
    for each in (start, watch, report):
        each.add_argument("--json", action="store_true", help="print the run as JSON on standard output")


def run(args: argparse.Namespace) -> int:
    """Carry out one of the actions."""
    return {"start": _start, "watch": _watch, "cancel": _cancel, "report": _report}[args.action](args)


def _start(args: argparse.Namespace) -> int:
    runner, workspace = Runner.here(), Workspace.from_env()
    options = FollowOptions.from_env(accept=args.accept)
    parameters = dict(_parameter(text) for text in args.param)
    preload(SDK)
    if args.job.isdecimal():
        number, key = int(args.job), ""
    else:
        number, key = job_id(DatabricksCli(bundle_folder(args), target=args.target).summary(), args.job, args.target or "default"), args.job
    token = idempotency_token("given", args.token) if args.token else fresh_token()
    request = RunRequest(number, token, key, parameters)
    if args.no_wait:
        run_id = workspace.run_now(number, token=token, parameters=parameters)
        runner.output("run-id", str(run_id))
        print(run_id)
        return 0
    return _conclude(args, runner, follow_request(runner, workspace, request, options), options)


def _watch(args: argparse.Namespace) -> int:
    runner = Runner.here()
    options = FollowOptions.from_env(accept=args.accept)
    with runner.no_commands():
        found = follow(Workspace.from_env(), args.run, key="", options=options, tell=tell)
    set_run_outputs(runner, found)
    return _conclude(args, runner, found, options)


def _conclude(args: argparse.Namespace, runner: Runner, found: RunRecord, options: FollowOptions) -> int:
    runner.summary(run_markdown(found, limit=RUN_REPORT_LIMIT))
    if args.json:
        print_json(found.as_dict())
    else:
        print(run_text(found))
    check_result(found, options)
    return 0


def _cancel(args: argparse.Namespace) -> int:
    Workspace.from_env().cancel(args.run)
    tell(f"asked to cancel run {args.run}")
    return 0


def _report(args: argparse.Namespace) -> int:
    workspace = Workspace.from_env()
    found = with_outputs(workspace, workspace.run(args.run))
    if args.html:
        from bundleflow.report.html import run_page, write_page

        write_page(args.html, run_page(found))
        tell(f"wrote {args.html}")
    if args.json:
        print_json(found.as_dict())
    elif args.markdown:
        print(run_markdown(found, limit=RUN_REPORT_LIMIT))
    elif not args.html:
        print(run_text(found))
    return 0


def _parameter(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise BundleflowError(f"`{text}` is not a parameter.", fix="Write `--param NAME=VALUE`.", exit_code=ExitCode.USAGE)
    return name, value
