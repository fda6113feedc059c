"""Looks at the model of a stage as an administrator would: versions, aliases, verdicts, endpoint; and does what people do in its pages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from bundleflow_models.verdict.record import PROBE_FILE, TAG_RUN, VERDICT_ARTIFACT, Verdict
from rehearsal.rehearse.project import Project
from rehearsal.rehearse.view import WorkspaceView

REGISTRY = "/api/2.0/mlflow/unity-catalog"
KIT_TAGS = "bundleflow_"


@dataclass(frozen=True)
class Version:
    """A version of a model: its number, its tags, and how the deployment job's run for it stands."""

    number: int
    tags: Mapping[str, str] = field(default_factory=dict)
    run: int = 0
    state: str = ""
    task: str = ""


@dataclass(frozen=True)
class Standing:
    """How a model stands at one moment.

    Args:
        aliases: Version by alias.
        serving: Percent of the endpoint's traffic by version; None: there is no endpoint, or it is not ready.
    """

    aliases: Mapping[str, int]
    serving: Mapping[int, int] | None

    @property
    def champion(self) -> int:
        """The version that is champion; 0 for none."""
        return self.aliases.get("champion", 0)

    @property
    def previous(self) -> int:
        """The version that was champion before; 0 for none."""
        return self.aliases.get("previous-champion", 0)

    def __str__(self) -> str:
        """In words, for the report."""
        named = ", ".join(f"{alias} {number}" for alias, number in sorted(self.aliases.items())) or "no alias"
        shares = ", ".join(f"version {number} {share} %" for number, share in sorted((self.serving or {}).items()))
        return f"{named}; serving: {shares or 'nothing'}"


class ModelsView:
    """The first model that a stage promotes.

    Args:
        view: The workspace.
        project: The project.
        stage: Name of the stage in the flow file.
    """

    def __init__(self, view: WorkspaceView, project: Project, stage: str) -> None:
        self._view = view
        at = project.flow.stages[stage]
        self.key = at.promote[0]
        self.endpoint = project.flow.models[self.key].endpoint_of(at.target) or ""
        self._catalogs = project.catalogs_of(at.target)

    @property
    def name(self) -> str:
        """The model's full name.

        Raises:
            LookupError: No such model is in the stage's catalogs.
        """
        fitting = self._names()
        if not fitting:
            raise LookupError(f"no model is deployed to {', '.join(self._catalogs)}")
        return fitting[0]

    def _names(self) -> list[str]:
        models = self._view.get("/api/2.1/unity-catalog/models", max_results=1000).get("registered_models", [])
        found = [str(each["full_name"]) for each in models if each.get("catalog_name") in self._catalogs]
        return [name for name in found if name.rpartition(".")[2] == self.key] or found

    def standing(self) -> Standing:
        """How the model stands now; without aliases where it is not deployed yet."""
        if not self._names():
            return Standing({}, None)
        model = self._view.get(f"{REGISTRY}/registered-models/get", name=self.name)["registered_model"]
        aliases = {str(each["alias"]): int(each["version"]) for each in model.get("aliases") or []}
        return Standing(aliases, self._serving())

    def _serving(self) -> dict[int, int] | None:
        try:
            found = self._view.get(f"/api/2.0/serving-endpoints/{self.endpoint}") if self.endpoint else {}
        except httpx.HTTPStatusError as error:
            if error.response.status_code != 404:
                raise
            found = {}
        if (found.get("state") or {}).get("ready") != "READY":
            return None
        config = found["config"]
        versions = {str(each["name"]): int(each["entity_version"]) for each in config["served_entities"]}
        routes = config["traffic_config"]["routes"]
        named = [(str(each.get("served_model_name") or each.get("served_entity_name")), int(each["traffic_percentage"])) for each in routes]
        return {versions[name]: share for name, share in named if share}

    def versions(self) -> list[Version]:
        """All versions, newest first."""
        found = self._view.get(f"{REGISTRY}/model-versions/search", filter=f"name='{self.name}'", max_results=1000)
        numbers = sorted((int(each["version"]) for each in found.get("model_versions", [])), reverse=True)
        return [self.version(number) for number in numbers]

    def version(self, number: int) -> Version:
        """One version."""
        data = self._view.get(f"{REGISTRY}/model-versions/get", name=self.name, version=str(number))["model_version"]
        job = data.get("deployment_job_state") or {}
        tags = {str(each["key"]): str(each.get("value") or "") for each in data.get("tags") or []}
        state = str(job.get("run_state") or "").removeprefix("DEPLOYMENT_JOB_RUN_STATE_")
        return Version(number, tags, int(job.get("run_id") or 0), state, str(job.get("current_task_name") or ""))

    def verdict(self, version: Version) -> Verdict | None:
        """The verdict on a version; None where it has none."""
        content = self._file(version, VERDICT_ARTIFACT)
        return Verdict.from_json(content) if content else None

    def request(self) -> dict[str, Any]:
        """Rows to ask the endpoint with, as the verdict on the champion keeps them.

        Raises:
            LookupError: There is no champion, or its verdict keeps none.
        """
        champion = self.standing().champion
        content = self._file(self.version(champion), PROBE_FILE) if champion else ""
        if not content:
            raise LookupError(f"no rows are kept to ask {self.endpoint or 'an endpoint'} with")
        rows: dict[str, Any] = json.loads(content)["request"]
        return rows

    def _file(self, version: Version, path: str) -> str:
        run = version.tags.get(TAG_RUN, "")
        if not run:
            return ""
        found = self._view.send("POST", "/api/2.0/mlflow/artifacts/credentials-for-read", run_id=run, path=[path])
        answer = httpx.get(str(found["credential_infos"][0]["signed_uri"]), timeout=30.0, trust_env=False)
        return answer.text if answer.status_code == 200 else ""

    def approve_another(self) -> str:
        """Press the workspace's approve button for the newest version that waits beside the challenger; its deployment job goes on.

        Returns:
            What was done, in words.

        Raises:
            LookupError: No such version waits.
        """
        challenger = self.standing().aliases.get("challenger")
        waiting = [each for each in self.versions() if each.state == "APPROVAL" and each.number != challenger]
        if not waiting:
            raise LookupError(f"no other version of {self.name} waits for approval")
        one = waiting[0]
        self._view.send(
            "POST", f"{REGISTRY}/model-versions/set-tag", name=self.name, version=str(one.number), key=one.task, value="Approved"
        )
        self._view.repair(one.run)
        self._view.wait(one.run)
        return f"somebody approves version {one.number} of {self.name} in the workspace, and its deployment job promotes it"

    def forget(self) -> None:
        """Remove all versions, the endpoint, and what the kit noted at the model: as it was before its first version."""
        if self._serving() is not None:
            self._view.send("DELETE", f"/api/2.0/serving-endpoints/{self.endpoint}")
        for version in self.versions():
            self._view.send("DELETE", f"{REGISTRY}/model-versions/delete", name=self.name, version=str(version.number))
        model = self._view.get(f"{REGISTRY}/registered-models/get", name=self.name)["registered_model"]
        for tag in model.get("tags") or []:
            if str(tag["key"]).startswith(KIT_TAGS):
                self._view.send("DELETE", f"{REGISTRY}/registered-models/delete-tag", name=self.name, key=tag["key"])
