"""The Databricks workspace by the official SDK, for job runs; the SDK (1.5 s to import) is loaded when a run is started or followed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, Self

from bundleflow import __version__
from bundleflow.adapters.databricks_cli import auth_type
from bundleflow.adapters.preload import SDK, wait
from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason, LoginError
from bundleflow.records.run import RunPage, TaskRecord
from bundleflow.records.run_json import page_of

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.jobs import RepairRunResponse, RunOutput

RETRY_TIMEOUT_S = 60
"""How long the SDK repeats a request on 429, 503 and lost connections; who follows a run goes on trying after that."""
HTTP_TIMEOUT_S = 60
OUTPUT_KEPT = 20_000


@dataclass(frozen=True)
class Workspace:
    """The workspace that the environment names.

    Args:
        env: Environment with DATABRICKS_HOST and what the way to log in needs.
    """

    env: Mapping[str, str]

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Self:
        """The workspace of this process's environment."""
        return cls(env)

    def run_now(self, job_id: int, *, token: str, parameters: Mapping[str, str]) -> int:
        """Start a job and give the run's id; the same token gives the same run again, so a retried request starts nothing twice.

        Args:
            job_id: The job.
            token: Idempotency token, at most 64 characters.
            parameters: Job parameters.
        """
        with self._asking(f"start job {job_id}"):
            wait = self._client.jobs.run_now(job_id, idempotency_token=token, job_parameters=dict(parameters) or None)
            return int(wait.run_id)

    def connect(self) -> None:
        """Load the SDK and log in now, so that nothing but the request itself is left for later."""
        _ = self._client

    def job_parameters(self, job_id: int) -> frozenset[str]:
        """Names of a job's own parameters."""
        with self._asking(f"read job {job_id}"):
            settings = self._client.jobs.get(job_id).settings
            return frozenset(each.name for each in (settings.parameters if settings else None) or [])

    def sdk(self) -> WorkspaceClient:
        """The official client, logged in, for what is not a run."""
        return self._client

    def run_page(self, run_id: int, page: str = "", *, history: bool = False) -> RunPage:
        """One page of a run, by one call (the SDK's own `get_run` reads all pages, one right after the other).

        Args:
            run_id: The run.
            page: Token of the page; empty for the first.
            history: Whether to ask for the run's repairs.
        """
        with self._asking(f"read run {run_id}"):
            from databricks.sdk.service.jobs import JobsAPI

            found = JobsAPI.get_run(self._client.jobs, run_id, page_token=page or None, include_history=history or None)
            return page_of(found.as_dict())

    def repair(self, run_id: int, *, tasks: Sequence[str], dependents: bool, after: int) -> int:
        """Run tasks of an ended run again.

        Args:
            run_id: The run.
            tasks: Keys of the tasks; empty for all that failed.
            dependents: Whether to run what depends on them again too.
            after: Id of the run's last repair; 0 when there was none.

        Returns:
            Id of the repair.
        """
        with self._asking(f"repair run {run_id}"):
            started = self._client.jobs.repair_run(
                run_id,
                rerun_tasks=list(tasks) or None,
                rerun_all_failed_tasks=not tasks or None,
                rerun_dependent_tasks=dependents or None,
                latest_repair_id=after or None,
            )
            answer: RepairRunResponse = started.response
            return int(answer.repair_id or 0)

    def task_output(self, task: TaskRecord) -> TaskRecord:
        """The task with its output, error and trace; as it is when there is nothing to be had."""
        from dataclasses import replace

        wait(SDK)
        from databricks.sdk.errors import BadRequest, NotFound

        try:
            with self._asking(f"read the output of task `{task.key}`"):
                return _with_output(task, self._client.jobs.get_run_output(task.run_id))
        except BundleflowError as error:
            # Some kinds of tasks have no output to give; the run itself is not in doubt.
            if isinstance(error.__cause__, BadRequest | NotFound):
                return replace(task, error=task.error or (task.message if task.result_state == "FAILED" else ""))
            raise

    def cancel(self, run_id: int) -> None:
        """Ask for a run to be cancelled."""
        with self._asking(f"cancel run {run_id}"):
            self._client.jobs.cancel_run(run_id)

    def active_runs(self, job_id: int) -> tuple[int, ...]:
        """Ids of a job's runs that have not ended, newest first, at most 25."""
        with self._asking(f"list the active runs of job {job_id}"):
            found = islice(self._client.jobs.list_runs(job_id=job_id, active_only=True), 25)
            return tuple(run.run_id for run in found if run.run_id is not None)

    @cached_property
    def _client(self) -> WorkspaceClient:
        if not self.env.get("DATABRICKS_HOST"):
            raise BundleflowError(
                "DATABRICKS_HOST is not set.",
                fix="Set the variable DATABRICKS_HOST in the GitHub environment of this stage, or in your shell.",
                reason=FailureReason.AUTH_FAILED,
                exit_code=ExitCode.USAGE,
            )
        with self._asking("log in"):
            return _connect(self.env)

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        wait(SDK)
        from databricks.sdk.errors import (
            DeadlineExceeded,
            InternalError,
            PermissionDenied,
            TemporarilyUnavailable,
            TooManyRequests,
            Unauthenticated,
        )
        from databricks.sdk.errors.base import DatabricksError
        from requests import RequestException

        try:
            yield
        except Unauthenticated as error:
            raise _login_error(error) from error
        except PermissionDenied as error:
            if "access token" in str(error):
                raise _login_error(error) from error
            raise BundleflowError(
                f"The workspace refused to {what}: {error}",
                fix="Give the identity of this environment the missing right (CAN_MANAGE_RUN on the job starts and cancels its runs).",
                reason=FailureReason.AUTH_FAILED,
            ) from error
        except (DeadlineExceeded, InternalError, TemporarilyUnavailable, TooManyRequests) as error:
            raise self._trouble(what, error) from error
        except DatabricksError as error:
            if type(error) is DatabricksError:  # a status that the SDK has no class for: 502 above all
                raise self._trouble(what, error) from error
            raise BundleflowError(
                f"The workspace did not {what}: {error}",
                fix="Check that the job or run exists in this workspace.",
                reason=FailureReason.RUN_FAILED,
                details=str(error.error_code or ""),
            ) from error
        except (RequestException, TimeoutError, OSError) as error:
            raise self._trouble(what, error) from error
        except ValueError as error:
            raise _login_error(error) from error

    def _trouble(self, what: str, error: Exception) -> BundleflowError:
        return BundleflowError(
            f"The workspace {self.env.get('DATABRICKS_HOST', '')} could not be reached, or had troubles of its own, to {what}.",
            fix="A run that was started goes on: follow it with `bundleflow run watch RUN`.",
            reason=FailureReason.OUTSIDE_TROUBLE,
            exit_code=ExitCode.TROUBLE,
            details=str(error),
        )


