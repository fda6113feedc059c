"""`bundleflow ci`: the pull request's check: strict validation of the test target, a plan of every target, one comment."""

from __future__ import annotations

import argparse
import hashlib
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from bundleflow.adapters.cli_messages import Diagnostic
from bundleflow.adapters.databricks_cli import DatabricksCli
from bundleflow.adapters.git import tree_of
from bundleflow.adapters.github import ACTIONS_BOT, GitHubApi
from bundleflow.adapters.preload import GITHUB, preload
from bundleflow.commands.context import JobContext, add_stage_arguments, load_job, print_json, tell
from bundleflow.commands.steps import annotate, checked_plan, planning_identity, validated, warn
from bundleflow.records.errors import BundleflowError
from bundleflow.records.plan import Plan
from bundleflow.releases.checks import check_identity_independent
from bundleflow.releases.comment import marker, sticky_comment
from bundleflow.releases.digest import canonical_plan, hide_secrets
from bundleflow.releases.isolation import check_isolation
from bundleflow.releases.policy import check_policy
from bundleflow.report.errors import error_markdown
from bundleflow.report.markdown import COMMENT_LIMIT, code, escape, link
from bundleflow.report.markdown_plan import PlanSection, plan_markdown

PLANS_AT_ONCE = 2
SUMMARY_LIMIT = 900_000

EXAMPLES = """example, in a job with `environment: {name: test, deployment: false}`:
  BUNDLEFLOW_ENVIRONMENT=test bundleflow ci"""


@dataclass(frozen=True)
class TargetResult:
    """What came of one target: a plan, an error, or both (a plan that is refused), and what the CLI warned of."""

    target: str
    stages: tuple[str, ...]
    plan: Plan | None = None
    error: BundleflowError | None = None
    warnings: tuple[Diagnostic, ...] = ()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add_stage_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Check every target of the flow file."""
    job = load_job(args, stage="test")
    if job.runner.is_actions:
        preload(GITHUB)
    targets: dict[str, list[str]] = {}
    for stage in job.flow.stages.values():
        targets.setdefault(stage.target, []).append(stage.name)
    strict: BundleflowError | None = None
    configuration: Mapping[str, Any] = {}
    try:
        configuration = validated(job.runner, job.cli(restricted=True), strict=True)
    except BundleflowError as error:
        strict = error
    with job.runner.group("plan every target"), job.runner.no_commands(), ThreadPoolExecutor(PLANS_AT_ONCE) as pool:
        results = list(pool.map(lambda item: _plan_target(job, item[0], tuple(item[1]), planning_identity(configuration)), targets.items()))
    if strict:
        results = [replace(each, error=strict) if each.target == job.stage.target else each for each in results]
    _report(job, results)
    if args.json:
        print_json(
            {each.target: {"plan": each.plan and str(each.plan.summary), "error": each.error and each.error.cause} for each in results}
        )
    failed = [each for each in results if each.error]
    for each in failed[1:]:
        assert each.error is not None
        job.runner.annotate("error", f"{each.error.cause}\n{each.error.fix}".strip(), title=f"bundleflow: target {each.target}")
        tell(f"target {each.target}: {each.error.cause}")
    if failed:
        assert failed[0].error is not None
        raise failed[0].error
    return 0


def _plan_target(job: JobContext, target: str, stages: tuple[str, ...], identity: str) -> TargetResult:
    cli = replace(job.cli(target=target, restricted=True), echo=False)
    plan: Plan | None = None
    warnings: tuple[Diagnostic, ...] = ()
    try:
        result = cli.plan()
        warnings = tuple(each for each in result.diagnostics if each.severity == "Warning")
        plan = checked_plan(result, target)
        check_policy(plan, job.flow.policy)
        if any(job.flow.stages[stage].per_pull_request for stage in stages):
            check_isolation(cli)
        if any(job.flow.stages[stage].plan_environment for stage in stages):
            _check_identity(cli, plan, target, identity)
    except BundleflowError as error:
        return TargetResult(target, stages, plan, error, warnings)
    return TargetResult(target, stages, plan, None, warnings)


def _check_identity(cli: DatabricksCli, plan: Plan, target: str, identity: str) -> None:
    """Say on the pull request already what the release would be refused for."""
    summary = cli.summary()
    canonical = canonical_plan(plan, target=target, tree="", identity=identity or planning_identity(summary))
    check_identity_independent(canonical, summary, target)


def _report(job: JobContext, results: list[TargetResult]) -> None:
    for each in results:
        annotate(job.runner, job.cli(target=each.target), each.warnings)
        state = each.error.cause if each.error else str(each.plan and each.plan.summary)
        tell(f"target {each.target} ({', '.join(each.stages)}): {state}")
    job.runner.summary(_text(job, results, SUMMARY_LIMIT))
    number = job.runner.pull_request
    if number is None or not job.runner.is_actions:
        return
    key = comment_key(job.bundle)
    body = _text(job, results, COMMENT_LIMIT - len(marker(key)) - 1)
    author = job.env.get("BUNDLEFLOW_COMMENT_AUTHOR") or ACTIONS_BOT
    try:
        posted = sticky_comment(GitHubApi.from_env(job.env), number, key, body, author=author)
    except BundleflowError as error:
        # The check's verdict is about the bundle, not about the comment.
        warn(job.runner, error, "The comment could not be written")
        return
    if posted.action == "read-only":
        tell("the token may not comment (a fork or Dependabot): the plan is in the job summary")
    job.runner.output("comment-url", posted.url)


def comment_key(bundle: str) -> str:
    """Key of the comment of one bundle; a folder whose name cannot be in a marker is told from others by a hash."""
    if re.fullmatch(r"[A-Za-z0-9._/-]{1,90}", bundle) and "--" not in bundle:
        return f"ci/{bundle}"
    return f"ci/{hashlib.sha256(bundle.encode()).hexdigest()[:16]}"


def _text(job: JobContext, results: list[TargetResult], limit: int) -> str:
    sha = job.env.get("GITHUB_SHA") or ""
    head = f"## bundleflow: what this change would do{f' to {code(job.bundle)}' if job.bundle != '.' else ''}"
    tail = "Made for commit " + code(sha[:12]) if sha else f"Made for tree {code(tree_of()[:12])}"
    if job.runner.run_url:
        tail += " · " + link("run", job.runner.run_url)
    share = (limit - len(head) - len(tail) - 10) // max(len(results), 1)
    pointer = link("The job summary has more.", job.runner.run_url) if job.runner.run_url else ""
    sections = [_section(each, share - 10, pointer) for each in results]
    return "\n\n".join([head, *sections, tail])


def _section(result: TargetResult, limit: int, pointer: str) -> str:
    problem = ""
    if result.error:
        problem = error_markdown(result.error)
        if len(problem) > limit // 2:
            problem = f"### ❌ {escape(result.error.cause, min(1000, limit // 8))}\n\nFailure reason: `{result.error.reason}`"
    if result.plan is None:
        return f"### Target {escape(result.target, 200)}\n\n{problem}"
    title = f"target {result.target} ({', '.join(result.stages)})"
    text = plan_markdown(PlanSection(title, result.plan), hide=hide_secrets, limit=limit - len(problem) - 2, pointer=pointer)
    return f"{text}\n\n{problem}" if problem else text
