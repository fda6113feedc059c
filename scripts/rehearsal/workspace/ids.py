"""Ids as Databricks makes them: long numbers, UUIDs, and the short forms of clusters and warehouses; never the same twice."""

from __future__ import annotations

import secrets
import time
import uuid

from rehearsal.workspace.database import Database


class IdMaker:
    """Makes ids that are unique in this workspace, also after a restart on the same data.

    Args:
        database: Where the counter lives.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def number(self) -> int:
        """A number of 15 digits (jobs, runs, workspace objects, experiments): below 2**53, so that JSON readers keep it."""
        # A counter above a random start looks like Databricks' ids, cannot be taken for another number, and never repeats.
        return self.database.count("id", 100_000_000_000_000 + secrets.randbelow(800_000_000_000_000))

    def uuid(self) -> str:
        """A random UUID (pipelines, models, updates)."""
        return str(uuid.uuid4())

    def hex(self, digits: int = 32) -> str:
        """Random hexadecimal digits (serving endpoints: 32, warehouses: 16)."""
        return secrets.token_hex((digits + 1) // 2)[:digits]

    def cluster(self) -> str:
        """A cluster's id, such as `1121-101530-k3v9x0ab`."""
        return time.strftime("%m%d-%H%M%S-", time.gmtime()) + self.hex(8)
