"""E-mail of jobs and tasks, sent by SMTP to the workspace's own mailbox: nothing leaves the machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rehearsal.workspace.jobs.model import JobRun, TaskRun

SLOW = "on_duration_warning_threshold_exceeded"
Send = Callable[[list[str], str, str], None]


class Notifier:
    """Sends what `email_notifications` of jobs and tasks ask for.

    Args:
        send: Sends one mail: recipients, subject, text.
    """

    def __init__(self, send: Send) -> None:
        self.send = send

    def run_event(self, run: JobRun, event: str) -> None:
        """Tell those who want to know that a run started (`on_start`), ended (`on_success`, `on_failure`) or takes long (`SLOW`)."""
        quiet = run.settings.get("notification_settings") or {}
        if run.state.result == "CANCELED" and quiet.get("no_alert_for_canceled_runs"):
            return
        self._tell(run.settings, event, f"{run.name}: run {run.run_id}", run.state.result, run.state.message)

    def task_event(self, run: JobRun, task: TaskRun, event: str) -> None:
        """The same for a task."""
        quiet = task.settings.get("notification_settings") or {}
        if task.state.result == "CANCELED" and quiet.get("no_alert_for_canceled_runs"):
            return
        error = str(task.output.get("error", "")) or task.state.message
        self._tell(task.settings, event, f"{run.name}, task {task.task_key}: run {task.run_id}", task.state.result, error)

    def _tell(self, settings: dict[str, Any], event: str, what: str, result: str, message: str) -> None:
        recipients = (settings.get("email_notifications") or {}).get(event) or []
        if not recipients:
            return
        told = {"on_start": "started", "on_success": "succeeded", SLOW: "takes longer than its job allows"}
        happened = told.get(event, f"ended with {result}")
        self.send(list(recipients), f"{what} {happened}", f"{what} {happened}.\n\n{message}\n")
