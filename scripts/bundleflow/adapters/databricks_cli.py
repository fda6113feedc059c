"""The Databricks CLI as a program: argument lists in, parsed JSON out, its messages shown, a time limit on each call."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bundleflow import __version__
from bundleflow.adapters.cli_messages import Diagnostic, explain_failure, parse_diagnostics
from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason

READ_TIMEOUT_S = 300.0
CHANGE_TIMEOUT_S = 1800.0
CHANGE_GRACE_S = 5.0
"""GitHub gives a cancelled job 7.5 s before it presses harder."""
STDERR_KEPT = 256 * 1024

# Variables that a bundle's own code (artifact builds, scripts) has no business to see.
WITHHELD = ("GITHUB_TOKEN", "GH_TOKEN", "ACTIONS_RUNTIME_TOKEN", "ACTIONS_CACHE_URL", "ACTIONS_RESULTS_URL")


@dataclass(frozen=True)
class CliResult:
    """What one call gave.

    Args:
        argv: Arguments after the program's name.
        exit_code: 0 or 1.
        stdout: Result.
        stderr: Progress and diagnostics, at most the last 256 KiB.
        duration_s: Seconds it took.
    """

    argv: tuple[str, ...]
    exit_code: int
    stdout: str
    stderr: str
    duration_s: float

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Errors, warnings and recommendations that it printed."""
        return parse_diagnostics(self.stderr)

    def json(self) -> Any:
        """Its standard output as JSON.

        Raises:
            BundleflowError: `cli-failed` when it is not JSON.
        """
        try:
            return json.loads(self.stdout)
        except ValueError as error:
            raise BundleflowError(
                f"`databricks {' '.join(self.argv[:2])}` printed something that is not JSON.",
                fix="Check that `databricks version` is between 1.9 and 1.13 and that nothing else prints to its standard output.",
                reason=FailureReason.CLI_FAILED,
                exit_code=ExitCode.TROUBLE,
                details=self.stdout[:2000],
            ) from error


@dataclass
class DatabricksCli:
    """The CLI for one bundle and target.

    Args:
        folder: Folder of the bundle.
        target: Target; None for the bundle's default.
        variables: Bundle variables; given by environment, where commas and quotes survive.
        env: Environment of the calls; this process's by default.
        restricted: Whether the bundle's own scripts and Python code are refused.
        echo: Whether its messages are shown while it works.
    """

    folder: Path
    target: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=lambda: os.environ)
    restricted: bool = False
    echo: bool = True

    def validate(self, *, strict: bool = False) -> CliResult:
        """`bundle validate -o json`; does not raise on findings: look at `exit_code` and `diagnostics`."""
        return self._call(["bundle", "validate", "-o", "json", *(["--strict"] if strict else [])], READ_TIMEOUT_S)

    def plan(self) -> CliResult:
        """`bundle plan -o json`, which only reads.

        Raises:
            BundleflowError: The CLI failed; the reason follows its message.
        """
        return self._checked(["bundle", "plan", "-o", "json"], READ_TIMEOUT_S, FailureReason.VALIDATION_FAILED)

    def summary(self) -> dict[str, Any]:
        """`bundle summary -o json`, which only reads: configuration with ids and pages of what is deployed.

        Raises:
            BundleflowError: The CLI failed; the reason follows its message.
        """
        result = self._checked(["bundle", "summary", "-o", "json"], READ_TIMEOUT_S, FailureReason.VALIDATION_FAILED)
        data = result.json()
        return data if isinstance(data, dict) else {}

    def deploy(self, *, force_lock: bool = False) -> CliResult:
        """`bundle deploy --auto-approve`: call it only when policy or a person has agreed to the plan.

        Raises:
            BundleflowError: `locked`, `auth-failed` or `deploy-failed`.
        """
        argv = ["bundle", "deploy", "--auto-approve", *(["--force-lock"] if force_lock else [])]
        return self._checked(argv, CHANGE_TIMEOUT_S, FailureReason.DEPLOY_FAILED, grace_s=CHANGE_GRACE_S)

    def destroy(self, *, force_lock: bool = False) -> CliResult:
        """`bundle destroy --auto-approve`; succeeds also when nothing is deployed.

        Raises:
            BundleflowError: `locked`, `auth-failed` or `deploy-failed`.
        """
        argv = ["bundle", "destroy", "--auto-approve", *(["--force-lock"] if force_lock else [])]
        return self._checked(argv, CHANGE_TIMEOUT_S, FailureReason.DEPLOY_FAILED, grace_s=CHANGE_GRACE_S)

    def forget(self) -> None:
        """Forget what earlier calls kept of a deployment of this target in the bundle's folder; the workspace has the state itself.

        The CLI keeps one copy for each target, and takes it for the state of a deployment under another suffix too.
        """
        kept = self.folder / ".databricks" / "bundle" / (self.target or "default")
        for path in kept.iterdir() if kept.is_dir() else ():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != "variable-overrides.json":
                path.unlink()

    def environment(self) -> dict[str, str]:
        """The environment of a call: empty variables gone, the way to log in chosen, the bundle's variables added."""
        env = {name: value for name, value in self.env.items() if name not in WITHHELD}
        for name in [name for name, value in env.items() if name.startswith("DATABRICKS_") and not value]:
            del env[name]
        env.setdefault("DATABRICKS_AUTH_TYPE", auth_type(env))
        if not env["DATABRICKS_AUTH_TYPE"]:
            del env["DATABRICKS_AUTH_TYPE"]
        if env.get("GITHUB_ACTIONS") == "true":
            env.setdefault("DATABRICKS_CONFIG_FILE", os.devnull)
        if self.restricted:
            env["DATABRICKS_BUNDLE_RESTRICTED_CODE_EXECUTION"] = "true"
        env |= {"DATABRICKS_CLI_UPSTREAM": "bundleflow", "DATABRICKS_CLI_UPSTREAM_VERSION": __version__}
        env |= {f"BUNDLE_VAR_{name}": value for name, value in self.variables.items()}
        return env

    def _checked(self, argv: Sequence[str], timeout_s: float, reason: FailureReason, *, grace_s: float = 0.0) -> CliResult:
        result = self._call(argv, timeout_s, grace_s=grace_s)
        if result.exit_code:
            raise explain_failure(result.argv, result.stderr, reason)
        return result

    def _call(self, argv: Sequence[str], timeout_s: float, *, grace_s: float = 0.0) -> CliResult:
        command = [self.env.get("DATABRICKS_CLI_PATH") or "databricks", *argv]
        if self.target:
            command += ["-t", self.target]
        started = time.monotonic()
        try:
            # In this process's group on purpose: what stops the job stops the CLI too.
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        except OSError as error:
            raise _cannot_start(command[0], self.folder, error) from error
        stdout, stderr = _communicate(process, timeout_s, grace_s, echo=self.echo, what=" ".join(argv[:2]))
        return CliResult(tuple(argv), process.returncode, stdout, stderr, time.monotonic() - started)


