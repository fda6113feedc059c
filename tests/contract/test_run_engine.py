"""`bundleflow run` as processes of its own against the local workspace: real jobs, parameters, results, repairs, pages, and its pace."""

from __future__ import annotations

import json
import re
import time
from datetime import datetime
from itertools import pairwise

import pytest
from databricks.sdk.service.jobs import ConditionTask, ConditionTaskOp, JobParameterDefinition, RunIf, Task, TaskDependency
from jobs_support import Jobs, results
from run_engine_support import LONG, Kit

FAIL = "raise ValueError('no data today')\n"


def check(key: str, *after: str) -> Task:
    """A task that needs no process."""
    condition = ConditionTask(op=ConditionTaskOp.EQUAL_TO, left="1", right="1")
    return Task(task_key=key, condition_task=condition, depends_on=[TaskDependency(name) for name in after] or None)


def test_a_run_succeeds_with_lines_outputs_and_a_report(kit: Kit, jobs: Jobs) -> None:
    job_id = jobs.create(
        jobs.notebook("first", "dbutils.notebook.exit('alpha is ' + dbutils.widgets.get('alpha'))"),
        jobs.python("second", "print('done')", "first"),
        parameters=[JobParameterDefinition(name="alpha", default="1")],
    )
    done = kit.call("start", str(job_id), "--param", "alpha=0.5", "--json")
    assert done.code == 0, done.stderr
    run = json.loads(done.stdout)
    assert {task["key"]: task["state"] for task in run["tasks"]} == {"first": "SUCCESS", "second": "SUCCESS"}
    assert run["tasks"][0]["output"] == "alpha is 0.5"
    assert run["parameters"] == {"alpha": "0.5"}
    assert done.outputs == {"run-id": str(run["run_id"]), "run-url": run["url"], "result-state": "SUCCESS", "failed-tasks": "[]"}
    lines = [re.sub(r"^\[.*?\] ", "", line) for line in done.stderr.splitlines()]
    for task in ("first", "second"):
        states = [line for line in lines if line.startswith(f"{task}:")]
        assert len(states) == len(set(states)), "one line for each change, none twice"
        assert "SUCCESS" in states[-1]
    assert "\r" not in done.stderr, "no progress bar where there is no terminal"
    assert "SUCCESS" in kit.summary()


def test_a_failed_run_fails_with_its_outputs_and_the_trace(kit: Kit, jobs: Jobs) -> None:
    job_id = jobs.create(jobs.python("bad", FAIL), jobs.python("never", "print(1)", "bad"))
    done = kit.call("start", str(job_id))
    assert done.code == 1
    assert (done.outputs["result-state"], done.outputs["failure-reason"]) == ("FAILED", "run-failed")
    assert json.loads(done.outputs["failed-tasks"]) == ["bad", "never"]
    assert "no data today" in done.stderr
    assert f"bundleflow run repair {done.outputs['run-id']}" in done.stderr


def test_a_result_counts_only_when_it_is_allowed(kit: Kit, jobs: Jobs) -> None:
    job_id = jobs.create(jobs.python("bad", FAIL), jobs.python("last", "print(1)", "bad", run_if=RunIf.ALL_DONE))
    done = kit.call("start", str(job_id))
    assert (done.code, done.outputs["result-state"]) == (1, "SUCCESS_WITH_FAILURES")
    assert "--allow SUCCESS_WITH_FAILURES" in done.stderr
    again = kit.call("watch", done.outputs["run-id"], "--allow", "success_with_failures")
    assert (again.code, again.outputs["result-state"]) == (0, "SUCCESS_WITH_FAILURES")
    by_variable = kit.call("watch", done.outputs["run-id"], BUNDLEFLOW_ALLOW_RESULTS="SUCCESS_WITH_FAILURES")
    assert by_variable.code == 0
    wrong = kit.call("watch", done.outputs["run-id"], "--allow", "SUCCESS_WITH_FAILURE")
    assert wrong.code == 2
    assert "Did you mean `SUCCESS_WITH_FAILURES`?" in wrong.stderr


