"""The environment of every process of a rehearsal: what is on this list, and nothing of the caller's."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason

_STANDARD_PATH = ("/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin")
POLL_SECONDS = "0.1"
"""How often the kit looks at a run at first; on a runner it is a second. Runs of a rehearsal take seconds, not minutes."""

CLI_CALLS, CLI_TIMES = "cli-calls", "cli-times"
"""Files in the rehearsal's folder: a line per call of the CLI (run, job), and the stand-in's seconds beside it."""

OLDEST_CLI = (1, 9)
SPARK_PORT = 15002
"""Port of Spark Connect where an address names none."""

_FROM_CALLER = ("LD_LIBRARY_PATH", "SSL_CERT_FILE")
"""Needed by some installations of Python to start at all."""


def git_program() -> str:
    """Find git.

    Raises:
        BundleflowError: There is none.
    """
    found = shutil.which("git")
    if not found:
        raise BundleflowError(
            "git is not on PATH; the rehearsal keeps the project's branches in a real git repository.",
            fix="Install git (`apt-get install git`, `brew install git`) and start again.",
            reason=FailureReason.OUTSIDE_TROUBLE,
            exit_code=ExitCode.TROUBLE,
        )
    return found


def clean_environment(folder: Path, extra: Mapping[str, str]) -> dict[str, str]:
    """Make the environment.

    Args:
        folder: The rehearsal's folder; home, temporary files and caches lie in it.
        extra: What is added (proxies, the watchdog's mark).
    """
    for name in ("home", "tmp", "cache", "bin"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    path = [str(folder / "bin"), str(Path(git_program()).parent), *_STANDARD_PATH]
    out = {name: os.environ[name] for name in _FROM_CALLER if name in os.environ}
    return out | {
        "PATH": os.pathsep.join(dict.fromkeys(path)),
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "XDG_CONFIG_HOME": str(folder / "home" / ".config"),
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "PAGER": "cat",
        "GIT_PAGER": "cat",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "DATABRICKS_CONFIG_FILE": os.devnull,
        "ACT_DISABLE_VERSION_CHECK": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "1",
        "BUNDLEFLOW_POLL_SECONDS": POLL_SECONDS,
        # A bundle's wheel is built with what is installed here: a build environment of its own would be downloaded.
        "UV_NO_BUILD_ISOLATION": "1",
        "UV_OFFLINE": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        **extra,
    }


def link_programs(folder: Path, cli: Path | None) -> None:
    """Put `python3` and `databricks` on the rehearsal's PATH.

    Args:
        folder: The rehearsal's folder.
        cli: The real Databricks CLI; None: the stand-in.
    """
    base = Path(sys.base_prefix) / "bin"
    python = next((path for path in (base / f"python3.{sys.version_info.minor}", base / "python3") if path.exists()), Path(sys.executable))
    for name in ("python3", "python"):
        (folder / "bin" / name).symlink_to(python)
    # The program's own Python, isolated: nothing that the rehearsed project sets can reach it. Each call leaves a line, to be counted.
    program = f"'{cli.resolve()}'" if cli else f"'{sys.executable}' -I -m rehearsal.databricks_cli"
    lines = (
        "#!/bin/sh",
        f"echo \"$GITHUB_RUN_ID $GITHUB_JOB\" >> '{folder / CLI_CALLS}'",
        f"export REHEARSAL_CLI_TIMES='{folder / CLI_TIMES}'",
        f'exec {program} "$@"',
    )
    launcher = folder / "bin" / "databricks"
    launcher.write_text("\n".join(lines) + "\n", encoding="utf-8")
    launcher.chmod(0o755)


def cli_calls(folder: Path) -> int:
    """Count the calls of the Databricks CLI so far."""
    return len(cli_callers(folder))


def cli_callers(folder: Path) -> list[tuple[str, str]]:
    """Give the workflow run and the job of each call of the Databricks CLI so far; empty texts for a call from outside a job."""
    counted = folder / CLI_CALLS
    lines = counted.read_text(encoding="utf-8").splitlines() if counted.exists() else []
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in lines]


def cli_version(cli: Path) -> str:
    """Give the version of a real Databricks CLI.

    Raises:
        BundleflowError: The program is no Databricks CLI, or older than 1.9.
    """
    try:
        said = subprocess.run([str(cli), "version"], capture_output=True, text=True, timeout=30, check=False).stdout
    except (OSError, subprocess.SubprocessError) as error:
        said = str(error)
    found = re.search(r"Databricks CLI v((\d+)\.(\d+)\.\d+)", said)
    if not found or (int(found[2]), int(found[3])) < OLDEST_CLI:
        raise BundleflowError(
            f"--cli {cli}: this is no Databricks CLI 1.9 or newer; it says {said.strip()[:200]!r}.",
            fix="Give the path of a Databricks CLI from 1.9 on, or leave --cli out to use the stand-in.",
            reason=FailureReason.WRONG_USE,
            exit_code=ExitCode.USAGE,
        )
    return found[1]


def check_spark(url: str) -> None:
    """Check that the Spark cluster that the user named takes connections.

    Args:
        url: `sc://HOST[:PORT][/;...]`.

    Raises:
        BundleflowError: It does not; tasks would wait for it until they time out.
    """
    address = urlsplit(url)
    try:
        socket.create_connection((address.hostname or "", address.port or SPARK_PORT), timeout=5).close()
    except (OSError, ValueError) as error:
        raise BundleflowError(
            f"--spark-remote {url}: nobody answers there ({error}).",
            fix="Start the Spark Connect server, or leave --spark-remote out to use Sail.",
            reason=FailureReason.OUTSIDE_TROUBLE,
            exit_code=ExitCode.TROUBLE,
        ) from error


def fill_tool_cache(folder: Path, refs: list[str]) -> None:
    """Put this installation into the runner's tool cache, where `actions/setup` finds it and installs nothing.

    Args:
        folder: The rehearsal's folder (act keeps the tool cache in its own cache folder).
        refs: Commits under which the kit may be looked for.
    """
    for ref in refs:
        for suffix in ("", "-lint"):
            target = folder / "cache" / "act" / "tool_cache" / "bundleflow" / ref / f"{sys.implementation.cache_tag}{suffix}"
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(sys.prefix)
                target.with_name(target.name + ".complete").touch()


def fill_test_environment(folder: Path, requirements: Path, digest: str) -> None:
    """Put this installation in the place of a project's locked test environment (it holds the same packages; said in the report).

    Args:
        folder: The rehearsal's folder.
        requirements: The project's requirements file.
        digest: SHA-256 of it, by which the kit looks for the environment.
    """
    if requirements.is_file():
        target = folder / "cache" / "act" / "tool_cache" / "bundleflow-tests" / digest
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            target.symlink_to(sys.prefix)
            target.with_name(target.name + ".complete").touch()
