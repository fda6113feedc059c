"""Runs the bundle's own scripts (`experimental.scripts`) around the steps they are named after."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys

from rehearsal.databricks_cli.bundle import Bundle
from rehearsal.databricks_cli.diagnostics import CommandError

RESTRICTED = "DATABRICKS_BUNDLE_RESTRICTED_CODE_EXECUTION"
"""When this variable is set, a bundle that wants to run code of its own is refused."""

TIME_LIMIT_SECONDS = 3600


def run(bundle: Bundle, name: str) -> None:
    """Run the script of this name, when the bundle has one; its output goes to standard error.

    Args:
        bundle: The bundle; the script runs in its folder.
        name: `preinit`, `postinit`, `prebuild`, `postbuild`, `predeploy` or `postdeploy`.

    Raises:
        CommandError: Scripts are not allowed here, or the script failed.
    """
    node = bundle.config.get("experimental", "scripts")
    command = node.text(name) if node is not None else ""
    if node is not None and node.value and os.environ.get(RESTRICTED):
        raise CommandError(f"the bundle has scripts, and {RESTRICTED} is set: no code of the bundle is run", locations=node.locations[:1])
    if not command:
        return
    bundle.diagnostics.log(f"Executing '{name}' script")
    result = shell(command, str(bundle.root))
    print(result.stdout, end="", file=sys.stderr, flush=True)
    if result.returncode:
        raise CommandError(f"failed to execute script: exit status {result.returncode}")


def shell(command: str, folder: str, program: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command line of the bundle's own configuration, which is written for a shell, and collect its output.

    Args:
        command: The command line.
        folder: Where it runs.
        program: The shell, by default bash, or sh where there is none.

    Raises:
        CommandError: It took longer than an hour.
    """
    from rehearsal.executor.processes import die_with_parent

    try:
        return subprocess.run(
            [program or shutil.which("bash") or "sh", "-c", command],
            cwd=folder,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIME_LIMIT_SECONDS,
            preexec_fn=functools.partial(die_with_parent, os.getpid()),
            check=False,
        )
    except subprocess.TimeoutExpired as problem:
        raise CommandError(f"command of the bundle took longer than {TIME_LIMIT_SECONDS} s: {command}") from problem
