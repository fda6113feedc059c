"""JAR tasks are left out of a bundle with what hangs on them put right; what else stands in it stays."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from rehearsal.executor import java
from rehearsal.rehearse import jar_tasks

JAR = {"spark_jar_task": {"main_class_name": "a.B"}}
NOTEBOOK = {"notebook_task": {"notebook_path": "./a.py"}}


def task(key: str, kind: dict[str, object], *after: str) -> dict[str, object]:
    return {"task_key": key, **kind, **({"depends_on": [{"task_key": name} for name in after]} if after else {})}


def bundle(folder: Path, *tasks: dict[str, object]) -> Path:
    document = {"bundle": {"name": "b"}, "include": ["jobs.yml"], "targets": {"dev": {"default": True}}}
    (folder / "databricks.yml").write_text(yaml.safe_dump(document), encoding="utf-8")
    (folder / "jobs.yml").write_text(yaml.safe_dump({"resources": {"jobs": {"j": {"name": "n", "tasks": list(tasks)}}}}), encoding="utf-8")
    return folder


def upstream(folder: Path) -> dict[str, list[str]]:
    tasks = yaml.safe_load((folder / "jobs.yml").read_text(encoding="utf-8"))["resources"]["jobs"]["j"]["tasks"]
    return {each["task_key"]: [name["task_key"] for name in each.get("depends_on", [])] for each in tasks}


def test_what_depended_on_it_waits_for_what_it_waited_for(tmp_path: Path) -> None:
    root = bundle(
        tmp_path,
        task("in", NOTEBOOK),
        task("first", JAR, "in"),
        task("second", JAR, "first"),
        task("out", NOTEBOOK, "second", "in"),
        task("beside", NOTEBOOK, "first"),
    )
    changes = jar_tasks.leave_out(root, "no Java")
    assert upstream(root) == {"in": [], "out": ["in"], "beside": ["in"]}
    assert [(change.file, change.where, change.reason) for change in changes] == [
        ("jobs.yml", "resources.jobs.j.tasks.first", "no Java"),
        ("jobs.yml", "resources.jobs.j.tasks.second", "no Java"),
    ]


def test_a_task_that_waited_for_nothing_else_waits_for_nothing(tmp_path: Path) -> None:
    root = bundle(tmp_path, task("first", JAR), task("out", NOTEBOOK, "first"))
    jar_tasks.leave_out(root, "no Java")
    assert upstream(root) == {"out": []}


def test_turns_of_a_loop_and_jobs_of_a_target_count_too(tmp_path: Path) -> None:
    root = bundle(tmp_path, task("loop", {"for_each_task": {"inputs": "[1]", "task": {"task_key": "turn", **JAR}}}), task("a", NOTEBOOK))
    path = root / "databricks.yml"
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    document["targets"]["dev"]["resources"] = {"jobs": {"k": {"tasks": [task("x", JAR), task("y", NOTEBOOK)]}}}
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    places = [change.where for change in jar_tasks.leave_out(root, "no Java")]
    assert sorted(places) == ["resources.jobs.j.tasks.loop", "targets.dev.resources.jobs.k.tasks.x"]


def test_nothing_is_written_where_there_is_nothing_to_leave_out(tmp_path: Path) -> None:
    root = bundle(tmp_path, task("a", NOTEBOOK), task("b", NOTEBOOK, "a"))
    before = (root / "jobs.yml").read_bytes()
    assert jar_tasks.leave_out(root, "no Java") == []
    assert (root / "jobs.yml").read_bytes() == before


def test_a_job_of_jar_tasks_only_is_left_as_it_is(tmp_path: Path) -> None:
    root = bundle(tmp_path, task("a", JAR), task("b", JAR, "a"))
    assert jar_tasks.leave_out(root, "no Java") == []
    assert upstream(root) == {"a": [], "b": ["a"]}


def test_each_task_is_told(tmp_path: Path) -> None:
    told: list[str] = []
    jar_tasks.say(jar_tasks.leave_out(bundle(tmp_path, task("a", JAR), task("b", NOTEBOOK)), "no Java"), told.append)
    assert told == ["left out before the deployment: task a of job j: no Java"]


def test_why_jar_tasks_cannot_be_run(tmp_path: Path) -> None:
    home, jars = tmp_path / "java", tmp_path / "jars"
    (home / "bin").mkdir(parents=True)
    jars.mkdir()
    nothing = {"PATH": str(tmp_path)}
    assert "no Java" in java.why_no_jar_task(nothing)
    assert java.variables(nothing) == {}
    (home / "bin" / "java").touch(mode=0o755)
    found = {**nothing, "JAVA_HOME": str(home)}
    assert "Spark's Connect client is not" in java.why_no_jar_task(found)
    found[java.FOLDER_VARIABLE] = str(jars)
    assert "Spark's Connect client is not" in java.why_no_jar_task(found)
    (jars / "spark-connect-client-jvm_2.13-4.2.0.jar").touch()
    assert java.why_no_jar_task(found) == ""
    assert java.variables(found) == {"JAVA_HOME": str(home.resolve()), java.FOLDER_VARIABLE: str(jars)}
    assert java.program({"PATH": str(home / "bin")}) == str(home / "bin" / "java")


@pytest.mark.parametrize(
    ("coordinates", "name"), [("g:a:1.0", "a-1.0.jar"), ("g:a:jar:1.0", "a-1.0.jar"), ("no coordinates", "no coordinates.jar")]
)
def test_file_of_a_maven_library(coordinates: str, name: str) -> None:
    assert java.file_of(coordinates) == name
