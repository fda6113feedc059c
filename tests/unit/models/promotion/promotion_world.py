"""A workspace in memory: models, endpoints and files that behave as the real ones are documented to, and count what is done."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bundleflow_models.errors import ModelsError
from bundleflow_models.promotion import Approval, Pace, PromotionRequest, Workspace
from bundleflow_models.promotion.endpoint import traffic
from bundleflow_models.promotion.probe import PROBE_FILE
from bundleflow_models.promotion.records import EndpointState, ModelState, VersionState
from bundleflow_models.verdict.gate import load_gate
from bundleflow_models.verdict.record import VERDICT_ARTIFACT, Result, Verdict

MODEL = "prod.iris.classifier"
ENDPOINT = "iris-prod"
START = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
PACE = Pace(poll_s=0.0, update_limit_s=5.0)
GATE_FILE = {
    "version": 1,
    "problem": "classification",
    "primary": "f1_macro",
    "holdout": {"label": "y", "table": "`{catalog}`.`{schema}`.holdout"},
}
"""The gate file of the model, by which `judged` judges."""
GATE = load_gate(GATE_FILE)
ROWS = {"dataframe_split": {"columns": ["x"], "data": [[1.0], [2.0]]}}


class Killed(BaseException):
    """The process is gone: nothing it does reaches the workspace any more."""


@dataclass
class World:
    """The workspace, and what is done to it from outside."""

    models: dict[str, ModelState] = field(default_factory=dict)
    versions: dict[tuple[str, int], VersionState] = field(default_factory=dict)
    artifacts: dict[tuple[str, str], bytes] = field(default_factory=dict)
    endpoints: dict[str, EndpointState] = field(default_factory=dict)
    next_config: dict[str, tuple[Mapping[str, Any], int]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    answers: dict[int, list[Any]] = field(default_factory=dict)
    broken: set[int] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)
    now: datetime = START
    meet: Callable[[str, int], None] = lambda _name, _number: None
    dead: bool = False
    served: list[dict[str, int]] = field(default_factory=list)
    digest: str = ""

    def did(self, name: str) -> None:
        if self.dead:
            raise Killed
        self.calls.append(name)
        self.meet(name, len(self.calls))

    def workspace(self) -> Workspace:
        return Workspace(Models(self), Serving(self), Folder(self), clock=lambda: self.now)

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def alias(self, name: str) -> int | None:
        return self.models[MODEL].aliases.get(name)

    def state(self) -> tuple[dict[str, int], dict[str, int] | None]:
        """The aliases, and the share of traffic by version."""
        return dict(self.models[MODEL].aliases), self.shares()

    def shares(self) -> dict[str, int] | None:
        found = self.endpoints.get(ENDPOINT)
        if found is None:
            return None
        versions = {each["name"]: each["entity_version"] for each in found.config.get("served_entities", [])}
        return {versions[name]: share for name, share in traffic(found.config).items()}

    def tags(self, number: int) -> Mapping[str, str]:
        return self.versions[(MODEL, number)].tags

    def picture(self) -> Any:
        """Everything that a promotion can change: aliases and routes, tags of the model, of each version, files."""
        versions = {number: dict(version.tags) for (_, number), version in self.versions.items()}
        return self.state(), dict(self.models[MODEL].tags), versions, set(self.files)

    def set_aliases(self, **aliases: int) -> None:
        self.models[MODEL] = replace(self.models[MODEL], aliases={name.replace("_", "-"): number for name, number in aliases.items()})

    def delete_version(self, number: int) -> None:
        """Aliases of a deleted version go with it, silently."""
        del self.versions[(MODEL, number)]
        model = self.models[MODEL]
        self.models[MODEL] = replace(model, aliases={alias: version for alias, version in model.aliases.items() if version != number})

    def judged(self, number: int, *, champion: int | None, decision: str = "passed", probe: bool = True, **changed: Any) -> str:
        """Write a verdict on a version as the gate does; gives its digest."""
        run = f"run-{number}"
        compared = str(champion) if champion is not None else "none"
        given = {"model": MODEL, "version": str(number), "champion": compared, "created": self.now.isoformat(), "run": run}
        by = {"gate_sha256": GATE.sha256, "holdout_source": f"table {GATE.table(MODEL)}"}
        verdict = Verdict(Result(decision), "f1_macro", "superior", **{**by, **given, **changed})
        self.artifacts[(run, VERDICT_ARTIFACT)] = json.dumps(verdict.as_dict(), indent=2).encode()
        if probe:
            self.artifacts[(run, PROBE_FILE)] = json.dumps({"request": ROWS, "predictions": self.answers[number]}).encode()
        tags = {
            "bundleflow_verdict": decision,
            "bundleflow_verdict_sha256": verdict.sha256,
            "bundleflow_verdict_champion": compared,
            "bundleflow_verdict_run": run,
        }
        version = self.versions[(MODEL, number)]
        self.versions[(MODEL, number)] = replace(version, tags={**version.tags, **tags})
        return verdict.sha256

    def serve(self, **shares: int) -> None:
        """Let the endpoint serve versions by their shares, such as `v1=100`."""
        numbers = {name.removeprefix("v"): share for name, share in shares.items()}
        config = {
            "served_entities": [
                {
                    "name": f"classifier-{number}",
                    "entity_name": MODEL,
                    "entity_version": number,
                    "workload_size": "Medium",
                    "state": {"x": 1},
                }
                for number in numbers
            ],
            "traffic_config": {
                "routes": [{"served_model_name": f"classifier-{number}", "traffic_percentage": share} for number, share in numbers.items()]
            },
            "auto_capture_config": {"catalog_name": "prod", "schema_name": "logs", "enabled": True, "state": {}},
            "config_version": 3,
        }
        self.endpoints[ENDPOINT] = EndpointState(ENDPOINT, ready=True, update="NOT_UPDATING", config=config)


def world(versions: int = 2, *, champion: int | None = 1, served: bool = True) -> World:
    """A model with some versions, the first of which is champion and serves."""
    made = World()
    made.models[MODEL] = ModelState(MODEL, {"champion": champion} if champion else {}, {}, "Classifies flowers.")
    for number in range(1, versions + 1):
        made.versions[(MODEL, number)] = VersionState(MODEL, number, "READY", {}, f"train-{number}")
        made.answers[number] = [f"flower-{number}", number / 3]
    if served and champion:
        made.serve(**{f"v{champion}": 100})
    return made


def request(number: int, digest: str, *, endpoint: str | None = ENDPOINT, **changed: Any) -> PromotionRequest:
    approval = Approval("reviewer", "github", digest, "https://github.example/run/1")
    return PromotionRequest(MODEL, number, approval, endpoint, "run 1", PACE, **changed)


@dataclass
class Models:
    world: World

    def model(self, name: str) -> ModelState:
        self.world.did("model")
        if name not in self.world.models:
            raise ModelsError("model-missing", f"The model {name} does not exist.", fix="Check the name.")
        return self.world.models[name]

    def version(self, name: str, number: int) -> VersionState:
        self.world.did("version")
        if (name, number) not in self.world.versions:
            raise ModelsError("model-missing", f"Version {number} of {name} does not exist.", fix="Check the number.")
        return self.world.versions[(name, number)]

    def set_alias(self, name: str, alias: str, number: int) -> None:
        self.world.did(f"set_alias {alias}")
        if (name, number) not in self.world.versions:
            raise ModelsError("model-missing", f"Version {number} of {name} does not exist.", fix="Check the number.")
        model = self.world.models[name]
        self.world.models[name] = replace(model, aliases={**model.aliases, alias: number})

    def delete_alias(self, name: str, alias: str) -> None:
        self.world.did(f"delete_alias {alias}")
        model = self.world.models[name]
        self.world.models[name] = replace(model, aliases={key: number for key, number in model.aliases.items() if key != alias})

    def set_model_tag(self, name: str, key: str, value: str) -> None:
        self.world.did("set_model_tag")
        model = self.world.models[name]
        self.world.models[name] = replace(model, tags={**model.tags, key: value})

    def delete_model_tag(self, name: str, key: str) -> None:
        self.world.did("delete_model_tag")
        model = self.world.models[name]
        self.world.models[name] = replace(model, tags={tag: value for tag, value in model.tags.items() if tag != key})

    def set_version_tag(self, name: str, number: int, key: str, value: str) -> None:
        self.world.did("set_version_tag")
        version = self.world.versions[(name, number)]
        self.world.versions[(name, number)] = replace(version, tags={**version.tags, key: value})

    def delete_version_tag(self, name: str, number: int, key: str) -> None:
        self.world.did("delete_version_tag")
        version = self.world.versions[(name, number)]
        self.world.versions[(name, number)] = replace(version, tags={name: value for name, value in version.tags.items() if name != key})

    def connect(self, model: ModelState, job: str) -> None:
        self.world.did("connect")
        self.world.models[model.name] = replace(model, deployment_job=job)

    def artifact(self, run_id: str, path: str) -> bytes | None:
        self.world.did("artifact")
        return self.world.artifacts.get((run_id, path))


@dataclass
class Serving:
    """Endpoints: a new configuration is in force after some looks; until then the old one serves."""

    world: World

    def get(self, name: str) -> EndpointState | None:
        self.world.did("endpoint")
        if name in self.world.next_config:
            config, looks = self.world.next_config.pop(name)
            if looks:
                self.world.next_config[name] = (config, looks - 1)
            elif self.world.broken & {int(each["entity_version"]) for each in config["served_entities"]}:
                old = self.world.endpoints[name]
                self.world.endpoints[name] = EndpointState(name, old.ready, "UPDATE_FAILED", old.config)
            else:
                self.world.endpoints[name] = EndpointState(name, ready=True, update="NOT_UPDATING", config=config)
                self.world.served.append(self.world.shares() or {})
        return self.world.endpoints.get(name)

    def create(self, name: str, config: Mapping[str, Any]) -> None:
        self.world.did("create")
        assert name not in self.world.endpoints
        self.world.endpoints[name] = EndpointState(name, ready=False, update="IN_PROGRESS", config=config)
        self.world.next_config[name] = (config, 1)

    def update(self, name: str, config: Mapping[str, Any]) -> None:
        self.world.did("update")
        old = self.world.endpoints[name]
        if old.update == "IN_PROGRESS":
            raise ModelsError("endpoint-failed", "The endpoint is still updating.", fix="Wait.")
        self.world.endpoints[name] = EndpointState(name, old.ready, "IN_PROGRESS", old.config, pending=True)
        self.world.next_config[name] = (config, 1)

    def delete(self, name: str) -> None:
        self.world.did("delete")
        self.world.endpoints.pop(name, None)
        self.world.next_config.pop(name, None)

    def ask(self, name: str, request: Mapping[str, Any], entity: str = "") -> Mapping[str, Any]:
        self.world.did("ask")
        assert request == ROWS
        config = self.world.endpoints[name].config
        chosen = entity or max(traffic(config), key=lambda each: traffic(config)[each])
        number = next((int(each["entity_version"]) for each in config["served_entities"] if each["name"] == chosen), 0)
        if not number:
            raise ModelsError("endpoint-failed", f"{name} serves no {chosen}.", fix="")
        return {"predictions": self.world.answers[number]}


@dataclass
class Folder:
    world: World

    def create(self, path: str, content: bytes) -> bool:
        self.world.did("create lock")
        if path in self.world.files:
            return False
        self.world.files[path] = content
        return True

    def replace(self, path: str, content: bytes) -> None:
        self.world.did("write lock")
        self.world.files[path] = content

    def read(self, path: str) -> bytes | None:
        self.world.did("read lock")
        return self.world.files.get(path)

    def delete(self, path: str) -> None:
        self.world.did("delete lock")
        self.world.files.pop(path, None)
