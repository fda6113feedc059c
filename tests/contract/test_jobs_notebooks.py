"""Notebooks with Spark, Delta tables and MLflow, run by the local workspace as on Databricks; and the models that they register, served."""

from __future__ import annotations

import json
import time

import pytest
from databricks.sdk.errors import NotFound
from databricks.sdk.service import jobs
from databricks.sdk.service.jobs import JobParameterDefinition, Task, TaskDependency
from databricks.sdk.service.serving import EndpointCoreConfigInput, Route, ServedEntityInput, TrafficConfig
from jobs_support import Jobs, last, result, results
from local_workspace import LocalWorkspace

CELL = "\n# COMMAND ----------\n"
PARAMETERS = [JobParameterDefinition("catalog", "main"), JobParameterDefinition("schema", "iris")]

PREPARE = CELL.join(
    [
        "# MAGIC %md\n# MAGIC # Features",
        'names = (dbutils.widgets.get("catalog"), dbutils.widgets.get("schema"))\ntable = ".".join([*names, "features"])',
        (
            "from sklearn.datasets import load_iris\nframe = load_iris(as_frame=True).frame\n"
            'frame.columns = ["a", "b", "c", "d", "target"]\n'
            'frame.insert(0, "id", range(len(frame)))'
        ),
        (
            'spark.sql(f"CREATE SCHEMA IF NOT EXISTS {names[0]}.{names[1]}")\n'
            'spark.sql(f"""CREATE TABLE IF NOT EXISTS {table} (id BIGINT NOT NULL, a DOUBLE, b DOUBLE, c DOUBLE, d DOUBLE,\n'
            "    target BIGINT COMMENT 'the class', CONSTRAINT features_pk PRIMARY KEY (id)) USING DELTA COMMENT 'flowers'\"\"\")"
        ),
        (
            'spark.createDataFrame(frame).createOrReplaceTempView("incoming")\n'
            'spark.sql(f"""MERGE INTO {table} t USING incoming s ON t.id = s.id\n'
            '    WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *""")\n'
            'dbutils.jobs.taskValues.set("rows", spark.table(table).count())'
        ),
        "# MAGIC %sql\n# MAGIC SELECT count(*) AS flowers FROM main.iris.features",
    ]
)
TRAIN = CELL.join(
    [
        (
            "import mlflow\nfrom mlflow import MlflowClient\nfrom mlflow.models import infer_signature\n"
            "from sklearn.ensemble import RandomForestClassifier"
        ),
        (
            'assert dbutils.jobs.taskValues.get("prepare", "rows") == 150\nframe = spark.table("main.iris.features").toPandas()\n'
            'data, target = frame.drop(columns=["id", "target"]), frame["target"]'
        ),
        (
            'mlflow.set_experiment("/Shared/iris")\nwith mlflow.start_run() as run:\n'
            "    model = RandomForestClassifier(n_estimators=5, random_state=0).fit(data, target)\n"
            '    mlflow.log_metric("accuracy", model.score(data, target))\n'
            '    info = mlflow.sklearn.log_model(model, name="model", signature=infer_signature(data, model.predict(data)),\n'
            '        pip_requirements=["scikit-learn"], serialization_format="cloudpickle", registered_model_name="main.iris.classifier")\n'
            'MlflowClient().set_registered_model_alias("main.iris.classifier", "challenger", info.registered_model_version)\n'
            "dbutils.notebook.exit(info.registered_model_version)"
        ),
    ]
)
PREDICT = CELL.join(
    [
        'import json, mlflow\nmodel = mlflow.pyfunc.load_model("models:/main.iris.classifier@challenger")',
        (
            'frame = spark.table("main.iris.features").toPandas()\n'
            'frame["prediction"] = model.predict(frame.drop(columns=["id", "target"]))\n'
            'spark.createDataFrame(frame[["id", "prediction"]]).write.mode("overwrite").saveAsTable("main.iris.predictions")\n'
            'dbutils.notebook.exit(json.dumps(frame["prediction"].head(3).tolist()))'
        ),
    ]
)


@pytest.fixture(scope="module")
def runner(workspace: LocalWorkspace) -> Jobs:
    return Jobs.on(workspace)


@pytest.fixture(scope="module")
def trained(runner: Jobs) -> jobs.Run:
    """A run of prepare, train, predict, which everything here stands on."""
    tasks = [runner.notebook("prepare", PREPARE), runner.notebook("train", TRAIN, "prepare"), runner.notebook("predict", PREDICT, "train")]
    return runner.run(*tasks, name="iris", parameters=PARAMETERS)


