"""A JAR task in the task's own Spark session, and what is refused by name. Spark's Connect client is not downloaded: see the first skip."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from databricks.sdk.service import compute, jobs
from databricks.sdk.service.jobs import Task, TaskDependency
from databricks.sdk.service.workspace import ImportFormat
from jobs_support import Jobs, results
from local_workspace import LocalWorkspace

from rehearsal.executor import java

TEMPLATE = Path(__file__).parents[2] / "templates" / "data-pipeline"
JAR = TEMPLATE / "lib" / "customer-value.jar"
SOURCE = TEMPLATE / "java" / "src" / "main" / "java" / "pipeline" / "CustomerValue.java"
MAVEN = "info.picocli:picocli:4.7.7"
WHY_NOT = java.why_no_jar_task(os.environ)
needs_client = pytest.mark.skipif(bool(WHY_NOT), reason=f"JAR tasks are left out: {WHY_NOT}")
needs_java = pytest.mark.skipif(java.program(os.environ) is None, reason="JAR tasks are left out: this machine has no Java")
TABLES = """
spark.sql("CREATE SCHEMA IF NOT EXISTS main.`jar-1`")
orders = [("1", "C-1", "P1", 1, 100), ("2", "C-1", "P2", 2, 200), ("3", "C-2", "P1", 3, 300)]
frame = spark.createDataFrame(orders, "order_id string, customer_id string, product_id string, quantity long, unit_price_cents long")
frame.selectExpr("*", "current_timestamp() AS ordered_at").write.mode("overwrite").saveAsTable("main.`jar-1`.orders")
products = spark.createDataFrame([("P1", 50)], "product_id string, unit_cost_cents long")
products.write.mode("overwrite").saveAsTable("main.`jar-1`.products")
"""


@pytest.fixture(scope="module")
def runner(workspace: LocalWorkspace) -> Jobs:
    return Jobs.on(workspace)


def upload(runner: Jobs, name: str, content: bytes) -> str:
    path = f"{runner.folder}/{name}"
    runner.client.workspace.upload(path, io.BytesIO(content), overwrite=True, format=ImportFormat.AUTO)
    return path


def task(key: str, jar: str, main: str, *parameters: str, maven: tuple[str, ...] = (), after: str = "") -> Task:
    libraries = [compute.Library(jar=jar), *(compute.Library(maven=compute.MavenLibrary(name)) for name in maven)]
    body = jobs.SparkJarTask(main_class_name=main, parameters=list(parameters))
    return Task(task_key=key, spark_jar_task=body, libraries=libraries, depends_on=[TaskDependency(after)] if after else None)


@needs_client
def test_a_jar_reads_and_writes_the_workspaces_tables(runner: Jobs) -> None:
    path = upload(runner, "customer-value.jar", JAR.read_bytes())
    made = runner.notebook("tables", TABLES)
    parameters = ("--catalog=main", "--schema=jar-1", "--load-id={{job.run_id}}")
    read = runner.notebook("read", "print(spark.table('main.`jar-1`.customer_value').orderBy('decile').toPandas().to_csv())", "value")
    run = runner.run(made, task("value", path, "pipeline.CustomerValue", *parameters, maven=(MAVEN,), after="tables"), read)
    assert results(run) == {"tables": "SUCCESS", "value": "SUCCESS", "read": "SUCCESS"}, runner.log(run, "value") + runner.log(run, "read")
    assert "2 customers" in runner.log(run, "value")
    lines = [line.split(",") for line in runner.log(run, "read").splitlines() if ",C-" in line]
    # customer, orders, revenue, margin: the product that the catalog does not know counts with no margin
    assert [line[1:5] for line in lines] == [["C-2", "1", "900", "750"], ["C-1", "2", "500", "50"]]
    assert lines[0][-1] == str(run.run_id)
    status, lineage = runner.workspace.call("GET", f"/_local/jobs/lineage?run_id={run.run_id}")
    assert status == 200
    touched = {(row["direction"], row["table"]) for row in lineage["tables"] if row["task_key"] == "value"}
    assert ("write", "main.jar-1.customer_value") in touched
    assert {("read", "main.jar-1.orders"), ("read", "main.jar-1.products")} <= touched, "by its plans, which the task's process hands on"


@needs_java
def test_a_maven_library_that_is_not_here_is_refused_by_name(runner: Jobs) -> None:
    path = upload(runner, "customer-value.jar", JAR.read_bytes())
    run = runner.run(task("value", path, "pipeline.CustomerValue", maven=("org.example:nowhere:1.2.3",)))
    error = runner.output(run, "value").error or ""
    assert "org.example:nowhere:1.2.3 is not on this machine" in error
    assert "Put nowhere-1.2.3.jar into a folder" in error
    assert java.FOLDER_VARIABLE in error


def test_for_other_tasks_maven_libraries_have_no_effect_and_that_is_said(runner: Jobs) -> None:
    libraries = [compute.Library(maven=compute.MavenLibrary(MAVEN))]
    run = runner.run(runner.python("plain", "print('ran')\n", libraries=libraries))
    assert results(run) == {"plain": "SUCCESS"}
    assert f"Maven libraries have no effect here, Spark runs without a JVM: {MAVEN}" in runner.log(run, "plain")


@needs_client
@pytest.mark.skipif(shutil.which("javac") is None, reason="the JAR is not compiled again: this machine has no javac")
def test_the_templates_jar_is_what_its_source_gives(tmp_path: Path) -> None:
    version = subprocess.run(["javac", "-version"], capture_output=True, text=True, timeout=60, check=True).stdout
    if not version.startswith("javac 17."):
        pytest.skip(f"the JAR is not compiled again: another compiler writes other bytes ({version.strip()})")
    jars = os.pathsep.join(str(jar) for jar in sorted(Path(os.environ[java.FOLDER_VARIABLE]).glob("*.jar")))
    command = ["javac", "--release", "17", "-g", "-encoding", "UTF-8", "-cp", jars, "-d", str(tmp_path), str(SOURCE)]
    subprocess.run(command, check=True, timeout=120)
    built = {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*.class")}
    with zipfile.ZipFile(JAR) as archive:
        assert {name: archive.read(name) for name in archive.namelist() if name.endswith(".class")} == built
