"""Tables that several tasks share: none is lost, whatever the schema is called and whoever makes it."""

from __future__ import annotations

from jobs_support import Jobs, results


def test_a_table_that_two_tasks_make_at_once_is_refused_not_lost(jobs: Jobs) -> None:
    """Both wait until the other has begun, so that neither sees the other's table."""
    code = (
        "import pathlib, time\n"
        "spark.sql('CREATE SCHEMA IF NOT EXISTS main.twice')\n"
        "spark.sql('CREATE TABLE IF NOT EXISTS main.twice.t (a INT) USING DELTA')\n"
        "spark.sql('INSERT INTO main.twice.t VALUES (1)')\n"
        "folder = pathlib.Path(dbutils.widgets.get('folder'))\n(folder / dbutils.widgets.get('me')).touch()\n"
        "until = time.monotonic() + 40\n"
        "while not (folder / dbutils.widgets.get('other')).exists() and time.monotonic() < until:\n    time.sleep(0.02)\n"
    )
    folder = str(jobs.workspace.folder)
    pairs = [("one", "two"), ("two", "one")]
    run = jobs.run(
        *(jobs.notebook(me, code, parameters={"me": f"{me}.begun", "other": f"{other}.begun", "folder": folder}) for me, other in pairs)
    )
    assert sorted(results(run).values()) == ["FAILED", "SUCCESS"], [jobs.output(run, key).error for key, _ in pairs]
    failed = next(key for key, result in results(run).items() if result == "FAILED")
    assert "Another task made main.twice.t at the same time" in (jobs.output(run, failed).error or "")


def test_a_statement_that_tells_of_all_tables_loses_none_of_a_pull_requests_schema(jobs: Jobs) -> None:
    """The schema has a hyphen, so Spark lists it in quotes."""
    make = "spark.sql('CREATE SCHEMA IF NOT EXISTS main.`pr-1`')\nspark.range(3).write.mode('overwrite').saveAsTable('main.`pr-1`.t')"
    look = "print(spark.sql('SHOW TABLES IN main.`pr-1`').collect())"
    read = "print(spark.table('main.`pr-1`.t').count())"
    run = jobs.run(jobs.notebook("make", make), jobs.notebook("look", look, "make"), jobs.notebook("read", read, "look"))
    assert results(run) == {"make": "SUCCESS", "look": "SUCCESS", "read": "SUCCESS"}, jobs.log(run, "read")
    assert jobs.log(run, "read").strip() == "3"
    assert jobs.client.tables.get("main.pr-1.t").storage_location
