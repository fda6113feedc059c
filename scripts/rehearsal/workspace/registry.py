"""Unity Catalog's registered models: versions, aliases and tags, for both APIs that show them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from rehearsal.workspace.errors import does_not_exist, invalid
from rehearsal.workspace.http import Json
from rehearsal.workspace.identities import Identity
from rehearsal.workspace.securables import MODELS, VERSIONS, Securables
from rehearsal.workspace.services import Services

ALIAS = re.compile(r"[\w-]{1,255}")
RESERVED_ALIAS = re.compile(r"latest|v\d+", re.IGNORECASE)


class Registry:
    """Registered models and their versions. No write has a precondition on what somebody else may have written, as in reality.

    Args:
        services: The workspace's inner side.
    """

    def __init__(self, services: Services) -> None:
        self.services, self.documents, self.securables = services, services.documents, Securables(services)

    def model(self, full_name: str) -> Json:
        """A registered model with `aliases` (version by alias), `tags` and `last_version`.

        Raises:
            ApiError: RESOURCE_DOES_NOT_EXIST.
        """
        return {"aliases": {}, "tags": {}, "last_version": 0} | self.securables.get(MODELS, full_name)

    def models(self) -> list[Json]:
        """All registered models by name."""
        return [{"aliases": {}, "tags": {}, "last_version": 0} | model for model in self.documents.all(MODELS)]

    def save(self, model: Json) -> None:
        """Store a changed model."""
        self.securables.put(MODELS, model)

    def create(self, names: list[str], fields: Json, creator: Identity) -> Json:
        """A new registered model."""
        return self.securables.create(MODELS, names, {"aliases": {}, "tags": {}, "last_version": 0, **fields}, creator)

    def version(self, full_name: str, number: int) -> Json:
        """A version of a model.

        Raises:
            ApiError: RESOURCE_DOES_NOT_EXIST.
        """
        found = self.documents.get(VERSIONS, _key(self.model(full_name), number))
        if found is None:
            raise does_not_exist(f"Model version {number} of registered model '{full_name}' does not exist.")
        return found

    def versions(self, full_name: str) -> list[Json]:
        """All versions of a model, the newest first."""
        return self.documents.all(VERSIONS, f"{str(self.model(full_name)['full_name']).lower()}/")[::-1]

    def create_version(self, full_name: str, fields: Json, creator: Identity) -> Json:
        """A new version, which waits for its files.

        Args:
            full_name: The model's name.
            fields: `source`, `run_id`, `comment`, `tags`, `model_id` as far as given.
            creator: Who makes it.
        """
        model = self.model(full_name)
        number, now = int(model["last_version"]) + 1, self.services.clock()
        catalog, schema, name = str(model["full_name"]).split(".")
        version = {
            "model_name": name, "catalog_name": catalog, "schema_name": schema, "version": number, "status": "PENDING_REGISTRATION",
            "id": self.services.ids.uuid(), "storage_location": f"dbfs:/Models/{catalog}/{schema}/{name}/{number}",
            "created_at": now, "created_by": creator.name, "updated_at": now, "updated_by": creator.name, "tags": {}, **fields,
        }  # fmt: skip
        self.folder(model, number).mkdir(parents=True, exist_ok=True)
        with self.services.database.transaction():
            self.save(model | {"last_version": number})
            self.documents.put(VERSIONS, _key(model, number), version)
        return version

    def change_version(self, full_name: str, number: int, changes: Json, editor: Identity) -> Json:
        """A version with some fields changed."""
        stamps = {"updated_at": self.services.clock(), "updated_by": editor.name}
        version = self.version(full_name, number) | changes | stamps
        return self.documents.put(VERSIONS, _key(self.model(full_name), number), version)

    def finish_version(self, full_name: str, number: int, editor: Identity) -> Json:
        """A version whose files are all there; it starts the deployment job that its model is connected to."""
        known = self.version(full_name, number)["status"] == "READY"
        version = self.change_version(full_name, number, {"status": "READY"}, editor)
        if self.services.deployment_jobs is not None and not known:
            self.services.deployment_jobs.started_by(self.model(full_name), number)
        return version

    def connect(self, full_name: str, job_id: str) -> None:
        """Let each new version of a model start a job; an empty id ends that.

        Raises:
            ApiError: There is no such job.
        """
        if self.services.deployment_jobs is not None:
            self.services.deployment_jobs.check(job_id)
        self.save(self.model(full_name) | {"deployment_job_id": job_id})

    def delete_version(self, full_name: str, number: int) -> None:
        """Remove a version with its files; aliases that point to it go with it, silently, as in reality."""
        self.version(full_name, number)
        model = self.model(full_name)
        self.save(model | {"aliases": {alias: v for alias, v in model["aliases"].items() if v != number}})
        self.documents.delete(VERSIONS, _key(model, number))
        shutil.rmtree(self.folder(model, number), ignore_errors=True)

    def set_alias(self, full_name: str, alias: str, number: int) -> None:
        """Let an alias point to a version, wherever it pointed before.

        Raises:
            ApiError: The name is no alias, or the version does not exist.
        """
        if not ALIAS.fullmatch(alias) or RESERVED_ALIAS.fullmatch(alias):
            raise invalid(f"Invalid alias name: '{alias}'. It must be letters, digits, `_` and `-`; `latest` and `v<number>` are reserved.")
        self.version(full_name, number)
        model = self.model(full_name)
        self.save(model | {"aliases": model["aliases"] | {alias: number}})

    def delete_alias(self, full_name: str, alias: str) -> None:
        """Take an alias away; one that is not there is no error."""
        model = self.model(full_name)
        self.save(model | {"aliases": {name: v for name, v in model["aliases"].items() if name != alias}})

    def by_alias(self, full_name: str, alias: str) -> Json:
        """The version that an alias points to.

        Raises:
            ApiError: RESOURCE_DOES_NOT_EXIST.
        """
        number = self.model(full_name)["aliases"].get(alias)
        if number is None:
            raise does_not_exist(f"Registered model '{full_name}' does not have an alias '{alias}'.")
        return self.version(full_name, int(number))

    def aliases_of(self, full_name: str, number: int) -> list[str]:
        """The aliases that point to a version."""
        return sorted(alias for alias, v in self.model(full_name)["aliases"].items() if v == number)

    def folder(self, model: Json, number: int) -> Path:
        """Where the files of a version lie."""
        return self.securables.folder(MODELS, str(model["full_name"])) / str(number)


def parse_version(text: object) -> int:
    """A version's number from text.

    Raises:
        ApiError: INVALID_PARAMETER_VALUE.
    """
    if not str(text).isdigit() or int(str(text)) < 1:
        raise invalid(f"version must be a positive number, not {text!r}")
    return int(str(text))


def _key(model: Json, number: int) -> str:
    return f"{str(model['full_name']).lower()}/{number:09d}"
