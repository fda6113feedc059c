"""`bundleflow propose-release`: the one release pull request, opened or brought up to date."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from bundleflow.adapters.git import commit_of
from bundleflow.adapters.github import GitHubApi
from bundleflow.adapters.runner import Runner
from bundleflow.commands.context import flow_path, print_json, tell
from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow.records.flow import FLOW_FILE, load_flow
from bundleflow.releases.preview import read_preview
from bundleflow.releases.release_pull_request import CLICK, Deployed, propose_release
from bundleflow.report.markdown import code, link

EXAMPLES = """example, after the deploying job of staging:
  BUNDLEFLOW_STAGE=staging bundleflow propose-release"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--stage", help="stage that was deployed (BUNDLEFLOW_STAGE)")
    parser.add_argument("--flow", help=f"the flow file (BUNDLEFLOW_FLOW; default: {FLOW_FILE})")
    parser.add_argument("--head", help="branch that was deployed (default: the branch of this workflow run)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON on standard output")


def run(args: argparse.Namespace) -> int:
    """Open, update or close the release pull request."""
    runner = Runner.here()
    flow = load_flow(flow_path(args))
    stage = flow.stage(args.stage or os.environ.get("BUNDLEFLOW_STAGE") or "")
    if stage.then_propose is None:
        raise BundleflowError(
            f"Stage `{stage.name}` proposes no release: it has no `then-propose` in {flow.path}.",
            fix=f"Add `then-propose: release` to stage `{stage.name}`, or do not call this for it.",
            reason=FailureReason.FLOW_MISMATCH,
            exit_code=ExitCode.USAGE,
        )
    weaker = next((each.approval.weaker_gate for each in flow.stages.values() if each.requires == stage.name), "")
    result = os.environ.get("BUNDLEFLOW_PREVIEW_RESULT") or "skipped"
    deployed = Deployed(
        stage=stage.name,
        sha=commit_of(),
        run_url=runner.run_url,
        digest=os.environ.get("BUNDLEFLOW_DEPLOYED_DIGEST") or "",
        weaker_gate=weaker,
        preview=read_preview(Path(os.environ["BUNDLEFLOW_PLAN_DIR"])) if result == "success" else None,
        preview_failed=result not in ("success", "skipped"),
        bundle=os.environ.get("BUNDLEFLOW_BUNDLE_DIR") or ".",
    )
    proposal = propose_release(GitHubApi.from_env(), head=args.head or _branch(), base=stage.then_propose, deployed=deployed)
    where = link(f"#{proposal.number}", proposal.url) if proposal.number else "none"
    runner.summary(
        f"### Release pull request: {proposal.action} ({where})\n\nFrom {code(args.head or _branch())} to {code(stage.then_propose)}."
        + (f"\n\n{CLICK}" if proposal.checks_wait else "")
    )
    runner.output("pull-request", str(proposal.number or ""))
    runner.output("pull-request-url", proposal.url)
    tell(f"release pull request: {proposal.action} {proposal.url}".rstrip())
    if args.json:
        print_json({"action": proposal.action, "number": proposal.number, "url": proposal.url})
    return 0


def _branch() -> str:
    reference = os.environ.get("GITHUB_REF", "")
    if not reference.startswith("refs/heads/"):
        raise BundleflowError(
            f"A release is proposed from a branch, and this run is for `{reference or 'nothing'}`.",
            fix="Start the workflow on the branch that staging is deployed from, or give `--head`.",
            exit_code=ExitCode.USAGE,
        )
    return reference.removeprefix("refs/heads/")