def test_features_training_and_prediction(runner: Jobs, trained: jobs.Run) -> None:
    assert results(trained) == {"prepare": "SUCCESS", "train": "SUCCESS", "predict": "SUCCESS"}, runner.log(trained, "train")
    train, predict = runner.output(trained, "train").notebook_output, runner.output(trained, "predict").notebook_output
    assert train
    assert predict
    assert (train.result, predict.result) == ("1", "[0, 0, 0]")
    version = runner.client.model_versions.get_by_alias("main.iris.classifier", "challenger")
    assert version.version == 1


def test_tables_are_in_the_catalog_with_their_key(runner: Jobs, trained: jobs.Run) -> None:
    tables = {str(table.name): table for table in runner.client.tables.list("main", "iris")}
    assert set(tables) == {"features", "predictions"}
    constraints = tables["features"].table_constraints
    assert constraints
    assert constraints[0].primary_key_constraint
    assert constraints[0].primary_key_constraint.child_columns == ["id"]
    assert [column.name for column in tables["features"].columns or []] == ["id", "a", "b", "c", "d", "target"]
    assert "features_pk PRIMARY KEY (id) is recorded in the catalog, not enforced" in runner.log(trained, "prepare")


def test_reads_and_writes_are_observed(runner: Jobs, trained: jobs.Run) -> None:
    _, rows = runner.workspace.call("GET", f"/_local/jobs/lineage?run_id={trained.run_id}")
    found = {(row["task_key"], row["direction"], row["table"]) for row in rows["tables"]}
    assert {
        ("prepare", "write", "main.iris.features"),
        ("train", "read", "main.iris.features"),
        ("train", "write", "models:/main.iris.classifier/1"),
        ("predict", "read", "main.iris.features"),
        ("predict", "read", "models:/main.iris.classifier/1"),
        ("predict", "write", "main.iris.predictions"),
    } <= found
    assert ("train", "read", "models:/main.iris.classifier/1") not in found


def test_a_second_run_updates_instead_of_creating(runner: Jobs, trained: jobs.Run) -> None:
    run = runner.end(runner.start(trained.job_id or 0))
    assert result(run) == "SUCCESS"
    output = runner.output(run, "train").notebook_output
    assert output
    assert output.result == "2"


def test_many_ready_tasks_start_within_a_second_each(runner: Jobs, trained: jobs.Run) -> None:
    code = 'assert spark.table("main.iris.features").count() == 150'
    tasks = [runner.notebook(f"count{number}", code) for number in range(6)]
    began = time.monotonic()
    run = runner.run(*tasks)
    seconds = time.monotonic() - began
    assert result(run) == "SUCCESS"
    assert seconds / len(tasks) < 1, f"{seconds:.2f} s for {len(tasks)} tasks"


def test_tasks_side_by_side_do_not_lose_each_others_tables(runner: Jobs, trained: jobs.Run) -> None:
    tasks = [runner.notebook(f"write{n}", f'spark.range({n}).write.saveAsTable("main.iris.side{n}")') for n in range(1, 5)]
    last_task = runner.notebook(
        "sum",
        'dbutils.notebook.exit(sum(spark.table(f"main.iris.side{n}").count() for n in range(1, 5)))',
        *[f"write{n}" for n in range(1, 5)],
    )
    run = runner.run(*tasks, last_task)
    output = runner.output(run, "sum").notebook_output
    assert output
    assert output.result == "10"


def test_statements_that_sail_does_not_know(runner: Jobs, trained: jobs.Run) -> None:
    code = CELL.join(
        [
            'spark.sql("USE main.iris")\nspark.sql("CREATE TABLE t (k INT PRIMARY KEY, v STRING) CLUSTER BY (k)")',
            "spark.sql(\"INSERT INTO t VALUES (1, 'a'), (2, 'b')\")",
            'spark.sql("ALTER TABLE t ALTER COLUMN v SET NOT NULL")\nspark.sql("OPTIMIZE t")\nspark.sql("VACUUM t")',
            "spark.sql(\"COMMENT ON TABLE main.iris.t IS 'two rows'\")\nspark.sql('GRANT SELECT ON TABLE main.iris.t TO `users`')",
            'history = [row.operation for row in spark.sql("DESCRIBE HISTORY t").collect()]',
            'detail = spark.sql("DESCRIBE DETAIL main.iris.t").collect()[0]',
            'spark.sql("CREATE OR REPLACE TABLE t AS SELECT 1 AS k, 2.5D AS other")',
            'import json\ndbutils.notebook.exit(json.dumps([history[-1], detail.format, spark.table("t").columns]))',
        ]
    )
    run = runner.run(runner.notebook("ddl", code))
    assert result(run) == "SUCCESS", runner.output(run, "ddl").error_trace
    output = runner.output(run, "ddl").notebook_output
    assert output
    assert json.loads(output.result or "")[1:] == ["delta", ["k", "other"]]
    assert runner.client.tables.get("main.iris.t").comment == "two rows"
    log = runner.log(run, "ddl")
    for words in ("CLUSTER BY (k)", "k PRIMARY KEY", "SET NOT NULL was checked", "its history begins anew"):
        assert words in log


