"""Runs that are out of the ordinary: secrets among their parameters, impossible times, deep nesting, tasks that were skipped."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import run_examples as examples

from bundleflow.commands.run_report import FORMATS, rendered
from bundleflow.records.errors import BundleflowError
from bundleflow.records.run import RunRecord, TaskRecord
from bundleflow.records.run_json import LAST_MS, page_of
from bundleflow.report.html import run_page
from bundleflow.runs.compare import compare
from bundleflow.runs.lineage import statement
from bundleflow.runs.reference import run_from_file


def test_parameters_whose_names_speak_of_a_secret_are_masked_as_in_plans() -> None:
    given = {"name": "db_password", "default": "hunter1", "value": "hunter2"}
    reference = {"name": "token", "value": "{{secrets/scope/key}}"}
    overriding = {"notebook_params": {"api_key": "hunter3"}, "python_named_params": {"client-secret": "hunter4", "mode": "fast"}}
    run = page_of({"run_id": 1, "job_parameters": [given, reference], "overriding_parameters": overriding}).run
    assert run.parameters == (
        ("db_password", "(masked)"),
        ("token", "{{secrets/scope/key}}"),
        ("api_key", "(masked)"),
        ("client-secret", "(masked)"),
        ("mode", "fast"),
    )
    assert not any("hunter" in rendered(run, form) for form in FORMATS)


@pytest.mark.parametrize("field", ["start_time", "end_time"])
@pytest.mark.parametrize("value", [10**17, 10**18, LAST_MS + 1])
@pytest.mark.parametrize("place", ["run", "task"])
def test_a_time_after_the_year_9999_is_refused_by_name(tmp_path: Path, field: str, value: int, place: str) -> None:
    data = examples.pipeline_json()
    (data if place == "run" else data["tasks"][0])[field] = value
    (tmp_path / "run.json").write_text(json.dumps(data))
    with pytest.raises(BundleflowError, match=f"`{field}` of (run 100|task `ingest_csv`) is {value}, which is after the year 9999"):
        run_from_file(tmp_path / "run.json")


def test_the_last_moment_of_the_year_9999_is_shown(tmp_path: Path) -> None:
    data = examples.pipeline_json()
    data["end_time"] = data["tasks"][0]["end_time"] = LAST_MS
    (tmp_path / "run.json").write_text(json.dumps(data))
    run = run_from_file(tmp_path / "run.json")
    assert "9999-12-31 23:59:59 UTC" in run_page(run)
    assert "DATE'9999-12-31'" in statement(run)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"run_id": 1, "tasks": ' + "[" * 100_000 + "]" * 100_000 + "}"])
def test_a_file_that_is_nested_too_deeply_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(BundleflowError, match="holds no job run: it is nested too deeply"):
        run_from_file(tmp_path / "run.json")


def test_a_task_that_was_skipped_is_no_failure_of_its_own() -> None:
    def run(life: str, result: str) -> RunRecord:
        return RunRecord(1, tasks=(TaskRecord("a", 2, "notebook", life, result, start_ms=1, end_ms=9),))

    good, failed, skipped = run("TERMINATED", "SUCCESS"), run("TERMINATED", "FAILED"), run("SKIPPED", "")
    assert [each.change for each in compare(skipped, good).changes] == ["not run"]
    assert [each.change for each in compare(failed, skipped).changes] == ["newly failing"]
    assert compare(skipped, replace(skipped, run_id=2)).changes == ()
    assert [each.change for each in compare(failed, replace(failed, run_id=2)).changes] == ["still failing"]
