"""`bundleflow cleanup`: removes what pull requests have left deployed: one's that was closed, or whatever nobody needs any more."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace

from bundleflow.adapters.databricks_cli import DatabricksCli
from bundleflow.adapters.git import fetch_commit, worktree
from bundleflow.adapters.github import GitHubApi
from bundleflow.adapters.outside_pull import outside_pull
from bundleflow.adapters.preload import SDK, preload
from bundleflow.adapters.runner import Runner
from bundleflow.adapters.workspace_contents import WorkspaceContents
from bundleflow.commands.context import JobContext, add_stage_arguments, load_job, print_json, tell
from bundleflow.commands.steps import warn
from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow.records.own_deployment import OwnDeployment, now
from bundleflow.releases.isolation import PROBES, VARIABLE, resolved
from bundleflow.releases.own_deployments import Owner, Place, Rule, Verdict, find, judge
from bundleflow.releases.remove_deployment import remove
from bundleflow.report.markdown import code, escape

OLDER_THAN_HOURS = 24.0
MODES = ("dry-run", "destroy")

EXAMPLES = """examples:
  # in a job with `environment: {name: test, deployment: false}`
  BUNDLEFLOW_ENVIRONMENT=test bundleflow cleanup --dry-run             # list what would go, and why
  BUNDLEFLOW_ENVIRONMENT=test bundleflow cleanup --destroy             # remove it
  BUNDLEFLOW_ENVIRONMENT=test bundleflow cleanup --pull-request 17 --destroy

