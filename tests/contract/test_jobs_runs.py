"""Jobs and runs with the official SDK: shapes, parameters, references, dependencies, outputs."""

from __future__ import annotations

import pytest
from databricks.sdk.errors import InvalidParameterValue, NotFound
from databricks.sdk.service import jobs
from databricks.sdk.service.jobs import ConditionTaskOp, JobParameterDefinition, RunIf, Task, TaskDependency
from jobs_support import Jobs, last, life, result, results
from local_workspace import LocalWorkspace


@pytest.fixture(scope="module")
def runner(workspace: LocalWorkspace) -> Jobs:
    return Jobs.on(workspace)


HELLO = 'import sys\nprint("hello", *sys.argv[1:])\n'
FAIL = 'def main():\n    raise ValueError("no data")\n\n\nmain()\n'


def test_a_job_has_the_defaults_of_the_reference_workspace(runner: Jobs) -> None:
    job_id = runner.create(runner.notebook("nb", "1"), name="defaults")
    _, job = runner.workspace.call("GET", f"/api/2.2/jobs/get?job_id={job_id}")
    settings = job["settings"]
    assert settings["email_notifications"] == {}
    assert settings["webhook_notifications"] == {}
    assert (settings["timeout_seconds"], settings["max_concurrent_runs"], settings["format"]) == (0, 1, "MULTI_TASK")
    task = settings["tasks"][0]
    assert (task["run_if"], task["timeout_seconds"], task["email_notifications"]) == ("ALL_SUCCESS", 0, {})
    assert task["notebook_task"]["source"] == "WORKSPACE"
    assert job["run_as_user_name"] == job["creator_user_name"]


def test_reset_replaces_and_update_merges(runner: Jobs) -> None:
    job_id = runner.create(runner.python("one", HELLO), name="before", tags={"a": "1"})
    runner.client.jobs.update(job_id, new_settings=jobs.JobSettings(timeout_seconds=7), fields_to_remove=["tags"])
    settings = runner.client.jobs.get(job_id).settings
    assert settings
    assert (settings.name, settings.timeout_seconds, settings.tags) == ("before", 7, None)
    runner.client.jobs.reset(job_id, new_settings=jobs.JobSettings(name="after"))
    settings = runner.client.jobs.get(job_id).settings
    assert settings
    assert (settings.name, settings.timeout_seconds, settings.tasks or None) == ("after", 0, None)


def test_a_deleted_job_is_not_found(runner: Jobs) -> None:
    job_id = runner.create(name="gone")
    runner.client.jobs.delete(job_id)
    with pytest.raises(NotFound):
        runner.client.jobs.get(job_id)
    with pytest.raises(NotFound):
        runner.client.jobs.run_now(job_id)


def test_jobs_are_listed_by_name_and_in_pages(runner: Jobs) -> None:
    made = [runner.create(name="Listed") for _ in range(3)]
    found = [job.job_id for job in runner.client.jobs.list(name="listed", limit=2)]
    assert found == made[::-1]


