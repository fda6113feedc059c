"""`bundle run`: starts a deployed job, follows it, and prints what its tasks gave."""

from __future__ import annotations

import sys
import time
from datetime import datetime
from typing import Any

from rehearsal.databricks_cli import output
from rehearsal.databricks_cli.args import Invocation
from rehearsal.databricks_cli.bundle import Bundle
from rehearsal.databricks_cli.diagnostics import ChildExit, CommandError, Diagnostics
from rehearsal.databricks_cli.http_client import ApiError, HttpClient
from rehearsal.databricks_cli.prepare import ready_bundle
from rehearsal.databricks_cli.run_parameters import run_now_body
from rehearsal.databricks_cli.scripts import RESTRICTED, shell
from rehearsal.databricks_cli.state import pull

LIMIT_SECONDS = 24 * 3600
_FINAL = ("TERMINATED", "SKIPPED", "INTERNAL_ERROR")
_FAILURES = {"FAILED": "run failed", "TIMEDOUT": "run timed out", "CANCELED": "run canceled"}


def run(invocation: Invocation, diagnostics: Diagnostics) -> int:
    """Run the command.

    Args:
        invocation: The command line.
        diagnostics: Takes the remarks; they are printed.

    Returns:
        0 when the job succeeded, also when some of its tasks failed; with `--no-wait`, when it was started.

    Raises:
        CommandError: There is no such job, it is not deployed, its parameters do not fit, or the run failed.
        ChildExit: A script of the bundle was run; carries its exit code.
    """
    arguments = invocation.arguments
    if not arguments:
        if invocation.rest is not None:
            raise CommandError("`bundle run -- COMMAND` is not supported by the stand-in for the Databricks CLI")
        raise CommandError("expected a KEY of the resource to run")
    bundle = ready_bundle(invocation, diagnostics)
    key, positional = arguments[0], [*arguments[1:], *(invocation.rest or [])]
    script = bundle.config.get("scripts", key)
    if script is not None:
        raise ChildExit(_run_script(bundle, script.text("content")))
    name = _find_job(bundle, key)
    job = bundle.config.plain("resources", "jobs", name)
    if arguments[1:] and job.get("parameters"):
        raise CommandError(f"received {len(arguments) - 1} unexpected positional arguments")
    state = pull(bundle)
    identity = state.identity(f"resources.jobs.{name}")
    if not identity:
        raise CommandError("resource not found or not yet deployed. Did you forget to run 'databricks bundle deploy'?")
    body = run_now_body(invocation, job, int(identity), positional)
    runner = _Runner(bundle)
    if invocation.on("restart"):
        runner.cancel_active(identity)
    return runner.run(body, wait=not invocation.on("no-wait"), as_json=invocation.text("output") == "json")


def _find_job(bundle: Bundle, key: str) -> str:
    kind, _, name = key.rpartition(".")
    for group, candidate, _ in bundle.resources():
        if candidate == name and kind in ("", group, f"resources.{group}"):
            if group != "jobs":
                raise CommandError(f"running {group} is not supported by the stand-in for the Databricks CLI ({key})")
            return candidate
    raise CommandError(f'resource with key "{key}" not found')


def _run_script(bundle: Bundle, content: str) -> int:
    import os

    if os.environ.get(RESTRICTED):
        raise CommandError(f"{RESTRICTED} is set: no code of the bundle is run")
    result = shell(content, str(bundle.root))
    print(result.stdout, end="")
    return result.returncode