def test_a_dropped_table_is_gone_and_can_be_made_anew(runner: Jobs, trained: jobs.Run) -> None:
    make = 'spark.sql("CREATE TABLE main.iris.passing AS SELECT 1 AS one")'
    assert result(runner.run(runner.notebook("make", make))) == "SUCCESS"
    location = runner.client.tables.get("main.iris.passing").storage_location
    assert result(runner.run(runner.notebook("drop", 'spark.sql("DROP TABLE main.iris.passing")'))) == "SUCCESS"
    with pytest.raises(NotFound):
        runner.client.tables.get("main.iris.passing")
    from pathlib import Path

    assert not Path(str(location)).exists()
    assert result(runner.run(runner.notebook("make", make))) == "SUCCESS"


def test_paths_of_databricks(runner: Jobs, trained: jobs.Run) -> None:
    from databricks.sdk.service.catalog import VolumeType

    runner.client.volumes.create("main", "iris", "files", VolumeType.MANAGED)
    runner.upload("helper.py", 'VALUE = "imported"\n')
    code = CELL.join(
        [
            "import os, pathlib, json\nimport pandas as pd\nimport helper",
            'pd.DataFrame({"x": [1, 2]}).to_csv("/Volumes/main/iris/files/a.csv", index=False)',
            'pd.DataFrame({"x": [1, 2]}).to_parquet("/Volumes/main/iris/files/a.parquet")',
            'pathlib.Path("/Volumes/main/iris/files/sub").mkdir()',
            'spark.read.csv("/Volumes/main/iris/files/a.csv", header=True).write.mode("overwrite").parquet("/Volumes/main/iris/files/p")',
            'dbutils.fs.put("/tmp/note.txt", "hello")',
            'n = spark.sql("SELECT count(*) AS n FROM parquet.`/Volumes/main/iris/files/p`").collect()[0].n',
            (
                'dbutils.notebook.exit(json.dumps([sorted(os.listdir("/Volumes/main/iris/files")), n, os.getcwd(), helper.VALUE,\n'
                '    open("/dbfs/tmp/note.txt").read(), len(pd.read_parquet("/Volumes/main/iris/files/a.parquet")),\n'
                '    [f.name for f in dbutils.fs.ls("/Volumes/main/iris/files")]]))'
            ),
        ]
    )
    run = runner.run(runner.notebook("paths", code))
    assert result(run) == "SUCCESS", runner.log(run, "paths")
    output = runner.output(run, "paths").notebook_output
    assert output
    names = ["a.csv", "a.parquet", "p", "sub"]
    shown = ["a.csv", "a.parquet", "p/", "sub/"]
    assert json.loads(output.result or "") == [names, 2, runner.folder, "imported", "hello", 2, shown]


def test_notebooks_call_notebooks(runner: Jobs, trained: jobs.Run) -> None:
    runner.notebook("defs", 'def twice(x):\n    return 2 * x\n\n\nown = dbutils.widgets.get("a")\n')
    runner.notebook(
        "child", 'spark.range(3).write.saveAsTable("main.iris.of_child")\ndbutils.notebook.exit("got " + dbutils.widgets.get("x"))\n'
    )
    code = CELL.join(
        [
            '# MAGIC %run ./defs $a="b"',
            'value = dbutils.notebook.run("./child", 60, {"x": "7"})',
            "dbutils.notebook.exit(f\"{value} {twice(3)} {own} {spark.table('main.iris.of_child').count()}\")",
        ]
    )
    run = runner.run(runner.notebook("caller", code))
    output = runner.output(run, "caller").notebook_output
    assert output
    assert output.result == "got 7 6 b 3", runner.log(run, "caller")


def test_pip_checks_what_is_installed_and_refuses_the_rest_by_name(runner: Jobs) -> None:
    good = runner.notebook("good", "# MAGIC %pip install pandas 'mlflow>=3'" + CELL + "dbutils.library.restartPython()")
    bad = runner.notebook("bad", "# MAGIC %pip install no-such-package-here==1.0")
    run = runner.run(good, bad)
    assert results(run) == {"good": "SUCCESS", "bad": "FAILED"}
    assert "no-such-package-here" in (runner.output(run, "bad").error or "")