def test_more_than_a_hundred_tasks_come_in_pages_and_as_one_list(runner: Jobs) -> None:
    tasks = [Task(task_key=f"t{number:03}", condition_task=jobs.ConditionTask(ConditionTaskOp.EQUAL_TO, "1", "1")) for number in range(230)]
    job_id = runner.create(*tasks, name="wide")
    job = runner.client.jobs.get(job_id)
    assert job.settings
    assert len(job.settings.tasks or []) == 230
    _, page = runner.workspace.call("GET", f"/api/2.2/jobs/get?job_id={job_id}")
    assert len(page["settings"]["tasks"]) == 100
    run = runner.end(runner.start(job_id))
    assert len(run.tasks or []) == 230
    assert set(results(run).values()) == {"SUCCESS"}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"tasks": [{"task_key": "a", "depends_on": [{"task_key": "b"}]}]}, "depends on b"),
        ({"tasks": [{"task_key": "a"}, {"task_key": "a"}]}, "more than once"),
        ({"tasks": [{"task_key": "a", "depends_on": [{"task_key": "b"}]}, {"task_key": "b", "depends_on": [{"task_key": "a"}]}]}, "circle"),
        ({"tasks": [{"task_key": "a", "run_if": "SOMETIMES"}]}, "SOMETIMES"),
        ({"tasks": [{"task_key": "a", "environment_key": "none"}]}, "none"),
        ({"max_concurrent_runs": -1}, "max_concurrent_runs"),
        ({"schedule": {"quartz_cron_expression": "0 0 2 * *", "timezone_id": "UTC"}}, "5 fields"),
        ({"schedule": {"quartz_cron_expression": "0 0 2 * * ?", "timezone_id": "Mars/Base"}}, "Mars/Base"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(runner: Jobs, settings: dict[str, object], words: str) -> None:
    status, answer = runner.workspace.call("POST", "/api/2.2/jobs/create", settings)
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert words in answer["message"]


def test_a_python_file_gets_arguments_and_its_output_is_its_logs(runner: Jobs) -> None:
    run = runner.run(runner.python("one", HELLO, parameters=["a", "b c"]))
    assert (life(run), result(run)) == ("TERMINATED", "SUCCESS")
    output = runner.output(run, "one")
    assert (output.logs, output.logs_truncated, output.error) == ("hello a b c\n", False, None)


def test_a_failing_task_has_error_and_trace_and_fails_the_run(runner: Jobs) -> None:
    run = runner.run(runner.python("one", FAIL), runner.python("two", HELLO, "one"))
    assert (life(run), result(run)) == ("INTERNAL_ERROR", "FAILED")
    assert run.state
    assert run.state.state_message == (
        "Task one failed with message: Workload failed, see run output for details. This caused all downstream tasks to get skipped."
    )
    assert results(run) == {"one": "FAILED", "two": "UPSTREAM_FAILED"}
    output = runner.output(run, "one")
    assert output.error == "ValueError: no data"
    trace = (output.error_trace or "").splitlines()
    assert trace[0] == "Traceback (most recent call last):"
    assert trace[-1] == "ValueError: no data"
    assert [line for line in trace if "File" in line] == [
        f'  File "{runner.folder}/one.py", line 5, in <module>',
        f'  File "{runner.folder}/one.py", line 2, in main',
    ]


def test_parameters_references_and_task_values(runner: Jobs) -> None:
    first = runner.notebook(
        "first",
        'dbutils.widgets.text("day", "none")\ndbutils.widgets.text("own", "default")\n'
        'dbutils.jobs.taskValues.set("n", {"x": 3})\n'
        'dbutils.notebook.exit("/".join(dbutils.widgets.get(name) for name in ("day", "own", "job")))\n',
        parameters={"day": "base", "job": "{{job.name}}"},
    )
    second = runner.python(
        "second", HELLO, "first",
        parameters=[
            "{{tasks.first.values.n}}", "{{tasks.first.values.n.x}}", "{{job.parameters.day}}",
            "{{tasks.first.result_state}}", "{{task.name}}",
        ],
    )  # fmt: skip
    parameters = [JobParameterDefinition("day", "{{job.trigger.type}}"), JobParameterDefinition("region", "eu")]
    run = runner.run(first, second, name="refs", parameters=parameters, start={"job_parameters": {"region": "us"}})
    output = runner.output(run, "first").notebook_output
    assert output
    assert output.result == "one_time/default/refs"  # a job parameter wins over a base parameter
    assert runner.output(run, "second").logs == 'hello {"x": 3} 3 one_time success second\n'
    shown = {parameter.name: parameter.value for parameter in run.job_parameters or []}
    assert shown == {"day": "one_time", "region": "us"}


def test_task_parameters_are_refused_where_the_job_has_parameters(runner: Jobs) -> None:
    job_id = runner.create(runner.python("one", HELLO), parameters=[JobParameterDefinition("day", "x")])
    with pytest.raises(InvalidParameterValue, match="job parameters"):
        runner.client.jobs.run_now(job_id, python_params=["x"])


def test_an_unknown_reference_fails_the_task_by_name(runner: Jobs) -> None:
    run = runner.run(runner.python("one", HELLO, parameters=["{{tasks.none.values.x}}"]))
    assert result(run) == "FAILED"
    assert "tasks.none.values.x" in (runner.output(run, "one").error or "")


def test_conditions_and_run_if(runner: Jobs) -> None:
    def after(key: str, run_if: RunIf, *dependencies: TaskDependency) -> Task:
        task = runner.python(key, HELLO, run_if=run_if)
        task.depends_on = list(dependencies)
        return task

    condition = Task(task_key="big", condition_task=jobs.ConditionTask(ConditionTaskOp.GREATER_THAN, "12", "9"))
    bad = runner.python("bad", FAIL)
    run = runner.run(
        condition,
        bad,
        after("yes", RunIf.ALL_SUCCESS, TaskDependency("big", "true")),
        after("no", RunIf.ALL_SUCCESS, TaskDependency("big", "false")),
        after("after_no", RunIf.ALL_SUCCESS, TaskDependency("no")),
        after("cleanup", RunIf.ALL_DONE, TaskDependency("bad"), TaskDependency("no")),
        after("alarm", RunIf.AT_LEAST_ONE_FAILED, TaskDependency("bad"), TaskDependency("yes")),
        after("never", RunIf.ALL_FAILED, TaskDependency("bad"), TaskDependency("yes")),
        after("one", RunIf.AT_LEAST_ONE_SUCCESS, TaskDependency("bad"), TaskDependency("yes")),
        after("none_failed", RunIf.NONE_FAILED, TaskDependency("yes"), TaskDependency("no")),
    )
    assert results(run) == {
        "big": "SUCCESS", "bad": "FAILED", "yes": "SUCCESS", "no": "EXCLUDED", "after_no": "EXCLUDED", "cleanup": "SUCCESS",
        "alarm": "SUCCESS", "never": "EXCLUDED", "one": "SUCCESS", "none_failed": "SUCCESS",
    }  # fmt: skip
    assert result(run) == "SUCCESS_WITH_FAILURES"  # `bad` is no leaf
    task = last(run, "big").condition_task
    assert task
    assert task.outcome == "true"


def test_for_each_runs_every_input_and_says_how_many(runner: Jobs) -> None:
    inner = runner.python(
        "turn", 'import sys\nassert sys.argv[1] != "us"\nprint(sys.argv[1:])\n', parameters=["{{input.region}}", "{{task.name}}"]
    )
    inputs = '[{"region": "eu"}, {"region": "us"}, {"region": "ap"}]'
    run = runner.run(Task(task_key="each", for_each_task=jobs.ForEachTask(inputs=inputs, task=inner, concurrency=2)))
    assert result(run) == "FAILED"
    task = last(run, "each")
    assert task.for_each_task
    assert task.for_each_task.stats
    stats = task.for_each_task.stats.task_run_stats
    assert stats
    assert (stats.total_iterations, stats.succeeded_iterations, stats.failed_iterations) == (3, 2, 1)
    assert task.run_id
    turns = runner.client.jobs.get_run(task.run_id).iterations or []
    assert [result(turn) for turn in turns] == ["SUCCESS", "FAILED", "SUCCESS"]
    assert turns[0].run_id
    assert runner.client.jobs.get_run_output(turns[0].run_id).logs == "['eu', 'each']\n"


def test_run_job_waits_for_the_other_job_and_fails_with_it(runner: Jobs) -> None:
    parameters = [JobParameterDefinition("day", "none")]
    good = runner.create(runner.python("inner", HELLO, parameters=["{{job.parameters.day}}"]), parameters=parameters)
    bad = runner.create(runner.python("inner_bad", FAIL))
    run = runner.run(
        Task(task_key="call", run_job_task=jobs.RunJobTask(good, job_parameters={"day": "{{job.id}}"})),
        Task(task_key="call_bad", run_job_task=jobs.RunJobTask(bad)),
    )
    assert results(run) == {"call": "SUCCESS", "call_bad": "FAILED"}
    child = runner.output(run, "call").run_job_output
    assert child
    assert child.run_id
    inner = runner.client.jobs.get_run(child.run_id)
    assert runner.output(inner, "inner").logs == f"hello {run.job_id}\n"


def test_submit_runs_tasks_without_a_job(runner: Jobs) -> None:
    task = jobs.SubmitTask(task_key="one", spark_python_task=jobs.SparkPythonTask(runner.upload("submitted.py", HELLO)))
    run = runner.end(runner.client.jobs.submit(run_name="once", tasks=[task]).response.run_id)
    assert (run.run_name, result(run)) == ("once", "SUCCESS")
    assert run.run_type is jobs.RunType.SUBMIT_RUN


def test_only_some_tasks(runner: Jobs) -> None:
    tasks = [runner.python("a", HELLO), runner.python("b", HELLO, "a"), runner.python("c", HELLO, "b")]
    run = runner.run(*tasks, start={"only": ["b"]})
    assert results(run) == {"b": "SUCCESS"}
    run = runner.run(*tasks, start={"only": ["b+"]})
    assert results(run) == {"b": "SUCCESS", "c": "SUCCESS"}


def test_the_same_token_starts_one_run(runner: Jobs) -> None:
    job_id = runner.create(runner.python("one", HELLO))
    first, second = (runner.start(job_id, idempotency_token="token-1") for _ in range(2))
    assert first == second
    runner.end(first)
    assert runner.start(job_id, idempotency_token="token-1") == first
    with pytest.raises(InvalidParameterValue, match="64"):
        runner.start(job_id, idempotency_token="x" * 65)


def test_outputs_of_runs_that_have_none(runner: Jobs) -> None:
    run = runner.run(runner.python("one", HELLO), runner.python("two", HELLO))
    assert run.run_id
    with pytest.raises(InvalidParameterValue, match="multiple tasks"):
        runner.client.jobs.get_run_output(run.run_id)
    with pytest.raises(NotFound):
        runner.client.jobs.get_run_output(4711)


def test_runs_are_listed_by_job_newest_first(runner: Jobs) -> None:
    job_id = runner.create(runner.python("one", HELLO), max_concurrent_runs=5)
    started = [runner.start(job_id) for _ in range(3)]
    for run_id in started:
        runner.end(run_id)
    found = [run.run_id for run in runner.client.jobs.list_runs(job_id=job_id, limit=2)]
    assert found == started[::-1]
    assert not list(runner.client.jobs.list_runs(job_id=job_id, active_only=True))


def test_what_cannot_be_run_here_is_refused_by_name(runner: Jobs) -> None:
    pipeline = Task(task_key="p", pipeline_task=jobs.PipelineTask(pipeline_id="x"))
    missing = Task(task_key="m", notebook_task=jobs.NotebookTask(notebook_path=f"{runner.folder}/not-there"))
    run = runner.run(pipeline, missing)
    assert "pipeline_task" in (runner.output(run, "p").error or "")
    assert "not-there does not exist" in (runner.output(run, "m").error or "")
