"""Lets happen in a scene what nobody wants: a workflow's runner is lost while it waits for a job run of the workspace."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from rehearsal.actions.runner import WorkflowRun
from rehearsal.rehearse import watchdog
from rehearsal.rehearse.memory import Memory
from rehearsal.rehearse.view import run_result

_LOOK_AGAIN_S = 0.05
_CANCELS = "release-manager"


class LostRunners:
    """Ends runners as a power cut does: no step of theirs goes on, nothing is cleaned up.

    Args:
        memory: The story's memory.
        tell: Gets one line for each runner that is lost.
    """

    def __init__(self, memory: Memory, tell: Callable[[str], None]) -> None:
        self._memory = memory
        self._tell = tell

    def lose(self, files: Sequence[str], over: threading.Event) -> None:
        """Wait for the first job run that each workflow starts in the workspace, end the workflow's runner, and let the job run end.

        Args:
            files: Files of the workflows; each belongs to one run of the scene.
            over: Set when the scene is over.

        Raises:
            httpx.HTTPError: The workspace does not answer.
            TimeoutError: The job run does not end.
        """
        left = list(files)
        while left and not over.wait(_LOOK_AGAIN_S):
            job_run = self._job_run_at_work()
            run = next((run for run in self._at_work() if run.record.path.rpartition("/")[2] in left), None)
            if job_run and run:
                left.remove(run.record.path.rpartition("/")[2])
                self._tell(f"{run.record.name}: its runner is lost")
                run.lose_runner()
                guard = self._memory.stage.guard
                watchdog.end_all(guard.mark, f"GITHUB_RUN_ID={run.record.id}", grace_s=0.0)
                self._memory.view.wait(job_run)

    def cancel(self, files: Sequence[str], over: threading.Event) -> None:
        """Wait for the first job run that each workflow starts in the workspace, and cancel the workflow on GitHub, as a person does.

        Args:
            files: Files of the workflows; each belongs to one run of the scene.
            over: Set when the scene is over.

        Raises:
            httpx.HTTPError: The workspace does not answer.
        """
        left = list(files)
        while left and not over.wait(_LOOK_AGAIN_S):
            run = next((run for run in self._at_work() if run.record.path.rpartition("/")[2] in left), None)
            if run and self._job_run_at_work():
                left.remove(run.record.path.rpartition("/")[2])
                self._tell(f"{run.record.name}: {_CANCELS} cancels it")
                self._memory.stage.github.cancel_run(run.record.id, _CANCELS)

    def _at_work(self) -> list[WorkflowRun]:
        return [run for run in list(self._memory.stage.driver.runs.values()) if not run.ended]

    def _job_run_at_work(self) -> int:
        runs = self._memory.view.runs()
        new = [run for run in runs if int(run["run_id"]) not in self._memory.job_runs_before and not run_result(run)]
        return int(new[0]["run_id"]) if new else 0
