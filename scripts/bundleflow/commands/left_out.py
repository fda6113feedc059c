"""Says, on a pull request without an identity, what was left out, why, and who can have it done."""

from __future__ import annotations

from bundleflow.adapters.outside_pull import Outside
from bundleflow.adapters.runner import Runner
from bundleflow.commands.context import tell
from bundleflow.report.markdown import block

_WHY = {
    "fork": "It comes from a fork, and GitHub gives its workflows a token that only reads, no login and no secret.",
    "dependabot": "Dependabot started this run, and GitHub treats it like one from a fork: no login and no secret.",
}
OUTPUT = "left-out"


def tell_left_out(runner: Runner, outside: Outside, what: str) -> None:
    """Tell it in the log, as a notice, in the summary and as the output `left-out`; nothing is written on the pull request.

    Args:
        runner: The runner.
        outside: Why there is no identity; not empty.
        what: What was left out, the subject of a sentence in the plural.
    """
    number = runner.pull_request
    needs = "This needs a maintainer: read the change, then push its branch to this repository, where everything is checked."
    runner.annotate("notice", f"{what} were left out. {_WHY[outside]} {needs}", title="bundleflow: left out")
    commands = f"gh pr checkout {number}\ngit push origin HEAD:refs/heads/pull-{number}"
    runner.summary(
        f"#### Left out: what needs a workspace\n\n{what} were **left out**. {_WHY[outside]}\n\n{needs}\n\n{block(commands, 'sh')}\n\n"
        "Then open a pull request from that branch, or start the workflow by hand on it. Its code runs with the test environment's "
        "identity there: that is what a maintainer decides."
    )
    runner.output(OUTPUT, outside)
    tell(f"left out ({outside}): {what}; needs a maintainer, who pushes the branch to this repository")
