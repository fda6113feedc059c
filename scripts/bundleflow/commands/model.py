"""`bundleflow model ACTION`: hands over to the action's own module, which alone is imported."""

from __future__ import annotations

import argparse
import importlib

ACTIONS = {
    "verdict": ("score challenger and champion on the hold-out, decide, write it down", "bundleflow.commands.model_verdict"),
    "status": ("show who is champion, what waits for approval, and what serves", "bundleflow.commands.model_status"),
    "approve": (
        "write a person's approval of one version and its verdict where the deployment job looks",
        "bundleflow.commands.model_approve",
    ),
    "promote": ("make the approved challenger champion, then switch its endpoint", "bundleflow.commands.model_promote"),
    "rollback": (
        "make the previous champion champion again, and repair what a killed promotion left",
        "bundleflow.commands.model_rollback",
    ),
    "connect": ("let each new version of a model start its deployment job", "bundleflow.commands.model_connect"),
    "copy": ("copy a version to another model, without its approvals and verdicts", "bundleflow.commands.model_copy"),
}
"""Help and module by action. A module offers `EXAMPLES`, `add_arguments(parser)` and `run(args) -> int`, as commands do."""

EXAMPLES = (
    "actions:\n"
    + "\n".join(f"  {name:<10}{text}" for name, (text, _) in ACTIONS.items())
    + """

examples:
  bundleflow model status --stage prod
  bundleflow model promote classifier --stage prod
  bundleflow model rollback classifier --stage prod

`bundleflow model ACTION --help` shows an action's options."""
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The action; its options are its own module's."""
    parser.add_argument("action", choices=list(ACTIONS), metavar="ACTION", help="one of the actions below")
    parser.add_argument("options", nargs=argparse.REMAINDER, help="options of the action")


def run(args: argparse.Namespace) -> int:
    """Carry out the action."""
    text, name = ACTIONS[args.action]
    module = importlib.import_module(name)
    parser = argparse.ArgumentParser(
        prog=f"bundleflow model {args.action}",
        description=text,
        epilog=getattr(module, "EXAMPLES", ""),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(parser)
    return int(module.run(parser.parse_args(args.options)))