def test_a_job_is_started_by_its_key_in_the_bundle(kit: Kit) -> None:
    folder = kit.folder / "project"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "one.py").write_text("import sys\nprint(sys.argv)\n")
    task = "{task_key: one, existing_cluster_id: any, spark_python_task: {python_file: src/one.py}}"
    jobs_of_bundle = f"{{nightly: {{name: nightly, tasks: [{task}]}}}}"
    (folder / "databricks.yml").write_text(
        f"bundle: {{name: by_key}}\ntargets: {{dev: {{default: true}}}}\nresources: {{jobs: {jobs_of_bundle}}}\n"
    )
    program = kit.folder / "databricks"
    program.write_text(f'#!/bin/sh\nexec {kit.program} local databricks "$@"\n')
    program.chmod(0o755)
    cli = {"DATABRICKS_CLI_PATH": str(program), "BUNDLEFLOW_BUNDLE_DIR": str(folder)}
    early = kit.call("start", "nightly", "--target", "dev", **cli)
    assert early.code == 2
    assert "is not deployed" in early.stderr
    assert kit.run_program(str(program), "bundle", "deploy", "-t", "dev", folder=folder) == 0
    done = kit.call("start", "nightly", "--target", "dev", **cli)
    assert done.code == 0, done.stderr
    wrong = kit.call("start", "nightli", "--target", "dev", **cli)
    assert "Did you mean `nightly`?" in wrong.stderr


def test_failed_tasks_run_again_by_repair(kit: Kit, jobs: Jobs) -> None:
    flag = kit.folder / "ready"
    needs = f"import pathlib, sys\nsys.exit(0 if pathlib.Path({str(flag)!r}).exists() else 'not ready')\n"
    job_id = jobs.create(jobs.python("good", "print(1)"), jobs.python("needs", needs, "good"), jobs.python("after", "print(1)", "needs"))
    failed = kit.call("start", str(job_id))
    run_id = failed.outputs["run-id"]
    assert failed.code == 1
    still = kit.call("repair", run_id)
    assert (still.code, still.outputs["result-state"]) == (1, "FAILED")
    flag.touch()
    done = kit.call("repair", run_id)
    assert done.code == 0, done.stderr
    assert done.outputs["result-state"] == "SUCCESS"
    run = jobs.client.jobs.get_run(int(run_id), include_history=True)
    assert [entry.type.value for entry in run.repair_history or [] if entry.type] == ["ORIGINAL", "REPAIR", "REPAIR"]
    assert str((run.repair_history or [])[-1].id) == done.outputs["repair-id"]
    assert sum(task.task_key == "good" for task in run.tasks or []) == 1, "what succeeded did not run again"
    nothing = kit.call("repair", run_id)
    assert nothing.code == 1
    assert "no failed task" in nothing.stderr
    named = kit.call("repair", run_id, "--task", "needs", "--dependents")
    assert named.code == 0, named.stderr
    again = jobs.client.jobs.get_run(int(run_id))
    assert max(task.attempt_number or 0 for task in again.tasks or [] if task.task_key == "after") > 0
    wrong = kit.call("repair", run_id, "--task", "nobody")
    assert wrong.code == 1
    assert "nobody" in wrong.stderr


def test_a_run_that_goes_on_cannot_be_repaired(kit: Kit, jobs: Jobs) -> None:
    run_id = jobs.start(jobs.create(jobs.python("long", LONG)))
    refused = kit.call("repair", str(run_id))
    assert refused.code == 1
    assert "only an ended run" in refused.stderr
    done = kit.call("cancel", str(run_id))
    assert (done.code, done.outputs["result-state"]) == (0, "CANCELED")
    seen = kit.call("watch", str(run_id))
    assert (seen.code, seen.outputs["failure-reason"]) == (1, "run-canceled")


def test_a_run_is_left_alone_after_the_time_given_and_followed_again(kit: Kit, jobs: Jobs) -> None:
    job_id = jobs.create(jobs.python("slow", "import time\ntime.sleep(4)\n"))
    left = kit.call("start", str(job_id), "--detach-after", "1s")
    run_id = left.outputs["run-id"]
    assert (left.code, left.outputs["failure-reason"]) == (1, "run-timeout")
    assert left.outputs["result-state"] in ("PENDING", "RUNNING")
    assert left.outputs["run-url"].startswith(kit.server.url)
    assert f"bundleflow run watch {run_id}" in left.stderr
    assert kit.call("watch", run_id).outputs["result-state"] == "SUCCESS"
    assert kit.call("watch", run_id, "--detach-after", "soon").code == 2


