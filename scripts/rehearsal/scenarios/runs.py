"""The stories of job runs: a task fails and is repaired, one takes too long, a workflow is cancelled, a schedule fires."""

from __future__ import annotations

from rehearsal.scenarios.model import (
    Change,
    Deployed,
    Edit,
    FireSchedule,
    JobEnds,
    Push,
    RepairRun,
    Scene,
    Stopped,
    Story,
    WorkflowEnds,
)
from rehearsal.scenarios.outcomes import RunEnds, TasksEnd

_JOB, _FILE = "night_watch", "cd-dev.yml"


def _watch(message: str, code: str, *, job: str = "", task: str = "", run: bool = True) -> Change:
    """Add a small job of two tasks to the bundle, which the development stage runs after its deployment.

    Args:
        message: Of the commit.
        code: Source of the first task's notebook.
        job: Further settings of the job, as lines of YAML.
        task: Further settings of the first task, as lines of YAML.
        run: Whether the stage runs it.
    """
    definition = (
        f"resources:\n  jobs:\n    {_JOB}:\n      name: night watch (${{bundle.target}}${{var.suffix}})\n{job}      tasks:\n"
        f"        - task_key: look\n{task}          notebook_task:\n            notebook_path: ../notebooks/look.py\n"
        '            base_parameters: {repairs: "{{job.repair_count}}"}\n'
        "        - task_key: tell\n          depends_on: [{task_key: look}]\n          notebook_task:\n"
        "            notebook_path: ../notebooks/tell.py\n"
    )
    notebook = "# Databricks notebook source\n"
    files = (
        Edit(f"resources/{_JOB}.job.yml", "", definition),
        Edit("notebooks/look.py", "", notebook + code),
        Edit("notebooks/tell.py", "", notebook + 'dbutils.notebook.exit("all is well")\n'),
    )
    flow = Edit("bundleflow.yml", "    environment: dev\n", f"    environment: dev\n    run: [{_JOB}]\n")
    return Change(message, (*files, flow) if run else files, otherwise=())


TASK_FAILS_THEN_REPAIR = Story(
    name="task-fails-then-repair",
    title="A task fails and stops the deployment; the failed tasks are run again, and the run report tells both attempts",
    scenes=(
        Scene(
            "A job whose first task fails is deployed",
            "the task after it does not run, the deployment fails and shows the error",
            Push(
                "dev",
                change=_watch(
                    "Look before telling",
                    'if dbutils.widgets.get("repairs") == "0":\n    raise RuntimeError("the source is locked")\n',
                ),
            ),
            (
                Stopped(_FILE, "deploy", "run-failed"),
                TasksEnd("dev", _JOB, (("look", "FAILED"), ("tell", "UPSTREAM_FAILED"))),
                RunEnds("dev", _JOB, "FAILED", says=("the source is locked", "UPSTREAM_FAILED")),
            ),
            stopped=True,
        ),
        Scene(
            "The cause is gone: the run is repaired",
            "only the failed tasks run again, in the same run, which now succeeds",
            RepairRun("dev", _JOB),
            (RunEnds("dev", _JOB, "SUCCESS", says=("repair 1", "attempt 1: failed", "SUCCESS, attempt 2")),),
        ),
    ),
)

TASK_TIMES_OUT = Story(
    name="task-times-out",
    title="A task takes longer than its time limit: it is ended, and the deployment fails with that reason",
    scenes=(
        Scene(
            "A task that hangs, with a limit of two seconds",
            "the task is ended, what follows does not run, the deployment fails",
            Push(
                "dev",
                change=_watch("Wait for the source", "import time\n\ntime.sleep(60)\n", task="          timeout_seconds: 2\n"),
            ),
            (
                Stopped(_FILE, "deploy", "run-failed"),
                TasksEnd("dev", _JOB, (("look", "TIMEDOUT"), ("tell", "UPSTREAM_FAILED"))),
                RunEnds("dev", _JOB, "FAILED", says=("took longer than 2 seconds",)),
            ),
            stopped=True,
        ),
    ),
)

RUN_CANCELLED = Story(
    name="run-cancelled",
    title="A workflow is cancelled while its job runs: the run in the workspace ends, too",
    scenes=(
        Scene(
            "Somebody cancels the workflow while the job is at work",
            "the kit cancels the job's run before it ends itself: nothing goes on in the workspace",
            Push("dev", change=_watch("Watch for a long time", "import time\n\ntime.sleep(60)\n")),
            (JobEnds(_FILE, "deploy", "cancelled"), RunEnds("dev", _JOB, "CANCELED")),
            cancelled=_FILE,
            stopped=True,
        ),
    ),
)

SCHEDULE_FIRES = Story(
    name="schedule-fires",
    title="A job with a schedule is deployed, and runs by itself when its time has come",
    scenes=(
        Scene(
            "A job that runs every night at two is deployed",
            "it is there, and does not run yet",
            Push(
                "dev",
                change=_watch(
                    "Look every night",
                    'print("all quiet")\n',
                    job='      schedule: {quartz_cron_expression: "0 0 2 * * ?", timezone_id: Europe/Brussels, pause_status: UNPAUSED}\n',
                    run=False,
                ),
            ),
            (WorkflowEnds(_FILE), Deployed("dev")),
        ),
        Scene(
            "It is two at night",
            "the job runs; the run report tells the schedule and its time zone",
            FireSchedule("dev", _JOB),
            (RunEnds("dev", _JOB, "SUCCESS", trigger="PERIODIC", says=("0 0 2", "Europe/Brussels")),),
        ),
    ),
)

RUNS = (TASK_FAILS_THEN_REPAIR, TASK_TIMES_OUT, RUN_CANCELLED, SCHEDULE_FIRES)
