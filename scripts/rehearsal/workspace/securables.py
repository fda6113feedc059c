"""Unity Catalog's objects (catalogs, schemas, volumes, tables, models) as documents by their full name."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from rehearsal.workspace.errors import ApiError, catalog_error, invalid
from rehearsal.workspace.http import Json
from rehearsal.workspace.identities import Identity
from rehearsal.workspace.services import CATALOGS, Services
from rehearsal.workspace.services import SCHEMAS as SCHEMAS

VOLUMES, TABLES, MODELS, VERSIONS, GRANTS, TAGS = "volumes", "tables", "models", "model_versions", "grants", "uc_tags"
PRESUMED = "presumed_catalogs"
WORDS = {CATALOGS: "Catalog", SCHEMAS: "Schema", VOLUMES: "Volume", TABLES: "Table", MODELS: "Registered Model"}
CODES = {CATALOGS: "CATALOG", SCHEMAS: "SCHEMA", VOLUMES: "VOLUME", TABLES: "TABLE", MODELS: "RESOURCE"}
LEVELS = {CATALOGS: 1, SCHEMAS: 2, VOLUMES: 3, TABLES: 3, MODELS: 3}
FORBIDDEN = re.compile(r"[\s./\x00-\x1f\x7f]")
LONGEST_NAME = 255


class Securables:
    """Reads and writes objects of Unity Catalog.

    Args:
        services: The workspace's inner side.
    """

    def __init__(self, services: Services) -> None:
        self.services, self.documents = services, services.documents

    def find(self, kind: str, full_name: str) -> Json | None:
        """An object by its full name, in any case; or None."""
        return self.documents.get(kind, full_name.lower())

    def get(self, kind: str, full_name: str) -> Json:
        """An object by its full name.

        Raises:
            ApiError: 404 `..._DOES_NOT_EXIST`, 400 for a name with the wrong number of parts.
        """
        if full_name.count(".") != LEVELS[kind] - 1:
            raise invalid(f"{full_name} is not a full name of a {WORDS[kind].lower()}")
        found = self.find(kind, full_name)
        if found is None:
            # Models answer with the general code, the others with one of their own.
            raise catalog_error(f"{CODES[kind]}_DOES_NOT_EXIST", f"{WORDS[kind]} '{full_name}' does not exist.")
        return found

    def create(self, kind: str, names: list[str], fields: Json, creator: Identity) -> Json:
        """A new object.

        Args:
            kind: Such as `schemas`.
            names: Its name's parts, such as `["main", "gold"]`.
            fields: What it has besides its name, owner and times.
            creator: Its owner.

        Raises:
            ApiError: 409 when it is there, 404 without its catalog or schema, 400 for a bad name.
        """
        full_name = ".".join(check_name(name) for name in names)
        self.require_parents(names[:-1], creator)
        if self.find(kind, full_name) and not self.documents.delete(PRESUMED, full_name.lower()):
            raise catalog_error(f"{CODES[kind]}_ALREADY_EXISTS", f"{WORDS[kind]} '{full_name}' already exists")
        now = self.services.clock()
        parents = dict(zip(("catalog_name", "schema_name"), names[:-1], strict=False))
        stamps = {"owner": creator.name, "created_at": now, "created_by": creator.name, "updated_at": now, "updated_by": creator.name}
        return self.put(kind, {"name": names[-1], **parents, "full_name": full_name, **stamps, **fields})

    def require_parents(self, names: list[str], creator: Identity) -> None:
        """Refuse a name whose catalog or schema is not there; without an identities file they are presumed to be."""
        if self.services.catalogs_open:
            if names and not self.find(CATALOGS, names[0]):
                # Jobs must find it, too. Whoever makes it for certain afterwards is not told that it is there already.
                self.create(CATALOGS, names[:1], {}, creator)
                self.documents.put(PRESUMED, names[0].lower(), {})
            return
        if names:
            self.get(CATALOGS, names[0])
        if len(names) > 1:
            self.get(SCHEMAS, ".".join(names[:2]))

    def put(self, kind: str, body: Json) -> Json:
        """Store an object under its full name."""
        return self.documents.put(kind, str(body["full_name"]).lower(), body)

    def update(self, kind: str, full_name: str, changes: Json, editor: Identity) -> Json:
        """Change fields of an object; `new_name` renames it.

        Raises:
            ApiError: 404 when it is not there, 409 when the new name is taken.
        """
        current = self.get(kind, full_name)
        fields = {name: value for name, value in changes.items() if name != "new_name"}
        current = current | fields | {"updated_at": self.services.clock(), "updated_by": editor.name}
        new_name = changes.get("new_name")
        if new_name and new_name != current["name"]:
            return self._rename(kind, current, check_name(str(new_name)))
        return self.put(kind, current)

    def _rename(self, kind: str, current: Json, new_name: str) -> Json:
        if kind not in {VOLUMES, MODELS}:
            raise ApiError("FEATURE_DISABLED", f"The local workspace does not imitate renaming a {WORDS[kind].lower()}.")
        old = str(current["full_name"])
        full_name = f"{old.rsplit('.', 1)[0]}.{new_name}"
        if self.find(kind, full_name):
            raise catalog_error(f"{CODES[kind]}_ALREADY_EXISTS", f"{WORDS[kind]} '{full_name}' already exists")
        self._move(kind, old, full_name)
        self.documents.delete(kind, old.lower())
        return self.put(kind, current | {"name": new_name, "full_name": full_name})

    def _move(self, kind: str, old: str, new: str) -> None:
        """Take along what hangs on an object's name: files, versions, grants and tags."""
        folder = self.folder(kind, old)
        if folder.is_dir():
            folder.rename(self.folder(kind, new))
        for key in self.documents.keys(VERSIONS, f"{old.lower()}/") if kind == MODELS else []:
            version = self.documents.get(VERSIONS, key) or {}
            names = new.split(".")
            self.documents.put(VERSIONS, f"{new.lower()}/{key.rsplit('/', 1)[1]}", version | {"model_name": names[-1]})
            self.documents.delete(VERSIONS, key)
        for what in (GRANTS, TAGS):
            if stored := self.documents.get(what, f"{kind}/{old.lower()}"):
                self.documents.put(what, f"{kind}/{new.lower()}", stored)
                self.documents.delete(what, f"{kind}/{old.lower()}")

    def delete(self, kind: str, full_name: str) -> None:
        """Remove an object and what lies in it, with files, grants and tags.

        Raises:
            ApiError: 404 when it is not there.
        """
        current = self.get(kind, full_name)
        name = str(current["full_name"]).lower()
        for inner in self.inside(kind, name):
            self.delete(*inner)
        if kind == MODELS:
            for key in self.documents.keys(VERSIONS, f"{name}/"):
                self.documents.delete(VERSIONS, key)
        if kind != TABLES:
            shutil.rmtree(self.folder(kind, str(current["full_name"])), ignore_errors=True)
        for what in (GRANTS, TAGS):
            self.documents.delete(what, f"{kind}/{name}")
        self.documents.delete(kind, name)

    def inside(self, kind: str, full_name: str) -> list[tuple[str, str]]:
        """Kind and full name of what lies directly in a catalog or schema."""
        below = {CATALOGS: (SCHEMAS,), SCHEMAS: (VOLUMES, TABLES, MODELS)}.get(kind, ())
        return [(inner, key) for inner in below for key in self.documents.keys(inner, f"{full_name.lower()}.")]

    def folder(self, kind: str, full_name: str) -> Path:
        """Where the files of a volume, a schema's or catalog's volumes, or a model lie."""
        return self.services.data.joinpath("models" if kind == MODELS else "volumes", *full_name.split("."))


def check_name(name: str) -> str:
    """A name as Unity Catalog takes it.

    Raises:
        ApiError: INVALID_PARAMETER_VALUE for blanks, dots, slashes, control characters, or a name that is empty or too long.
    """
    if not name or len(name) > LONGEST_NAME or FORBIDDEN.search(name):
        raise invalid(f"`{name}` is not a valid name: 1 to {LONGEST_NAME} characters without blanks, dots, slashes and control characters")
    return name


def without(body: Json, *fields: str) -> Json:
    """A copy without some fields, and without those that are None."""
    return {name: value for name, value in body.items() if name not in fields and value is not None}
