"""Control of runs with the official SDK: retries, time limits, cancelling, repairing, queueing, schedules, mail, the server's end."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest
from databricks.sdk.errors import DatabricksError, InvalidParameterValue
from databricks.sdk.service import jobs
from databricks.sdk.service.jobs import JobEmailNotifications, Task, TaskEmailNotifications
from jobs_support import Jobs, last, life, result, results
from local_workspace import LocalWorkspace


@pytest.fixture(scope="module")
def runner(workspace: LocalWorkspace) -> Jobs:
    return Jobs.on(workspace)


SLEEP = "import time\nprint('begun', flush=True)\ntime.sleep(60)\n"
HELLO = 'import sys\nprint("hello", *sys.argv[1:])\n'


def fails_until(count: int, folder: Path) -> str:
    """Code that fails at its first tries; it counts them in a file."""
    file = folder / f"tries-{count}"
    return (
        f"import pathlib\nf = pathlib.Path({str(file)!r})\nn = len(f.read_text()) if f.exists() else 0\n"
        f"f.write_text('x' * (n + 1))\nassert n >= {count}, n\nprint(n)\n"
    )


def test_a_task_is_tried_again_and_every_attempt_is_shown(runner: Jobs, tmp_path: Path) -> None:
    task = runner.python("flaky", fails_until(2, tmp_path), max_retries=3, min_retry_interval_millis=10)
    run = runner.run(task)
    assert result(run) == "SUCCESS"
    attempts = [(one.attempt_number, result(one)) for one in run.tasks or []]
    assert attempts == [(0, "FAILED"), (1, "FAILED"), (2, "SUCCESS")]
    assert runner.output(run, "flaky").logs == "2\n"


def test_retries_come_to_an_end(runner: Jobs) -> None:
    run = runner.run(runner.python("bad", "raise SystemExit(3)", max_retries=1))
    assert [result(one) for one in run.tasks or []] == ["FAILED", "FAILED"]
    assert runner.output(run, "bad").error == "SystemExit: 3"


def test_a_task_over_its_time_limit_is_killed(runner: Jobs) -> None:
    run = runner.run(runner.python("slow", SLEEP, timeout_seconds=1, max_retries=3), runner.python("next", HELLO, "slow"))
    assert results(run) == {"slow": "TIMEDOUT", "next": "UPSTREAM_FAILED"}
    assert len(run.tasks or []) == 2  # no retry without retry_on_timeout
    assert runner.output(run, "slow").logs == "begun\n"


def test_a_run_over_its_time_limit_ends(runner: Jobs) -> None:
    run = runner.run(runner.python("slow", SLEEP), runner.python("next", HELLO, "slow"), timeout_seconds=1)
    assert (life(run), result(run)) == ("TERMINATED", "TIMEDOUT")
    assert results(run) == {"slow": "TIMEDOUT", "next": "CANCELED"}


def test_a_cancelled_run_kills_its_processes(runner: Jobs, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    code = (
        "import os, pathlib, subprocess, time\nchild = subprocess.Popen(['sleep', '60'])\n"
        f"pathlib.Path({str(note)!r}).write_text(f'{{os.getpid()}} {{child.pid}}')\ntime.sleep(60)\n"
    )
    run_id = runner.start(runner.create(runner.python("slow", code), runner.python("next", HELLO, "slow")))
    wait_for(lambda: note.is_file() and bool(note.read_text()))
    runner.client.jobs.cancel_run(run_id)
    run = runner.end(run_id)
    assert (life(run), result(run)) == ("TERMINATED", "CANCELED")
    assert results(run) == {"slow": "CANCELED", "next": "CANCELED"}
    for pid in note.read_text().split():
        wait_for(lambda pid=pid: not alive(int(pid)))
    runner.client.jobs.cancel_run(run_id)  # a run that has ended is no error


def test_repair_runs_what_failed_and_keeps_the_rest(runner: Jobs, tmp_path: Path) -> None:
    first = runner.notebook("first", "dbutils.jobs.taskValues.set('n', 7)\n")
    flaky = runner.python("flaky", fails_until(1, tmp_path), "first")
    after = runner.python("after", HELLO, "flaky", parameters=["{{tasks.first.values.n}}", "{{job.repair_count}}"])
    run = runner.run(first, flaky, after)
    assert results(run) == {"first": "SUCCESS", "flaky": "FAILED", "after": "UPSTREAM_FAILED"}
    assert run.run_id
    repair_id = runner.client.jobs.repair_run(run.run_id, rerun_all_failed_tasks=True).response.repair_id
    run = runner.end(run.run_id)
    assert result(run) == "SUCCESS"
    assert runner.output(run, "after").logs == "hello 7 1\n"
    assert len([task for task in run.tasks or [] if task.task_key == "first"]) == 1
    assert last(run, "flaky").attempt_number == 1
    history = run.repair_history or []
    assert [entry.type.value for entry in history if entry.type] == ["ORIGINAL", "REPAIR"]
    assert history[1].id == repair_id
    assert run.run_id
    with pytest.raises(InvalidParameterValue, match="latest_repair_id"):
        runner.client.jobs.repair_run(run.run_id, rerun_tasks=["after"])
    runner.client.jobs.repair_run(run.run_id, rerun_tasks=["flaky"], rerun_dependent_tasks=True, latest_repair_id=repair_id)
    run = runner.end(run.run_id)
    assert runner.output(run, "after").logs == "hello 7 2\n"


def test_an_active_run_cannot_be_repaired(runner: Jobs) -> None:
    run_id = runner.start(runner.create(runner.python("slow", SLEEP)))
    with pytest.raises(DatabricksError, match="active"):
        runner.client.jobs.repair_run(run_id, rerun_all_failed_tasks=True)
    runner.client.jobs.cancel_run(run_id)
    runner.end(run_id)


def test_runs_beyond_the_limit_wait_in_the_queue_or_are_skipped(runner: Jobs) -> None:
    task = runner.python("slow", "import time\ntime.sleep(0.5)\n")
    queued = runner.create(task, queue=jobs.QueueSettings(enabled=True))
    first, second = runner.start(queued), runner.start(queued)
    assert life(runner.client.jobs.get_run(second)) == "QUEUED"
    runner.end(first)
    run = runner.end(second)
    assert result(run) == "SUCCESS"
    assert (run.queue_duration or 0) > 0
    plain = runner.create(task)
    first, second = runner.start(plain), runner.start(plain)
    run = runner.client.jobs.get_run(second)
    assert (life(run), result(run)) == ("SKIPPED", "MAXIMUM_CONCURRENT_RUNS_REACHED")
    runner.end(first)


def test_tasks_that_can_run_side_by_side_do(runner: Jobs) -> None:
    runner.run(runner.python("ready", HELLO))
    began = time.monotonic()
    run = runner.run(*(runner.python(f"t{number}", "import time\ntime.sleep(1)\n") for number in range(4)))
    assert result(run) == "SUCCESS"
    assert time.monotonic() - began < 3


def test_a_schedule_fires_on_request(runner: Jobs) -> None:
    schedule = jobs.CronSchedule("0 0 2 ? * MON-FRI", "Europe/Brussels")
    job_id = runner.create(runner.python("one", HELLO), schedule=schedule)
    status, answer = runner.workspace.call("POST", "/_local/jobs/fire", {"job_id": job_id})
    assert status == 200
    run = runner.end(answer["run_id"])
    assert (result(run), run.trigger) == ("SUCCESS", jobs.TriggerType.PERIODIC)
    assert "T02:00:00" in answer["next_fire_time"]
    runner.client.jobs.update(
        job_id, new_settings=jobs.JobSettings(schedule=jobs.CronSchedule("0 0 2 * * ?", "UTC", jobs.PauseStatus.PAUSED))
    )
    status, answer = runner.workspace.call("POST", "/_local/jobs/fire", {"job_id": job_id})
    assert (status, answer["error_code"]) == (400, "INVALID_STATE")


def test_people_get_mail(runner: Jobs) -> None:
    job = JobEmailNotifications(on_failure=["ops@example.com", "data@example.com"], on_start=["data@example.com"])
    task = runner.python(
        "bad", "raise ValueError('no data')\n", email_notifications=TaskEmailNotifications(on_failure=["team@example.com"])
    )
    runner.run(task, name="mail\r\nBcc: x@example.com", email_notifications=job)
    wait_for(lambda: len(mails(runner)) == 3)
    found = {(str(mail["To"]), " ".join(str(mail["Subject"]).split()).split(": run")[0]) for mail in mails(runner)}
    assert found == {
        ("data@example.com", "mail Bcc: x@example.com"),
        ("ops@example.com, data@example.com", "mail Bcc: x@example.com"),
        ("team@example.com", "mail Bcc: x@example.com, task bad"),
    }


def test_people_are_told_of_a_run_that_takes_long(runner: Jobs) -> None:
    told = JobEmailNotifications(on_duration_warning_threshold_exceeded=["slow@example.com"])
    rule = jobs.JobsHealthRule(jobs.JobsHealthMetric.RUN_DURATION_SECONDS, jobs.JobsHealthOperator.GREATER_THAN, 1)
    task = runner.python("long", "import time\ntime.sleep(2)\n")
    run = runner.run(task, name="long", email_notifications=told, health=jobs.JobsHealthRules([rule]))
    assert result(run) == "SUCCESS"
    wait_for(lambda: any(mail["To"] == "slow@example.com" for mail in mails(runner)))
    (mail,) = [mail for mail in mails(runner) if mail["To"] == "slow@example.com"]
    assert "takes longer than its job allows" in " ".join(str(mail["Subject"]).split())


def mails(runner: Jobs) -> list[Message]:
    return [message_from_bytes(file.read_bytes()) for file in sorted((runner.workspace.data / "mail").glob("*.eml"))]


def test_code_from_a_local_repository(runner: Jobs, tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "one.py").write_text("import helper\nprint(helper.NAME)\n")
    (tmp_path / "src" / "helper.py").write_text("NAME = 'from git'\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "-c", "user.name=developer", "-c", "user.email=developer@example.com", "commit", "--quiet", "-m", "code")
    source = jobs.GitSource(f"file://{tmp_path}", jobs.GitProvider.GIT_HUB, git_branch="main")
    task = Task(task_key="one", spark_python_task=jobs.SparkPythonTask("src/one.py", source=jobs.Source.GIT))
    run = runner.run(task, git_source=source)
    assert runner.output(run, "one").logs == "from git\n"
    away = jobs.GitSource("https://github.com/team/iris", jobs.GitProvider.GIT_HUB, git_branch="main")
    run = runner.run(task, git_source=away)
    assert "not on this machine" in (runner.output(run, "one").error or "")


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, timeout=30)


def test_a_killed_server_leaves_no_process_and_its_runs_are_interrupted(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    with LocalWorkspace(tmp_path) as server:
        runner = Jobs.on(server)
        code = f"import os, pathlib, time\npathlib.Path({str(note)!r}).write_text(str(os.getpid()))\ntime.sleep(60)\n"
        run_id = runner.start(runner.create(runner.python("slow", code)))
        wait_for(lambda: note.is_file() and bool(note.read_text()))
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait(timeout=10)
        wait_for(lambda: not alive(int(note.read_text())))
    with LocalWorkspace(tmp_path) as server:
        run = Jobs.on(server).client.jobs.get_run(run_id)
        assert (life(run), result(run)) == ("INTERNAL_ERROR", "FAILED")


def alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def wait_for(condition: object, seconds: float = 20) -> None:
    assert callable(condition)
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it did not happen in time"
        time.sleep(0.02)
