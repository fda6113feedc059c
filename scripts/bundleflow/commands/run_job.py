"""`bundleflow run start|watch|cancel|repair|report`: a job's run from its start to its report."""

from __future__ import annotations

import argparse
import json
import os
from functools import partial

from bundleflow.adapters.databricks_cli import DatabricksCli
from bundleflow.adapters.preload import SDK, preload
from bundleflow.adapters.runner import Runner
from bundleflow.adapters.workspace import Workspace
from bundleflow.commands import run_report
from bundleflow.commands.context import bundle_folder, print_json, tell
from bundleflow.commands.steps import RUN_REPORT_LIMIT, follow_request, following, fresh_token, run_outputs, set_run_outputs
from bundleflow.records.errors import BundleflowError, ExitCode
from bundleflow.records.run import RunRecord
from bundleflow.report.markdown_run import run_markdown
from bundleflow.report.terminal import run_text
from bundleflow.runs.follow import RunDetachedError, follow
from bundleflow.runs.many import RUNS_AT_MOST, follow_many
from bundleflow.runs.options import FollowOptions
from bundleflow.runs.repair import RepairRequest, start_repair
from bundleflow.runs.resolve import job_id
from bundleflow.runs.result import check_result, check_results, is_good
from bundleflow.runs.start import RunRequest, cancel_and_wait, cancelling, idempotency_token, start

EXAMPLES = """examples:
  bundleflow run start model_training --target dev --param alpha=0.5
  bundleflow run start 1234567890 --no-wait
  bundleflow run start nightly --detach-after 5h30m     # a hosted job of GitHub's ends after six hours
  bundleflow run watch 9876543210                       # follow it again
  bundleflow run watch 111 222 333 --allow SUCCESS_WITH_FAILURES
  bundleflow run repair 9876543210 --task train --dependents
  bundleflow run report 9876543210 --html report.html
  bundleflow run report https://example.cloud.databricks.com/jobs/7/runs/9876543210 --lineage -o markdown
  databricks jobs get-run 9876543210 -o json > run.json && bundleflow run report run.json --output report.html
  bundleflow run report 9876543210 --compare 9876543000  # with another run than the job's previous one
  bundleflow run report --job nightly --target prod --output docs/nightly.svg     # its graph, before any run"""

CANCEL_PATIENCE_SECONDS = 120.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command and its actions."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="start|watch|cancel|repair|report")
    start_parser = actions.add_parser("start", help="start a job of a deployed bundle, or a job by its id, and follow it")
    start_parser.add_argument("job", help="key of the job in the bundle, or its id")
    start_parser.add_argument("-t", "--target", help="target of the bundle (default: the bundle's own default)")
    start_parser.add_argument("--bundle-dir", help="folder of databricks.yml (BUNDLEFLOW_BUNDLE_DIR; default: .)")
    start_parser.add_argument("--param", action="append", default=[], metavar="NAME=VALUE", help="a job parameter; may be repeated")
    start_parser.add_argument("--token", help="idempotency token: the same token never starts a second run")
    start_parser.add_argument("--no-wait", action="store_true", help="start the run and end")
    watch = actions.add_parser("watch", help="follow runs that go on; stopping this leaves them alone")
    watch.add_argument("run", type=int, nargs="+", help="ids of the runs")
    watch.add_argument("--cancel-on-stop", action="store_true", help="cancel the runs when this is stopped (Ctrl-C, a cancelled workflow)")
    cancel = actions.add_parser("cancel", help="cancel a run and wait for its end")
    cancel.add_argument("--no-wait", action="store_true", help="only ask for it")
    repair = actions.add_parser("repair", help="run the failed tasks of an ended run again, or named ones, and follow it")
    repair.add_argument("--task", action="append", default=[], metavar="KEY", help="a task to run again; may be repeated")
    repair.add_argument("--dependents", action="store_true", help="also run again what depends on the tasks")
    repair.add_argument("--no-wait", action="store_true", help="start the repair and end")
    report = actions.add_parser("report", help="show a run: graph, times, compute, errors, tables, the run before")
    for each in (cancel, repair):
        each.add_argument("run", type=int, help="id of the run")
    run_report.add_arguments(report)
    for each in (start_parser, watch, repair):
        each.add_argument(
            "--allow",
            action="append",
            default=[],
            metavar="RESULT",
            help="a result that counts as success beside SUCCESS, such as SUCCESS_WITH_FAILURES (BUNDLEFLOW_ALLOW_RESULTS)",
        )
        each.add_argument(
            "--detach-after",
            default="",
            metavar="TIME",
            help="leave the run alone after this time, such as 5h30m (BUNDLEFLOW_DETACH_AFTER; default: 5h30m)",
        )
    for each in (start_parser, watch, repair, report):
        each.add_argument("--json", action="store_true", help="print the run as JSON on standard output")


def run(args: argparse.Namespace) -> int:
    """Carry out one of the actions."""
    return {"start": _start, "watch": _watch, "cancel": _cancel, "repair": _repair, "report": run_report.report}[args.action](args)


def _start(args: argparse.Namespace) -> int:
    runner, workspace = Runner.here(), Workspace.from_env()
    options = FollowOptions.from_env(accept=args.allow, detach_after=args.detach_after)
    lines = [line for line in os.environ.get("BUNDLEFLOW_PARAMETERS", "").splitlines() if line.strip()]
    parameters = dict(_parameter(text) for text in [*lines, *args.param])
    preload(SDK)
    if args.job.isdecimal():
        number, key = int(args.job), ""
    else:
        number, key = job_id(DatabricksCli(bundle_folder(args), target=args.target).summary(), args.job, args.target or "default"), args.job
    given = args.token or os.environ.get("BUNDLEFLOW_IDEMPOTENCY_TOKEN", "")
    token = idempotency_token("given", given) if given else fresh_token()
    request = RunRequest(number, token, key, parameters)
    if args.no_wait:
        run_id = start(workspace, request, options=options, tell=tell)
        runner.output("run-id", str(run_id))
        print(run_id)
        return 0
    return _conclude(args, runner, follow_request(runner, workspace, request, options), options)


