"""SQL texts: statements of a file, comments, and CREATE TABLE without what the local Spark does not know."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.executor import sql_text


def test_statements_are_split_outside_of_quotes_and_comments() -> None:
    text = "SELECT ';' AS a; -- one; two\nSELECT \"x;y\" /* ; */ ;\n\n-- nothing\n;SELECT `a;b` FROM t"
    assert sql_text.statements(text) == ["SELECT ';' AS a", '-- one; two\nSELECT "x;y" /* ; */', "SELECT `a;b` FROM t"]


@given(st.lists(st.text(alphabet="abc 123'", max_size=10).map(lambda text: "SELECT '" + text.replace("'", "''") + "'"), min_size=1))
def test_joined_statements_come_back(parts: list[str]) -> None:
    assert sql_text.statements(";".join(parts)) == parts


def test_comments_go_and_quotes_stay() -> None:
    assert sql_text.without_comments("SELECT '--x' -- y\n, /* z */ 1") == "SELECT '--x' \n,  1"


def table(text: str) -> sql_text.CreateTable:
    found = sql_text.create_table(text)
    assert found is not None
    return found


def test_a_named_primary_key_is_taken_out_and_kept() -> None:
    plan = table(
        "CREATE TABLE IF NOT EXISTS c.s.t (id BIGINT NOT NULL, v DECIMAL(10, 2), "
        "CONSTRAINT pk PRIMARY KEY (id, `v`)) USING DELTA COMMENT 'x'"
    )
    assert plan.text == "CREATE TABLE IF NOT EXISTS c.s.t (id BIGINT NOT NULL, v DECIMAL(10, 2)) USING DELTA COMMENT 'x'"
    assert plan.constraints == [{"primary_key_constraint": {"name": "pk", "child_columns": ["id", "v"]}}]
    assert plan.removed == ["CONSTRAINT pk PRIMARY KEY (id, `v`)"]


def test_a_time_series_key() -> None:
    plan = table("CREATE TABLE t (id INT, ts TIMESTAMP, CONSTRAINT pk PRIMARY KEY (id, ts TIMESERIES))")
    assert plan.constraints == [{"primary_key_constraint": {"name": "pk", "child_columns": ["id", "ts"], "timeseries_columns": ["ts"]}}]


def test_inline_and_foreign_keys() -> None:
    plan = table("CREATE TABLE a.b.t (k INT NOT NULL PRIMARY KEY COMMENT 'PRIMARY KEY', o INT, FOREIGN KEY (o) REFERENCES a.b.other (k))")
    assert plan.text == "CREATE TABLE a.b.t (k INT NOT NULL COMMENT 'PRIMARY KEY', o INT)"
    assert plan.constraints == [
        {"primary_key_constraint": {"name": "t_pk", "child_columns": ["k"]}},
        {"foreign_key_constraint": {"name": "fk", "child_columns": ["o"], "parent_table": "a.b.other", "parent_columns": ["k"]}},
    ]


def test_clustering_and_properties_that_sail_does_not_know() -> None:
    plan = table(
        "CREATE OR REPLACE TABLE t CLUSTER BY (a) TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true', 'x' = 'y') AS SELECT 1 AS a"
    )
    assert plan.text == "CREATE OR REPLACE TABLE t TBLPROPERTIES ('x' = 'y') AS SELECT 1 AS a"
    assert plan.replaces
    assert plan.properties == {"delta.enableChangeDataFeed": "true"}


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TABLE t (a INT, b STRING)",
        "CREATE TABLE t AS SELECT 'CLUSTER BY (x)' AS a",
        "CREATE TABLE `my schema`.t (a STRUCT<x: INT, y: ARRAY<INT>>) USING DELTA",
    ],
)
def test_a_plain_statement_stays_as_it_is(text: str) -> None:
    plan = table(text)
    assert plan.text == text
    assert not plan.constraints
    assert not plan.removed


def test_what_is_no_create_table() -> None:
    assert sql_text.create_table("CREATE VIEW v AS SELECT 1") is None


def test_added_constraints() -> None:
    assert sql_text.added_constraint("ADD CONSTRAINT pk PRIMARY KEY (a)") == {
        "primary_key_constraint": {"name": "pk", "child_columns": ["a"]}
    }
    assert sql_text.added_constraint("ADD COLUMN x INT") is None
    assert sql_text.added_constraint("ADD CONSTRAINT positive CHECK (a > 0)") is None


def test_literals() -> None:
    assert [sql_text.literal(text) for text in ("'it''s'", '"x"', "NULL")] == ["it's", "x", ""]
