"""The pull request's check of every target: all calls of the CLI side by side, then everything that is wrong, target by target."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from bundleflow.adapters.cli_messages import Diagnostic, explain_failure
from bundleflow.adapters.databricks_cli import CliResult, DatabricksCli
from bundleflow.commands.context import JobContext
from bundleflow.commands.models_step import check_stage_models
from bundleflow.commands.steps import planning_identity
from bundleflow.records.errors import BundleflowError, FailureReason
from bundleflow.records.plan import Plan
from bundleflow.records.target_check import TargetCheck
from bundleflow.releases.checks import (
    check_identity_independent,
    check_managers_named,
    check_remarks,
    check_resolved,
    check_schedules,
    remarks,
    running_schedules,
)
from bundleflow.releases.digest import canonical_plan
from bundleflow.releases.isolation import check_isolation
from bundleflow.releases.policy import denial, judge
from bundleflow.releases.read_plan import read_plan

CALLS_AT_ONCE = 4
_STRICT = re.compile(r"(\d+) warnings? (?:was|were) found\. Warnings are not allowed in strict mode")


@dataclass
class _Calls:
    """The calls of the CLI for one target, under way."""

    cli: DatabricksCli
    plan: Future[CliResult]
    validation: Future[CliResult] | None = None
    summary: Future[dict[str, Any]] | None = None
    isolation: Future[Mapping[str, Any]] | None = None


def check_targets(job: JobContext) -> tuple[list[TargetCheck], dict[str, tuple[Diagnostic, ...]]]:
    """Check every target that the flow file names.

    The target of the job's own stage is validated strictly, which writes a folder; of the others only what reads is called.

    Args:
        job: The stage whose target the job's identity may write.

    Returns:
        A check for each target in the flow file's order, and what the CLI remarked, by target.
    """
    stages: dict[str, list[str]] = {}
    for stage in job.flow.stages.values():
        stages.setdefault(stage.target, []).append(stage.name)
    with ThreadPoolExecutor(CALLS_AT_ONCE) as pool:
        calls = {target: _start(job, target, names, pool) for target, names in stages.items()}
    diagnostics: dict[str, tuple[Diagnostic, ...]] = {}
    checks = []
    for target, names in stages.items():
        check = TargetCheck(target, tuple(names))
        diagnostics[target] = _evaluate(job, check, calls[target])
        checks.append(check)
    return checks, diagnostics


def _start(job: JobContext, target: str, stages: Sequence[str], pool: ThreadPoolExecutor) -> _Calls:
    cli = replace(job.cli(target=target, restricted=True), echo=False)
    calls = _Calls(cli, pool.submit(cli.plan))
    if target == job.stage.target:
        calls.validation = pool.submit(cli.validate, strict=True)
    else:
        calls.summary = pool.submit(cli.summary)
    if any(job.flow.stages[name].per_pull_request for name in stages):
        calls.isolation = pool.submit(check_isolation, cli)
    return calls


def _evaluate(job: JobContext, check: TargetCheck, calls: _Calls) -> tuple[Diagnostic, ...]:
    """Fill in what is wrong with a target, and give what the CLI remarked."""

    def step(work: Callable[[], object]) -> None:
        try:
            work()
        except BundleflowError as error:
            if _words(error) not in [_words(each) for each in check.errors]:
                check.errors.append(error)

    found: list[Diagnostic] = []
    step(lambda: found.extend(_read_plan(check, calls.plan)))
    if calls.validation is not None:
        validation = calls.validation
        step(lambda: found.extend(_read_validation(check, validation)))
    if calls.summary is not None:
        summary = calls.summary
        step(lambda: _read_summary(check, summary))
    said = tuple(dict.fromkeys(found))
    check.remarks = remarks(said, check.target)
    step(lambda: check_remarks(check.remarks, job.accepted, check.target))
    plan = check.plan
    if plan is not None:
        step(lambda: check_resolved(plan, check.configuration))
        check.verdict = judge(plan, job.flow.policy)
        denied = denial(check.verdict)
        check.errors += [denied] if denied else []
    if calls.isolation is not None:
        isolation = calls.isolation
        step(lambda: isolation.result())
        schedules = running_schedules(check.configuration, check.target)
        check.remarks += schedules
        step(lambda: check_schedules(schedules, job.accepted, check.target))
    stages = [job.flow.stages[name] for name in check.stages]
    if check.configuration:
        for each in stages:
            step(partial(check_stage_models, job, each, check.configuration))
    if plan is not None and any(each.plan_environment and not each.approval.one_identity for each in stages):
        step(lambda: _check_identity(plan, check))
    return said


def _words(error: BundleflowError) -> str:
    """What the CLI said, without the name of the command that said it: plan and validate often refuse the same thing."""
    return error.cause.rpartition(" failed: ")[2]


def _read_plan(check: TargetCheck, call: Future[CliResult]) -> tuple[Diagnostic, ...]:
    result = call.result()
    check.plan = read_plan(result.json())
    return result.diagnostics


def _read_summary(check: TargetCheck, call: Future[dict[str, Any]]) -> None:
    check.configuration = call.result()


def _read_validation(check: TargetCheck, call: Future[CliResult]) -> tuple[Diagnostic, ...]:
    """The configuration and the remarks of a strict validation; that warnings are not allowed is for the accepted ones to say.

    Raises:
        BundleflowError: The CLI found an error, or warnings that could not be told from its output.
    """
    result = call.result()
    errors = [each for each in result.diagnostics if each.severity == "Error"]
    warnings = [each for each in result.diagnostics if each.severity == "Warning"]
    strict = _STRICT.match(errors[0].message) if len(errors) == 1 else None
    if result.exit_code and (strict is None or int(strict[1]) != len(warnings)):
        raise explain_failure(result.argv, result.stderr, FailureReason.VALIDATION_FAILED)
    data = result.json()
    check.configuration = data if isinstance(data, Mapping) else {}
    return result.diagnostics


def _check_identity(plan: Plan, check: TargetCheck) -> None:
    """Say on the pull request already what the release would be refused for."""
    identity = planning_identity(check.configuration)
    canonical = canonical_plan(plan, target=check.target, tree="", identity=identity)
    check_managers_named(plan, identity, check.target)
    check_identity_independent(canonical, check.configuration, check.target)