Without --dry-run or --destroy (BUNDLEFLOW_CLEANUP=dry-run|destroy), a clean-up that was started by hand only lists."""


@dataclass
class Outcome:
    """What became of one folder."""

    verdict: Verdict
    removed: str = ""
    error: BundleflowError | None = None

    def words(self, *, dry_run: bool) -> str:
        """For the table and the terminal."""
        if self.error:
            return "stays: it could not be removed"
        if not self.verdict.goes:
            return "stays"
        return "would go" if dry_run else f"removed {self.removed}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add_stage_arguments(parser)
    parser.add_argument("--pull-request", type=int, help="only this pull request, which is closed (default: that of a `closed` event)")
    parser.add_argument(
        "--older-than-hours",
        type=float,
        help=f"age at which a deployment goes anyway (BUNDLEFLOW_OLDER_THAN_HOURS; default: {OLDER_THAN_HOURS:g})",
    )
    parser.add_argument("--dry-run", action="store_true", help="only list what would be removed")
    parser.add_argument("--destroy", action="store_true", help="remove it, also when started by hand")


def run(args: argparse.Namespace) -> int:
    """Find, judge, remove."""
    runner = Runner.here()
    closed = args.pull_request or _closed(runner)
    if closed is not None and (outside := outside_pull(runner)):
        # Without a login nothing was deployed for it, and nothing can be looked up. What a person's push to it has left goes by age.
        runner.summary(f"## Clean-up\n\nPull request #{closed} has no identity ({outside}): nothing was deployed for it.")
        tell(f"pull request {closed} has no identity ({outside}): nothing was deployed for it")
        return 0
    job = load_job(args, stage="test")
    preload(SDK)  # GitHub is asked only where something has been left
    dry_run = _dry_run(args, job)
    rule = Rule(closed, _hours(args, job), now())
    outcomes = _judged(job, rule)
    if not dry_run:
        workspace = WorkspaceContents(job.env)
        for each in outcomes:
            if each.verdict.goes:
                _remove(job, workspace, each)
    _report(job, rule, outcomes, dry_run=dry_run)
    if args.json:
        print_json([_as_json(each, dry_run=dry_run) for each in outcomes])
    failed = [each for each in outcomes if each.error]
    if failed:
        raise _failed(failed)
    return 0


def _judged(job: JobContext, rule: Rule) -> list[Outcome]:
    cli = job.cli(restricted=True)
    place = Place.of(resolved(cli, PROBES[0]), PROBES[0], job.stage.target)
    github = GitHubApi.from_env(job.env)
    owner = Owner(github.repository, job.env.get("GITHUB_REPOSITORY_ID", ""), job.bundle, job.stage.target)
    own_run = int(job.env.get("GITHUB_RUN_ID") or 0)
    return [Outcome(judge(github, each, rule, own_run)) for each in find(WorkspaceContents(job.env), place, owner)]


def _remove(job: JobContext, workspace: WorkspaceContents, outcome: Outcome) -> None:
    """Remove one deployment; a failure is kept, so that the others get their turn."""
    deployment = outcome.verdict.found.deployment
    assert deployment is not None
    try:
        with ExitStack() as checkouts, job.runner.group(f"remove {deployment.root_path}"), job.runner.no_commands():
            outcome.removed = remove(workspace, deployment, _bundles(job, deployment, checkouts))
    except BundleflowError as error:
        outcome.error = error
        return
    tell(f"removed {deployment.root_path} {outcome.removed}")


def _bundles(job: JobContext, deployment: OwnDeployment, checkouts: ExitStack) -> Iterator[DatabricksCli]:
    """The bundle as it is here, then as it was when it was deployed; in checkouts of their own, and without running their code."""
    cli = replace(job.cli(restricted=True, variables={VARIABLE: deployment.suffix}), echo=False)
    for commit in ("HEAD", deployment.commit):
        if not commit:
            continue
        try:
            if commit != "HEAD":
                fetch_commit(commit, job.folder, server=job.env.get("GITHUB_SERVER_URL", ""), token=job.env.get("GITHUB_TOKEN", ""))
            folder = checkouts.enter_context(worktree(commit, job.folder))
        except BundleflowError as error:
            warn(job.runner, error, f"The bundle at {commit[:12]} cannot be had; {deployment.root_path} is removed without it")
            continue
        if folder.is_dir():
            yield replace(cli, folder=folder)


def _closed(runner: Runner) -> int | None:
    """The pull request whose closing started the workflow; None for other events.

    Raises:
        BundleflowError: The event is about a pull request that is not closed.
    """
    if "pull_request" not in runner.event:
        return None
    if runner.event.get("action") != "closed":
        raise BundleflowError(
            f"Pull request #{runner.pull_request} is not closed, so its deployment is not removed.",
            fix="Call cleanup.yml with `on: pull_request: types: [closed]`.",
            exit_code=ExitCode.USAGE,
        )
    return runner.pull_request


def _dry_run(args: argparse.Namespace, job: JobContext) -> bool:
    given = "dry-run" if args.dry_run else "destroy" if args.destroy else job.env.get("BUNDLEFLOW_CLEANUP") or ""
    if given and given not in MODES:
        raise BundleflowError(
            f"`{given[:80]}` is no way to clean up.",
            fix=f"Give the input `mode` one of {' and '.join(f'`{each}`' for each in MODES)}, or leave it out.",
            exit_code=ExitCode.USAGE,
        )
    # Nobody looks at a schedule; who starts it by hand wants to see the list first.
    return given == "dry-run" or (not given and job.env.get("GITHUB_EVENT_NAME") not in ("pull_request", "schedule"))


def _hours(args: argparse.Namespace, job: JobContext) -> float:
    given = job.env.get("BUNDLEFLOW_OLDER_THAN_HOURS") or ""
    try:
        hours = args.older_than_hours if args.older_than_hours is not None else float(given or OLDER_THAN_HOURS)
    except ValueError:
        hours = -1.0
    if not 1 <= hours < float("inf"):
        raise BundleflowError(
            f"`{given[:80] or args.older_than_hours}` is no age in hours.",
            fix="Give `older-than-hours` a number that is 1 or more.",
            exit_code=ExitCode.USAGE,
        )
    return hours


def _report(job: JobContext, rule: Rule, outcomes: list[Outcome], *, dry_run: bool) -> None:
    for each in outcomes:
        if not each.removed:
            tell(f"{each.verdict.found.root_path}: {each.words(dry_run=dry_run)} ({each.verdict.why})")
    what = f"pull request #{rule.closed}" if rule.closed is not None else "all deployments of pull requests"
    lines = [f"## Clean-up of target {code(job.stage.target)}: {what}", ""]
    if outcomes:
        lines += ["| folder | what | why |", "| --- | --- | --- |"]
        lines += [
            f"| {code(each.verdict.found.root_path)} | {escape(each.words(dry_run=dry_run))} | {escape(_why(each))} |" for each in outcomes
        ]
    else:
        lines.append("There is none.")
    if dry_run and any(each.verdict.goes for each in outcomes):
        lines += ["", "This was a dry run: nothing was removed. Start it again with `mode: destroy`."]
    job.runner.summary("\n".join(lines))
    job.runner.output("removed", str(sum(bool(each.removed) for each in outcomes)))
    tell(f"{len(outcomes)} looked at, {sum(bool(each.removed) for each in outcomes)} removed")


def _why(outcome: Outcome) -> str:
    return outcome.error.cause if outcome.error else outcome.verdict.why


def _as_json(outcome: Outcome, *, dry_run: bool) -> dict[str, str]:
    return {"folder": outcome.verdict.found.root_path, "what": outcome.words(dry_run=dry_run), "why": _why(outcome)}


def _failed(failed: list[Outcome]) -> BundleflowError:
    errors = [each.error for each in failed if each.error]
    if len(errors) == 1:
        return errors[0]
    return BundleflowError(
        f"{len(errors)} deployments could not be removed; the first: {errors[0].cause}",
        fix=errors[0].fix,
        reason=FailureReason.CLEANUP_FAILED,
        exit_code=max(each.exit_code for each in errors),
        details="\n".join(each.cause for each in errors),
    )
