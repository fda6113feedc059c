"""`bundleflow run report`: a run with its graph, times, compute, errors, lineage and the run before, for people and machines."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from bundleflow.adapters.runner import Runner
from bundleflow.commands.context import bundle_folder, print_json, tell
from bundleflow.records.errors import BundleflowError, ExitCode
from bundleflow.records.run import RunRecord

T = TypeVar("T")

FORMATS = ("text", "markdown", "html", "svg", "json")
LINEAGE_LIMIT_S = 30.0
"""How long a workflow waits for the warehouse's answer about one run, in seconds."""
REPORT_LIMIT = 200_000
"""Characters of the Markdown; a job summary may have 1 MiB for all of its steps."""


def add_arguments(report: argparse.ArgumentParser) -> None:
    """Options of `bundleflow run report`."""
    report.add_argument("run", nargs="?", help="id of the run, address of its page, or a file with the JSON of jobs/runs/get")
    report.add_argument("-o", "--format", choices=FORMATS, default="", help="what to write (default: text; with --output by its ending)")
    report.add_argument("--output", type=Path, metavar="FILE", help="write to this file instead of standard output")
    report.add_argument("--compare", metavar="RUN", default="", help="compare with this run (default: the job's previous run)")
    report.add_argument("--no-compare", action="store_true", help="do not look for a previous run")
    report.add_argument("--lineage", action="store_true", help="ask system.access.table_lineage for the tables read and written")
    report.add_argument("--warehouse", default="", help="SQL warehouse for --lineage (DATABRICKS_WAREHOUSE_ID; default: one that runs)")
    report.add_argument("--job", metavar="KEY", default="", help="instead of a run: the graph of this job of the bundle, before any run")
    report.add_argument("-t", "--target", help="target of the bundle, with --job")
    report.add_argument("--bundle-dir", help="folder of databricks.yml, with --job (BUNDLEFLOW_BUNDLE_DIR; default: .)")
    report.add_argument("--markdown", action="store_true", help="short for --format markdown")
    report.add_argument("--html", type=Path, metavar="FILE", help="short for --format html --output FILE")


def report(args: argparse.Namespace) -> int:
    """Write the report."""
    if bool(args.run) == bool(args.job):
        raise BundleflowError(
            "Neither a run nor a job was named." if not args.run else "Both a run and a job were named.",
            fix="Give a run (`bundleflow run report 9876543210`) or a job of the bundle (`--job KEY`).",
            exit_code=ExitCode.USAGE,
        )
    found = _planned(args) if args.job else _found(args)
    for note in found.notes:
        tell(f"note: {note}")
    if found.lineage is not None and found.lineage.note:
        tell(f"note: {found.lineage.note}")
    if args.html:
        _write(args.html, "html", found)
    chosen = _format(args)
    if args.output:
        _write(args.output, chosen, found)
    elif not args.html or chosen != "text":
        _print(chosen, found)
    return 0


def leave_report(runner: Runner, env: Mapping[str, str], run: RunRecord, *, artifact: str = "bundleflow-runs") -> RunRecord:
    """Report a run that was followed: complete it, put it into the summary, and write its files where BUNDLEFLOW_RUN_REPORTS_DIR says.

    Whether the run's step succeeds is decided by the run: what goes wrong here becomes a warning (see `unless_it_fails`).

    Args:
        runner: The runner; its output `run-reports` is set when there are files to keep.
        env: Environment variables. BUNDLEFLOW_LINEAGE_WAREHOUSE names the SQL warehouse that is asked for lineage; without it none is.
        run: The run, followed to its end.
        artifact: Value of that output: the name to keep them under, which no other bundle of the same workflow run may have.

    Returns:
        The completed run; the run as it was given where it could not be completed.
    """
    found = unless_it_fails(runner, "completed", lambda: _completed(env, run)) or run
    unless_it_fails(runner, "put into the summary", lambda: runner.summary(rendered(found, "markdown")))
    folder = env.get("BUNDLEFLOW_RUN_REPORTS_DIR")
    if folder:
        unless_it_fails(runner, "kept as files", lambda: _keep(runner, Path(folder), found, artifact))
    return found


def unless_it_fails(runner: Runner, what: str, do: Callable[[], T]) -> T | None:
    """Do a part of a report of a run that was followed; None when it fails, which is a warning on the workflow's page.

    This is the one place where every error is caught: the job did well or not, and no page about it may change that, whatever a
    workspace answered. The warning tells the cause.

    Args:
        runner: Shows the warning.
        what: What was to be done with the report, as in "could not be written".
        do: Does it.
    """
    try:
        return do()
    except Exception as error:
        cause = error.cause if isinstance(error, BundleflowError) else f"{type(error).__name__}: {error}"
        message = f"The run report could not be {what}: {cause}"
        tell(f"warning: {message}")
        runner.annotate("warning", message, title="run report")
    return None


