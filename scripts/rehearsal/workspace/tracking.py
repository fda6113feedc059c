"""Experiments of the workspace, and their copies in MLflow's own database, which keeps the runs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from rehearsal.workspace.errors import ApiError, does_not_exist, invalid
from rehearsal.workspace.files import WorkspaceObject
from rehearsal.workspace.http import Json
from rehearsal.workspace.services import Services

EXPERIMENTS = "experiments"
BUSY_SECONDS = 10.0


class Experiments:
    """Experiments are made, renamed and deleted without MLflow's server, which takes seconds to start; it gets copies when it runs.

    Args:
        services: The workspace's inner side.
    """

    def __init__(self, services: Services) -> None:
        self.services, self.documents = services, services.documents
        self.started = False
        services.on_object_gone.append(self._gone)

    def get(self, experiment_id: str) -> Json:
        """An experiment, also a deleted one.

        Raises:
            ApiError: RESOURCE_DOES_NOT_EXIST.
        """
        found = self.documents.get(EXPERIMENTS, experiment_id)
        if found is None:
            raise does_not_exist(f"Node ID {experiment_id} does not exist.")
        return found

    def find(self, name: str) -> Json | None:
        """The experiment of a name that is not deleted, or else the deleted one; or None."""
        found = [e for e in self.documents.all(EXPERIMENTS) if e["name"] == name]
        return min(found, key=lambda e: (e["lifecycle_stage"] != "active", -e["creation_time"]), default=None)

    def create(self, name: str, artifact_location: str, tags: list[Json]) -> Json:
        """A new experiment.

        Raises:
            ApiError: The name is taken or is no absolute path, or its folder does not exist.
        """
        if not name.startswith("/"):
            raise invalid(f"Got an invalid experiment name '{name}'. An absolute path is required.")
        existing = self.find(name)
        if existing and existing["lifecycle_stage"] == "active":
            raise ApiError("RESOURCE_ALREADY_EXISTS", f"Experiment with name '{name}' already exists.")
        if self.services.catalogs_open:
            self.services.files.make_directory(name.rsplit("/", 1)[0] or "/")
        number = self.services.ids.number()
        self.services.files.record_experiment(name, number)
        now = self.services.clock()
        location = artifact_location or f"dbfs:/databricks/mlflow-tracking/{number}"
        experiment = {
            "experiment_id": str(number), "name": name, "artifact_location": location, "lifecycle_stage": "active",
            "creation_time": now, "last_update_time": now, "tags": tags,
        }  # fmt: skip
        return self.save(experiment)

    def save(self, experiment: Json) -> Json:
        """Store a new or changed experiment, and copy it to MLflow when that runs."""
        self.documents.put(EXPERIMENTS, experiment["experiment_id"], experiment)
        if self.started:
            self._copy([experiment])
        return experiment

    async def mlflow(self) -> str:
        """The address of MLflow's server, which knows all experiments from here on."""
        url = await self.services.mlflow_url()
        if not self.started:
            self._copy(self.documents.all(EXPERIMENTS))
            self.started = True
        return url

    def _gone(self, item: WorkspaceObject) -> None:
        """An experiment is deleted with the folder that it stands in."""
        experiment = self.documents.get(EXPERIMENTS, str(item.object_id)) if item.type == "MLFLOW_EXPERIMENT" else None
        if experiment is not None:
            self.save(experiment | {"lifecycle_stage": "deleted", "last_update_time": self.services.clock()})

    def _copy(self, experiments: list[Json]) -> None:
        """Write experiments into MLflow's database under the workspace's ids; MLflow's API would choose ids of its own."""
        artifacts = self.services.data / "mlflow" / "artifacts"
        with closing(sqlite3.connect(self._database(), timeout=BUSY_SECONDS)) as connection, connection:
            for experiment in experiments:
                number, deleted = int(experiment["experiment_id"]), experiment["lifecycle_stage"] != "active"
                # A deleted experiment gives its name free on Databricks; in MLflow names are unique for ever.
                name = f"{experiment['name']} (deleted {number})" if deleted else experiment["name"]
                values = (name, experiment["lifecycle_stage"], experiment["last_update_time"])
                changed = connection.execute(
                    "UPDATE experiments SET name = ?, lifecycle_stage = ?, last_update_time = ? WHERE experiment_id = ?", (*values, number)
                )
                if not changed.rowcount:
                    connection.execute(
                        "INSERT INTO experiments "
                        "(experiment_id, name, artifact_location, lifecycle_stage, creation_time, last_update_time) "
                        "VALUES (?, ?, ?, ?, ?, ?)",
                        (number, name, str(_location(experiment, artifacts)), values[1], experiment["creation_time"], values[2]),
                    )
                connection.execute("DELETE FROM experiment_tags WHERE experiment_id = ?", (number,))
                tags = [(tag["key"], tag.get("value", ""), number) for tag in experiment["tags"]]
                connection.executemany('INSERT INTO experiment_tags ("key", value, experiment_id) VALUES (?, ?, ?)', tags)

    def _database(self) -> Path:
        return self.services.data / "mlflow" / "mlflow.db"


def _location(experiment: Json, artifacts: Path) -> Path | str:
    """Where MLflow keeps an experiment's files: a folder of this machine, so that clients write them themselves."""
    said = str(experiment["artifact_location"])
    return artifacts / str(experiment["experiment_id"]) if said.startswith("dbfs:/databricks/mlflow-tracking/") else said