def test_at_most_one_call_per_second_and_run(kit: Kit, jobs: Jobs) -> None:
    job_id = jobs.create(jobs.python("one", "import time\ntime.sleep(2)\n"), jobs.python("two", "print(1)", "one"))
    before = len(kit.server.log())
    done = kit.call("start", str(job_id), BUNDLEFLOW_POLL_SECONDS="")
    assert done.code == 0, done.stderr
    calls = [line for line in kit.server.log()[before:] if "/jobs/" in line["path"]]
    paths = [line["path"].rpartition("/")[2] for line in calls]
    assert paths[0] == "run-now"
    followed = len(paths) - paths[::-1].index("get-output")
    assert paths[:followed].count("get") >= 3
    assert paths[:followed].count("get-output") == 2
    assert len(paths) - followed <= 4, "the report of the ended run asks for no more than its job and the run before"
    times = [datetime.fromisoformat(line["time"]).timestamp() for line in calls[:followed]]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert min(gaps) >= 0.95, gaps


def test_a_run_of_a_thousand_tasks_is_read_page_by_page(kit: Kit, jobs: Jobs) -> None:
    job_id = jobs.create(*(check(f"t{number:04}") for number in range(1000)))
    before = len(kit.server.log())
    done = kit.call("start", str(job_id), "--json", BUNDLEFLOW_POLL_SECONDS="0.2")
    assert done.code == 0, done.stderr
    assert len(json.loads(done.stdout)["tasks"]) == 1000
    calls = [line for line in kit.server.log()[before:] if line["path"].endswith("/jobs/runs/get")]
    assert len({line["query"] for line in calls}) == 10
    times = [datetime.fromisoformat(line["time"]).timestamp() for line in calls]
    assert min(later - earlier for earlier, later in pairwise(times)) >= 0.19


def test_fifty_runs_are_followed_by_one_process(kit: Kit, jobs: Jobs) -> None:
    good = jobs.create(check("a"), check("b", "a"), max_concurrent_runs=50)
    bad = jobs.create(jobs.python("bad", FAIL))
    run_ids = [jobs.start(good) for _ in range(49)] + [jobs.start(bad)]
    started = time.monotonic()
    done = kit.call("watch", *map(str, run_ids), "--json")
    assert time.monotonic() - started < 30
    assert done.code == 1
    assert f"1 of 50 runs did not succeed: {run_ids[-1]} (FAILED)" in done.stderr
    assert [run["run_id"] for run in json.loads(done.stdout)] == run_ids
    given = json.loads(done.outputs["runs"])
    assert [each["result-state"] for each in given] == ["SUCCESS"] * 49 + ["FAILED"]
    assert done.outputs["result-state"] == "FAILED"


def test_one_run_that_is_not_there_does_not_end_the_others(kit: Kit, jobs: Jobs) -> None:
    run_id = jobs.start(jobs.create(check("a")))
    done = kit.call("watch", str(run_id), "12")
    assert done.code == 1
    assert "Run 12 does not exist" in done.stderr
    assert json.loads(done.outputs["runs"])[0]["result-state"] == "SUCCESS"


def test_a_report_needs_no_following(kit: Kit, jobs: Jobs) -> None:
    run = jobs.run(jobs.notebook("told", "dbutils.notebook.exit('forty-two')"), name="reported")
    page = kit.folder / "run.html"
    assert kit.call("report", str(run.run_id), "--html", str(page)).code == 0
    assert "reported" in page.read_text()
    done = kit.call("report", str(run.run_id), "--json")
    assert json.loads(done.stdout)["tasks"][0]["output"] == "forty-two"
    assert "told" in kit.call("report", str(run.run_id), "--markdown").stdout
    assert results(run) == {"told": "SUCCESS"}


@pytest.mark.parametrize(("argv", "said"), [(("start", "99"), "Job 99 does not exist"), (("watch", "99"), "Run 99 does not exist")])
def test_what_is_not_there_is_told_at_once(kit: Kit, argv: tuple[str, ...], said: str) -> None:
    started = time.monotonic()
    done = kit.call(*argv)
    assert (done.code, done.outputs["failure-reason"]) == (1, "run-failed")
    assert said in done.stderr
    assert time.monotonic() - started < 15
