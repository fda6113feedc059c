"""The workspace's memory: one SQLite file with schema migrations per part, and a store of JSON documents for plain resources."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Document = dict[str, Any]

DOCUMENT_MIGRATIONS = [
    """CREATE TABLE documents (
        kind TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, key)
    ) WITHOUT ROWID""",
    "CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
]


class Database:
    """A SQLite connection in autocommit mode, used from the event loop only; every statement is short.

    Args:
        path: The database file; made when it is not there. Its parts' schemas are brought up to date by `migrate`.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
        self.connection.row_factory = sqlite3.Row
        self.connection.execute("PRAGMA journal_mode=WAL")
        # The data is a rehearsal's: a crash of the machine may cost it, a crash of the process may not.
        self.connection.execute("PRAGMA synchronous=OFF")
        self.connection.execute("CREATE TABLE IF NOT EXISTS schema_versions (part TEXT PRIMARY KEY, version INTEGER NOT NULL)")
        self.migrate("documents", DOCUMENT_MIGRATIONS)

    def migrate(self, part: str, statements: Sequence[str]) -> None:
        """Run the statements of a part that this file has not seen yet; statement number n makes version n.

        Args:
            part: The part's name, such as `jobs`.
            statements: All statements since the first version, in order; never changed afterwards, only added to.
        """
        row = self.connection.execute("SELECT version FROM schema_versions WHERE part = ?", (part,)).fetchone()
        done = int(row["version"]) if row else 0
        if done >= len(statements):
            return
        with self.transaction():
            for statement in statements[done:]:
                self.connection.execute(statement)
            self.connection.execute("INSERT OR REPLACE INTO schema_versions VALUES (?, ?)", (part, len(statements)))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Several statements at once or not at all; not to be nested, nothing is awaited inside."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run one statement."""
        return self.connection.execute(statement, parameters)

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """All rows of a query."""
        return self.connection.execute(statement, parameters).fetchall()

    def row(self, statement: str, parameters: Sequence[Any] = ()) -> sqlite3.Row | None:
        """The first row of a query, or None."""
        row: sqlite3.Row | None = self.connection.execute(statement, parameters).fetchone()
        return row

    def count(self, name: str, start: int = 1) -> int:
        """The next number of a counter that survives a restart."""
        row = self.row(
            "INSERT INTO counters VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value", (name, start)
        )
        assert row is not None
        return int(row["value"])

    def close(self) -> None:
        """Close the file."""
        self.connection.close()


class Documents:
    """JSON documents by kind and key, for resources that need no table of their own."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def get(self, kind: str, key: str) -> Document | None:
        """One document, or None."""
        row = self.database.row("SELECT body FROM documents WHERE kind = ? AND key = ?", (kind, key))
        return _load(row["body"]) if row else None

    def put(self, kind: str, key: str, body: Document) -> Document:
        """Store a document under its key, replacing one that is there, and give it back."""
        self.database.execute("INSERT OR REPLACE INTO documents VALUES (?, ?, ?)", (kind, key, json.dumps(body)))
        return body

    def delete(self, kind: str, key: str) -> bool:
        """Remove a document; says whether it was there."""
        return self.database.execute("DELETE FROM documents WHERE kind = ? AND key = ?", (kind, key)).rowcount > 0

    def all(self, kind: str, prefix: str = "") -> list[Document]:
        """All documents of a kind whose key begins with the prefix, in the order of their keys."""
        query = "SELECT body FROM documents WHERE kind = ? AND substr(key, 1, ?) = ? ORDER BY key"
        return [_load(row["body"]) for row in self.database.rows(query, (kind, len(prefix), prefix))]

    def keys(self, kind: str, prefix: str = "") -> list[str]:
        """The keys of a kind that begin with the prefix, in order."""
        query = "SELECT key FROM documents WHERE kind = ? AND substr(key, 1, ?) = ? ORDER BY key"
        return [str(row["key"]) for row in self.database.rows(query, (kind, len(prefix), prefix))]


def _load(text: str) -> Document:
    document: Document = json.loads(text)
    return document