def _login_error(error: Exception) -> LoginError:
    return LoginError(
        f"The login to the workspace failed: {error}",
        fix="Check DATABRICKS_HOST and DATABRICKS_CLIENT_ID of the GitHub environment, `id-token: write` of the job, and the "
        "federation policy of the service principal (issuer, audience, subject).",
        reason=FailureReason.AUTH_FAILED,
        exit_code=ExitCode.USAGE,
    )


def _connect(env: Mapping[str, str]) -> WorkspaceClient:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.core import Config

    from bundleflow.adapters.oidc import GitHubOidc

    chosen = auth_type(env)
    given: dict[str, Any] = {
        "host": env["DATABRICKS_HOST"],
        "auth_type": chosen or None,
        "retry_timeout_seconds": RETRY_TIMEOUT_S,
        "http_timeout_seconds": HTTP_TIMEOUT_S,
        "product": "bundleflow",
        "product_version": __version__,
    }
    if chosen == "github-oidc":
        given |= {"client_id": env.get("DATABRICKS_CLIENT_ID") or None, "credentials_strategy": GitHubOidc()}
    if env.get("GITHUB_ACTIONS") == "true":
        given["config_file"] = env.get("DATABRICKS_CONFIG_FILE") or os.devnull
    return WorkspaceClient(config=Config(**given))


def _with_output(task: TaskRecord, output: RunOutput) -> TaskRecord:
    from dataclasses import replace

    result = output.notebook_output.result if output.notebook_output else None
    text = result if result is not None else output.logs or ""
    return replace(
        task,
        output=text[:OUTPUT_KEPT],
        error=output.error or (task.message if task.failed else ""),
        trace=(output.error_trace or "")[-OUTPUT_KEPT:],
    )
