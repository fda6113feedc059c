"""Access control lists of workspace objects: stored and answered, as the Permissions API has them; not enforced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rehearsal.workspace.database import Documents
from rehearsal.workspace.identities import Identity

AclEntry = dict[str, Any]
"""One entry: a principal (`user_name`, `group_name` or `service_principal_name`) and a `permission_level`."""

PRINCIPALS = ("user_name", "group_name", "service_principal_name")


@dataclass(frozen=True)
class ObjectKind:
    """A kind of object that has permissions.

    Attributes:
        object_type: What `object_type` says.
        levels: The permission levels, lowest first.
        creator: The level that the creator gets; empty where Databricks inherits from a folder.
    """

    object_type: str
    levels: tuple[str, ...]
    creator: str


_FILES = ("CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE")
_RUNNABLE = ("CAN_VIEW", "CAN_MANAGE_RUN", "IS_OWNER", "CAN_MANAGE")
_PIPELINE = ("CAN_VIEW", "CAN_RUN", "CAN_MANAGE", "IS_OWNER")

KINDS: dict[str, ObjectKind] = {
    "jobs": ObjectKind("job", _RUNNABLE, "IS_OWNER"),
    "pipelines": ObjectKind("pipelines", _PIPELINE, "IS_OWNER"),
    "experiments": ObjectKind("mlflowExperiment", ("CAN_READ", "CAN_EDIT", "CAN_MANAGE"), "CAN_MANAGE"),
    "serving-endpoints": ObjectKind("serving-endpoint", ("CAN_VIEW", "CAN_QUERY", "CAN_MANAGE"), "CAN_MANAGE"),
    "directories": ObjectKind("directory", _FILES, ""),
    "notebooks": ObjectKind("notebook", _FILES, ""),
    "files": ObjectKind("file", _FILES, ""),
    "clusters": ObjectKind("cluster", ("CAN_ATTACH_TO", "CAN_RESTART", "CAN_MANAGE"), "CAN_MANAGE"),
    "sql/warehouses": ObjectKind("warehouses", ("CAN_VIEW", "CAN_MONITOR", "CAN_USE", "CAN_MANAGE", "IS_OWNER"), "IS_OWNER"),
}
"""Kinds by the word in the path `/api/2.0/permissions/{kind}/{id}`. Kinds that are not here are refused by name."""

OTHER_NAMES = {"warehouses": "sql/warehouses"}


class AccessLists:
    """The access control lists of all objects.

    Args:
        documents: Where they are kept.
    """

    def __init__(self, documents: Documents) -> None:
        self.documents = documents

    def created(self, kind: str, object_id: str | int, creator: Identity) -> None:
        """Give the creator of a new object what Databricks gives them."""
        level = KINDS[kind].creator
        self.set(kind, object_id, [creator.acl_entry() | {"permission_level": level}] if level else [])

    def deleted(self, kind: str, object_id: str | int) -> None:
        """Forget the list of an object that is gone."""
        self.documents.delete("acl", f"{kind}/{object_id}")

    def get(self, kind: str, object_id: str | int) -> list[AclEntry] | None:
        """The entries in the order they were given, or None when nothing was ever set."""
        stored = self.documents.get("acl", f"{kind}/{object_id}")
        return None if stored is None else list(stored["entries"])

    def set(self, kind: str, object_id: str | int, entries: list[AclEntry]) -> None:
        """Replace all entries."""
        self.documents.put("acl", f"{kind}/{object_id}", {"entries": entries})


def principal(entry: AclEntry) -> tuple[str, str]:
    """Whom an entry is about: the field and its value; empty texts when there is none."""
    return next(((name, str(entry[name])) for name in PRINCIPALS if entry.get(name)), ("", ""))
