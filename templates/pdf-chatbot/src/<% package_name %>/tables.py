"""The project's tables in Unity Catalog: names, columns with their primary keys, and how they are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .documents import Chunk, Document, Page
from .retrieval import Index

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import SparkSession


@dataclass(frozen=True)
class Table:
    """A table.

    Args:
        name: Its name.
        key: Columns of its primary key.
        columns: Its columns and their types.
    """

    name: str
    key: tuple[str, ...]
    columns: str

    @property
    def column_names(self) -> list[str]:
        """Names of its columns, in their order."""
        return [column.split()[0] for column in self.columns.split(", ")]

    def create_sql(self, full_name: str) -> str:
        """The statement that makes the table, with its primary key, where there is none yet."""
        listed = ", ".join(f"{column} NOT NULL" if column.split()[0] in self.key else column for column in self.columns.split(", "))
        key = f"CONSTRAINT {self.name}_pk PRIMARY KEY ({', '.join(self.key)})"
        return f"CREATE TABLE IF NOT EXISTS {full_name} ({listed}, {key}) USING DELTA"


DOCUMENTS = Table("documents", ("document",), "document STRING, sha256 STRING, pages BIGINT, pages_without_text BIGINT")
PAGES = Table("pages", ("page_id",), "page_id STRING, document STRING, page BIGINT, text STRING")
CHUNKS = Table("chunks", ("chunk_id",), "chunk_id STRING, document STRING, page BIGINT, text STRING")
EMBEDDINGS = Table("embeddings", ("chunk_id",), "chunk_id STRING, embedder STRING, embedding ARRAY<FLOAT>")
QUESTIONS = Table(
    "questions",
    ("question_id",),
    "question_id STRING, kind STRING, purpose STRING, answer STRING, question STRING, relevant ARRAY<STRING>, answerable BOOLEAN",
)
EVALUATIONS = Table(
    "evaluations",
    ("model_version", "ranking", "kind", "metric"),
    "model_version BIGINT, ranking STRING, kind STRING, metric STRING, n BIGINT, value DOUBLE, low DOUBLE, high DOUBLE",
)


@dataclass(frozen=True)
class Place:
    """A schema of Unity Catalog. Names are quoted in SQL: the schema of a pull request has hyphens."""

    catalog: str
    schema: str

    @property
    def model(self) -> str:
        """Full name of the registered model, as MLflow wants it."""
        return f"{self.catalog}.{self.schema}.chatbot"

    @property
    def volume(self) -> str:
        """Folder of the volume with the documents."""
        return f"/Volumes/{self.catalog}/{self.schema}/documents"

    def full(self, table: Table) -> str:
        """Full name of a table, quoted."""
        return ".".join(f"`{part.replace('`', '``')}`" for part in (self.catalog, self.schema, table.name))


def replace_rows(spark: SparkSession, place: Place, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Replace the rows of a table; it is made, with its key, where it is missing.

    Args:
        spark: The session.
        place: Where the table is.
        table: The table.
        rows: Its rows, values in the order of its columns.

    Raises:
        ValueError: A key stands twice: Databricks does not enforce primary keys.
    """
    check_key(table, rows)
    spark.sql(table.create_sql(place.full(table)))
    spark.createDataFrame(list(rows), table.columns).createOrReplaceTempView(f"new_{table.name}")
    spark.sql(f"INSERT OVERWRITE {place.full(table)} SELECT * FROM new_{table.name}")


def put_evaluation(spark: SparkSession, place: Place, version: int, rows: Sequence[tuple[Any, ...]]) -> None:
    """Put the measures of a version into the table that keeps all versions; one that is measured again replaces its own rows.

    Args:
        spark: The session.
        place: Where the table is.
        version: The version.
        rows: Its measures, values in the order of the columns.
    """
    check_key(EVALUATIONS, rows)
    name = place.full(EVALUATIONS)
    spark.sql(EVALUATIONS.create_sql(name))
    spark.sql(f"DELETE FROM {name} WHERE model_version = :version", args={"version": version})
    spark.createDataFrame(list(rows), EVALUATIONS.columns).write.mode("append").saveAsTable(name)


def check_key(table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Refuse rows in which a key stands twice.

    Raises:
        ValueError: It does.
    """
    places = [table.column_names.index(column) for column in table.key]
    keys = [tuple(row[place] for place in places) for row in rows]
    if len(set(keys)) != len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"The table {table.name} would have two rows with the key {', '.join(map(str, twice))}.")


def read(spark: SparkSession, place: Place, table: Table) -> pd.DataFrame:
    """A whole table, ordered by its key."""
    return spark.table(place.full(table)).orderBy(*table.key).toPandas()


def document_row(document: Document, pages: Sequence[Page]) -> tuple[Any, ...]:
    """The row of a document."""
    return document.name, document.sha256, len(pages), sum(not page.text for page in pages)


def rows_of(frame: pd.DataFrame, table: Table) -> list[tuple[Any, ...]]:
    """The rows of a frame in the order of a table's columns."""
    return list(frame[table.column_names].itertuples(index=False, name=None))


def read_index(spark: SparkSession, place: Place) -> Index:
    """The index, from pages, chunks and embeddings.

    Raises:
        ValueError: The tables are not of one run: a chunk has no embedding, or there are several embedders.
    """
    pages = {row.page_id: row.text for row in read(spark, place, PAGES).sort_values(["document", "page"]).itertuples()}
    frame = read(spark, place, CHUNKS).merge(read(spark, place, EMBEDDINGS), on="chunk_id", how="left")
    embedders = frame["embedder"].unique().tolist()
    if len(embedders) != 1 or frame["embedder"].isna().any():
        raise ValueError(f"The tables chunks and embeddings do not fit together (embedders: {embedders}): run the first task again.")
    chunks = tuple(Chunk(row.chunk_id, row.document, int(row.page), row.text) for row in frame.itertuples())
    return Index(chunks, np.array(frame["embedding"].tolist(), dtype=np.float64), str(embedders[0]), pages)