def _watch(args: argparse.Namespace) -> int:
    runner, workspace = Runner.here(), Workspace.from_env()
    options = FollowOptions.from_env(accept=args.allow, detach_after=args.detach_after)
    run_ids = list(dict.fromkeys(args.run))
    if len(run_ids) > 1:
        return _watch_many(args, run_ids, runner, workspace, options)
    with following(runner) as progress:
        try:
            found = follow(workspace, run_ids[0], options=options, tell=progress.line, show=progress.show)
        except KeyboardInterrupt:
            if not args.cancel_on_stop:
                _say_it_goes_on(run_ids)
                raise
            with cancelling(workspace, run_ids[0], options=options, tell=progress.line):
                raise
    set_run_outputs(runner, found)
    return _conclude(args, runner, found, options)


def _watch_many(args: argparse.Namespace, run_ids: list[int], runner: Runner, workspace: Workspace, options: FollowOptions) -> int:
    if len(run_ids) > RUNS_AT_MOST:
        raise BundleflowError(
            f"{len(run_ids)} runs were named; at most {RUNS_AT_MOST} can be followed at once.",
            fix="Follow the rest with another `bundleflow run watch`.",
            exit_code=ExitCode.USAGE,
        )
    with following(runner) as progress:
        try:
            outcomes = follow_many(workspace, run_ids, options=options, tell=progress.line, show=progress.show)
        except KeyboardInterrupt:
            if not args.cancel_on_stop:
                _say_it_goes_on(run_ids)
            for each in run_ids if args.cancel_on_stop else []:
                cancel_and_wait(workspace, each, options=options, tell=progress.line, patience_s=0)
            raise
    runs = [outcome.run for outcome in outcomes]
    runner.output("runs", json.dumps([run_outputs(each) for each in runs]))
    runner.output("result-state", next((each.state for each in runs if not is_good(each, options)), "SUCCESS"))
    for ended in runs:
        run_report.unless_it_fails(runner, "put into the summary", partial(_summarize, runner, ended, RUN_REPORT_LIMIT // len(runs)))
    if args.json:
        print_json([each.as_dict() for each in runs])
    else:
        print("\n".join(run_text(each) for each in runs))
    errors = [outcome.error for outcome in outcomes if outcome.error is not None]
    for error in errors:
        tell(error.cause)
    left = [error for error in errors if not isinstance(error, RunDetachedError)] or errors
    if left:
        detached = [str(error.run.run_id) for error in errors if isinstance(error, RunDetachedError)]
        if detached:
            left[0].fix = f"{left[0].fix} All that go on: `bundleflow run watch {' '.join(detached)}`."
        raise left[0]
    check_results(runs, options)
    return 0


def _summarize(runner: Runner, run: RunRecord, limit: int) -> None:
    runner.summary(run_markdown(run, limit=limit))


def _say_it_goes_on(run_ids: list[int]) -> None:
    names = " ".join(str(each) for each in run_ids)
    tell(f"stopped; not cancelled: `bundleflow run watch {names}` follows again")


def _conclude(args: argparse.Namespace, runner: Runner, found: RunRecord, options: FollowOptions) -> int:
    found = run_report.leave_report(runner, os.environ, found)
    if args.json:
        print_json(found.as_dict())
    else:
        print(run_text(found))
    check_result(found, options)
    return 0


def _cancel(args: argparse.Namespace) -> int:
    workspace, runner = Workspace.from_env(), Runner.here()
    if args.no_wait:
        workspace.cancel(args.run)
        tell(f"asked to cancel run {args.run}")
        return 0
    options = FollowOptions.from_env()
    workspace.cancel(args.run)
    tell(f"asked to cancel run {args.run}")
    limited = FollowOptions(options.poll_s, options.poll_s, CANCEL_PATIENCE_SECONDS)
    with following(runner) as progress:
        found = follow(workspace, args.run, options=limited, tell=progress.line, show=progress.show, wait_first=True)
    set_run_outputs(runner, found)
    return 0


def _repair(args: argparse.Namespace) -> int:
    workspace, runner = Workspace.from_env(), Runner.here()
    options = FollowOptions.from_env(accept=args.allow, detach_after=args.detach_after)
    request = RepairRequest(args.run, tuple(args.task), args.dependents)
    made = start_repair(workspace, request, options=options, tell=tell)
    runner.output("run-id", str(args.run))
    runner.output("repair-id", str(made.repair_id))
    tell(f"started repair {made.repair_id} of run {args.run}")
    if args.no_wait:
        print(made.repair_id)
        return 0
    with following(runner) as progress, cancelling(workspace, args.run, options=options, tell=progress.line):
        found = follow(
            workspace,
            args.run,
            options=options,
            tell=progress.line,
            show=progress.show,
            wait_first=True,
            stale_end_ms=made.before.end_ms,
        )
    set_run_outputs(runner, found)
    return _conclude(args, runner, found, options)


def _parameter(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise BundleflowError(f"`{text}` is not a parameter.", fix="Write `--param NAME=VALUE`.", exit_code=ExitCode.USAGE)
    return name, value
