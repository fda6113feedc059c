"""`bundleflow ci`: the pull request's check: strict validation of the test target, a plan of every target, one comment."""

from __future__ import annotations

import argparse
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bundleflow.adapters.git import tree_of
from bundleflow.adapters.github import ACTIONS_BOT, GitHubApi
from bundleflow.adapters.outside_pull import outside_pull
from bundleflow.adapters.preload import GITHUB, preload
from bundleflow.adapters.runner import Runner
from bundleflow.commands.ci_offline import check_without_identity
from bundleflow.commands.ci_targets import check_targets
from bundleflow.commands.context import JobContext, add_stage_arguments, load_job, print_json, tell
from bundleflow.commands.plan import plan_data
from bundleflow.commands.steps import annotate, warn
from bundleflow.records.errors import BundleflowError
from bundleflow.records.target_check import TargetCheck
from bundleflow.releases.comment import Stamp, mark_outdated, room, sticky_comment
from bundleflow.releases.digest import hide_secrets
from bundleflow.releases.policy import unknown_allowances
from bundleflow.releases.preview import bundle_id
from bundleflow.report.markdown import code, link
from bundleflow.report.markdown_check import check_markdown

SUMMARY_LIMIT = 900_000
DATA_FILE = "bundle-ci.json"

EXAMPLES = """example, in a job with `environment: {name: test, deployment: false}`:
  BUNDLEFLOW_ENVIRONMENT=test bundleflow ci"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add_stage_arguments(parser)
    parser.add_argument("--plan-dir", help=f"folder to write the plans to, secrets masked, as {DATA_FILE} (BUNDLEFLOW_PLAN_DIR)")


def run(args: argparse.Namespace) -> int:
    """Check every target of the flow file; on a pull request without an identity what can be checked without one."""
    runner = Runner.here()
    outside = outside_pull(runner)
    try:
        job = load_job(args, stage="test", login=not outside)
        accepted = job.accepted
    except BundleflowError:
        if not outside:
            folder = Path(args.bundle_dir or runner.env.get("BUNDLEFLOW_BUNDLE_DIR") or ".")
            _warn_of(runner, _mark_outdated(runner, folder.as_posix(), "could not be checked"))
        raise
    if outside:
        return check_without_identity(job, outside, as_json=args.json)
    if job.runner.is_actions:
        preload(GITHUB)
    with job.runner.group("check every target"), ThreadPoolExecutor(1) as pool:
        outdated = pool.submit(_mark_outdated, runner, job.bundle, "is being checked")
        checks, diagnostics = check_targets(job)
    _warn_of(runner, outdated.result())
    for check in checks:
        annotate(job.runner, job.cli(target=check.target), diagnostics[check.target])
        tell(f"target {check.target} ({', '.join(check.stages)}): {check.state}")
    found = [remark for check in checks for remark in check.remarks]
    for line in accepted.remarks_on_itself(found, datetime.now(UTC).date()):
        _say(job, line, "accepted warnings")
    if all(check.plan for check in checks):
        for note in unknown_allowances(job.flow.policy.allow, [check.plan for check in checks if check.plan]):
            _say(job, note.text, "policy")
    data = {check.target: _data(check) for check in checks}
    _write_data(args.plan_dir or job.env.get("BUNDLEFLOW_PLAN_DIR") or "", data, job)
    _report(job, checks)
    if args.json:
        print_json(data)
    return _verdict(job, checks)


def _verdict(job: JobContext, checks: Sequence[TargetCheck]) -> int:
    """Fail with the first error; the others are annotated."""
    errors = [(check.target, error) for check in checks for error in check.errors]
    for target, error in errors[1:]:
        job.runner.annotate("error", f"{error.cause}\n{error.fix}".strip(), title=f"bundleflow: target {target}")
        tell(f"target {target}: {error.cause}")
    if errors:
        raise errors[0][1]
    return 0


def _say(job: JobContext, line: str, what: str) -> None:
    """Tell of something that does not change the verdict."""
    tell(f"warning: {line}")
    job.runner.annotate("warning", line, title=f"bundleflow: {what}")


def _data(check: TargetCheck) -> dict[str, Any]:
    """A target's check as plain values; secrets masked."""
    return {
        "stages": list(check.stages),
        "summary": check.state,
        "plan": check.plan and plan_data(check.plan),
        "policy": check.verdict.data(),
        "warnings": [each.text for each in check.remarks],
        "errors": [{"reason": each.reason, "cause": each.cause, "fix": each.fix} for each in check.errors],
    }


