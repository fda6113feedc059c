"""Hands `bundleflow rehearse` and `bundleflow local` to the module that does them, which is imported only then."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason

STAND_INS: dict[str, tuple[str, str]] = {
    "workspace": ("rehearsal.workspace.main", "the Databricks workspace, on a free port of this machine"),
    "databricks": ("rehearsal.databricks_cli.main", "the Databricks CLI: `bundleflow local databricks bundle plan ...`"),
    "github": ("rehearsal.github.main", "GitHub's API, on a free port of this machine"),
}
"""A stand-in's name, with its module (which has `main(argv) -> int`) and what it stands in for."""


def rehearse(argv: Sequence[str]) -> int:
    """Play a project's way to production on this machine.

    Args:
        argv: The arguments after `bundleflow rehearse`.

    Returns:
        The exit code: 0 when every expectation held, 1 when one did not, 2 for wrong use, 3 for trouble outside the project.
    """
    from rehearsal.rehearse.main import main

    return main(argv)


def local(argv: Sequence[str]) -> int:
    """Start one stand-in by itself.

    Args:
        argv: The arguments after `bundleflow local`: the stand-in's name, then its own arguments.

    Returns:
        The exit code of the stand-in.

    Raises:
        BundleflowError: There is no stand-in of that name.
    """
    if not argv or argv[0] in {"-h", "--help"}:
        print("usage: bundleflow local NAME [ARGUMENTS]\n\nStand-ins for rehearsing and testing; never for a real deployment:\n")
        for name, (_, text) in STAND_INS.items():
            print(f"  {name:<10}  {text}")
        print("\n`bundleflow local NAME --help` shows the options of one.")
        return ExitCode.OK if argv else ExitCode.USAGE
    if argv[0] not in STAND_INS:
        raise BundleflowError(
            f"There is no stand-in `{argv[0]}`.",
            fix=f"Use one of: {', '.join(STAND_INS)}.",
            reason=FailureReason.WRONG_USE,
            exit_code=ExitCode.USAGE,
        )
    module = importlib.import_module(STAND_INS[argv[0]][0])
    return int(module.main(list(argv[1:])))
