"""Brings what a task made in Spark (schemas, tables) into Unity Catalog."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from rehearsal.workspace.identities import Identity
from rehearsal.workspace.securables import SCHEMAS, TABLES, Securables
from rehearsal.workspace.services import Services


def known_tables(services: Services) -> dict[str, dict[str, Any]]:
    """Return all tables by full name, with what a Spark session needs to know of them."""
    fields = ("table_type", "data_source_format", "storage_location", "view_definition", "comment", "table_constraints", "properties")
    return {
        str(table["full_name"]).lower(): {name: table[name] for name in fields if table.get(name)}
        for table in services.documents.all(TABLES)
    }


def apply(services: Services, changes: dict[str, Any], who: Identity) -> None:
    """Record what one task changed; what other tasks changed meanwhile stays.

    Args:
        services: The workspace.
        changes: `TaskResult.changes`.
        who: The identity the task ran as; owner of what is new.
    """
    securables = Securables(services)
    for schema, about in changes.get("schemas", {}).items():
        there = securables.find(SCHEMAS, schema) is not None
        if about is None and there:
            securables.delete(SCHEMAS, schema)
        elif about is not None and not there:
            securables.create(SCHEMAS, schema.split("."), {}, who)
    for name, table in changes.get("tables", {}).items():
        before = securables.find(TABLES, name)
        if table is None:
            if before is not None:
                securables.delete(TABLES, name)
                _sweep(services, before)
            continue
        fields = {key: value for key, value in table.items() if value or key == "columns" or (before and before.get(key))}
        if before is None:
            securables.create(TABLES, name.split("."), {"table_id": services.ids.uuid(), **fields}, who)
        else:
            securables.update(TABLES, name, fields, who)
            if before.get("storage_location") != fields.get("storage_location"):
                _sweep(services, before)


def made_twice(services: Services, changes: dict[str, Any], known: dict[str, dict[str, Any]]) -> list[str]:
    """List the tables that a task made while another one made them, too: of two such tables only one can be kept.

    Spark's catalog is a session's own here, so neither saw the other's (on Databricks the second would have).

    Args:
        services: The workspace.
        changes: `TaskResult.changes`.
        known: The tables that the task was started with, by full name.
    """
    # A table without a place is only announced: a task does that to its own before it grants rights to it.
    places = {name: place for name, table in known_tables(services).items() if (place := table.get("storage_location"))}
    made = {name: table for name, table in changes.get("tables", {}).items() if table is not None and name not in known}
    return [name for name, table in made.items() if name in places and places[name] != table.get("storage_location")]


def _sweep(services: Services, table: dict[str, Any]) -> None:
    """Remove the files of a managed table that is gone; Spark leaves them behind."""
    location = Path(str(table.get("storage_location") or "").removeprefix("file://").removeprefix("file:"))
    warehouse = services.data / "spark" / "warehouse"
    if table.get("table_type") == "MANAGED" and location.is_dir() and warehouse in location.parents:
        shutil.rmtree(location, ignore_errors=True)
