"""Paths: of the configuration, of differences, of files that are synchronized, and from a file to the workspace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.databricks_cli.bundle import Bundle
from rehearsal.databricks_cli.diagnostics import CommandError, Diagnostics, Location
from rehearsal.databricks_cli.differences import ABSENT, differences, format_steps, look_up, prune
from rehearsal.databricks_cli.dyn import Node, format_path, from_plain, parse_path
from rehearsal.databricks_cli.notebooks import is_notebook
from rehearsal.databricks_cli.schema import load_schema
from rehearsal.databricks_cli.sync_files import SyncedFile, list_files
from rehearsal.databricks_cli.translate import is_local, is_local_dependency, translate_paths

NAME = st.from_regex(r"[a-z][a-z0-9_]{0,6}", fullmatch=True)
CONFIG_PATH = st.tuples(NAME, st.lists(st.one_of(NAME, st.integers(0, 99)), max_size=6)).map(lambda pair: (pair[0], *pair[1]))
TAGS = st.dictionaries(NAME, st.text("ab", max_size=2), max_size=3)
TASK = st.fixed_dictionaries({"task_key": NAME}, optional={"timeout_seconds": st.integers(0, 3), "run_if": st.sampled_from(["A", "B"])})
JOB = st.fixed_dictionaries(
    {"name": NAME}, optional={"tags": TAGS, "tasks": st.lists(TASK, max_size=3, unique_by=lambda task: task["task_key"])}
)


@given(CONFIG_PATH)
def test_a_config_path_survives_being_written(path: tuple[str | int, ...]) -> None:
    assert parse_path(format_path(path)) == path


@given(JOB, JOB)
def test_differences_are_where_two_jobs_differ_and_nowhere_else(left: dict[str, Any], right: dict[str, Any]) -> None:
    paths = differences(left, right, "#resource.jobs", load_schema())
    for path in paths:
        assert look_up(left, path) != look_up(right, path)
    assert len({format_steps(path) for path in paths}) == len(paths)
    mirrored = differences(right, left, "#resource.jobs", load_schema())
    assert {format_steps(p) for p in paths} == {format_steps(p) for p in mirrored}


@given(JOB)
def test_a_job_does_not_differ_from_itself_in_another_order(job: dict[str, Any]) -> None:
    turned = job | ({"tasks": list(reversed(job["tasks"]))} if "tasks" in job else {})
    assert differences(job, turned, "#resource.jobs", load_schema()) == []


def test_paths_name_items_keys_and_indexes() -> None:
    left = {"tags": {"a": "1"}, "tasks": [{"task_key": "t", "libraries": [{"whl": "x"}]}]}
    right = {"tags": {"a": "2"}, "tasks": [{"task_key": "t", "libraries": [{"whl": "y"}]}, {"task_key": "u"}]}
    found = {format_steps(p): look_up(left, p) for p in differences(left, right, "#resource.jobs", load_schema())}
    assert found == {"tags['a']": "1", "tasks[task_key='t'].libraries[0].whl": "x", "tasks[task_key='u']": ABSENT}


@pytest.mark.parametrize("text", ["/Workspace/x", "dbfs:/x", "s3://b/x", "", "${var.x}", "/Volumes/a/b/c"])
def test_remote_paths_are_not_local(text: str) -> None:
    assert not is_local(text)
    assert not is_local_dependency(text)


@pytest.mark.parametrize(
    ("text", "local"), [("./a.whl", True), ("../a", True), ("a.whl", True), ("requests", False), ("x==1.0", False), ("-r r.txt", False)]
)
def test_a_dependency_is_a_file_when_it_looks_like_one(text: str, *, local: bool) -> None:
    assert is_local_dependency(text) is local


def make_bundle(root: Path, resources: dict[str, Any], file: Path | None = None, sync: dict[str, Any] | None = None) -> Bundle:
    place = (Location(str(file or root / "databricks.yml"), 1, 1),)
    config = from_plain({"resources": resources, "workspace": {"file_path": "/W/files"}} | ({"sync": sync} if sync else {}), place)
    return Bundle(root, config, Diagnostics(), "bundle validate", sync_root=root)


@given(folders=st.lists(NAME, max_size=3), name=NAME)
def test_a_notebook_is_found_from_whichever_folder_names_it(
    tmp_path_factory: pytest.TempPathFactory, folders: list[str], name: str
) -> None:
    root = tmp_path_factory.mktemp("bundle")
    root.joinpath(f"{name}.py").write_text("# Databricks notebook source\n", "utf-8")
    place = root.joinpath(*folders, "job.yml")
    up = "../" * len(folders) + f"{name}.py"
    bundle = make_bundle(root, {"jobs": {"j": {"tasks": [{"task_key": "t", "notebook_task": {"notebook_path": up}}]}}}, place)
    translate_paths(bundle)
    assert bundle.config.text("resources", "jobs", "j", "tasks", 0, "notebook_task", "notebook_path") == f"/W/files/{name}"  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["../x.py", "a/../../x.py", "../../etc/passwd"])
def test_nothing_outside_of_the_bundle_is_named(tmp_path: Path, text: str) -> None:
    root = tmp_path / "bundle"
    root.mkdir()
    (tmp_path / "x.py").write_text("print(1)\n", "utf-8")
    bundle = make_bundle(root, {"jobs": {"j": {"tasks": [{"task_key": "t", "spark_python_task": {"python_file": text}}]}}})
    with pytest.raises(CommandError, match="is not contained in sync root path"):
        translate_paths(bundle)


def test_ignored_files_stay_behind_and_sync_rules_have_the_last_word(tmp_path: Path) -> None:
    for name, text in {
        ".gitignore": "out/\n*.log\n!keep.log\n",
        "a.py": "",
        "x.log": "",
        "keep.log": "",
        "out/b.txt": "",
        "sub/.gitignore": "c.txt\n!*.log\n",
        "sub/c.txt": "",
        "sub/d.log": "",
        ".git/HEAD": "ref: refs/heads/main",
        ".databricks/x": "",
        "docs/e.md": "",
    }.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    plain = [".gitignore", "a.py", "docs/e.md", "keep.log", "sub/.gitignore", "sub/d.log"]
    assert list_files(make_bundle(tmp_path, {})) == plain
    ruled = make_bundle(tmp_path, {}, sync={"include": ["out/*.txt"], "exclude": ["docs/**"], "paths": ["."]})
    assert list_files(ruled) == [".gitignore", "a.py", "keep.log", "out/b.txt", "sub/.gitignore", "sub/d.log"]


def test_notebooks_lose_their_ending_and_files_keep_it() -> None:
    assert SyncedFile("a/b.c.py", notebook=True).remote("/W") == "/W/a/b.c"
    assert SyncedFile("a/b.c.py", notebook=False).remote("/W") == "/W/a/b.c.py"


@pytest.mark.parametrize(
    ("name", "text", "notebook"),
    [
        ("a.py", "# Databricks notebook source\nx", True),
        ("a.py", "\ufeff# Databricks notebook source\r\nx", True),
        ("a.py", "x = 1", False),
        ("a.sql", "-- Databricks notebook source", True),
        ("a.txt", "# Databricks notebook source", False),
        ("a.ipynb", '{"cells": [], "nbformat": 4}', True),
        ("a.ipynb", "not json", False),
        ("empty.py", "", False),
    ],
)
def test_a_notebook_is_told_by_its_first_line(tmp_path: Path, name: str, text: str, *, notebook: bool) -> None:
    file = tmp_path / name
    file.write_bytes(text.encode())
    assert is_notebook(file) is notebook


def test_a_node_at_a_list_index() -> None:
    assert Node([Node("x")]).get(0) is not None
    assert Node([Node("x")]).get(1) is None


def test_a_state_holds_what_a_type_would() -> None:
    job = {"name": "j", "tags": {}, "parameters": [], "email_notifications": {}, "timeout_seconds": 0, "schedule": None, "odd": 1}
    assert prune(job, "#resource.jobs", load_schema()) == {"name": "j", "email_notifications": {}, "timeout_seconds": 0}