def _write_data(folder: str, data: dict[str, Any], job: JobContext) -> None:
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        (Path(folder) / DATA_FILE).write_text(json.dumps(data, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")
        job.runner.output("plan-written", "true")
        # The name of an artifact may not hold a slash; bundles of one repository must not overwrite each other's.
        job.runner.output("bundle-id", bundle_id(job.bundle))


def _mark_outdated(runner: Runner, bundle: str, fate: str) -> BundleflowError | None:
    """Mark the comment about an older commit, while the CLI works; what kept it from that is given back."""
    number = runner.pull_request
    if number is None or not runner.is_actions:
        return None
    try:
        stamp = Stamp.of_job(runner.env, runner.event)
        mark_outdated(
            GitHubApi.from_env(runner.env), number, comment_key(bundle), stamp, runner.run_url, author=_author(runner.env), fate=fate
        )
    except BundleflowError as error:
        return error
    return None


def _warn_of(runner: Runner, trouble: BundleflowError | None) -> None:
    if trouble:
        warn(runner, trouble, "The comment could not be marked as outdated")


def _report(job: JobContext, checks: Sequence[TargetCheck]) -> None:
    job.runner.summary(_text(job, checks, SUMMARY_LIMIT))
    number = job.runner.pull_request
    if number is None or not job.runner.is_actions:
        return
    key, stamp = comment_key(job.bundle), Stamp.of_job(job.env, job.runner.event)
    try:
        body = _text(job, checks, room(key, stamp))
        posted = sticky_comment(GitHubApi.from_env(job.env), number, key, body, author=_author(job.env), stamp=stamp)
    except BundleflowError as error:
        # The check's verdict is about the bundle, not about the comment.
        warn(job.runner, error, "The comment could not be written")
        return
    if posted.action == "read-only":
        tell("the token may not comment (a fork or Dependabot): the plan is in the job summary")
    if posted.action == "superseded":
        tell("a newer run has written the comment: it stays, and this plan is in the job summary")
    job.runner.output("comment-url", posted.url)


def _author(env: Mapping[str, str]) -> str:
    return env.get("BUNDLEFLOW_COMMENT_AUTHOR") or ACTIONS_BOT


def comment_key(bundle: str) -> str:
    """Key of the comment of one bundle; a folder whose name cannot be in a marker is told from others by a hash."""
    if re.fullmatch(r"[A-Za-z0-9._/-]{1,90}", bundle) and "--" not in bundle:
        return f"ci/{bundle}"
    return f"ci/{hashlib.sha256(bundle.encode()).hexdigest()[:16]}"


def _text(job: JobContext, checks: Sequence[TargetCheck], limit: int) -> str:
    sha = Stamp.of_job(job.env, job.runner.event).head
    head = f"## bundleflow: what this change would do{f' to {code(job.bundle)}' if job.bundle != '.' else ''}"
    tail = "Made for commit " + code(sha[:12]) if sha else f"Made for tree {code(tree_of()[:12])}"
    pointer = ""
    if job.runner.run_url:
        tail += " · " + link("run", job.runner.run_url)
        pointer = link("The run's summary and its artifact have the whole plan.", job.runner.run_url)
    return check_markdown(head, checks, tail, hide=hide_secrets, limit=limit, pointer=pointer)
