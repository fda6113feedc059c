"""Paths, pages, ids, migrations, notebooks, faults and the log's hiding of secrets, without a server."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from rehearsal.workspace.database import Database, Documents
from rehearsal.workspace.errors import ApiError, answer, catalog_error, not_imitated
from rehearsal.workspace.faults import Fault, parse
from rehearsal.workspace.files import WorkspaceFiles, normal_path
from rehearsal.workspace.ids import IdMaker
from rehearsal.workspace.log import LIMIT_BYTES, _Excerpt
from rehearsal.workspace.notebooks import recognise, to_jupyter, to_source

NAMES = st.text(st.characters(blacklist_characters="/\0", blacklist_categories=("Cs",)), min_size=1, max_size=12).filter(
    lambda name: name not in {".", ".."}
)


@given(st.lists(NAMES, min_size=1, max_size=5))
def test_both_spellings_of_a_path_are_one(names: list[str]) -> None:
    path = "/" + "/".join(names)
    if names[0] != "Workspace":
        assert normal_path("/Workspace" + path) == normal_path(path) == path


@given(st.text(max_size=40))
def test_no_path_leaves_the_tree(text: str) -> None:
    root = Path("/data/workspace")
    if text.startswith("/") and "\0" not in text and ".." not in text.split("/"):
        assert (root / normal_path(text).lstrip("/")).resolve().is_relative_to(root)
    else:
        with pytest.raises(ApiError):
            normal_path(text)


def test_ids_are_long_and_never_repeat_even_after_a_restart(tmp_path: Path) -> None:
    seen: set[int] = set()
    for _ in range(2):
        database = Database(tmp_path / "x.sqlite")
        made = [IdMaker(database).number() for _ in range(50)]
        database.close()
        assert not seen & set(made)
        seen |= set(made)
    assert all(10**14 <= number < 2**53 for number in seen)


def test_a_part_brings_its_schema_up_to_date_once(tmp_path: Path) -> None:
    first = ["CREATE TABLE thing (a INTEGER)"]
    for statements in (first, first, [*first, "ALTER TABLE thing ADD COLUMN b TEXT"]):
        database = Database(tmp_path / "x.sqlite")
        database.migrate("things", statements)
        database.close()
    database = Database(tmp_path / "x.sqlite")
    database.execute("INSERT INTO thing VALUES (1, 'x')")
    assert [tuple(row) for row in database.rows("SELECT a, b FROM thing")] == [(1, "x")]
    database.close()


def test_a_failing_migration_changes_nothing(tmp_path: Path) -> None:
    database = Database(tmp_path / "x.sqlite")
    with pytest.raises(sqlite3.OperationalError):
        database.migrate("things", ["CREATE TABLE thing (a INTEGER)", "NO SQL"])
    database.migrate("things", ["CREATE TABLE thing (a INTEGER)"])
    database.close()


def test_documents_are_listed_by_prefix(tmp_path: Path) -> None:
    database = Database(tmp_path / "x.sqlite")
    documents = Documents(database)
    for key in ("main.a", "main.b", "main_.c", "main%"):
        documents.put("schemas", key, {"key": key})
    assert documents.keys("schemas", "main.") == ["main.a", "main.b"]
    assert documents.delete("schemas", "main.a")
    assert not documents.delete("schemas", "main.a")
    assert documents.get("schemas", "main.a") is None
    database.close()


def test_a_folder_lists_only_what_lies_in_it(tmp_path: Path) -> None:
    database = Database(tmp_path / "x.sqlite")
    files = WorkspaceFiles(tmp_path, database, IdMaker(database), lambda: 1)
    files.make_directory("/Shared/a/b/c")
    files.make_directory("/Shared/ab")
    files.write_file("/Shared/a/x.txt", b"1", overwrite=False)
    assert [item.path for item in files.children("/Shared/a")] == ["/Shared/a/b", "/Shared/a/x.txt"]
    assert {gone.path for gone in files.delete("/Shared/a", recursive=True)} == {
        "/Shared/a",
        "/Shared/a/b",
        "/Shared/a/b/c",
        "/Shared/a/x.txt",
    }
    assert [item.path for item in files.children("/Shared")] == ["/Shared/ab"]
    database.close()


SOURCE = b"# Databricks notebook source\nx = 1\n\n# COMMAND ----------\n\n# MAGIC %sql\n# MAGIC select 1\n"


def test_a_notebook_survives_the_way_to_jupyter_and_back() -> None:
    assert to_source(to_jupyter(SOURCE, "PYTHON")) == SOURCE
    found = recognise("/a/b.c.py", SOURCE)
    assert found is not None
    assert (found.path, found.language, found.jupyter) == ("/a/b.c", "PYTHON", False)
    assert recognise("/a/b.py", b"\n" + SOURCE) is None
    with pytest.raises(ApiError):
        to_source(b"[]")


@given(st.integers(1, 5), st.integers(0, 5), st.integers(1, 20))
def test_a_fault_meets_from_the_nth_on_so_many_times(nth: int, times: int, requests: int) -> None:
    fault = Fault(status=500, nth=nth, times=times)
    met = [number for number in range(1, requests + 1) if fault.meets("GET", "/x", "")]
    last = requests if times == 0 else min(requests, nth + times - 1)
    assert met == list(range(nth, last + 1))


@pytest.mark.parametrize("content", [{}, "x", [1], [{"status": 500, "when": "later"}], [{"status": 500, "times": -1}]])
def test_what_is_no_fault_is_refused(content: object) -> None:
    with pytest.raises(ValueError, match=r"fault|when|times"):
        parse(content)


def test_the_log_hides_secrets_and_never_shows_a_cut_document() -> None:
    short = _Excerpt()
    short.add(json.dumps({"a": [{"token": "t", "key": "k"}]}).encode())
    assert short.shown() == {"a": [{"token": "[hidden]", "key": "k"}]}
    long = _Excerpt()
    long.add(json.dumps({"x": "y" * LIMIT_BYTES * 5, "token": "t"}).encode())
    assert str(long.shown()).endswith("bytes]")
    binary = _Excerpt()
    binary.add(b"\xff\x00")
    assert binary.shown() == "[2 bytes]"


def test_errors_have_databricks_shape() -> None:
    shown = answer(catalog_error("SCHEMA_DOES_NOT_EXIST", "Schema 'a.b' does not exist."))
    assert shown.status_code == 404
    content = json.loads(bytes(shown.body))
    assert content["details"][0]["reason"] == content["error_code"] == "SCHEMA_DOES_NOT_EXIST"
    assert "`GET /api/9.9/x`" in not_imitated("GET", "/api/9.9/x").message


@pytest.mark.parametrize(("size", "expected"), [(None, [2, 2, 1]), ("1", [1, 1, 1, 1, 1]), ("100", [3, 2])])
def test_pages_follow_each_other_to_the_end(size: str | None, expected: list[int]) -> None:
    from rehearsal.workspace.http import page

    items, token, sizes, seen = [1, 2, 3, 4, 5], "", [], []
    while True:
        text = f"page_token={token}" + (f"&max_results={size}" if size else "")
        request = Request({"type": "http", "query_string": text.encode(), "headers": []})
        shown, token = page(request, items, default=2, largest=3)
        sizes.append(len(shown))
        seen += shown
        if not token:
            break
    assert (seen, sizes) == (items, expected)
