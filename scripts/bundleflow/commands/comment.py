"""`bundleflow comment`: one comment on a pull request, created or updated in place."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from bundleflow.adapters.github import ACTIONS_BOT, GitHubApi
from bundleflow.adapters.runner import Runner
from bundleflow.commands.context import print_json, tell
from bundleflow.records.errors import BundleflowError, ExitCode
from bundleflow.releases.comment import room, sticky_comment

EXAMPLES = """example:
  bundleflow comment --key costs --file costs.md --pull-request 7"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--key", help="tells this comment from the kit's others (BUNDLEFLOW_COMMENT_KEY)")
    parser.add_argument("--file", type=Path, help="file with the Markdown of the comment (BUNDLEFLOW_COMMENT_FILE)")
    parser.add_argument("--pull-request", type=int, help="number of the pull request (default: the one that started this run)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON on standard output")


def run(args: argparse.Namespace) -> int:
    """Write the comment."""
    runner = Runner.here()
    number = args.pull_request or runner.pull_request
    key = args.key or os.environ.get("BUNDLEFLOW_COMMENT_KEY") or ""
    file = args.file or Path(os.environ.get("BUNDLEFLOW_COMMENT_FILE") or "")
    if number is None:
        raise _wrong("This run was not started by a pull request.", "Give its number with `--pull-request`.")
    if not file.is_file():
        raise _wrong(f"There is no file `{file}` with the comment's text.", "Write the Markdown into a file and give it with `--file`.")
    body = _cut(file.read_text(encoding="utf-8", errors="replace"), room(key))
    author = os.environ.get("BUNDLEFLOW_COMMENT_AUTHOR") or ACTIONS_BOT
    posted = sticky_comment(GitHubApi.from_env(), number, key, body, author=author)
    if posted.action == "read-only":
        tell("the token may not comment (a fork or Dependabot): the text is in the job summary")
        runner.summary(body)
    runner.output("comment-url", posted.url)
    tell(f"comment {posted.action} {posted.url}".rstrip())
    if args.json:
        print_json({"action": posted.action, "url": posted.url})
    return 0


def _cut(text: str, limit: int) -> str:
    """Text of somebody else's making that is too long, cut at a line's end; an open fence is closed."""
    if len(text) <= limit:
        return text
    note = "\n\n_The rest did not fit into a comment._"
    kept = text[: limit - len(note) - 8].rpartition("\n")[0]
    fences = [line for line in kept.splitlines() if line.lstrip().startswith("```")]
    return kept + ("\n```" if len(fences) % 2 else "") + note


def _wrong(cause: str, fix: str) -> BundleflowError:
    return BundleflowError(cause, fix=fix, exit_code=ExitCode.USAGE)