def test_a_notebook_of_jupyter_and_its_trace(runner: Jobs) -> None:
    cells = [{"cell_type": "markdown", "source": ["# Title"]}, {"cell_type": "code", "source": ["a = 1\n", "a / 0\n"]}]
    text = json.dumps({"cells": cells, "metadata": {"language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 5})
    path = runner.upload("jup.ipynb", text).removesuffix(".ipynb")
    run = runner.run(Task(task_key="jup", notebook_task=jobs.NotebookTask(notebook_path=path)))
    output = runner.output(run, "jup")
    assert output.error == "ZeroDivisionError: division by zero"
    assert "a / 0" in (output.error_trace or "")
    assert "rehearsal/executor" not in (output.error_trace or "")


def test_sql_tasks_with_parameters(runner: Jobs, trained: jobs.Run) -> None:
    path = runner.upload(
        "report.sql",
        "-- a report\nCREATE OR REPLACE TABLE main.iris.report AS SELECT :least AS least;\nSELECT least FROM main.iris.report;\n",
    )
    sql = Task(task_key="sql", sql_task=jobs.SqlTask("abcdef0123456789", file=jobs.SqlTaskFile(path), parameters={"least": "42"}))
    after = runner.python("after", "import sys\nprint(sys.argv[1])\n", parameters=["{{tasks.sql.output.first_row.least}}"])
    after.depends_on = [TaskDependency("sql")]
    run = runner.run(sql, after)
    assert runner.output(run, "after").logs == "42\n", runner.log(run, "sql")
    assert runner.output(run, "sql").sql_output


def test_a_new_catalog_is_there_for_the_next_task(runner: Jobs, trained: jobs.Run) -> None:
    runner.client.catalogs.create("brand_new")
    code = 'spark.sql("CREATE SCHEMA brand_new.s")\nspark.range(2).write.saveAsTable("brand_new.s.t")\n'
    code += 'spark.table("main.iris.features").count()'
    run = runner.run(runner.notebook("fresh", code))
    assert result(run) == "SUCCESS", runner.log(run, "fresh")
    assert runner.client.schemas.get("brand_new.s").owner == runner.client.current_user.me().user_name


def test_an_endpoint_answers_splits_and_switches(runner: Jobs, trained: jobs.Run) -> None:
    run = runner.end(runner.start(trained.job_id or 0))
    output = runner.output(run, "train").notebook_output
    assert output
    newer = str(output.result)
    first = ServedEntityInput(
        entity_name="main.iris.classifier", entity_version="1", name="champion", workload_size="Small", scale_to_zero_enabled=True
    )
    second = ServedEntityInput(
        entity_name="main.iris.classifier", entity_version=newer, name="challenger", workload_size="Small", scale_to_zero_enabled=True
    )
    endpoint = runner.client.serving_endpoints.create("iris", config=EndpointCoreConfigInput("iris", served_entities=[first])).response
    ready(runner)
    records = [{"a": 5.1, "b": 3.5, "c": 1.4, "d": 0.2}]
    assert runner.client.serving_endpoints.query("iris", dataframe_records=records).predictions == [0]
    routes = [Route(90, served_model_name="champion"), Route(10, served_model_name="challenger")]
    runner.client.serving_endpoints.update_config("iris", served_entities=[first, second], traffic_config=TrafficConfig(routes))
    ready(runner)
    entities = [asked(runner, records) for _ in range(60)]
    assert set(entities) <= {"champion", "challenger"}
    assert entities.count("champion") > entities.count("challenger")
    bad, _ = runner.workspace.call("POST", "/serving-endpoints/iris/invocations", {"wrong": 1})
    assert bad == 400
    status, answer = runner.workspace.call(
        "PUT",
        "/api/2.0/serving-endpoints/iris/config",
        {"served_entities": [first.as_dict()], "traffic_config": {"routes": [{"served_model_name": "champion", "traffic_percentage": 90}]}},
    )
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    runner.client.serving_endpoints.delete("iris")
    assert endpoint.name == "iris"
    with pytest.raises(NotFound):
        runner.client.serving_endpoints.get("iris")


def ready(runner: Jobs) -> None:
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        state = runner.client.serving_endpoints.get("iris").state
        assert state
        assert state.ready
        assert state.config_update
        assert state.config_update.value != "UPDATE_FAILED"
        if (state.ready.value, state.config_update.value) == ("READY", "NOT_UPDATING"):
            return
        time.sleep(0.1)
    raise AssertionError("the endpoint was not ready in time")


def asked(runner: Jobs, records: list[dict[str, float]]) -> str:
    import urllib.request

    url = f"{runner.workspace.url}/serving-endpoints/iris/invocations"
    body = json.dumps({"dataframe_records": records}).encode()
    request = urllib.request.Request(url, body, {"Authorization": "Bearer x", "Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return str(response.headers["served-model-name"])


def test_the_last_attempt_is_the_one_shown(trained: jobs.Run) -> None:
    assert last(trained, "train").attempt_number == 0