def cli_program(env: Mapping[str, str]) -> str | None:
    """The Databricks CLI that these variables name, or that is on PATH; None where there is none."""
    return env.get("DATABRICKS_CLI_PATH") or shutil.which("databricks", path=env.get("PATH"))


def auth_type(env: Mapping[str, str]) -> str:
    """Which way to log in these variables ask for: `DATABRICKS_AUTH_TYPE`, else the fallback secrets, else the job's OIDC token."""
    if env.get("DATABRICKS_AUTH_TYPE"):
        return env["DATABRICKS_AUTH_TYPE"]
    if env.get("DATABRICKS_CLIENT_SECRET"):
        return "oauth-m2m"
    if env.get("DATABRICKS_TOKEN"):
        return "pat"
    return "github-oidc" if env.get("ACTIONS_ID_TOKEN_REQUEST_URL") else ""


def _communicate(process: subprocess.Popen[bytes], timeout_s: float, grace_s: float, *, echo: bool, what: str) -> tuple[str, str]:
    """Read both streams to their end; the process does not outlive this call.

    Told to stop, it gives the process `grace_s` seconds to end by itself: a deployment that is cut off leaves its lock behind.
    """
    out: list[bytes] = []
    err: list[bytes] = []
    assert process.stdout is not None
    assert process.stderr is not None
    readers = [
        threading.Thread(target=_read, args=(process.stdout, out, False), daemon=True),
        threading.Thread(target=_read, args=(process.stderr, err, echo), daemon=True),
    ]
    for reader in readers:
        reader.start()
    try:
        process.wait(timeout_s)
    except KeyboardInterrupt:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(grace_s)
        raise
    except subprocess.TimeoutExpired as error:
        raise BundleflowError(
            f"`databricks {what}` did not end within {timeout_s:.0f} s and was stopped.",
            fix="Check that the workspace can be reached; see what is deployed with `databricks bundle summary` before trying again.",
            reason=FailureReason.OUTSIDE_TROUBLE,
            exit_code=ExitCode.TROUBLE,
        ) from error
    finally:
        _stop(process)
        for reader in readers:
            reader.join(5)
    return b"".join(out).decode("utf-8", "replace"), b"".join(err)[-STDERR_KEPT:].decode("utf-8", "replace")


def _read(stream: Any, kept: list[bytes], echo: bool) -> None:
    for line in stream:
        kept.append(line)
        if echo:
            sys.stderr.write(line.decode("utf-8", "replace"))
            sys.stderr.flush()


def _stop(process: subprocess.Popen[bytes], patience_s: float = 5.0) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(patience_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _cannot_start(program: str, folder: Path, error: OSError) -> BundleflowError:
    if not folder.is_dir():
        return BundleflowError(
            f"There is no bundle folder `{folder}`.",
            fix="Give the folder of `databricks.yml` as `bundle-dir` (relative to the repository's root).",
            exit_code=ExitCode.USAGE,
        )
    return BundleflowError(
        f"The Databricks CLI cannot be started: {error}.",
        fix=f"Put `{program}` on PATH, set DATABRICKS_CLI_PATH, or use the `setup` action, which installs the pinned version.",
        reason=FailureReason.CLI_FAILED,
        exit_code=ExitCode.USAGE,
    )
