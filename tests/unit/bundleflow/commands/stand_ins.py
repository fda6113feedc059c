"""The stand-ins for the Databricks CLI and the workspace, as the kit's commands meet them: by processes and HTTP."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def stand_ins_at(folder: Path, *arguments: str) -> Iterator[dict[str, str]]:
    """Start a workspace; gives the environment of commands that are to use it, and the CLI's stand-in.

    Args:
        folder: Home of the commands, with the CLI's cache.
        arguments: More arguments of `bundleflow local workspace`.
    """
    cli = folder / "databricks"
    cli.write_text(f'#!/bin/sh\nexec {sys.executable} -m bundleflow local databricks "$@"\n')
    cli.chmod(0o755)
    workspace = [sys.executable, "-m", "bundleflow", "local", "workspace", *arguments]
    with subprocess.Popen(workspace, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield {
                "PATH": os.environ["PATH"],
                "HOME": str(folder),
                "DATABRICKS_CLI_PATH": str(cli),
                "DATABRICKS_HOST": process.stdout.readline().strip(),
                "DATABRICKS_TOKEN": "t",
                "DATABRICKS_CONFIG_FILE": os.devnull,
                "DATABRICKS_CACHE_DIR": str(folder / "cache"),
                "BUNDLEFLOW_POLL_SECONDS": "0.2",
            }
        finally:
            process.terminate()
            process.wait(30)
