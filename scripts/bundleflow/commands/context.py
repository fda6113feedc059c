"""What a command works on: the stage of the flow file, checked against what the workflow was called with, and how to reach the rest."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from bundleflow.adapters.databricks_cli import DatabricksCli, auth_type
from bundleflow.adapters.runner import Runner
from bundleflow.records.accepted import Accepted, load_accepted
from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow.records.flow import FLOW_FILE, Flow, Stage, load_flow


@dataclass(frozen=True)
class JobContext:
    """One stage of one bundle.

    Args:
        flow: The flow file.
        stage: The stage.
        folder: Folder of the bundle.
        env: Environment variables.
        runner: The runner.
    """

    flow: Flow
    stage: Stage
    folder: Path
    env: Mapping[str, str]
    runner: Runner

    def cli(self, *, target: str | None = None, restricted: bool = False, variables: Mapping[str, str] | None = None) -> DatabricksCli:
        """The Databricks CLI for this bundle.

        Args:
            target: Target instead of the stage's own.
            restricted: Whether the bundle's own code is refused.
            variables: Values of the bundle's variables, beside those that the kit gives.
        """
        return DatabricksCli(
            self.folder,
            target=target or self.stage.target,
            restricted=restricted,
            variables={**self.kit_variables, **(variables or {})},
            env=self.env,
            echo=True,
        )

    @cached_property
    def kit_variables(self) -> Mapping[str, str]:
        """Values of the bundle's variables that the kit gives, in every call of the CLI alike: so they are part of what is approved."""
        from bundleflow.releases.models_wheel import wheel_variables

        return wheel_variables()

    @cached_property
    def accepted(self) -> Accepted:
        """The accepted warnings of the flow file."""
        return load_accepted(Path(self.flow.warnings) if self.flow.warnings else None)

    @property
    def bundle(self) -> str:
        """The bundle's folder as it is written in reports."""
        return self.folder.as_posix()


def add_bundle_arguments(parser: argparse.ArgumentParser) -> None:
    """Options that every command on a bundle has; each can be given by a variable instead."""
    parser.add_argument("--bundle-dir", help="folder of databricks.yml (BUNDLEFLOW_BUNDLE_DIR; default: .)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON on standard output")


def add_stage_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of commands on a stage of the flow file."""
    parser.add_argument("--stage", help="stage of the flow file (BUNDLEFLOW_STAGE)")
    parser.add_argument("--environment", help="GitHub environment that the job names (BUNDLEFLOW_ENVIRONMENT)")
    parser.add_argument("--flow", help=f"the flow file (BUNDLEFLOW_FLOW; default: {FLOW_FILE})")
    add_bundle_arguments(parser)


def bundle_folder(args: argparse.Namespace, env: Mapping[str, str] = os.environ) -> Path:
    """The bundle's folder.

    Raises:
        BundleflowError: There is no bundle in it.
    """
    folder = Path(args.bundle_dir or env.get("BUNDLEFLOW_BUNDLE_DIR") or ".")
    names = ("databricks.yml", "databricks.yaml", "bundle.yml", "bundle.yaml")
    if not any((folder / name).is_file() for name in names):
        raise BundleflowError(
            f"There is no `databricks.yml` in `{folder}`.",
            fix="Give the bundle's folder as `bundle-dir`, relative to the repository's root.",
            exit_code=ExitCode.USAGE,
        )
    return folder


def flow_path(args: argparse.Namespace, env: Mapping[str, str] = os.environ) -> Path:
    """Where the flow file is."""
    return Path(args.flow or env.get("BUNDLEFLOW_FLOW") or FLOW_FILE)


def load_job(args: argparse.Namespace, *, stage: str = "", login: bool = True) -> JobContext:
    """The stage that this job works on.

    Args:
        args: Parsed options (see `add_stage_arguments`).
        stage: The stage when none is given.
        login: Whether the job needs the workspace.

    Raises:
        BundleflowError: `flow-invalid`; `flow-mismatch` when the job's environment is empty or not the stage's; `auth-failed` when the
            environment has no host; wrong use when there is no bundle.
    """
    env = os.environ
    flow = load_flow(flow_path(args, env))
    chosen = flow.stage(args.stage or env.get("BUNDLEFLOW_STAGE") or stage)
    environment = args.environment or env.get("BUNDLEFLOW_ENVIRONMENT") or ""
    if not environment.strip():
        raise _mismatch(
            "The job names no environment, so it has neither an identity of its own nor a gate.",
            f"Give the workflow `environment: {chosen.environment}` (stage `{chosen.name}` of {flow.path}).",
        )
    if environment.lower() != chosen.environment.lower():
        raise _mismatch(
            f"The workflow was called with environment `{environment}`, but {flow.path} gives stage `{chosen.name}` the environment "
            f"`{chosen.environment}`.",
            f"Call the workflow with `environment: {chosen.environment}`, or correct the flow file.",
        )
    folder = bundle_folder(args, env)
    if login:
        require_login(env, environment)
    return JobContext(flow, chosen, folder, env, Runner.here())


def require_login(env: Mapping[str, str], environment: str) -> None:
    """Refuse early when the GitHub environment lacks what a login needs.

    Raises:
        BundleflowError: `auth-failed`, naming the variable.
    """
    missing = [] if env.get("DATABRICKS_HOST") else ["DATABRICKS_HOST"]
    if auth_type(env) == "github-oidc" and not env.get("DATABRICKS_CLIENT_ID"):
        missing.append("DATABRICKS_CLIENT_ID")
    if missing:
        raise BundleflowError(
            f"Not set in the environment `{environment}`: {' and '.join(missing)}.",
            fix=f"Add to the variables (not the secrets) of the GitHub environment `{environment}`: {' and '.join(missing)}.",
            reason=FailureReason.AUTH_FAILED,
            exit_code=ExitCode.USAGE,
        )
    if env.get("GITHUB_ACTIONS") == "true" and auth_type(env) in ("pat", "oauth-m2m"):
        Runner.here().annotate(
            "warning",
            f"Environment {environment} logs in with a stored secret ({auth_type(env)}). A login by OIDC needs none.",
            title="bundleflow: stored secret",
        )


def print_json(value: Any) -> None:
    """Print a command's machine result on standard output."""
    # `##[` would be a command to a GitHub runner wherever it stands in a line; in JSON it can only stand in a text.
    text = json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True, default=str).replace("##[", "#\\u0023[")
    print(text.encode("utf-8", "backslashreplace").decode())  # half a surrogate pair cannot be written as UTF-8


def tell(line: str) -> None:
    """Say something to people, on standard error; control characters are shown instead of sent."""
    from bundleflow.report.markdown import visible
    from bundleflow.report.terminal import inert

    print(inert(" ".join(visible(line).split("\n"))), file=sys.stderr, flush=True)


def _mismatch(cause: str, fix: str) -> BundleflowError:
    return BundleflowError(cause, fix=fix, reason=FailureReason.FLOW_MISMATCH, exit_code=ExitCode.USAGE)
