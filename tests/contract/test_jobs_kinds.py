"""Kinds of tasks and ways to the workspace's helpers: wheels, JARs, secrets, DeltaTable, the notebook's context."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from databricks.sdk.service import compute, jobs
from databricks.sdk.service.jobs import JobEnvironment, Task
from jobs_support import Jobs, result, results
from local_workspace import LocalWorkspace

CELL = "\n# COMMAND ----------\n"


@pytest.fixture(scope="module")
def runner(workspace: LocalWorkspace) -> Jobs:
    return Jobs.on(workspace)


def wheel(requires: str = "pytest") -> bytes:
    """A wheel with one module, an entry point and one requirement."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(
            "tools/__init__.py",
            "import sys\n\n\ndef main():\n    print('tools', sys.argv[1:])\n\n\ndef broken():\n    raise RuntimeError('no tools')\n",
        )
        archive.writestr(
            "tools-0.1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: tools\nVersion: 0.1.0\nRequires-Dist: {requires}\n"
        )
        archive.writestr("tools-0.1.0.dist-info/entry_points.txt", "[console_scripts]\nrun = tools:main\n")
    return buffer.getvalue()


def upload(runner: Jobs, name: str, content: bytes) -> str:
    from databricks.sdk.service.workspace import ImportFormat

    path = f"{runner.folder}/{name}"
    runner.client.workspace.upload(path, io.BytesIO(content), format=ImportFormat.AUTO, overwrite=True)
    return path


def test_wheels_from_libraries_and_environments(runner: Jobs) -> None:
    path = upload(runner, "tools-0.1.0-py3-none-any.whl", wheel())
    library = [compute.Library(whl=path)]
    environment = JobEnvironment("default", compute.Environment(environment_version="2", dependencies=[path]))

    def task(key: str, entry_point: str, **more: object) -> Task:
        body = jobs.PythonWheelTask("tools", entry_point, **more)  # type: ignore[arg-type]
        return Task(task_key=key, python_wheel_task=body, libraries=library)

    serverless = Task(
        task_key="serverless", python_wheel_task=jobs.PythonWheelTask("tools", "run", parameters=["x"]), environment_key="default"
    )
    missing = Task(task_key="missing", python_wheel_task=jobs.PythonWheelTask("tools", "run"))
    run = runner.run(
        task("entry", "run", parameters=["--day", "{{job.id}}"]),
        task("function", "main", named_parameters={"format": "html"}),
        task("broken", "broken"),
        task("none", "no_such_entry"),
        serverless,
        missing,
        environments=[environment],
    )
    assert results(run) == {
        "entry": "SUCCESS", "function": "SUCCESS", "broken": "FAILED", "none": "FAILED", "serverless": "SUCCESS", "missing": "FAILED",
    }  # fmt: skip
    assert runner.output(run, "entry").logs == f"tools ['--day', '{run.job_id}']\n"
    assert runner.output(run, "function").logs == "tools ['--format=html']\n"
    assert runner.output(run, "serverless").logs == "tools ['x']\n"
    assert runner.output(run, "broken").error == "RuntimeError: no tools"
    assert "no entry point no_such_entry" in (runner.output(run, "none").error or "")
    assert "add its wheel" in (runner.output(run, "missing").error or "")


def test_a_wheel_that_requires_what_is_not_installed_is_refused(runner: Jobs) -> None:
    path = upload(runner, "more-0.1.0-py3-none-any.whl", wheel("no-such-package-here>=1"))
    task = Task(task_key="w", python_wheel_task=jobs.PythonWheelTask("tools", "run"), libraries=[compute.Library(whl=path)])
    run = runner.run(task)
    assert "no-such-package-here" in (runner.output(run, "w").error or "")


@pytest.mark.skipif(shutil.which("javac") is None, reason="a JAR is compiled with the machine's own Java")
def test_a_jar_runs_where_a_jvm_is(runner: Jobs, tmp_path: Path) -> None:
    source = tmp_path / "Hello.java"
    source.write_text(
        "public class Hello { public static void main(String[] a) {\n"
        '    System.out.println("java " + a[0]); if (a[0].equals("bad")) System.exit(4); } }'
    )
    subprocess.run(["javac", str(source)], check=True, timeout=120)
    with zipfile.ZipFile(tmp_path / "hello.jar", "w") as archive:
        archive.write(tmp_path / "Hello.class", "Hello.class")
    path = upload(runner, "hello.jar", (tmp_path / "hello.jar").read_bytes())

    def task(key: str, word: str) -> Task:
        body = jobs.SparkJarTask(main_class_name="Hello", parameters=[word])
        return Task(task_key=key, spark_jar_task=body, libraries=[compute.Library(jar=path)])

    run = runner.run(task("good", "{{task.name}}"), task("bad", "bad"))
    assert results(run) == {"good": "SUCCESS", "bad": "FAILED"}
    assert runner.output(run, "good").logs == "java good\n"
    assert "exit code 4" in (runner.output(run, "bad").error or "")