class _Runner:
    """Starts and follows one run."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.http: HttpClient = bundle.workspace.http

    def cancel_active(self, job_id: str) -> None:
        """Cancel the job's active runs and wait until they have ended."""
        query = {"job_id": job_id, "active_only": "true"}
        deadline = time.monotonic() + LIMIT_SECONDS
        runs = self.http.get("/api/2.2/jobs/runs/list", query).get("runs") or []
        for active in runs:
            self.http.post("/api/2.2/jobs/runs/cancel", {"run_id": active["run_id"]})
        while runs and time.monotonic() < deadline:
            time.sleep(0.5)
            runs = self.http.get("/api/2.2/jobs/runs/list", query).get("runs") or []

    def run(self, body: dict[str, Any], *, wait: bool, as_json: bool) -> int:
        """Start the run; see `run` above for what is returned and raised."""
        try:
            run_id = self.http.post("/api/2.2/jobs/run-now", body)["run_id"]
        except ApiError as problem:
            raise CommandError(f"cannot start job: {problem.message}{self._advice(problem)}") from problem
        found = self._get(run_id)
        print(f"Run URL: {found.get('run_page_url', '')}", file=sys.stderr, flush=True)
        if not wait:
            return 0
        print(file=sys.stderr)
        found = self._follow(run_id, found)
        self._fail_unless_succeeded(found)
        if found["state"].get("result_state") == "SUCCESS":
            self._print_outputs(found, as_json=as_json)
        return 0

    def _get(self, run_id: int) -> dict[str, Any]:
        found = self.http.get("/api/2.2/jobs/runs/get", {"run_id": run_id})
        token = found.get("next_page_token")
        while token:
            page = self.http.get("/api/2.2/jobs/runs/get", {"run_id": run_id, "page_token": token})
            found.setdefault("tasks", []).extend(page.get("tasks") or [])
            token = page.get("next_page_token")
        return found

    def _follow(self, run_id: int, found: dict[str, Any]) -> dict[str, Any]:
        """Print a line for every state the run comes to; return the run in its last one."""
        shown: tuple[str, ...] = ()
        deadline, interval = time.monotonic() + LIMIT_SECONDS, 0.1
        while True:
            state = found.get("state") or {}
            parts = tuple(state.get(name, "") for name in ("life_cycle_state", "result_state", "state_message"))
            if parts != shown:
                shown = parts
                words = " ".join(part for part in parts if part)
                print(f'{datetime.now():%Y-%m-%d %H:%M:%S} "{found.get("run_name", "")}" {words}', file=sys.stderr, flush=True)
            if parts[0] in _FINAL:
                return found
            if time.monotonic() > deadline:
                raise CommandError(f"timed out: run {run_id} did not end within {LIMIT_SECONDS // 3600} hours")
            time.sleep(interval)
            interval = min(interval * 1.5, 2)
            found = self._get(run_id)

    def _fail_unless_succeeded(self, found: dict[str, Any]) -> None:
        state = found["state"]
        message = state.get("state_message", "")
        if state["life_cycle_state"] == "INTERNAL_ERROR":
            for task in found.get("tasks") or []:
                if (task.get("state") or {}).get("result_state") == "FAILED":
                    self._report_task(task)
            raise CommandError(f"failed to reach TERMINATED or SKIPPED, got INTERNAL_ERROR: {message}")
        if state["life_cycle_state"] == "SKIPPED":
            raise CommandError(f"run skipped: {message}")
        if problem := _FAILURES.get(state.get("result_state", "")):
            raise CommandError(f"{problem}: {message}")

    def _report_task(self, task: dict[str, Any]) -> None:
        key = task.get("task_key")
        try:
            told = self.http.get("/api/2.2/jobs/runs/get-output", {"run_id": task["run_id"]})
        except ApiError as problem:
            self.bundle.diagnostics.log(f"Warn: the output of task {key} cannot be read: {problem.message}")
            return
        error, trace = told.get("error", ""), told.get("error_trace", "")
        self.bundle.diagnostics.log(f"Task {key} FAILED:\n{error}\n{trace}\n")
        self.bundle.diagnostics.error(f"Task {key} failed!\nError:\n{error}\nTrace:\n{trace}")

    def _print_outputs(self, found: dict[str, Any], *, as_json: bool) -> None:
        outputs: list[tuple[str, dict[str, Any], int]] = []
        for task in found.get("tasks") or []:
            shown = _output(self.http.get("/api/2.2/jobs/runs/get-output", {"run_id": task["run_id"]}))
            if shown:
                outputs.append((str(task.get("task_key")), shown, int(task.get("end_time") or 0)))
        outputs.sort(key=lambda item: item[2])
        if as_json:
            items = [{"TaskKey": key, "Output": shown, "EndTime": end} for key, shown, end in outputs]
            print(output.to_json({"task_outputs": items}))
        elif len(outputs) == 1:
            print(_text(outputs[0][1]))
        elif outputs:
            print("Output:")
            for key, shown, _ in outputs:
                print(f"=======\nTask {key}:\n{_text(shown)}")

    def _advice(self, problem: ApiError) -> str:
        if problem.status not in (401, 403):
            return ""
        login = self.bundle.login
        lines = ["", "", f"Host:      {self.http.host}", f"Auth type: {login.description if login else ''}", "", "Next steps:"]
        if problem.status == 403:
            lines.append("  - Verify you have the required permissions for this operation")
        lines += [
            "  - Check your identity: databricks auth describe",
            "  - Consider setting up a profile: databricks auth login --profile <name>",
        ]
        return "\n".join(lines)


def _output(told: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a task's output that is shown: a notebook's value, or the logs of others."""
    if notebook := told.get("notebook_output"):
        shown = {"result": notebook.get("result", "")} | ({"truncated": True} if notebook.get("truncated") else {})
        return shown if notebook.get("result") else {}
    for kind in ("dbt_output", "sql_output"):
        if told.get(kind):
            return dict(told[kind])
    if told.get("logs"):
        return {"logs": told["logs"], "logs_truncated": bool(told.get("logs_truncated"))}
    return {}


def _text(shown: dict[str, Any]) -> str:
    for name in ("result", "logs"):
        if name in shown:
            return str(shown[name])
    return output.to_json(shown)
