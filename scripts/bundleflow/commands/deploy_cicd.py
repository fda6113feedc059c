"""`bundleflow deploy-cicd`: adopts the repository of this job, as one pull request or, without a token for it, as a patch."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bundleflow.adapters.runner import Runner
from bundleflow.commands.context import print_json, tell
from bundleflow.records.errors import BundleflowError, ExitCode
from bundleflow.report.markdown import block, code, link

if TYPE_CHECKING:
    from bundleflow.adoption.files import ProposedFile
    from bundleflow.adoption.proposal import Proposal

PERMISSIONS = {"contents": "write", "pull_requests": "write", "workflows": "write"}
"""What the pull request needs; `workflows` is what GITHUB_TOKEN can never have."""

EXAMPLES = """example, in a job of the repository to be adopted:
  BUNDLEFLOW_APP_ID=12345 BUNDLEFLOW_APP_PRIVATE_KEY="$KEY" bundleflow deploy-cicd

Without an app and without BUNDLEFLOW_ADOPT_TOKEN, a patch is written to BUNDLEFLOW_PATCH_DIR: GitHub lets no GITHUB_TOKEN change
.github/workflows."""


@dataclass(frozen=True)
class Way:
    """How the files get into the repository.

    Args:
        token: May write workflow files; empty: nobody's may, and a patch is made.
        login: Under which the token acts; empty: it is asked for.
        words: Said before anything is done.
    """

    token: str
    login: str
    words: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--base", help="branch that the pull request is for (BUNDLEFLOW_BASE; default: the repository's default branch)")
    parser.add_argument("--run", metavar="JOB", action="append", default=[], help="job to run after each deployment (BUNDLEFLOW_JOBS)")
    parser.add_argument("--patch-dir", help="folder for the patch, where no token may write workflows (BUNDLEFLOW_PATCH_DIR)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON on standard output")


def run(args: argparse.Namespace) -> int:
    """Propose, then open the pull request or write the patch."""
    from bundleflow.adoption.files import State, by_state, proposed_files
    from bundleflow.adoption.kit import kit_sha
    from bundleflow.adoption.proposal import propose
    from bundleflow.adoption.survey import survey

    runner, env = Runner.here(), os.environ
    repository = env.get("GITHUB_REPOSITORY") or ""
    if not repository:
        raise BundleflowError("GITHUB_REPOSITORY is not set.", fix="Run this in a GitHub job.", exit_code=ExitCode.USAGE)
    base = args.base or env.get("BUNDLEFLOW_BASE") or str((runner.event.get("repository") or {}).get("default_branch") or "main")
    jobs = args.run or [job.strip() for job in (env.get("BUNDLEFLOW_JOBS") or "").split(",") if job.strip()]
    way = _way(env, repository, runner)
    tell(way.words)
    runner.summary(f"## Adoption of {code(repository)}\n\n{way.words}")
    proposal = propose(survey(Path.cwd()), jobs)
    files = proposed_files(proposal, kit_sha(env))
    if not by_state(files)[State.NEW]:
        _tell_nothing(runner, files)
        result: dict[str, object] = {"mode": "nothing"}
    elif way.token:
        result = _pull_request(runner, env, repository, base, way, proposal, files)
    else:
        result = _patch(runner, env, repository, base, Path(args.patch_dir or env.get("BUNDLEFLOW_PATCH_DIR") or "."), proposal, files)
    runner.output("mode", str(result["mode"]))
    if args.json:
        print_json(result)
    return ExitCode.OK


def _way(env: Mapping[str, str], repository: str, runner: Runner) -> Way:
    """Which token is used; said before anything is done with it."""
    app_id, key = env.get("BUNDLEFLOW_APP_ID") or "", env.get("BUNDLEFLOW_APP_PRIVATE_KEY") or ""
    if bool(app_id) != bool(key):
        missing = "app-private-key" if app_id else "app-id"
        raise BundleflowError(
            f"A GitHub App needs both its id and its private key: `{missing}` is missing.",
            fix=f"Give `{missing}` too, or neither: then a patch is made.",
            exit_code=ExitCode.USAGE,
        )
    if app_id:
        from bundleflow.adapters.app_token import installation_token

        api = env.get("GITHUB_API_URL") or "https://api.github.com"
        made = installation_token(app_id, key, repository, api, PERMISSIONS)
        runner.mask(made.token)
        return Way(made.token, made.login, f"The pull request is opened by the GitHub App {made.login}.")
    if given := env.get("BUNDLEFLOW_ADOPT_TOKEN"):
        runner.mask(given)
        return Way(given, "", "The pull request is opened with the token that was given.")
    return Way(
        "",
        "",
        "No GitHub App and no token were given, and GitHub lets no GITHUB_TOKEN change .github/workflows: a patch is made, with the three "
        "commands that apply it.",
    )


def _pull_request(
    runner: Runner, env: Mapping[str, str], repository: str, base: str, way: Way, proposal: Proposal, files: Sequence[ProposedFile]
) -> dict[str, object]:
    from bundleflow.adapters.github_branch import BranchApi
    from bundleflow.adoption.checklist import Place
    from bundleflow.adoption.pull_request import open_adoption, pull_request_body

    github = BranchApi(repository, way.token, env.get("GITHUB_API_URL") or BranchApi.api_url)
    body = pull_request_body(proposal, files, Place.of(proposal.survey.root, env), runner.run_url)
    done = open_adoption(github, base=base, login=way.login or github.who(), files=files, body=body)
    runner.summary(f"Pull request {link(f'#{done.number}', done.url)}: {done.action}.")
    runner.output("pull-request", str(done.number))
    runner.output("pull-request-url", done.url)
    tell(f"pull request: {done.action} {done.url}")
    return {"mode": "pull-request", "action": done.action, "number": done.number, "url": done.url}


def _patch(
    runner: Runner, env: Mapping[str, str], repository: str, base: str, folder: Path, proposal: Proposal, files: Sequence[ProposedFile]
) -> dict[str, object]:
    from bundleflow.adoption.checklist import Place
    from bundleflow.adoption.pull_request import BODY_FILE, PATCH_FILE, patch, patch_commands, pull_request_body

    folder.mkdir(parents=True, exist_ok=True)
    (folder / PATCH_FILE).write_text(patch(files), encoding="utf-8")
    body = pull_request_body(proposal, files, Place.of(proposal.survey.root, env), runner.run_url)
    (folder / BODY_FILE).write_text(body + "\n", encoding="utf-8")
    commands = patch_commands(env.get("GITHUB_RUN_ID") or "", repository, base)
    runner.summary("In a clone of the repository:\n\n" + block("\n".join(commands), "sh") + f"\n\n{body}")
    runner.output("patch", "true")
    for command in commands:
        tell(command)
    return {"mode": "patch", "patch": str(folder / PATCH_FILE), "commands": list(commands)}


def _tell_nothing(runner: Runner, files: Sequence[ProposedFile]) -> None:
    differing = [each.path for each in files if each.state == "differs"]
    text = "Everything that would be proposed is there already."
    if differing:
        text += f" These say something else, and are left as they are: {', '.join(differing)}."
    tell(text)
    runner.summary(text)