def test_secrets_are_read_and_kept_out_of_the_log(runner: Jobs) -> None:
    runner.client.secrets.create_scope("vault")
    runner.client.secrets.put_secret("vault", "key", string_value="very-secret-value")
    code = 'value = dbutils.secrets.get("vault", "key")\nprint("it is", value, len(value))\n'
    code += 'print([s.key for s in dbutils.secrets.list("vault")])\n'
    run = runner.run(runner.notebook("secret", code))
    assert result(run) == "SUCCESS", runner.log(run, "secret")
    assert "it is [REDACTED] 17" in runner.log(run, "secret")


def test_other_ways_to_dbutils_spark_and_the_context(runner: Jobs) -> None:
    code = CELL.join(
        [
            "from databricks.sdk.runtime import dbutils as other",
            "from pyspark.dbutils import DBUtils\nfrom pyspark.sql import SparkSession",
            "session = SparkSession.builder.appName('x').getOrCreate()\nassert session is spark\nassert DBUtils(spark) is dbutils is other",
            "context = dbutils.notebook.entry_point.getDbutils().notebook().getContext()",
            "found = [context.notebookPath().get(), context.tags().get('jobId').get(), context.currentRunId().get()]",
            "import json\ndbutils.notebook.exit(json.dumps(found))",
        ]
    )
    run = runner.run(runner.notebook("context", code))
    output = runner.output(run, "context").notebook_output
    assert output, runner.log(run, "context")
    task = (run.tasks or [])[0]
    assert json.loads(output.result or "null") == [f"{runner.folder.removeprefix('/Workspace')}/context", str(run.job_id), str(task.run_id)]


def test_a_python_file_opens_its_own_session(runner: Jobs) -> None:
    code = (
        "from pyspark.sql import SparkSession\nspark = SparkSession.builder.getOrCreate()\n"
        "spark.sql('CREATE SCHEMA IF NOT EXISTS main.py')\nspark.range(5).write.mode('overwrite').saveAsTable('main.py.t')\n"
        "print(spark.table('main.py.t').count())\nspark.stop()\n"
    )
    run = runner.run(runner.python("session", code))
    assert "5\n" in (runner.output(run, "session").logs or ""), runner.output(run, "session").error
    assert runner.client.tables.get("main.py.t").table_type


def test_a_cancelled_task_keeps_the_tables_it_made(runner: Jobs) -> None:
    code = (
        "spark.sql('CREATE SCHEMA IF NOT EXISTS main.ended')\nspark.range(2).write.saveAsTable('main.ended.t')\nimport time\ntime.sleep(60)"
    )
    run = runner.run(runner.notebook("ended", code, timeout_seconds=4))
    assert results(run) == {"ended": "TIMEDOUT"}
    assert runner.client.tables.get("main.ended.t").storage_location


def test_delta_tables_by_python(runner: Jobs) -> None:
    code = CELL.join(
        [
            "from delta.tables import DeltaTable",
            (
                "spark.sql('CREATE SCHEMA IF NOT EXISTS main.delta_py')\n"
                "spark.createDataFrame([(1, 'a'), (2, 'b')], 'id int, v string').write.mode('overwrite').saveAsTable('main.delta_py.t')"
            ),
            (
                "new = spark.createDataFrame([(2, 'B'), (3, 'c')], 'id int, v string')\n"
                "(DeltaTable.forName(spark, 'main.delta_py.t').alias('t').merge(new.alias('s'), 't.id = s.id')\n"
                "    .whenMatchedUpdateAll().whenNotMatchedInsert(values={'id': 's.id', 'v': 's.v'}).execute())"
            ),
            (
                "table = DeltaTable.forName(spark, 'main.delta_py.t')\ntable.delete('id = 1')\n"
                "rows = sorted((row.id, row.v) for row in table.toDF().collect())\n"
                "dbutils.notebook.exit(str(rows) + str(table.history().count() > 1))"
            ),
        ]
    )
    run = runner.run(runner.notebook("delta", code))
    output = runner.output(run, "delta").notebook_output
    assert output
    assert output.result == "[(2, 'B'), (3, 'c')]True", runner.log(run, "delta")