def _completed(env: Mapping[str, str], run: RunRecord) -> RunRecord:
    from bundleflow.adapters.workspace_runs import RunsWorkspace
    from bundleflow.runs.complete import Wanted, complete

    warehouse = env.get("BUNDLEFLOW_LINEAGE_WAREHOUSE", "")
    wanted = Wanted(lineage=bool(warehouse), warehouse=warehouse, lineage_limit_s=LINEAGE_LIMIT_S)
    return complete(RunsWorkspace.from_env(env), run, wanted)


def _keep(runner: Runner, folder: Path, run: RunRecord, artifact: str) -> None:
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", run.key) or "job"
    for form in ("html", "json"):
        _write(folder / f"{name}-{run.run_id}.{form}", form, run)
    runner.output("run-reports", artifact)


def rendered(run: RunRecord, form: str) -> str:
    """A run in one of `FORMATS`, fit for UTF-8: half a surrogate pair, which JSON may hold, is written as JSON writes it."""
    return _rendered(run, form).encode("utf-8", "backslashreplace").decode()


def _rendered(run: RunRecord, form: str) -> str:
    if form == "html":
        from bundleflow.report.html import run_page

        return run_page(run)
    if form == "svg":
        from bundleflow.report.svg import graph_picture

        return graph_picture(run)
    if form == "markdown":
        from bundleflow.report.markdown_run import run_markdown

        return run_markdown(run, limit=REPORT_LIMIT) + "\n"
    if form == "json":
        import json

        return json.dumps(run.as_dict(), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    from bundleflow.report.terminal import run_text

    return run_text(run) + "\n"


def _format(args: argparse.Namespace) -> str:
    short = "json" if args.json else "markdown" if args.markdown else ""
    endings = {".html": "html", ".htm": "html", ".svg": "svg", ".json": "json", ".md": "markdown"}
    return str(args.format or short or (endings.get(args.output.suffix.lower(), "text") if args.output else "text"))


def _write(path: Path, form: str, run: RunRecord) -> None:
    from bundleflow.report.html import write_page

    write_page(path, rendered(run, form))
    tell(f"wrote {path}")


def _print(form: str, run: RunRecord) -> None:
    if form == "json":
        print_json(run.as_dict())
    else:
        sys.stdout.write(rendered(run, form))


def _planned(args: argparse.Namespace) -> RunRecord:
    """A job of the bundle that has not run."""
    from bundleflow.adapters.cli_messages import explain_failure
    from bundleflow.adapters.databricks_cli import DatabricksCli
    from bundleflow.records.errors import FailureReason
    from bundleflow.runs.planned import planned_run

    result = DatabricksCli(bundle_folder(args), target=args.target).validate(strict=False)
    if result.exit_code:
        raise explain_failure(result.argv, result.stderr, FailureReason.VALIDATION_FAILED)
    return planned_run(result.json() or {}, args.job)


def _found(args: argparse.Namespace) -> RunRecord:
    """The run that was named, completed as far as its source allows."""
    from bundleflow.runs.compare import compare
    from bundleflow.runs.reference import run_from_file, run_id_of

    host = os.environ.get("DATABRICKS_HOST", "")
    number = run_id_of(args.run, host)
    other = run_id_of(args.compare, host) if args.compare else None
    before = run_from_file(Path(args.compare)) if args.compare and other is None else None
    if number is None:
        run = run_from_file(Path(args.run))
        if args.lineage or other is not None:
            run = _asked(args, run, other)
    else:
        run = _asked(args, _read(number), other)
    return replace(run, comparison=compare(run, before)) if before is not None and not args.no_compare else run


def _read(number: int) -> RunRecord:
    """A run as it is now, with the outputs of its failed and its last tasks, its earlier attempts and its repairs."""
    from bundleflow.adapters.workspace_runs import RunsWorkspace
    from bundleflow.runs.complete import whole
    from bundleflow.runs.outputs import with_outputs

    workspace = RunsWorkspace.from_env()
    return with_outputs(workspace, whole(workspace, number))


def _asked(args: argparse.Namespace, run: RunRecord, other: int | None) -> RunRecord:
    """The run with what only the workspace knows of it."""
    from bundleflow.adapters.workspace_runs import RunsWorkspace
    from bundleflow.runs.compare import compare
    from bundleflow.runs.complete import Wanted, complete, whole

    workspace = RunsWorkspace.from_env()
    if other is not None and not args.no_compare:
        run = replace(run, comparison=compare(run, whole(workspace, other)))
    from_file = run_is_file(args.run)
    warehouse = args.warehouse or os.environ.get("DATABRICKS_WAREHOUSE_ID", "")
    wanted = Wanted(not from_file, not (from_file or args.no_compare or args.compare), args.lineage, warehouse)
    return complete(workspace, run, wanted)


def run_is_file(text: str) -> bool:
    """Whether a run was named by a file: then the workspace is asked only for what was named."""
    return not text.isdecimal() and not text.startswith(("https://", "http://"))
